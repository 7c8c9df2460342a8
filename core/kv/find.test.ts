/** Many who look into the same runs at once, in a process that knows nothing of them. */
import { expect, test } from 'vitest'
import { MemoryObjects } from '../../stores/objects/memory.ts'
import { batchOf } from '../format/arrow/batch.case.ts'
import type { KeyState } from '../format/run/block.ts'
import { noGuide } from '../format/run/guide.ts'
import { present } from '../kernel/assert.ts'
import { lengthOfSpan, utf8 } from '../kernel/bytes.ts'
import type { ByteRange } from '../ports/objects.ts'
import { KvCache } from './cache.ts'
import { findKeys } from './find.ts'
import { levelLimits } from './fold/levels.ts'
import { readKvItem } from './item.ts'
import { keyFormOf, keyOf } from './key.ts'
import { runsOf, type SnapshotReading } from './snapshot.ts'
import { foldNow, keyedTable, testKv, testWorld, upsertOf } from './world.case.ts'

/** Each read takes a moment, so that who comes meanwhile finds it under way. */
class SlowObjects extends MemoryObjects {
  readonly #reads: string[] = []

  override async read(key: string, range?: ByteRange): Promise<Uint8Array> {
    this.#reads.push(`${key} ${range?.start}-${range?.end}`)
    const bytes = await super.read(key, range)
    await new Promise((resolve) => setImmediate(resolve))
    return bytes
  }

  /** Since this was last asked for. */
  takeReads(): readonly string[] {
    return this.#reads.splice(0)
  }
}

/** Three runs that have the last keys, each smaller than the one before, so that they stay apart. */
async function tableOfRuns() {
  const objects = new SlowObjects()
  const world = testWorld({ objects })
  const table = await keyedTable(world)
  const writer = testKv(world)
  const addRun = async (v: number): Promise<void> => {
    const rows = Array.from({ length: 2_000 }, (_, i) => [`k${i}`, BigInt(v), 'x'.repeat(60)] as const)
    await writer.kv.upsert(table, upsertOf(table, rows.slice(600 * v)))
    await foldNow(world, writer, table, { ...levelLimits, level0RunsMin: 99, level0RunsMax: 99 })
    objects.takeReads()
  }
  for (const v of [0, 1, 2]) await addRun(v)
  const newest = async (reading: SnapshotReading) => {
    const at = { partition: '', bucket: 0 }
    return runsOf(reading, present(await readKvItem(world, table.tableId, at), 'the snapshot'))
  }
  const form = keyFormOf(table)
  const asked = (i: number) => ({ keys: [keyOf(form, [utf8(`k${i}`), null, null])], sought: [0] })
  const reading = { objects, cache: new KvCache(1 << 24), tableId: table.tableId }
  return { objects, world, table, addRun, newest, asked, reading }
}

const times = <T>(count: number, of: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => of(i))

test('many who look up one key at once, in a process that knows nothing, read each object once together', async () => {
  const { objects, world, table } = await tableOfRuns()
  const { kv } = testKv(world)
  const keys = batchOf(table.schema.columns.slice(0, 1), [['k1999']])
  const found = await Promise.all(times(200, () => kv.lookup(table, keys, { stale: false, bytesMax: 1 << 20 })))
  expect(new Set(found.map(({ rows }) => rows[0]?.[1]))).toEqual(new Set([2n]))
  expect(objects.takeReads().length).toBe(3)
})

test('many who come to a new run read its part alone, once together: those of the other runs are kept', async () => {
  const { objects, addRun, newest, asked, reading } = await tableOfRuns()
  const look = async (): Promise<number> => {
    const runs = await newest(reading)
    objects.takeReads()
    const offsets = new Set<bigint | undefined>()
    const found = async (states: readonly (readonly [number, KeyState])[]) => void offsets.add(states[0]?.[1].offset)
    await Promise.all(times(200, () => findKeys(reading, runs, asked(1999), found)))
    expect(offsets.size).toBe(1)
    return objects.takeReads().length
  }
  expect(await look()).toBe(3)
  expect(await look()).toBe(0)
  await addRun(3)
  expect(await look()).toBe(1)
})

test('many who look up many keys at once read nothing twice but what the first of them reads of each run', async () => {
  const { objects, newest, asked, reading } = await tableOfRuns()
  const runs = await newest(reading)
  let told = 0
  await Promise.all(
    times(200, (i) =>
      findKeys(reading, runs, asked(1800 + i), async (states) => {
        told += states.length
      }),
    ),
  )
  expect(told).toBe(200)
  const reads = objects.takeReads()
  expect(reads.length).toBeLessThanOrEqual(new Set(reads).size + 3)
})

test('parts count in the cache, and what has left it goes once the states that lie in it were taken, not before', async () => {
  const { newest, asked, reading } = await tableOfRuns()
  const runs = await newest(reading)
  const before = reading.cache.keptBytes
  let state: KeyState | undefined
  let held = 0
  await findKeys(reading, runs, asked(1400), async (states) => {
    held = reading.cache.keptBytes - before
    reading.cache.pin(reading.cache.bytesMax)
    await new Promise((resolve) => setImmediate(resolve))
    state = states[0]?.[1]
    expect(state?.row?.bytes.length).toBeGreaterThan(lengthOfSpan(state?.row))
  })
  expect(held).toBeGreaterThan(2 * 16 * 1024)
  expect([reading.cache.keptBytes, state?.row?.bytes.length]).toEqual([0, 0])
})

test('where a later manifest has the guide of a run coarser, its part is another one, though it begins at the same place', async () => {
  const { newest, asked, reading } = await tableOfRuns()
  const oldest = (await newest(reading)).slice(-1)
  const told: number[] = []
  const look = (runs: typeof oldest, i: number) => findKeys(reading, runs, asked(i), async ([one]) => void (one && told.push(i)))
  await look(oldest, 0)
  await look(
    oldest.map((run) => ({ ...run, guide: noGuide })),
    1_999,
  )
  expect(told).toEqual([0, 1_999])
})
