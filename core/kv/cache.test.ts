/** What is kept and what is pinned are of one budget, after every step. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { batchOf } from '../format/arrow/batch.case.ts'
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
