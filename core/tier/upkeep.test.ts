import { expect, test } from 'vitest'
import { inlineParquet } from '../../stores/parquet/inline.ts'
import { pointAt } from '../format/items/points.ts'
import { sweep } from '../jobs/sweep.ts'
import { SluiceError } from '../kernel/errors.ts'
import { currentSnapshot, decodeMetadata } from '../lake/iceberg/metadata.ts'
import { readLakeItem } from '../lake/item.ts'
import { readChecked } from '../lake/objects.ts'
import { collect } from '../log/collect.ts'
import { requestOf, type TestWorld, testLog, testTable, testWorld } from '../log/world.case.ts'
import type { Table } from '../model/table.ts'
import { runTier } from './run.ts'
import { lakePoints, tierState } from './state.ts'
import { folderRows, tier, tierJobOf } from './tier.case.ts'

const minutes = 60_000

/** So many commits of one row each, numbered from `from`, so far apart. */
async function tierRows(world: TestWorld, table: Table, { from = 0, count = 1, everyMs = minutes } = {}): Promise<void> {
  const log = testLog(world)
  for (let i = from; i < from + count; i++) {
    world.time.now += everyMs
    const [appended] = await log.append(table, requestOf([i], undefined, i % table.buckets.count))
    if (appended?.outcome.done !== true) throw new Error('the append failed')
    await tier(world, table)
  }
}

async function keysOf(world: TestWorld): Promise<readonly string[]> {
  const keys: string[] = []
  for await (const { key } of world.objects.list('lake/')) keys.push(key)
  return keys
}

async function metadataOf(world: TestWorld, table: Table) {
  const lake = await readLakeItem(world.items, table.tableId)
  return decodeMetadata(await readChecked(world.objects, lake?.committed?.metadata ?? { key: 'none', crc32: 0 }))
}

test('a library that is not ours reads every row once through merged manifests', async () => {
  const world = testWorld()
  const table = await testTable(world, 2, 'iceberg')
  await tierRows(world, table, { count: 125 })
  const values = (await folderRows(world.objects, table)).map(({ v }) => Number(v)).sort((a, b) => a - b)
  expect(values).toEqual(Array.from({ length: 125 }, (_, i) => i))
})

test('small files of a bucket become one, with the same rows at the same offsets', async () => {
  const world = testWorld()
  const table = await testTable(world, 2, 'iceberg')
  await tierRows(world, table, { count: 45 })
  const metadata = await metadataOf(world, table)
  const { summary } = currentSnapshot(metadata)
  expect(Number(summary['total-data-files'])).toBeLessThan(20)
  expect(summary['total-records']).toBe('45')
  const operations = metadata.snapshots.map((each) => each.summary['operation'])
  expect(operations.filter((each) => each === 'append').length).toBeGreaterThanOrEqual(18)
  expect(operations).toContain('replace')
  const rows = await folderRows(world.objects, table)
  expect(
    rows
      .map((row) => [Number(row['__bucket']), Number(row['__offset']), Number(row['v'])])
      .sort((a, b) => (a[2] ?? 0) - (b[2] ?? 0)),
  ).toEqual(Array.from({ length: 45 }, (_, i) => [i % 2, Math.floor(i / 2), i]))
  const { points } = await lakePoints(world, table)
  expect([0, 1].map((bucket) => pointAt(points, { partition: '', bucket })?.offset)).toEqual([23n, 22n])
})

test('a join that fails leaves files and rows as they are, and another level joins them', async () => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  const log = testLog(world)
  const broken = { ...inlineParquet(), join: async () => Promise.reject(new SluiceError('internal', 'no memory')) }
  const options = { deadlineMs: world.time.now + 365 * 24 * 60 * minutes, roundBytesMax: 1 << 28 }
  for (let i = 0; i < 60; i++) {
    world.time.now += minutes
    await log.append(table, requestOf([i]))
    expect(await runTier(world, log, broken, tierJobOf(table), options)).toMatchObject({ state: 'committed', remaining: 0n })
  }
  expect(currentSnapshot(await metadataOf(world, table)).summary).toMatchObject({
    'total-data-files': '60',
    'total-records': '60',
  })
  expect(await tierState(world, log, table)).toMatchObject({ state: 'idle', lastError: null })
  await tierRows(world, table, { from: 60, count: 60 })
  expect(Number(currentSnapshot(await metadataOf(world, table)).summary['total-data-files'])).toBeLessThan(40)
  const values = (await folderRows(world.objects, table)).map(({ v }) => Number(v)).sort((a, b) => a - b)
  expect(values).toEqual(Array.from({ length: 120 }, (_, i) => i))
})

