import { expect, test } from 'vitest'
import { bucketRows } from '../format/arrow/bucket.ts'
import type { Batch } from '../format/arrow/column.ts'
import { present } from '../kernel/assert.ts'
import { viewOf } from '../kernel/bytes.ts'
import { SluiceError } from '../kernel/errors.ts'
import type { Table } from '../model/table.ts'
import { routeRows } from './route.ts'
import { batchOf, testTable, testWorld } from './world.case.ts'

const keyed = async (count: number): Promise<Table> => ({
  ...(await testTable(testWorld(), count)),
  buckets: { count, key: ['v'] },
})
const values = (batch: Batch): number[] => {
  const bytes = present(batch.columns[0]?.values, 'values')
  return Array.from({ length: batch.rows }, (_, row) => Number(viewOf(bytes).getBigInt64(8 * row, true)))
}

test('each row goes to the bucket of its key, in its order, and none is lost', async () => {
  const batches = [batchOf(Array.from({ length: 500 }, (_, i) => i)), batchOf([7, 7, 1])]
  const parts = routeRows(await keyed(16), batches, { rotate: () => 0 })
  expect(parts.map(({ bucket }) => bucket)).toEqual([...parts.map(({ bucket }) => bucket)].sort((a, b) => a - b))
  for (const { bucket, batches: routed } of parts) {
    for (const batch of routed) expect(new Set(bucketRows(batch, ['v'], 16))).toEqual(new Set([bucket]))
    const [first] = routed
    expect(values(present(first, 'rows'))).toEqual(values(present(first, 'rows')).sort((a, b) => a - b))
  }
  const all = parts.flatMap(({ batches: routed }) => routed.flatMap(values)).sort((a, b) => a - b)
  expect(all).toEqual([...Array.from({ length: 500 }, (_, i) => i), 7, 7, 1].sort((a, b) => a - b))
})

test('a row that belongs to another bucket than the one asked for is named', async () => {
  const table = await keyed(4)
  const [bucket] = bucketRows(batchOf([5]), ['v'], 4)
  const asked = (present(bucket, 'bucket') + 1) % 4
  expect(() => routeRows(table, [batchOf([5])], { bucket: asked, rotate: () => 0 })).toThrow(`row 0 belongs to bucket ${bucket}`)
  expect(routeRows(table, [batchOf([5])], { bucket: present(bucket, 'bucket'), rotate: () => 0 })).toHaveLength(1)
  expect(() => routeRows(table, [batchOf([5])], { bucket: 4, rotate: () => 0 })).toThrow(SluiceError)
})

test('rows without a bucket key follow the producer and its sequence, so that a retry meets the same bucket', async () => {
  const table = await testTable(testWorld(), 8)
  const at = (sequence: bigint) =>
    routeRows(table, [batchOf([1])], { producer: { producerId: 'p', sequence }, rotate: () => 0 })[0]?.bucket
  expect(at(2n ** 63n - 1n)).toBe(at(2n ** 63n - 1n))
  expect(new Set(Array.from({ length: 8 }, (_, i) => at(BigInt(i)))).size).toBe(8)
  expect(routeRows(table, [batchOf([1])], { rotate: () => 13 })[0]?.bucket).toBe(5)
  expect(routeRows(table, [], { rotate: () => 13 })).toEqual([])
})
