/** The order of keys is that of their bytes, whatever they have in common and wherever they end. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareBytes, spanOf } from '../kernel/bytes.ts'
import { orderOf } from './order.ts'

const anyByte = fc.constantFrom(0, 1, 0x7f, 0x80, 0xff)
const anyKey = fc
  .tuple(fc.nat(9), fc.uint8Array({ maxLength: 2 }), fc.array(anyByte, { maxLength: 9 }))
  .map(([length, some, rest]) => Uint8Array.from([...new Uint8Array(length).fill(7), ...some, ...rest]))
const differentKeys = fc.uniqueArray(anyKey, { maxLength: 300, size: 'max', selector: (key) => Buffer.from(key).toString('hex') })

const orderOfAll = (keys: readonly Uint8Array[], from = 0): number[] => [
  ...orderOf((index) => spanOf(keys[index] as Uint8Array), from, keys.length),
]
const sortedNumbers = (keys: readonly Uint8Array[]): number[] =>
  [...keys.keys()].sort((a, b) => compareBytes(keys[a] as Uint8Array, keys[b] as Uint8Array))

test('numbers of keys come in the order of the keys', () => {
  fc.assert(
    fc.property(differentKeys, fc.nat(5), (keys, from) => {
      const first = Math.min(from, keys.length)
      expect(orderOfAll(keys, first)).toEqual(sortedNumbers(keys).filter((index) => index >= first))
    }),
    { numRuns: 100 },
  )
})

test('keys of which each begins with the one before are sorted, as deep as they go', () => {
  const longest = new Uint8Array(8 * 1024).fill(0xff)
  const keys = Array.from({ length: 2_700 }, (_, i) => longest.subarray(0, 3 * ((i * 7) % 2_700)))
  expect(orderOfAll(keys)).toEqual(sortedNumbers(keys))
})