test('a worker that is too late, or overtaken while it joins, changes nothing by it', async () => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  await tierRows(world, table, { count: 9 })
  const log = testLog(world)
  await log.append(table, requestOf([9]))
  const overtaken = {
    ...inlineParquet(),
    join: async (...given: Parameters<ReturnType<typeof inlineParquet>['join']>) => {
      world.time.now += 10 * minutes
      await log.append(table, requestOf([10]))
      await tier(world, table)
      return inlineParquet().join(...given)
    },
  }
  await runTier(world, log, overtaken, tierJobOf(table), { deadlineMs: world.time.now + minutes, roundBytesMax: 1 << 28 })
  const { summary } = currentSnapshot(await metadataOf(world, table))
  expect(summary['total-records']).toBe('11')
  const values = (await folderRows(world.objects, table)).map(({ v }) => Number(v)).sort((a, b) => a - b)
  expect(values).toEqual(Array.from({ length: 11 }, (_, i) => i))
})

test('what a dead round left is collected by the mark that it put', async () => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  await tierRows(world, table, { count: 2 })
  await testLog(world).append(table, requestOf([2]))
  world.time.now += 13 * 60 * minutes
  const { create } = world.objects
  let staged = 0
  world.objects.create = async (key, bytes) => {
    if (key.includes('/staged/')) throw new Error('crashed')
    staged += key.startsWith('lake/') ? 1 : 0
    return create.call(world.objects, key, bytes)
  }
  await expect(tier(world, table)).rejects.toThrow('crashed')
  world.objects.create = create
  world.time.now += minutes
  await tierRows(world, table, { from: 3 })
  const before = (await keysOf(world)).length
  world.time.now += 37 * 60 * minutes
  await sweep(world)
  for (const job of world.jobs) if (job.kind === 'collect') await collect(world, job)
  expect(staged).toBe(4)
  expect(before - (await keysOf(world)).length).toBe(staged)
  const values = (await folderRows(world.objects, table)).map(({ v }) => Number(v)).sort((a, b) => a - b)
  expect(values).toEqual([0, 1, 2, 3])
  world.jobs.splice(0)
  await sweep(world)
  expect(world.jobs.filter(({ kind }) => kind === 'collect')).toEqual([])
})

test('a lake that is tiered often has one collect mark of its own in half a day', async () => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  let marks = 0
  const { create } = world.items
  world.items.create = async (item) => {
    if (item.key.sort.includes('#collect#')) marks += 1
    return create.call(world.items, item)
  }
  await tierRows(world, table, { count: 48, everyMs: 30 * minutes })
  // Two of the process that appends, and three of the tierer's.
  expect(marks).toBe(5)
})

test('a lake that is left alone keeps twenty snapshots after its collect, and commits on from there', async () => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  await tierRows(world, table, { count: 40 })
  expect((await metadataOf(world, table)).snapshots.length).toBeGreaterThan(40)
  const before = (await keysOf(world)).length
  world.time.now += 37 * 60 * minutes
  await sweep(world)
  for (const job of world.jobs) if (job.kind === 'collect') await collect(world, job)
  const metadata = await metadataOf(world, table)
  expect(metadata.snapshots).toHaveLength(20)
  expect((await keysOf(world)).length).toBeLessThan(before - 60)
  await tierRows(world, table, { from: 40 })
  const values = (await folderRows(world.objects, table)).map(({ v }) => Number(v)).sort((a, b) => a - b)
  expect(values).toEqual(Array.from({ length: 41 }, (_, i) => i))
  expect((await metadataOf(world, table)).snapshots.length).toBeLessThanOrEqual(21)
})

test('a lake of rare commits keeps its newest twenty snapshots', async () => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  await tierRows(world, table, { count: 30, everyMs: 24 * 60 * minutes })
  const metadata = await metadataOf(world, table)
  expect(metadata.snapshots).toHaveLength(20)
  expect(metadata['snapshot-log']).toHaveLength(20)
})
