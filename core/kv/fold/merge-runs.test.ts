/** Runs that are larger than one read of a merge. */
import { expect, test } from 'vitest'
import { MemoryObjects } from '../../../stores/objects/memory.ts'
import { batchOf } from '../../format/arrow/batch.case.ts'
import { unpartitioned } from '../../model/partition.ts'
import { doneOf, foldNow, keyedTable, plainOf, testKv, testWorld, upsertOf } from '../world.case.ts'
import { levelLimits } from './levels.ts'

test('a merge takes its runs in few long reads, and every row is there afterwards with its newest value', async () => {
  let reads = 0
  class CountedObjects extends MemoryObjects {
    override read(...asked: Parameters<MemoryObjects['read']>): Promise<Uint8Array> {
      reads += 1
      return super.read(...asked)
    }
  }
  const world = testWorld({ objects: new CountedObjects() })
  const table = await keyedTable(world)
  const one = testKv(world)
  const note = 'x'.repeat(400)
  const rowsOf = (count: number, step: number, v: bigint) =>
    Array.from({ length: count }, (_, i) => [`k${String(i * step).padStart(5, '0')}`, v, note] as const)
  const downAtOnce = { ...levelLimits, level0RunsMin: 1, level0RunsMax: 1 }
  doneOf(await one.kv.upsert(table, upsertOf(table, rowsOf(6_000, 1, 1n))))
  await foldNow(world, one, table, downAtOnce)
  doneOf(await one.kv.upsert(table, upsertOf(table, rowsOf(60, 100, 2n))))
  reads = 0
  await foldNow(world, one, table, downAtOnce)
  // about 2.6 MiB of 165 blocks
  expect(reads).toBeLessThan(16)
  const sought = ['k00000', 'k00001', 'k03100', 'k05899', 'k05999', 'k06000']
  const keys = batchOf(
    table.schema.columns.slice(0, 1),
    sought.map((key) => [key]),
  )
  const cold = testKv(world)
  const { rows } = await cold.kv.lookup(table, keys, { stale: false, bytesMax: 1 << 20 })
  expect(rows.map((row) => (plainOf(row) as unknown[] | undefined)?.[1])).toEqual([2n, 1n, 2n, 1n, 1n, undefined])
  expect(await cold.kv.count(table, { partition: unpartitioned, bucket: 0 })).toBe(6_000n)
})
