/** Any interleaving of batches, folds, lookups, scans and processes equals a map to which the same operations were applied. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { batchOf } from '../format/arrow/batch.case.ts'
import { unpartitioned } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import {
  changelogOf,
  deleteOf,
  doneOf,
  foldNow,
  keyedTable,
  plainOf,
  type TestKv,
  testKv,
  testWorld,
  upsertOf,
} from './world.case.ts'

const key = fc.integer({ min: 0, max: 30 }).map((i) => `k${i}`)
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('upsert' as const), keys: fc.array(key, { minLength: 1, maxLength: 6 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('delete' as const), keys: fc.array(key, { minLength: 1, maxLength: 6 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('fold' as const), keys: fc.constant([]) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), keys: fc.constant([]) }) },
)

async function scanned(kv: TestKv['kv'], table: Table, rowsMax: number): Promise<unknown[]> {
  const rows: unknown[] = []
  const at = { partition: unpartitioned, bucket: 0 }
  for (let place: Parameters<typeof kv.scan>[2]; ; ) {
    const part = await kv.scan(table, at, place, { rowsMax, bytesMax: 1 << 20 })
    rows.push(...part.rows.map(({ row }) => plainOf(row)))
    if (part.isDone) return rows
    place = part.place
  }
}

/** The changelog folded: what an observer of it believes. */
function folded(changelog: readonly (readonly unknown[])[]): Map<unknown, unknown> {
  const rows = new Map<unknown, unknown>()
  const origins = new Map<unknown, bigint>()
  for (const [offset, [op, k, v, note, prev]] of changelog.entries()) {
    if (prev !== null) {
      const origin = (prev as bigint) < 0n ? BigInt(offset) + (prev as bigint) : prev
      expect(origin, `the origin of ${String(k)} at ${offset}`).toBe(origins.get(k))
    }
    if (op === 1 || op === 3) {
      rows.set(k, [k, v, note])
      origins.set(k, BigInt(offset))
    } else if (op === 4) rows.delete(k)
  }
  return rows
}

test('lookups, scans, counts and the changelog all equal a naive map, across folds and restarts', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 9 }), async (steps, page) => {
      const world = testWorld()
      const table = await keyedTable(world)
      const processes = [testKv(world), testKv(world)]
      const naive = new Map<string, unknown[]>()
      let number = 0n
      for (const [i, { do: what, keys }] of steps.entries()) {
        const at = processes[i % 2] as TestKv
        if (what === 'fold') await foldNow(world, at, table)
        else if (what === 'restart') processes[i % 2] = testKv(world)
        else if (what === 'upsert') {
          const rows = keys.map((k) => [k, ++number, 'n'.repeat(Number(number % 40n))])
          doneOf(await at.kv.upsert(table, upsertOf(table, rows)))
          for (const row of rows) naive.set(row[0] as string, row)
        } else {
          doneOf(await at.kv.upsert(table, deleteOf(table, keys)))
          for (const k of keys) naive.delete(k)
        }
      }
      const all = Array.from({ length: 31 }, (_, i) => `k${i}`)
      const expected = all.map((k) => naive.get(k))
      const sorted = [...naive.values()].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
      const batch = batchOf(
        table.schema.columns,
        all.map((k) => [k, null, null]),
      )
      for (const { kv, log } of [...processes, testKv(world), testKv(world, 1)]) {
        expect((await kv.lookup(table, batch, { stale: false, bytesMax: 1 << 20 })).rows.map(plainOf)).toEqual(expected)
        expect(await scanned(kv, table, page)).toEqual(sorted)
        expect(await kv.count(table, { partition: unpartitioned, bucket: 0 })).toBe(BigInt(naive.size))
        expect(folded(await changelogOf(log, table))).toEqual(new Map(sorted.map((row) => [row[0], row])))
      }
    }),
    { numRuns: 60 },
  )
})
