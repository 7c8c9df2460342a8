import fc from 'fast-check'
import { expect, test } from 'vitest'
import { utf8 } from '../../kernel/bytes.ts'
import { murmur3 } from '../../kernel/murmur3.ts'
import { parseType } from '../../model/type-text.ts'
import { batchOf, fieldOf, type Plain } from './batch.case.ts'
import { bucketRows } from './bucket.ts'

const bucketOf = (type: string, value: Plain, count = 1024): number =>
  bucketRows(batchOf([fieldOf('k', parseType(type))], [[value]]), ['k'], count)[0] ?? -1
const bucketOfHash = (hash: number, count = 1024): number => (hash & 0x7fffffff) % count

/** Iceberg specification, appendix B: 32-bit hash requirements. */
test.each<[string, Plain, number]>([
  ['int', 34, 2017239379],
  ['bigint', 34n, 2017239379],
  ['tinyint', 34, 2017239379],
  ['smallint', 34, 2017239379],
  ['decimal(9,2)', 1420n, -500754589],
  ['decimal(38,2)', 1420n, -500754589],
  ['date', 17486, -653330422],
  ['time(6)', 81068000000n, -662762989],
  ['time(0)', 81068n, -662762989],
  ['time(3)', 81068000n, -662762989],
  ['time(9)', 81068000000000n, -662762989],
  ['timestamp(6)', 1510871468000000n, -2047944441],
  ['timestamp(0)', 1510871468n, -2047944441],
  ['timestamp(3)', 1510871468000n, -2047944441],
  ['timestamp(9)', 1510871468000000000n, -2047944441],
  ['timestamp_ltz(6)', 1510871468000000n, -2047944441],
  ['timestamp(6)', 1510871468000001n, -1207196810],
  ['string', 'iceberg', 1210000089],
  ['binary', Uint8Array.of(0, 1, 2, 3), -188683207],
])('%s %s hashes as Iceberg says', (type, value, hash) => {
  expect(bucketOf(type, value)).toBe(bucketOfHash(hash))
  expect(bucketOf(type, value, 7)).toBe(bucketOfHash(hash, 7))
})

test('several columns are hashed with their lengths', () => {
  const fields = [fieldOf('a', parseType('int')), fieldOf('b', parseType('string'))]
  const batch = batchOf(fields, [
    [34, 'iceberg'],
    [null, 'iceberg'],
    [34, null],
    [-1, ''],
  ])
  const hash = (long: bigint, text: string): number => {
    const bytes = new Uint8Array(16 + text.length)
    const view = new DataView(bytes.buffer)
    view.setUint32(0, 8, true)
    view.setBigInt64(4, long, true)
    view.setUint32(12, text.length, true)
    bytes.set(utf8(text), 16)
    return bucketOfHash(murmur3(bytes))
  }
  expect([...bucketRows(batch, ['a', 'b'], 1024)]).toEqual([hash(34n, 'iceberg'), 0, 0, hash(-1n, '')])
  expect(bucketRows(batch, ['b', 'a'], 1024)[0]).not.toBe(bucketRows(batch, ['a', 'b'], 1024)[0])
})

test('null goes to bucket 0', () => {
  expect(bucketOf('string', null)).toBe(0)
})

test('longs hash as their eight bytes do', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      expect(bucketOf('bigint', value)).toBe(bucketOfHash(murmur3(new Uint8Array(BigInt64Array.of(value).buffer))))
    }),
  )
})
