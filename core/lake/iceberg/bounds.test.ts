import { expect, test } from 'vitest'
import { utf8, utf8Text } from '../../kernel/bytes.ts'
import type { DataType } from '../../model/types.ts'
import { boundBytesMax, cutMetrics } from './bounds.ts'

const kind = (name: string): DataType => ({ kind: name }) as DataType
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
