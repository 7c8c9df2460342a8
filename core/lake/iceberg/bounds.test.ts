import { expect, test } from 'vitest'
import { utf8, utf8Text } from '../../kernel/bytes.ts'
import type { DataType } from '../../model/types.ts'
import { boundBytesMax, compareBounds, cutMetrics, intBound, longBound, mergeMetrics } from './bounds.ts'

const kind = (name: string): DataType => ({ kind: name }) as DataType
const double = (value: number): Uint8Array => new Uint8Array(new Float64Array([value]).buffer)
const float = (value: number): Uint8Array => new Uint8Array(new Float32Array([value]).buffer)

const ordered: readonly (readonly [DataType, readonly Uint8Array[]])[] = [
  [kind('int'), [-(2 ** 31), -1, 0, 1, 2 ** 31 - 1].map(intBound)],
  [kind('date'), [-1, 0, 20_000].map(intBound)],
  [kind('bigint'), [-(2n ** 63n), -(2n ** 53n), -1n, 0n, 2n ** 53n + 1n, 2n ** 63n - 1n].map(longBound)],
  [{ kind: 'timestamp', precision: 6 }, [-1n, 0n, 1_700_000_000_000_000n].map(longBound)],
  [kind('double'), [-Infinity, -1.5, -0, 0, 5e-324, Infinity].map(double)],
  [kind('float'), [-Infinity, -0, 0, 1.5].map(float)],
  [
    { kind: 'decimal', precision: 38, scale: 2 },
    [[0x80, 0], [0xff, 0x7f], [0xff], [0], [0x7f], [0, 0x80], [1, 0, 0]].map((bytes) => Uint8Array.from(bytes)),
  ],
  [kind('string'), ['', 'a', 'ab', 'b', 'é', '€', '😀'].map(utf8)],
  [kind('boolean'), [[0], [1]].map((bytes) => Uint8Array.from(bytes))],
]

test.each(ordered)('bounds of %o are in the order of their values', (type, values) => {
  for (const [i, a] of values.entries())
    for (const [j, b] of values.entries()) expect(Math.sign(compareBounds(type, a, b))).toBe(Math.sign(i - j))
})

test('metrics of two batches are those of both', () => {
  const type = kind('double')
  const a = { id: 7, nulls: 1, nans: 2, lower: double(-1), upper: double(5) }
  const b = { id: 7, nulls: 10, nans: 20, lower: double(0), upper: double(6) }
  expect(mergeMetrics(type, a, b)).toEqual({ id: 7, nulls: 11, nans: 22, lower: double(-1), upper: double(6) })
  expect(mergeMetrics(type, a, { id: 7, nulls: 3, nans: 0 })).toEqual({ ...a, nulls: 4 })
  expect(mergeMetrics(type, undefined, b)).toEqual(b)
})

test('long text is cut so that the bounds still hold', () => {
  const cut = (text: string) => cutMetrics(kind('string'), { id: 1, nulls: 0, lower: utf8(text), upper: utf8(text) })
  const long = cut('a'.repeat(1000))
  expect(utf8Text(long.lower ?? new Uint8Array(0))).toBe('a'.repeat(boundBytesMax))
  expect(utf8Text(long.upper ?? new Uint8Array(0))).toBe(`${'a'.repeat(boundBytesMax - 1)}b`)
  const wide = cut('€'.repeat(100))
  expect(utf8Text(wide.lower ?? new Uint8Array(0))).toBe('€'.repeat(42))
  expect(utf8Text(wide.upper ?? new Uint8Array(0))).toBe(`${'€'.repeat(41)}₭`)
  expect(cut('\u{10ffff}'.repeat(100))).not.toHaveProperty('upper')
  expect(utf8Text(cut(`${'a'.repeat(125)}\ud7ff${'x'.repeat(9)}`).upper ?? new Uint8Array(0))).toBe(`${'a'.repeat(125)}\ue000`)
  expect(cut('short')).toEqual({ id: 1, nulls: 0, lower: utf8('short'), upper: utf8('short') })
})

test('long bytes are cut so that the bounds still hold', () => {
  const cut = (bytes: Uint8Array) => cutMetrics(kind('binary'), { id: 1, nulls: 0, lower: bytes, upper: bytes })
  expect(cut(new Uint8Array(500).fill(255))).toEqual({ id: 1, nulls: 0, lower: new Uint8Array(boundBytesMax).fill(255) })
  const upper = cut(Uint8Array.of(1, ...new Uint8Array(500).fill(255))).upper
  expect(upper).toEqual(Uint8Array.of(2))
})
