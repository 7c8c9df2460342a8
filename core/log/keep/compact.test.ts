import { expect, test } from 'vitest'
import { MemoryItems } from '../../../stores/items/memory.ts'
import { claimKey, decodeClaim } from '../../format/items/claim.ts'
import { headKey } from '../../format/items/head.ts'
import { decodeIndexItem, type IndexItem, indexSorts } from '../../format/items/index-item.ts'
import { sweep } from '../../jobs/sweep.ts'
import { labelOf, offsetOf } from '../../kernel/ids.ts'
import { unpartitioned } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import type { ItemStore, Update, UpdateResult } from '../../ports/items.ts'
import type { World } from '../../ports/world.ts'
import { collect } from '../collect.ts'
import { bucketAt, producerWith, readAll, requestOf, type TestWorld, testLog, testTable, testWorld } from '../world.case.ts'
import { compact } from './compact.ts'
import { nextRun, runLimits } from './runs.ts'

const day = 86_400_000
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i)
const limits = { ...runLimits, itemsMin: 1 }

const jobOf = ({ tableId, buckets }: Table) =>
  ({ kind: 'compact', table: { database: 'd', table: 't', tableId }, buckets: buckets.count, marks: [] }) as const

const compactNow = (world: TestWorld, table: Table, of = limits) =>
  compact(world, jobOf(table), { deadlineMs: world.time.now + day, limits: of })

async function appended(world: TestWorld, count: number): Promise<Table> {
  const table = await testTable(world)
  const log = testLog(world)
  for (const i of numbers(count)) {
    world.time.now += 1_000
    await log.append(table, requestOf([i]))
  }
  return table
}

async function indexOf(world: World, table: Table): Promise<readonly IndexItem[]> {
  const { partition } = headKey(table.tableId, bucketAt(0))
  const items = await world.items.query({ partition, from: indexSorts.first, to: indexSorts.after, limit: 1_000 })
  return items.map(decodeIndexItem)
}

async function claimOf(world: World, table: Table) {
  const item = await world.items.get(claimKey(table.tableId, bucketAt(0)))
  return item === undefined ? undefined : decodeClaim(item)
}

/** The process dies at the first update that `is` says. */
function dyingAt(world: TestWorld, is: (update: Update) => boolean): TestWorld {
  const items = Object.create(world.items) as ItemStore
  for (const name of ['get', 'query', 'create', 'delete', 'transact'] as const)
    items[name] = world.items[name].bind(world.items) as never
  items.update = async (update) => {
    if (is(update)) throw new Error('died')
    return world.items.update(update)
  }
  return { ...world, items }
}

test('index items of small entries get one entry each of a common object, at the same offsets and times', async () => {
  const world = testWorld()
  const table = await appended(world, 40)
  const before = await indexOf(world, table)
  expect(await compactNow(world, table)).toMatchObject({ state: 'compacted', items: 4 })
  const after = await indexOf(world, table)
  const shape = ({ start, end, maxTime }: IndexItem) => ({ start, end, maxTime })
  expect(after.map(shape)).toEqual(before.map(shape))
  expect(after.map(({ entries }) => entries.length)).toEqual([1, 1, 1, 1])
  expect(new Set(after.flatMap(({ entries }) => entries.map(({ random }) => random))).size).toBe(1)
  expect(await readAll(testLog(world), table)).toEqual(numbers(40))
})

test('every row keeps the time of its commit, and a time is found where it was', async () => {
  const world = testWorld()
  const table = await appended(world, 20)
  const read = async () => {
    const request = { partition: unpartitioned, bucket: 0, from: offsetOf(0n), rowsMax: 100, bytesMax: 1 << 20 }
    return (await testLog(world).fetch(table, request)).rows.map(({ offset, timestamp }) => [offset, timestamp])
  }
  const before = await read()
  await compactNow(world, table)
  expect(await read()).toEqual(before)
  const at = { partition: unpartitioned, bucket: 0, from: { time: before[5]?.[1] as number }, rowsMax: 1, bytesMax: 1 }
  expect((await testLog(world).fetch(table, at)).start).toBe(5n)
})

test('what was joined, or is large, is not moved again', async () => {
  const world = testWorld()
  const table = await appended(world, 40)
  await compactNow(world, table)
  expect(await compactNow(world, table)).toEqual({ state: 'compacted', items: 0, bytes: 0 })
  const [item] = await indexOf(world, await appended(testWorld(), 20).then(() => table))
  expect(nextRun([item as IndexItem], limits)).toEqual({ is: 'skip', to: item?.end })
})

test('few small items wait for more, unless larger ones follow', async () => {
  const world = testWorld()
  const table = await appended(world, 28)
  expect(await compactNow(world, table, runLimits)).toMatchObject({ items: 0 })
  const small = await indexOf(world, table)
  const large = { ...small[2], entries: small[2]?.entries.map((entry) => ({ ...entry, length: 1 << 20 })) } as IndexItem
  expect(nextRun(small.slice(0, 2), runLimits)).toEqual({ is: 'wait' })
  expect(nextRun([...small.slice(0, 2), large], runLimits)).toEqual({ is: 'join', items: small.slice(0, 2) })
  expect(nextRun([large], runLimits)).toEqual({ is: 'skip', to: large.end })
})

