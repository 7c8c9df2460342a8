/** What a write may hold, what it is refused for, and that a refusal is whole. */
import { expect, test } from 'vitest'
import { MemoryItems } from '../../stores/items/memory.ts'
import { MemoryObjects } from '../../stores/objects/memory.ts'
import { batchOf } from '../format/arrow/batch.case.ts'
import type { Pieces } from '../kernel/bytes.ts'
import { Batcher } from '../log/append/batcher.ts'
import type { TableBody } from '../model/spec.ts'
import type { Update } from '../ports/items.ts'
import { KvBuckets } from './buckets.ts'
import { KvCache } from './cache.ts'
import { defaultKvConfig } from './kv.ts'
import { lookup } from './lookup.ts'
import {
  CountedObjects,
  changelogOf,
  deleteOf,
  doneOf,
  foldNow,
  keyedBody,
  keyedTable,
  routedOf,
  testKv,
  testWorld,
  upsertOf,
} from './world.case.ts'

/** Counts the commits that are under way at once. */
class SlowObjects extends MemoryObjects {
  #now = 0
  most = 0

  override async create(key: string, bytes: Pieces): Promise<'created' | 'exists'> {
    this.#now += 1
    this.most = Math.max(this.most, this.#now)
    for (let i = 0; i < 20; i++) await new Promise(setImmediate)
    this.#now -= 1
    return super.create(key, bytes)
  }
}

class PeakCache extends KvCache {
  peak = 0

  override pin(bytes: number): void {
    super.pin(bytes)
    this.peak = Math.max(this.peak, this.pinnedBytes)
  }
}

const summed: TableBody = {
  columns: [
    { name: 'k', type: 'string', nullable: false },
    { name: 'v', type: 'tinyint' },
  ],
  primaryKey: ['k'],
  options: { 'merge-engine': 'aggregation', 'fields.v.agg': 'sum' },
}

const keysOf = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => `k${i}`)

test('a delete whose keys have more stored bytes than a request may hold is refused before they are all read, and changes nothing', async () => {
  const objects = new CountedObjects()
  const world = testWorld({ objects })
  const table = await keyedTable(world)
  const writer = testKv(world, 1 << 26)
  for (const k of keysOf(60)) doneOf(await writer.kv.upsert(table, upsertOf(table, [[k, 1n, 'n'.repeat(100_000)]])))
  await foldNow(world, writer, table)
  const { kv } = testKv(world, 1 << 20, { upsertBytesMax: 2_000_000 })
  objects.bytesRead = 0
  const refused = await kv.upsert(table, deleteOf(table, keysOf(60)))
  expect(refused[0]?.outcome).toMatchObject({
    done: false,
    error: { code: 'too-large', effect: 'none', action: 'fix', facts: { limit: 'upsertBytesMax' } },
  })
  // Twice: beside others first, then alone.
  expect(objects.bytesRead).toBeLessThan(2 * (2_000_000 + 17 * 110_000))
  expect(doneOf(await kv.upsert(table, deleteOf(table, keysOf(5))))).toMatchObject({ base: 60n, end: 65n })
})

test('a changelog that takes a large row back a thousand times is refused, and requests that fit one by one are done one by one', async () => {
  const world = testWorld()
  const table = await keyedTable(world)
  const { kv, log } = testKv(world, 1 << 24, { upsertBytesMax: 3_000_000 })
  doneOf(await kv.upsert(table, upsertOf(table, [['a', 0n, 'n'.repeat(300_000)]])))
  const touched = (count: number) => ({
    ...upsertOf(
      table,
      Array.from({ length: count }, (_, i) => ['a', BigInt(i), null]),
    ),
    targets: ['k', 'v'],
  })
  const [many, ...few] = await Promise.all([1_000, 3, 3, 3, 3].map((count) => kv.upsert(table, touched(count))))
  expect(many?.[0]?.outcome).toMatchObject({ done: false, error: { code: 'too-large', effect: 'none' } })
  expect(few.map(doneOf).map(({ base, end }) => end - base)).toEqual([6n, 6n, 6n, 6n])
  expect(await changelogOf(log, table)).toHaveLength(25)
})

test('an aggregate that overflows in one bucket refuses its request in all buckets, and no other request', async () => {
  const world = testWorld()
  const table = await keyedTable(world, summed, 8)
  const { kv } = testKv(world)
  const keys = keysOf(32)
  const rows = keys.map((k) => [k, 1])
  const of = (wanted: readonly string[]) =>
    batchOf(
      table.schema.columns,
      wanted.map((k) => [k, null]),
    )
  await kv.upsert(table, routedOf(table, [...rows.slice(0, -1), ['k31', 120]]))
  const [first, second, third] = await Promise.all([
    kv.upsert(table, routedOf(table, [['k5', 1]])),
    kv.upsert(
      table,
      routedOf(
        table,
        keys.map((k) => [k, 10]),
      ),
    ),
    kv.upsert(
      table,
      routedOf(table, [
        ['k0', 2],
        ['k31', 3],
      ]),
    ),
  ])
  expect([first, third].flat().every((each) => each?.outcome.done)).toBe(true)
  expect(second?.length).toBeGreaterThan(4)
  for (const { outcome } of second ?? [])
    expect(outcome).toMatchObject({ done: false, error: { code: 'invalid-rows', effect: 'none' } })
  const { rows: found } = await kv.lookup(table, of(['k0', 'k1', 'k5', 'k31']), { stale: false, bytesMax: 1 << 20 })
  expect(found.map((row) => row?.[1])).toEqual([3, 1, 2, 123])
})

