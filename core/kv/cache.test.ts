/** What is kept and what is pinned are of one budget, after every step. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { batchOf } from '../format/arrow/batch.case.ts'
import { memoryOf } from '../log/read/memory.ts'
import { KvBuckets } from './buckets.ts'
import { KvCache } from './cache.ts'
import { lookup } from './lookup.ts'
import { foldNow, keyedBody, keyedTable, routedOf, testKv, testWorld } from './world.case.ts'

const bytesMax = 100_000
const step = fc.oneof(
  fc.record({ do: fc.constant('get' as const), id: fc.nat(40), bytes: fc.nat(40_000) }),
  fc.record({ do: fc.constant('pin' as const), id: fc.nat(4), bytes: fc.nat(20_000) }),
)

test('whatever is read and pinned, all of it together is never more than the budget', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 200 }), async (steps) => {
      const cache = new KvCache(bytesMax)
      const pinned = new Map<number, number>()
      for (const { do: what, id, bytes } of steps) {
        if (what === 'get') {
          const value = await cache.get(`${id}`, async () => ({ value: id, bytes }))
          expect(value).toBe(id)
        } else {
          cache.pin(bytes - (pinned.get(id) ?? 0))
          pinned.set(id, bytes)
        }
        expect(cache.keptBytes + cache.pinnedBytes).toBeLessThanOrEqual(bytesMax)
      }
    }),
    { numRuns: 200 },
  )
})

const readOf = (bytes: number) => {
  const value = new Uint8Array(bytes).fill(1)
  return { value, memory: memoryOf(value), bytes }
}
/** Two that lie in one memory. */
const readTwo = async (bytes: number) => {
  const { value, ...rest } = readOf(bytes)
  return { values: [value.subarray(0, bytes / 2), value.subarray(bytes / 2)], ...rest }
}

test('memory that is borrowed goes once it has left and was given back, and not before', async () => {
  const cache = new KvCache(4 * 65_536)
  const both = await cache.borrowAll(['a', 'b'], () => readTwo(32_768))
  both.giveBack()
  const again = cache.borrow<Uint8Array>('b')
  const [{ value: kept }, unkept] = [
    again ?? { value: new Uint8Array() },
    await cache.borrowAll(['c', 'd'], () => readTwo(131_072)),
  ]
  expect([kept.length, unkept.value[0]?.length]).toEqual([16_384, 65_536])
  cache.pin(4 * 65_536)
  expect([kept.length, cache.keptBytes]).toEqual([16_384, 0])
  again?.giveBack()
  unkept.giveBack()
  expect([kept.length, unkept.value[0]?.length]).toEqual([0, 0])
})

test('memory of what was taken for good stays, also where somebody waited for what another read', async () => {
  const cache = new KvCache(4 * 65_536)
  const reading = cache.borrowAll(['a', 'b'], () => readTwo(32_768))
  const waited = cache.get<Uint8Array>('b', async () => readOf(1))
  ;(await reading).giveBack()
  const first = await cache.get('c', async () => readOf(32_768))
  ;(await cache.borrowAll(['d', 'e'], () => readTwo(32_768))).giveBack()
  const peeked = await cache.get<Uint8Array>('d', async () => readOf(1))
  cache.pin(4 * 65_536)
  expect(cache.keptBytes).toBe(0)
  expect([(await waited).length, first.length, peeked.length]).toEqual([16_384, 32_768, 16_384])
})

test('who waits for a read that fails fails with it, and the next one reads again', async () => {
  const cache = new KvCache(65_536)
  const failing = () => Promise.reject(new Error('gone'))
  const all = await Promise.allSettled([cache.get('a', failing), cache.get('a', failing), cache.borrowAll(['a', 'b'], failing)])
  expect(all.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  expect([cache.isReading('a'), await cache.get('a', async () => ({ value: 7, bytes: 1 }))]).toEqual([false, 7])
})

class WatchedCache extends KvCache {
  most = 0
  mostKept = 0
  mostPinned = 0

  override pin(bytes: number): void {
    super.pin(bytes)
    this.#look()
  }

  override async get<T>(...asked: Parameters<typeof KvCache.prototype.get<T>>): Promise<T> {
    const value = await super.get<T>(...asked)
    this.#look()
    return value
  }

  #look(): void {
    this.most = Math.max(this.most, this.keptBytes + this.pinnedBytes)
    this.mostKept = Math.max(this.mostKept, this.keptBytes)
    this.mostPinned = Math.max(this.mostPinned, this.pinnedBytes)
  }
}

test('manifests, blocks and changelog tails of many buckets stay in one budget, and every row is found', async () => {
  const world = testWorld()
  const table = await keyedTable(world, keyedBody, 16)
  const writer = testKv(world)
  const rowsOf = (v: bigint) => Array.from({ length: 1_000 }, (_, i) => [`k${i}`, v, 'n'.repeat(2_000)])
  await writer.kv.upsert(table, routedOf(table, rowsOf(1n)))
  await foldNow(world, writer, table)
  await writer.kv.upsert(table, routedOf(table, rowsOf(2n).slice(0, 100)))
  const cache = new WatchedCache(1 << 19)
  const { log } = testKv(world)
  const context = { world, log, buckets: new KvBuckets({ reading: log.reading, cache }) }
  for (let from = 0; from < 1_000; from += 50) {
    const keys = batchOf(table.schema.columns, rowsOf(0n).slice(from, from + 50))
    const { rows } = await lookup(context, table, keys, { stale: false, bytesMax: 1 << 24 })
    expect(rows.map((row) => row?.[1])).toEqual(new Array(50).fill(from < 100 ? 2n : 1n))
  }
  expect(cache.most).toBeLessThanOrEqual(1 << 19)
  // Much more than that went through it.
  expect(cache.mostKept).toBeGreaterThan(1 << 17)
  expect(cache.mostPinned).toBeGreaterThan(1 << 17)
})
