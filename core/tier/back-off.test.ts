import { expect, test } from 'vitest'
import { inlineParquet } from '../../stores/parquet/inline.ts'
import { createDatabase } from '../catalog/databases.ts'
import { createTable } from '../catalog/tables.ts'
import { decodeMark, duePartition, dueShards } from '../format/items/mark.ts'
import { sweep } from '../jobs/sweep.ts'
import { present } from '../kernel/assert.ts'
import { isSluiceError, SluiceError } from '../kernel/errors.ts'
import { lakeFolder } from '../lake/layout.ts'
import { requestOf, specOfBuckets, type TestWorld, testLog, testTable, testWorld } from '../log/world.case.ts'
import { defaultOptions } from '../model/options.ts'
import type { Table } from '../model/table.ts'
import type { ObjectStore } from '../ports/objects.ts'
import type { World } from '../ports/world.ts'
import { pauseMs } from './back-off.ts'
import { runTier } from './run.ts'
import { tierState } from './state.ts'
import { tierJobOf } from './tier.case.ts'

const second = 1_000
const freshnessMs = 30 * second

async function freshTable(world: World, name: string): Promise<Table> {
  const spec = specOfBuckets(1, 'iceberg')
  const options = { ...defaultOptions, ...spec.options, lakeFreshnessMs: freshnessMs }
  return (await createTable(world, 'd', name, { ...spec, options })).table
}

/** The same stores, where the lake's objects of one table cannot be read for as long as `isBroken`. */
function brokenFor(world: TestWorld, table: Table, broken: { yes: boolean }): TestWorld {
  const objects = Object.create(world.objects) as ObjectStore
  for (const name of ['create', 'replace', 'delete', 'list', 'uri'] as const)
    objects[name] = (world.objects[name] as (...of: unknown[]) => unknown).bind(world.objects) as never
  objects.read = async (key, range) => {
    if (broken.yes && key.startsWith(lakeFolder(table.tableId))) throw new SluiceError('unavailable', 'access denied')
    return world.objects.read(key, range)
  }
  return { ...world, objects }
}

async function marksOf(world: World): Promise<number[]> {
  const due: number[] = []
  for (let shard = 0; shard < dueShards; shard++) {
    for (const item of await world.items.query({ partition: duePartition(shard), limit: 1_000 })) {
      const mark = decodeMark(item)
      if (mark.kind === 'tier') due.push(mark.due)
    }
  }
  return due
}

test('a table that fails is tried at growing pauses, does not hold up others, and recovers by itself', async () => {
  const broken = { yes: false }
  const healthy = testWorld()
  await createDatabase(healthy, 'd')
  const tables: Table[] = []
  for (let i = 0; i < 8; i++) tables.push(await freshTable(healthy, `t${i}`))
  const poisoned = tables[0] as Table
  const world = brokenFor(healthy, poisoned, broken)
  const log = testLog(world)
  const parquet = inlineParquet()
  const failedAt: number[] = []
  let worst = 0
  const step = async (): Promise<void> => {
    world.time.now += 5 * second
    await sweep(world)
    for (const job of world.jobs.splice(0)) {
      if (job.kind !== 'tier') continue
      const options = { deadlineMs: world.time.now + 60 * second, roundBytesMax: 1 << 20 }
      try {
        await runTier(world, log, parquet, job, options)
      } catch (error) {
        if (!isSluiceError(error, 'unavailable')) throw error
        expect(job.table.tableId).toBe(poisoned.tableId)
        failedAt.push(world.time.now)
      }
    }
  }
  const produceAll = async (): Promise<void> => {
    for (const table of tables) await log.append(table, requestOf([1]))
  }
  await produceAll()
  for (let i = 0; i < 8; i++) await step()
  broken.yes = true
  const end = world.time.now + 2_000 * second
  for (let i = 0; world.time.now < end; i++) {
    if (i % 12 === 0) await produceAll()
    await step()
    if (i % 12 !== 11) continue
    for (const table of tables.slice(1)) worst = Math.max(worst, (await tierState(world, log, table)).lagMs)
  }
  expect(worst).toBeLessThanOrEqual(freshnessMs + 5 * second)
  const pauses = failedAt.slice(1).map((at, i) => at - (failedAt[i] as number))
  expect(pauses.slice(0, 8)).toEqual([5, 10, 20, 40, 80, 160, 320, 600].map((seconds) => seconds * second))
  expect(Math.max(...pauses)).toBe(600 * second)
  expect(await tierState(world, log, poisoned)).toMatchObject({ state: 'failing', lagRows: 35, buckets: [{ tierPoint: null }] })
  broken.yes = false
  expect(await tierState(world, log, poisoned)).toMatchObject({
    state: 'failing',
    failures: failedAt.length,
    nextAttemptAt: (failedAt.at(-1) as number) + 600 * second,
    lastError: { message: 'access denied' },
  })
  for (let i = 0; i <= 120 + 6; i++) await step()
  const after = { state: 'idle', lagRows: 0, failures: 0, nextAttemptAt: null, lastError: null }
  for (const table of tables) expect(await tierState(world, log, table)).toMatchObject(after)
  expect(await marksOf(world)).toEqual([])
}, 60_000)

