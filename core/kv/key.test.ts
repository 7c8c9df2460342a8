/** Order of bytes = order of values, for every type that can be in a key, also of several columns and of their prefixes. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareBytes, utf8 } from '../kernel/bytes.ts'
import type { DataType } from '../model/types.ts'
import { type KeyForm, keyOf, keyPrefixOf } from './key.ts'
import type { Value } from './values.ts'

const formOf = (types: readonly DataType[]): KeyForm => ({
  types,
  names: types.map((_, i) => `c${i}`),
  indices: types.map((_, i) => i),
})

const int = (bits: number) => fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 })
const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const zeros = fc.array(fc.constantFrom(0, 1, 0x61, 0xff), { maxLength: 4 }).map((bytes) => Uint8Array.from(bytes))
const bytes = fc.oneof(zeros, fc.uint8Array({ maxLength: 6 }))
const text = fc.string({ maxLength: 6, unit: 'grapheme' }).map(utf8)
const float = fc.oneof(fc.constantFrom(0, -0, 1, -1, Number.NaN, Infinity, -Infinity), fc.float())

const keyTypes: readonly (readonly [DataType, fc.Arbitrary<Value>])[] = [
  [{ kind: 'boolean' }, fc.boolean()],
  [{ kind: 'tinyint' }, int(8)],
  [{ kind: 'smallint' }, int(16)],
  [{ kind: 'int' }, int(32)],
  [{ kind: 'date' }, int(32)],
  [{ kind: 'bigint' }, long],
  [{ kind: 'time', precision: 3 }, fc.bigInt({ min: 0n, max: 86_399_999n })],
  [{ kind: 'timestamp', precision: 6 }, long],
  [{ kind: 'timestamp_ltz', precision: 9 }, long],
  [{ kind: 'decimal', precision: 38, scale: 2 }, fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n })],
  [{ kind: 'float' }, float],
  [{ kind: 'double' }, fc.oneof(float, fc.double())],
  [{ kind: 'string' }, text],
  [{ kind: 'binary' }, bytes],
]

/** NaN is above all, -0 is 0. */
function compareValues(a: Value, b: Value): number {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Math.sign(compareBytes(a, b))
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
  return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0
}

const compareTexts = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

describe('keys are ordered as their values', () => {
  test.each(keyTypes.map(([type, values]) => [type.kind, type, values] as const))('%s', (_, type, values) => {
    const form = formOf([type])
    fc.assert(
      fc.property(values, values, (a, b) => {
        expect(compareTexts(keyOf(form, [a]), keyOf(form, [b]))).toBe(compareValues(a, b))
      }),
    )
  })

  test('of several columns, the first that differs decides, and the first ones are a prefix', () => {
    const several = fc.array(fc.constantFrom(...keyTypes), { minLength: 2, maxLength: 4 }).chain((chosen) => {
      const row = fc.tuple(...chosen.map(([, values]) => values))
      return fc.tuple(fc.constant(chosen.map(([type]) => type)), row, row, fc.nat(chosen.length - 1))
    })
    fc.assert(
      fc.property(several, ([types, a, b, shared]) => {
        const form = formOf(types)
        const mixed = a.map((value, i) => (i < shared ? value : (b[i] as Value)))
        const order = a.map((value, i) => compareValues(value, mixed[i] as Value)).find((each) => each !== 0) ?? 0
        expect(compareTexts(keyOf(form, a), keyOf(form, mixed))).toBe(order)
        expect(keyOf(form, a).startsWith(keyPrefixOf(form, a.slice(0, shared)))).toBe(true)
      }),
    )
  })
})

test('a key without a value, or of a megabyte, is refused by name', () => {
  const form = formOf([{ kind: 'string' }])
  expect(() => keyOf(form, [null])).toThrow(/key column "c0" is null/)
  expect(() => keyOf(form, [new Uint8Array(1 << 20)])).toThrow(/more than 8192 bytes/)
  expect(() => keyOf(form, [new Uint8Array(5_000)])).toThrow(/more than 8192 bytes/)
})
