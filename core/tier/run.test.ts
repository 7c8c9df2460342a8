import { expect, test } from 'vitest'
import { inlineParquet } from '../../stores/parquet/inline.ts'
import { markTableDropping } from '../catalog/tables.ts'
import { putMark } from '../jobs/marks.ts'
import { SluiceError } from '../kernel/errors.ts'
import { currentSnapshot, decodeMetadata } from '../lake/iceberg/metadata.ts'
import { readLakeItem } from '../lake/item.ts'
import { hintKey, publishedKey } from '../lake/layout.ts'
import { readChecked } from '../lake/objects.ts'
import { type TestWorld, testLog, testTable, testWorld } from '../log/world.case.ts'
import type { Table } from '../model/table.ts'
import type { World } from '../ports/world.ts'
import { dueOf, isCommit, keysOf, lakeValues, minutes, produce, unknown, updatesThrough } from './run.case.ts'
import { runTier } from './run.ts'
import { lakePoints, tierState } from './state.ts'
import { tier, tierJobOf } from './tier.case.ts'

test('rows come into the lake once, however often the job runs', async () => {
  const world = testWorld()
  const table = await testTable(world, 2, 'iceberg')
  await produce(world, table, [1, 2, 3])
  await produce(world, table, [4], 1)
  expect(await tier(world, table)).toEqual({ state: 'committed', snapshots: 1, rows: 4n, remaining: 0n })
  expect(await tier(world, table)).toEqual({ state: 'idle', snapshots: 0, rows: 0n, remaining: 0n })
  await produce(world, table, [5, 6], 1)
  expect(await tier(world, table)).toMatchObject({ state: 'committed', rows: 2n })
  expect(await lakeValues(world, table)).toEqual([1, 2, 3, 4, 5, 6])
  expect(await offsetsOf(world, table)).toEqual({ 0: 3n, 1: 3n })
})

test('an empty table stays idle, and nothing is written for it', async () => {
  const world = testWorld()
  const table = await testTable(world, 3, 'iceberg')
  expect(await tier(world, table)).toMatchObject({ state: 'idle' })
  expect(await keysOf(world, table, '')).toEqual([])
  expect(await readLakeItem(world.items, table.tableId)).toMatchObject({ epoch: 0n, version: 0n })
})

test('a table without a lake, or a dropped one, is gone and its marks with it', async () => {
  const world = testWorld()
  const plain = await testTable(world)
  const mark = await putMark(world, { kind: 'tier', table: tierJobOf(plain).table, buckets: 1, due: 0 })
  expect(await tier(world, plain, { marks: [mark] })).toMatchObject({ state: 'gone' })
  expect(await world.items.query({ partition: dueOf(plain), limit: 9 })).toEqual([])
  await markTableDropping(world, plain)
  expect(await tier(world, plain)).toMatchObject({ state: 'gone' })
})

test('a crash before any call leaves a readable lake, and the next worker finishes exactly', async () => {
  let calls = 0
  for (let finished = false; !finished; ) {
    calls += 1
    const world = testWorld()
    const table = await testTable(world, 2, 'iceberg')
    await produce(world, table, [1, 2])
    await tier(world, table)
    await produce(world, table, [3], 0)
    await produce(world, table, [4], 1)
    finished = await tier(crashing(world, calls), table, { roundBytesMax: 1 }).then(
      () => true,
      () => false,
    )
    expect(
      [
        [1, 2],
        [1, 2, 4],
        [1, 2, 3, 4],
      ],
      `call ${calls}`,
    ).toContainEqual(await lakeValues(world, table))
    world.time.now += 5 * minutes
    expect(await tier(world, table)).toMatchObject({ remaining: 0n })
    expect(await offsetsOf(world, table), `call ${calls}`).toEqual({ 0: 3n, 1: 1n })
    expect(await totalRecords(world, table), `call ${calls}`).toBe('4')
  }
  expect(calls).toBeGreaterThan(20)
}, 60_000)

test.each(['lost answer', 'lost request'])('a commit with a %s is resolved, not repeated', async (fate) => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  await produce(world, table, [1, 2])
  let commits = 0
  const shaky = updatesThrough(world, async (update, go) => {
    if (isCommit(update) && ++commits === 1) {
      if (fate === 'lost answer') await go(update)
      throw unknown()
    }
    return go(update)
  })
  expect(await tier(shaky, table)).toMatchObject({ state: 'committed', snapshots: 1, rows: 2n })
  expect(await readLakeItem(world.items, table.tableId)).toMatchObject({ version: 1n })
  expect(await lakeValues(world, table)).toEqual([1, 2])
})

test('a round ends between batches, and the bucket that has waited longest comes first', async () => {
  const world = testWorld()
  const table = await testTable(world, 2, 'iceberg')
  const many = Array.from({ length: 150_000 }, (_, i) => i)
  await produce(world, table, many)
  await produce(world, table, [-1])
  await produce(world, table, [-2], 1)
  const cut = { roundBytesMax: 1 << 20, fileBytesMax: 3 << 20, deadlineMs: world.time.now }
  expect(await tier(world, table, cut)).toEqual({ state: 'committed', snapshots: 1, rows: 150_000n, remaining: 2n })
  expect(await keysOf(world, table, 'data')).not.toHaveLength(1)
  await produce(world, table, [-3])
  expect(await tier(world, table, { ...cut, roundBytesMax: 1, deadlineMs: world.time.now })).toMatchObject({
    rows: 1n,
    remaining: 2n,
  })
  expect(await offsetsOf(world, table)).toEqual({ 0: 150_000n, 1: 1n })
})