test('a run that comes too soon leaves one mark for all that it answers, and one that nobody marked waits for nothing', async () => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  const log = testLog(world)
  await log.append(table, requestOf([1]))
  await log.append(table, requestOf([2]))
  world.time.now += 3_600 * second
  await sweep(world)
  const { marks } = present(world.jobs[0], 'the job of the marks')
  const options = { deadlineMs: world.time.now + 60 * second, roundBytesMax: 1 << 20 }
  const broken = { ...inlineParquet(), write: async () => Promise.reject(new SluiceError('internal', 'no memory')) }
  await expect(runTier(world, log, broken, tierJobOf(table, marks), options)).rejects.toThrow('no memory')
  const failedAt = world.time.now
  world.time.now += pauseMs(1) - 1
  const soon = await runTier(world, log, inlineParquet(), tierJobOf(table, marks), options)
  expect(soon).toEqual({ state: 'put-off', snapshots: 0, rows: 0n, remaining: 0n })
  expect(await marksOf(world)).toEqual([failedAt + pauseMs(1)])
  expect(await runTier(world, log, inlineParquet(), tierJobOf(table), options)).toMatchObject({ state: 'committed', rows: 2n })
  expect(await marksOf(world)).toHaveLength(1)
})

test('failures count from the last success, also one of the same run', async () => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  const log = testLog(world)
  const parquet = inlineParquet()
  let good = 0
  const failing = {
    ...parquet,
    write: (...of: Parameters<typeof parquet.write>) =>
      good-- > 0 ? parquet.write(...of) : Promise.reject(new SluiceError('internal', 'no memory')),
  }
  const run = () => runTier(world, log, failing, tierJobOf(table), { deadlineMs: world.time.now + 60 * second, roundBytesMax: 1 })
  for (const value of [1, 2]) {
    await log.append(table, requestOf([value]))
    world.time.now += 10
  }
  for (const failures of [1, 2, 3]) {
    await expect(run()).rejects.toThrow('no memory')
    expect(await tierState(world, log, table)).toMatchObject({ failures })
  }
  good = 1
  await expect(run()).rejects.toThrow('no memory')
  expect(await tierState(world, log, table)).toMatchObject({ failures: 1, lagRows: 1 })
})

test('a clock that was ahead when a failure was noted holds nobody back', async () => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  const log = testLog(world)
  await log.append(table, requestOf([1]))
  world.time.now += 3_600 * second
  await sweep(world)
  const { marks } = present(world.jobs[0], 'the job of the marks')
  const broken = { ...inlineParquet(), write: async () => Promise.reject(new SluiceError('internal', 'no memory')) }
  const options = { deadlineMs: world.time.now + 60 * second, roundBytesMax: 1 << 20 }
  await expect(runTier(world, log, broken, tierJobOf(table, marks), options)).rejects.toThrow('no memory')
  world.time.now -= 300 * second
  expect(await runTier(world, log, inlineParquet(), tierJobOf(table, marks), options)).toMatchObject({ state: 'committed' })
})
