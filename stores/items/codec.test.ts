import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromHex, hex } from '../../core/kernel/bytes.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import type { Attributes, ItemValue } from '../../core/ports/items.ts'
import { decodeAttributes, encodeAttributes } from './codec.ts'

const golden: readonly (readonly [string, Attributes])[] = [
  ['0100', {}],
  ['0101016101' + '02c3a4', { a: 'ä' }],
  ['010201610200' + '01620201', { a: 0n, b: -1n }],
  ['01010161' + '02feffffffffffffffff01', { a: 2n ** 63n - 1n }],
  ['01010161' + '02ffffffffffffffffff01', { a: -(2n ** 63n) }],
  [`010101610313${hex(new TextEncoder().encode('9223372036854775808'))}`, { a: 2n ** 63n }],
  ['0102017904' + '016e05', { y: true, n: false }],
  ['0101016206' + '020009', { b: Uint8Array.of(0, 9) }],
  ['0101016c07' + '02' + '0202' + '0700', { l: [1n, []] }],
  ['0101016d08' + '01' + '00' + '0101' + '78', { m: { '': 'x' } }],
]

test('the bytes of version 1 stay what they are', () => {
  for (const [bytes, attributes] of golden) {
    expect(hex(encodeAttributes(attributes))).toBe(bytes)
    expect(decodeAttributes(fromHex(bytes))).toEqual(attributes)
  }
})

const value: fc.Arbitrary<ItemValue> = fc.letrec<{ value: ItemValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.string({ unit: 'binary' }),
    fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }),
    fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }),
    fc.boolean(),
    fc.uint8Array(),
    fc.array(tie('value')),
    fc.dictionary(fc.string({ unit: 'binary' }), tie('value'), { noNullPrototype: true }),
  ),
})).value
const attributes = fc.dictionary(fc.string({ unit: 'binary' }), value, { noNullPrototype: true })

test('what is encoded is decoded', () => {
  fc.assert(
    fc.property(attributes, (some) => {
      expect(decodeAttributes(encodeAttributes(some))).toEqual(some)
    }),
    { numRuns: 300 },
  )
})

test('every shortened encoding is refused', () => {
  fc.assert(
    fc.property(attributes, fc.nat(), (some, at) => {
      const bytes = encodeAttributes(some)
      expect(() => decodeAttributes(bytes.subarray(0, at % bytes.length))).toThrow(SluiceError)
    }),
  )
})

test('damaged bytes give attributes or our error, nothing else', () => {
  fc.assert(
    fc.property(attributes, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 }), (some, flips) => {
      const bytes = encodeAttributes(some)
      for (const [at, byte] of flips) bytes[at % bytes.length] = byte
      try {
        decodeAttributes(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(SluiceError)
      }
    }),
    { numRuns: 500 },
  )
})

test('each kind of damage is named', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['', /ends inside/],
    ['0200', /version 2/],
    ['010000', /1 bytes follow/],
    ['01ffffffff0f', /count of .* more than what is left/],
    ['01ffffffffffff', /count is too long/],
    ['0101016109', /tag 9 is unknown/],
    ['010101610105aa', /count of 5/],
    ['0102016104016104', /comes twice/],
    ['01010161' + '02ffffffffffffffffff03', /longer than 64 bits/],
    ['01010161' + '0301' + '78', /malformed/],
    [`01010161${'0701'.repeat(40)}04`, /nest deeper/],
  ]
  for (const [bytes, message] of cases) expect(() => decodeAttributes(fromHex(bytes)), bytes).toThrow(message)
})
