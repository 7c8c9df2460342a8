import { expect, test } from 'vitest'
import { createDatabase } from '../../catalog/databases.ts'
import { createTable, getTable, noteLakeBehind } from '../../catalog/tables.ts'
import { headKey } from '../../format/items/head.ts'
import { indexSorts } from '../../format/items/index-item.ts'
import { sweep } from '../../jobs/sweep.ts'
import { offsetOf } from '../../kernel/ids.ts'
import { unpartitioned } from '../../model/partition.ts'
import { printSpec } from '../../model/spec.ts'
import type { Table } from '../../model/table.ts'
import type { World } from '../../ports/world.ts'
import { tier } from '../../tier/tier.case.ts'
import { collect } from '../collect.ts'
import { bucketAt, readAll, requestOf, specOfBuckets, type TestWorld, testLog, testTable, testWorld } from '../world.case.ts'
import { retain } from './retain.ts'

const day = 86_400_000
const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

const jobOf = ({ tableId, buckets }: Table) =>
  ({ kind: 'retain', table: { database: 'd', table: 't', tableId }, buckets: buckets.count, marks: [] }) as const

async function append(world: TestWorld, table: Table, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) await testLog(world).append(table, requestOf([i]))
}

const retainNow = (world: TestWorld, table: Table) => retain(world, jobOf(table), world.time.now + day)

async function indexItems(world: World, table: Table): Promise<number> {
  const { partition } = headKey(table.tableId, bucketAt(0))
  return (await world.items.query({ partition, from: indexSorts.first, to: indexSorts.after, limit: 1_000 })).length
}

async function objectsOf(world: World, table: Table): Promise<number> {
  let count = 0
  for await (const _ of world.objects.list(`t/${table.tableId}/`)) count++
  return count
}

test('rows older than log.ttl leave the log, whole index items at a time, and then their objects', async () => {
  const world = testWorld()
  const table = await testTable(world)
  await append(world, table, 0, 20)
  world.time.now += 4 * day
  await append(world, table, 20, 40)
  expect(await retainNow(world, table)).toEqual({ state: 'retained', items: 0 })
  world.time.now += 4 * day
  expect(await retainNow(world, table)).toEqual({ state: 'retained', items: 2 })
  expect(await readAll(testLog(world), table)).toEqual(numbers(16, 40))
  expect(await retainNow(world, table)).toEqual({ state: 'retained', items: 0 })
  expect(await indexItems(world, table)).toBe(2)
  expect(await collect(world, { ...jobOf(table), kind: 'collect' })).toEqual({ state: 'collected', deleted: 16 })
  expect(await objectsOf(world, table)).toBe(24)
})

test('offsets below the start are refused with where the log begins', async () => {
  const world = testWorld()
  const table = await testTable(world)
  await append(world, table, 0, 20)
  world.time.now += 8 * day
  await retainNow(world, table)
  const request = { partition: unpartitioned, bucket: 0, from: offsetOf(3n), rowsMax: 10, bytesMax: 1 << 20 }
  await expect(testLog(world).fetch(table, request)).rejects.toMatchObject({
    code: 'offset-out-of-range',
    facts: { start: '16', end: '20' },
  })
})

test('rows that are not in the lake stay past their time, and the table says so until the lake follows', async () => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  await append(world, table, 0, 20)
  world.time.now += 8 * day
  expect(await retainNow(world, table)).toEqual({ state: 'retained', items: 0 })
  expect(printSpec(await getTable(world, 'd', 't'))).toMatchObject({ status: 'lake-behind' })
  expect(await readAll(testLog(world), table)).toEqual(numbers(0, 20))
  await noteLakeBehind(world, await getTable(world, 'd', 't'), false)
  expect(printSpec(await getTable(world, 'd', 't'))).toMatchObject({ status: 'alive' })
})

test.each([
  ['iceberg', 'the rows that the lake has go after it, the others stay', { items: 2, left: numbers(16, 40) }],
  ['none', 'nothing goes, for there is no lake', { items: 0, left: numbers(0, 40) }],
] as const)('with log.ttl-after-tier and lake.format %s %s', async (lakeFormat, _, { items, left }) => {
  const world = testWorld()
  await createDatabase(world, 'd')
  const { options, ...spec } = specOfBuckets(1, lakeFormat)
  const kept = { ...options, logTtlMs: 7 * day, logTtlAfterTierMs: 3_600_000 }
  const { table } = await createTable(world, 'd', 't', { ...spec, options: kept })
  await append(world, table, 0, 20)
  await tier(world, table)
  await append(world, table, 20, 40)
  world.time.now += 3_000_000
  expect(await retainNow(world, table)).toEqual({ state: 'retained', items: 0 })
  world.time.now += 2 * 3_600_000
  expect(await retainNow(world, table)).toEqual({ state: 'retained', items })
  expect(await readAll(testLog(world), table)).toEqual(left)
  expect(printSpec(await getTable(world, 'd', 't'))).toMatchObject({ status: 'alive' })
})

test('a mark that stands before the spill brings retention, and none is left where nothing can grow old', async () => {
  const world = testWorld()
  const table = await testTable(world)
  await append(world, table, 0, 20)
  world.time.now += 7 * day + 12 * 3_600_000
  await sweep(world)
  const [job] = world.jobs.splice(0).filter(({ kind }) => kind === 'retain')
  expect(job?.marks).toHaveLength(2)
  expect(await retain(world, job as never, world.time.now + day)).toEqual({ state: 'retained', items: 2 })
  world.time.now += 30 * day
  await sweep(world)
  expect(world.jobs.filter(({ kind }) => kind === 'retain')).toEqual([])
})

test('rows that stay are looked at again when the first of them is too old', async () => {
  const world = testWorld()
  const table = await testTable(world)
  await append(world, table, 0, 12)
  world.time.now += 7 * day
  await append(world, table, 12, 20)
  world.time.now += 12 * 3_600_000
  await sweep(world)
  for (const job of world.jobs.splice(0)) if (job.kind === 'retain') await retain(world, job, world.time.now + day)
  expect(await readAll(testLog(world), table)).toEqual(numbers(8, 20))
  world.time.now += 7 * day
  await sweep(world)
  for (const job of world.jobs.splice(0)) if (job.kind === 'retain') await retain(world, job, world.time.now + day)
  expect(await readAll(testLog(world), table)).toEqual(numbers(16, 20))
})

test('an index item that a stalled spiller writes again below the start is read by nobody and deleted by the next run', async () => {
  const world = testWorld()
  const table = await testTable(world)
  await append(world, table, 0, 20)
  const { partition } = headKey(table.tableId, bucketAt(0))
  const [item] = await world.items.query({ partition, from: indexSorts.first, to: indexSorts.after, limit: 1 })
  world.time.now += 8 * day
  await retainNow(world, table)
  await world.items.create(item as never)
  expect(await readAll(testLog(world), table)).toEqual(numbers(16, 20))
  expect(await retainNow(world, table)).toEqual({ state: 'retained', items: 1 })
})