test('what another writer made of a bucket, after the other buckets were committed, refuses what is left alone', async () => {
  const items = new MemoryItems()
  let before: (() => Promise<unknown>) | undefined
  const watched = new Proxy(items, {
    get: (target, name) => {
      const value = Reflect.get(target, name)
      if (name !== 'update') return typeof value === 'function' ? value.bind(target) : value
      return async (update: Update) => {
        const now = update.key.sort === 'h' && update.key.partition.endsWith('#1') ? before : undefined
        if (now !== undefined) before = undefined
        await now?.()
        return target.update(update)
      }
    },
  })
  const world = testWorld({ items: watched })
  const table = await keyedTable(world, summed, 2)
  const [one, two] = [testKv(world), testKv(world)]
  const inBucket = (bucket: number): string => keysOf(32).find((k) => routedOf(table, [[k, 0]]).parts[0]?.bucket === bucket) ?? ''
  const [first, second] = [inBucket(0), inBucket(1)]
  const both = [first, second].map((k) => [k, 10])
  await one.kv.upsert(table, routedOf(table, both))
  before = () => two.kv.upsert(table, routedOf(table, [[second, 110]]))
  const answers = await one.kv.upsert(table, routedOf(table, both))
  const outcomeOf = (bucket: number) => answers.find((each) => each.bucket === bucket)?.outcome
  expect(outcomeOf(0)).toMatchObject({ done: true })
  expect(outcomeOf(1)).toMatchObject({ done: false, error: { code: 'invalid-rows', effect: 'none' } })
})

test('groups of different buckets commit at the same time, those of one bucket one after the other', async () => {
  const objects = new SlowObjects()
  const world = testWorld({ objects })
  const table = await keyedTable(world, keyedBody, 16)
  const { kv } = testKv(world)
  await kv.upsert(
    table,
    routedOf(
      table,
      keysOf(64).map((k) => [k, 0n, null]),
    ),
  )
  objects.most = 0
  await Promise.all(keysOf(32).map((k) => kv.upsert(table, routedOf(table, [[k, 1n, null]]))))
  expect(objects.most).toBe(defaultKvConfig.groupsInFlightMax)
  objects.most = 0
  const answers = await Promise.all(keysOf(32).map(() => kv.upsert(table, routedOf(table, [['k0', 1n, null]]))))
  expect(objects.most).toBe(1)
  expect(new Set(answers.map((each) => doneOf(each).end)).size).toBe(32)
})

test('a request that waits for a busy bucket is not overtaken on its other buckets', async () => {
  const started: number[][] = []
  const going: (() => void)[] = []
  const config = { groupIntervalMs: 0, groupBytesMax: 1, groupsInFlightMax: 4, pendingBytesMax: 1_000 }
  const clock = { now: () => 0, sleep: async () => undefined }
  const batcher = new Batcher<{ bytes: number; lane: number }>(clock, config, {
    laneOf: ({ lane }) => `${lane}`,
    run: async (group) => {
      started.push(group.flatMap(({ parts }) => parts.map(({ lane }) => lane)))
      await new Promise<void>((go) => void going.push(go))
      for (const { resolve } of group) resolve([])
    },
  })
  const send = (...lanes: number[]) =>
    void batcher.submit(
      lanes.map((lane) => ({ bytes: 1, lane })),
      undefined,
    )
  send(1)
  send(1, 2)
  send(2)
  send(3)
  expect(started).toEqual([[1], [3]])
  going[0]?.()
  await new Promise(setImmediate)
  expect(started).toEqual([[1], [3], [1, 2]])
  going[2]?.()
  await new Promise(setImmediate)
  expect(started.at(-1)).toEqual([2])
})

test('tails of all buckets of one request stay in their half of the budget, and everyone gets an answer', async () => {
  const world = testWorld()
  const table = await keyedTable(world, keyedBody, 64)
  const rows = keysOf(1_000).map((k) => [k, 1n, 'n'.repeat(2_000)])
  const warm = testKv(world)
  await warm.kv.upsert(table, routedOf(table, rows))
  const cache = new PeakCache(1 << 19)
  const cold = testKv(world)
  const buckets = new KvBuckets({ reading: cold.log.reading, cache })
  const context = { world, log: cold.log, buckets }
  const keys = batchOf(table.schema.columns, rows)
  const all = await Promise.all([1, 2, 3].map(() => lookup(context, table, keys, { stale: false, bytesMax: 1 << 24 })))
  for (const { rows: found } of all) expect(found.every((row) => row !== undefined)).toBe(true)
  const tailBytesMost = 30 * 2_300
  expect(cache.peak).toBeGreaterThan(1 << 17)
  // One in its turn, and those that find at once that there is no room.
  expect(cache.peak).toBeLessThan((1 << 18) + 2 * tailBytesMost)
  const small = testKv(world, 1 << 19)
  const answers = await Promise.all([1, 2].map(() => small.kv.upsert(table, routedOf(table, rows))))
  expect(answers.flat().every(({ outcome }) => outcome.done)).toBe(true)
})
