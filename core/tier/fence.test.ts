import { expect, test } from 'vitest'
import { inlineParquet } from '../../stores/parquet/inline.ts'
import { lakeItemKey } from '../format/items/lake.ts'
import { labelOf } from '../kernel/ids.ts'
import { readLakeItem } from '../lake/item.ts'
import { testLog, testTable, testWorld } from '../log/world.case.ts'
import { isCommit, keysOf, lakeValues, minutes, produce, unknown, updatesThrough } from './run.case.ts'
import { runTier } from './run.ts'
import { tier, tierJobOf } from './tier.case.ts'

test('a commit whose outcome stays unknown is surfaced as such, deletes nothing, and is found by the next worker', async () => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  await produce(world, table, [1, 2])
  const silent = updatesThrough(world, async (update, go) => {
    if (!isCommit(update)) return go(update)
    await go(update)
    throw unknown()
  })
  await expect(tier(silent, table)).rejects.toMatchObject({ effect: 'unknown' })
  expect(await keysOf(world, table, 'data')).toHaveLength(1)
  expect(await tier(world, table)).toMatchObject({ state: 'idle' })
  expect(await lakeValues(world, table)).toEqual([1, 2])
})

test('a worker that slept through its lease is refused at its commit and changes nothing', async () => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  await produce(world, table, [1, 2])
  let slept = false
  const sleepy = updatesThrough(world, async (update, go) => {
    if (isCommit(update) && !slept) {
      slept = true
      world.time.now += 10 * minutes
      expect(await tier(world, table)).toMatchObject({ state: 'committed', rows: 2n })
      await produce(world, table, [3])
    }
    return go(update)
  })
  expect(await tier(sleepy, table)).toMatchObject({ state: 'fenced', snapshots: 0 })
  expect(await lakeValues(world, table)).toEqual([1, 2])
  expect(await readLakeItem(world.items, table.tableId)).toMatchObject({ version: 1n, epoch: 2n, lease: 0, lastError: undefined })
})

test('a claim is refused while another worker holds the lease', async () => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  await produce(world, table, [1])
  const first = updatesThrough(world, async (update, go) => {
    if (isCommit(update)) expect(await tier(world, table)).toEqual({ state: 'busy', snapshots: 0, rows: 0n, remaining: 1n })
    return go(update)
  })
  expect(await tier(first, table)).toMatchObject({ state: 'committed' })
})

test('a claim with a lost answer is recognised as ours', async () => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  await produce(world, table, [1])
  let claims = 0
  const shaky = updatesThrough(world, async (update, go) => {
    const result = await go(update)
    if (update.set?.['holder'] !== undefined && ++claims === 1) throw unknown()
    return result
  })
  expect(await tier(shaky, table)).toMatchObject({ state: 'committed', rows: 1n })
  expect(claims).toBe(2)
})

test('a lake that is closed at the last moment takes no commit', async () => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  await produce(world, table, [1])
  const dropped = updatesThrough(world, async (update, go) => {
    if (isCommit(update)) await go({ key: lakeItemKey(table.tableId), set: { open: { value: false } } })
    return go(update)
  })
  expect(await tier(dropped, table)).toMatchObject({ state: 'gone', snapshots: 0 })
  expect(await lakeValues(world, table)).toEqual([])
})

test('a commit whose objects may be collected has no effect and is done again with new ones', async () => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  await produce(world, table, [1, 2])
  let commits = 0
  const late = updatesThrough(world, async (update, go) => {
    if (isCommit(update) && ++commits === 1) {
      await go({ key: lakeItemKey(table.tableId), set: { gc: { value: labelOf(world.time.now) } } })
      world.time.now += 1
    }
    return go(update)
  })
  expect(await tier(late, table)).toMatchObject({ state: 'committed', snapshots: 1, rows: 2n })
  expect(await keysOf(world, table, 'data')).toHaveLength(2)
  expect(await lakeValues(world, table)).toEqual([1, 2])
})

test('the lease is renewed while files are written; a worker that lost it stops', async () => {
  const world = testWorld()
  const table = await testTable(world, 4, 'iceberg')
  for (const bucket of [0, 1, 2, 3]) await produce(world, table, [bucket], bucket)
  let renewals = 0
  let stolen = false
  const watched = updatesThrough(world, async (update, go) => {
    if (
      Object.keys(update.set ?? {}).join() === 'lease' &&
      update.set?.['lease'] !== undefined &&
      (update.set['lease'] as { value: bigint }).value > 0n
    )
      renewals++
    return go(update)
  })
  const slow = {
    ...inlineParquet(),
    write: async (...args: Parameters<ReturnType<typeof inlineParquet>['write']>) => {
      world.time.now += 40_000
      if (stolen) world.time.now += 10 * minutes
      if (stolen) await tier(world, table)
      return inlineParquet().write(...args)
    },
  }
  const options = { deadlineMs: world.time.now + 60 * minutes, roundBytesMax: 1 << 20 }
  expect(await runTier(watched, testLog(world), slow, tierJobOf(table), options)).toMatchObject({ state: 'committed', rows: 4n })
  expect(renewals).toBeGreaterThan(1)
  for (const bucket of [0, 1, 2, 3]) await produce(world, table, [10 + bucket], bucket)
  stolen = true
  expect(await runTier(watched, testLog(world), slow, tierJobOf(table), options)).toMatchObject({ state: 'fenced' })
  expect(await lakeValues(world, table)).toEqual([0, 1, 2, 3, 10, 11, 12, 13])
})
