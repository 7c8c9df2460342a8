import { expect, test } from 'vitest'
import { inlineParquet } from '../../stores/parquet/inline.ts'
import { markTableDropping } from '../catalog/tables.ts'
import { lakeItemKey } from '../format/items/lake.ts'
import { putMark } from '../jobs/marks.ts'
import { SluiceError } from '../kernel/errors.ts'
import { labelOf } from '../kernel/ids.ts'
import { currentSnapshot, decodeMetadata } from '../lake/iceberg/metadata.ts'
import { readLakeItem } from '../lake/item.ts'
import { hintKey, lakeFolder, publishedKey } from '../lake/layout.ts'
import { readChecked } from '../lake/objects.ts'
import { requestOf, type TestWorld, testLog, testTable, testWorld } from '../log/world.case.ts'
import type { Table } from '../model/table.ts'
import type { ItemStore, Update } from '../ports/items.ts'
import type { World } from '../ports/world.ts'
import { runTier } from './run.ts'
import { lakePoints, tierState } from './state.ts'
import { folderRows, tier, tierJobOf } from './tier.case.ts'

const minutes = 60_000

async function produce(world: TestWorld, table: Table, values: readonly number[], bucket = 0): Promise<void> {
  world.time.now += 10
  const [appended] = await testLog(world).append(table, requestOf(values, undefined, bucket))
  if (appended?.outcome.done !== true) throw new Error('the append failed')
}

async function lakeValues(world: World, table: Table): Promise<number[]> {
  return (await folderRows(world.objects, table)).map((row) => Number(row['v'])).sort((a, b) => a - b)
}

async function offsetsOf(world: World, table: Table): Promise<Record<number, bigint>> {
  const { points } = await lakePoints(world, table)
  return Object.fromEntries([...(points.get('') ?? [])].map(([bucket, { offset }]) => [bucket, offset]))
}

async function totalRecords(world: World, table: Table): Promise<string | undefined> {
  const lake = await readLakeItem(world.items, table.tableId)
  const metadata = decodeMetadata(await readChecked(world.objects, lake?.committed?.metadata ?? { key: 'none', crc32: 0 }))
  return currentSnapshot(metadata).summary['total-records']
}

async function keysOf(world: World, table: Table, folder: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of world.objects.list(`${lakeFolder(table.tableId)}/${folder}`)) keys.push(key)
  return keys
}

/** The same stores, seen by a process whose updates of the lake item pass through `around`. */
function updatesThrough(
  world: TestWorld,
  around: (update: Update, go: ItemStore['update']) => ReturnType<ItemStore['update']>,
): TestWorld {
  const { items } = world
  const go: ItemStore['update'] = (update) => items.update(update)
  const store = Object.create(items) as ItemStore
  for (const name of ['get', 'query', 'create', 'delete', 'transact'] as const) store[name] = items[name].bind(items) as never
  store.update = (update) => (update.key.sort === 'lake' ? around(update, go) : go(update))
  return { ...world, items: store }
}

const isCommit = (update: Update): boolean => update.set?.['metadata'] !== undefined
const unknown = (): SluiceError => new SluiceError('unavailable', 'no answer', { effect: 'unknown' })

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
    buckets: [{ tierPoint: '2' }],
  })
  expect(after.snapshot).toBe(after.buckets[0]?.snapshot)
  const plain = { ...table, options: { ...table.options, lakeFormat: 'none' as const } }
  expect(await tierState(world, log, plain)).toMatchObject({ state: 'none', snapshot: null })
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

const dueOf = (table: Table): string => `due#${Number.parseInt(table.tableId.slice(-2), 16) % 4}`
const marksOf = async (world: World, table: Table): Promise<string[]> =>
  (await world.items.query({ partition: dueOf(table), limit: 99 }))
    .filter(({ key }) => key.sort.includes('#tier#'))
    .map(({ key }) => key.sort)

test('the marks that a run answers are dropped when nothing is left', async () => {
  const world = testWorld()
  const table = await testTable(world, 2, 'iceberg')
  await produce(world, table, [1])
  const marks = await marksOf(world, table)
  expect(marks).toHaveLength(1)
  expect(await tier(world, table, { marks })).toMatchObject({ state: 'committed' })
  expect(await marksOf(world, table)).toEqual([])
})

test('a head that moved on while the run worked gets a new mark before the old one goes', async () => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  await produce(world, table, [1])
  const marks = await marksOf(world, table)
  let appended = false
  const busy = updatesThrough(world, async (update, go) => {
    if (isCommit(update) && !appended) {
      appended = true
      await testLog({ ...world, items: noMarks(world.items) }).append(table, requestOf([2]))
    }
    return go(update)
  })
  const startedAt = world.time.now
  await tier(busy, table, { marks })
  const [next, ...others] = await marksOf(world, table)
  expect(others).toEqual([])
  expect(next?.slice(0, 13)).toBe(String(startedAt + table.options.lakeFreshnessMs))
})

test('a run that ran out of time leaves a mark that is due', async () => {
  const world = testWorld()
  const table = await testTable(world, 2, 'iceberg')
  await produce(world, table, [1])
  await produce(world, table, [2], 1)
  const marks = await marksOf(world, table)
  const startedAt = world.time.now
  expect(await tier(world, table, { marks, roundBytesMax: 1, deadlineMs: 0 })).toMatchObject({ rows: 1n, remaining: 1n })
  const [next, ...others] = await marksOf(world, table)
  expect(others).toEqual([])
  expect(next?.slice(0, 13)).toBe(String(startedAt))
})

/** A process that relied on a mark of its past. */
function noMarks(items: ItemStore): ItemStore {
  const store = Object.create(items) as ItemStore
  for (const name of ['get', 'query', 'update', 'delete', 'transact'] as const) store[name] = items[name].bind(items) as never
  store.create = async (item) => (item.key.partition.startsWith('due#') ? { done: true, item } : items.create(item))
  return store
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