test('the next claimant finishes what a dead one left pending, and collect keeps its object until then', async () => {
  const world = testWorld()
  const table = await appended(world, 40)
  const dying = dyingAt(world, ({ key }) => key.sort.startsWith(indexSorts.first))
  await expect(compactNow(dying, table)).rejects.toThrow('died')
  expect((await claimOf(world, table))?.pending?.entries).toHaveLength(4)
  world.time.now += 2 * day
  await collect(world, { ...jobOf(table), kind: 'collect' })
  expect(await compactNow(world, table)).toMatchObject({ items: 0 })
  expect((await claimOf(world, table))?.pending).toBeUndefined()
  expect((await indexOf(world, table)).map(({ entries }) => entries.length)).toEqual([1, 1, 1, 1])
  expect(await readAll(testLog(world), table)).toEqual(numbers(40))
})

test('old objects are garbage once nothing refers to them, and a reader that knew them reads on', async () => {
  const world = testWorld()
  const table = await appended(world, 40)
  await compactNow(world, table)
  world.time.now += 2 * day
  expect(await collect(world, { ...jobOf(table), kind: 'collect' })).toEqual({ state: 'collected', deleted: 32 })
  expect(await readAll(testLog(world), table)).toEqual(numbers(40))
})

test('a compactor that was superseded commits nothing', async () => {
  const items = new MemoryItems()
  const world = testWorld({ items })
  const table = await appended(world, 40)
  let other: Promise<unknown> | undefined
  const slow = Object.create(items) as ItemStore
  for (const name of ['get', 'query', 'create', 'delete', 'transact'] as const) slow[name] = items[name].bind(items) as never
  slow.update = async (update) => {
    if (update.set?.['p'] !== undefined && other === undefined) {
      world.time.now += 120_000
      other = compactNow(world, table)
      await other
    }
    return items.update(update)
  }
  expect(await compactNow({ ...world, items: slow }, table)).toMatchObject({ items: 0 })
  expect(await other).toMatchObject({ items: 4 })
  expect(await readAll(testLog(world), table)).toEqual(numbers(40))
})

test('the marks of spills bring compaction with no other trigger, and go when nothing is left', async () => {
  const world = testWorld()
  const table = await appended(world, 80)
  world.time.now += 600_000
  await sweep(world)
  const [job] = world.jobs.splice(0).filter(({ kind }) => kind === 'compact')
  expect(await compact(world, job as never, { deadlineMs: world.time.now + day })).toMatchObject({ items: 9 })
  world.time.now += 60_000
  await sweep(world)
  expect(world.jobs.filter(({ kind, table: { tableId } }) => kind === 'compact' && tableId === table.tableId)).toEqual([])
})

test('items on the two sides of a gap, which retention leaves while it deletes, are not joined', () => {
  const of = { itemsMin: 1, bytesMin: 1, itemsMax: 8, bytesMax: 1 << 20, itemBytesMax: 1 << 20 }
  const entry = {
    directory: 0,
    label: labelOf(1),
    random: '0'.repeat(16),
    inline: false,
    start: 0,
    length: 10,
    count: 1,
    time: 1,
  }
  const item = (start: number): IndexItem => ({
    start: offsetOf(start),
    end: offsetOf(start + 8),
    maxTime: 1,
    entries: Array.from({ length: 8 }, () => entry),
  })
  expect(nextRun([item(0), item(16), item(24)], of)).toMatchObject({ is: 'join', items: [{ start: 0n }] })
})

/** The answer of an append of `p` is lost after its effect; before it is asked for again `p` goes on elsewhere, and the entry is joined with others. */
async function joinedBeforeItsAnswer(goesOn: { readonly epoch?: number; readonly sequence: number }) {
  const world = testWorld()
  const table = await appended(world, 1)
  let isLosing = true
  const items = Object.create(world.items) as ItemStore
  for (const name of ['get', 'query', 'create', 'delete', 'transact'] as const)
    items[name] = world.items[name].bind(world.items) as never
  items.update = async (update) => {
    const result = await world.items.update(update)
    if (!isLosing || update.set?.['e'] === undefined) return result
    isLosing = false
    const log = testLog(world)
    await log.append(table, requestOf([100], producerWith('p', goesOn.sequence, goesOn)))
    for (const i of numbers(40)) await log.append(table, requestOf([200 + i]))
    await compactNow(world, table)
    return { ...(await world.items.update(update)), ambiguous: true } as UpdateResult
  }
  const [part] = await testLog({ ...world, items }).append(table, requestOf([7], producerWith('p', 5)))
  expect((await readAll(testLog(world), table)).filter((value) => value === 7)).toEqual([7])
  return part?.outcome
}

test('an append that cannot be seen any more is never answered as without effect because its producer went on', async () => {
  const fenced = await joinedBeforeItsAnswer({ epoch: 1, sequence: 0 })
  expect(fenced).toMatchObject({ done: false, error: { code: 'stale-epoch', effect: 'unknown' } })
  const old = await joinedBeforeItsAnswer({ sequence: 6 })
  expect(old).toMatchObject({ done: false, error: { code: 'sequence-old', effect: 'unknown' } })
})