test('a missing copy of the metadata is repaired by the next run, also by one that finds nothing to do', async () => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  await produce(world, table, [1])
  await tier(world, table)
  for (const values of [[], [2]]) {
    await world.objects.delete([publishedKey(table.tableId, 1n), hintKey(table.tableId)])
    if (values.length > 0) await produce(world, table, values)
    await tier(world, table)
    expect(await keysOf(world, table, 'metadata/v')).toContain(publishedKey(table.tableId, 1n))
  }
  expect(await lakeValues(world, table)).toEqual([1, 2])
})

test('a failure is shown in the state until the next commit', async () => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  await produce(world, table, [1, 2])
  const log = testLog(world)
  expect(await tierState(world, log, table)).toMatchObject({
    state: 'idle',
    snapshot: null,
    lagRows: 2,
    lagBytes: expect.toSatisfy((bytes: number) => bytes > 16),
    buckets: [{ start: '0', end: '2', tierPoint: null }],
  })
  const broken = { ...inlineParquet(), write: async () => Promise.reject(new SluiceError('internal', 'no memory')) }
  const options = { deadlineMs: world.time.now + minutes, roundBytesMax: 1 << 20 }
  await expect(runTier(world, log, broken, tierJobOf(table), options)).rejects.toThrow('no memory')
  world.time.now += 90
  expect(await tierState(world, log, table)).toMatchObject({
    state: 'failing',
    epoch: 1,
    lagMs: 90,
    lastError: { message: 'no memory' },
  })
  await tier(world, table)
  const after = await tierState(world, log, table)
  expect(after).toMatchObject({
    state: 'idle',
    lagMs: 0,
    lagRows: 0,
    lagBytes: 0,
    lastError: null,
    maintenance: 'sluice',
    buckets: [{ tierPoint: '2' }],
  })
  expect(after.snapshot).toBe(after.buckets[0]?.snapshot)
  const plain = { ...table, options: { ...table.options, lakeFormat: 'none' as const } }
  expect(await tierState(world, log, plain)).toMatchObject({ state: 'none', snapshot: null, maintenance: null })
})

test('damage of what the last commit wrote is noticed and shown', async () => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  await produce(world, table, [1])
  await tier(world, table)
  await produce(world, table, [2])
  const lake = await readLakeItem(world.items, table.tableId)
  for (const key of [lake?.committed?.metadata.key ?? '', lake?.committed?.points.key ?? '']) {
    const whole = await world.objects.read(key)
    await world.objects.replace(key, whole.slice(0, -1))
    await expect(tier(world, table)).rejects.toThrow(/damaged/)
    expect(await readLakeItem(world.items, table.tableId)).toMatchObject({
      lastError: { message: expect.stringContaining('damaged') },
    })
    await world.objects.replace(key, whole)
  }
  expect(await tier(world, table)).toMatchObject({ state: 'committed', rows: 1n })
})

test('points that are gone or damaged are shown before a run fails of them', async () => {
  const world = testWorld()
  const log = testLog(world)
  const table = await testTable(world, 1, 'iceberg')
  await produce(world, table, [1])
  await tier(world, table)
  const key = (await readLakeItem(world.items, table.tableId))?.committed?.points.key ?? ''
  const whole = await world.objects.read(key)
  const broken = { state: 'failing', lagRows: 1, failures: 0, nextAttemptAt: null, buckets: [{ tierPoint: null }] }
  await world.objects.replace(key, whole.slice(0, -1))
  expect(await tierState(world, log, table)).toMatchObject({
    ...broken,
    lastError: { message: expect.stringContaining('damaged') },
  })
  await world.objects.delete([key])
  expect(await tierState(world, log, table)).toMatchObject({
    ...broken,
    lastError: { message: expect.stringContaining('absent') },
  })
  await world.objects.create(key, whole)
  expect(await tierState(world, log, table)).toMatchObject({ state: 'idle', lastError: null })
})

async function offsetsOf(world: World, table: Table): Promise<Record<number, bigint>> {
  const { points } = await lakePoints(world, table)
  return Object.fromEntries([...(points.get('') ?? [])].map(([bucket, { offset }]) => [bucket, offset]))
}

async function totalRecords(world: World, table: Table): Promise<string | undefined> {
  const lake = await readLakeItem(world.items, table.tableId)
  const metadata = decodeMetadata(await readChecked(world.objects, lake?.committed?.metadata ?? { key: 'none', crc32: 0 }))
  return currentSnapshot(metadata).summary['total-records']
}

/** Dies before the given call of a store: that one and every later one of the process fail. */
function crashing(world: TestWorld, at: number): TestWorld {
  let calls = 0
  const through = <T extends object>(store: T): T =>
    new Proxy(store, {
      get(target, name) {
        const method = Reflect.get(target, name) as ((...args: unknown[]) => unknown) | undefined
        // What a store may lack is lacking here too.
        if (method === undefined || name === 'uri') return method?.bind(target)
        return async (...args: unknown[]) => {
          calls += 1
          if (calls >= at) throw new Error('crashed')
          return method.apply(target, args)
        }
      },
    })
  return { ...world, objects: through(world.objects), items: through(world.items) }
}
