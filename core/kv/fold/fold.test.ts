/** When a fold is sent, and what it writes, leaves and saves. */
import { expect, test } from 'vitest'
import { MemoryItems } from '../../../stores/items/memory.ts'
import { alterTable } from '../../catalog/tables.ts'
import { headKey } from '../../format/items/head.ts'
import { sweep } from '../../jobs/sweep.ts'
import { present } from '../../kernel/assert.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { unpartitioned } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import type { ItemKey, Update, UpdateResult } from '../../ports/items.ts'
import type { Job } from '../../ports/queue.ts'
import type { World } from '../../ports/world.ts'
import { KvCache } from '../cache.ts'
import { readKvItem } from '../item.ts'
import { runsOf } from '../snapshot.ts'
import { CountedObjects, deleteOf, doneOf, jobOf, keyedTable, type TestKv, testKv, testWorld, upsertOf } from '../world.case.ts'
import { type Folded, fold } from './fold.ts'

const at = { partition: unpartitioned, bucket: 0 }
const isFold = ({ kind }: Job): boolean => kind === 'fold'
const rowsOf = (count: number, name: string, bytes: number) =>
  Array.from({ length: count }, (_, i) => [`${name}${i}`, BigInt(i), 'x'.repeat(bytes)] as const)

const foldOf = (world: World, { log }: TestKv, job: Job): Promise<Folded> =>
  fold(world, log, job, { deadlineMs: Number.POSITIVE_INFINITY })

/** As one who reads it for the first time. */
async function runsNow(world: World, { tableId }: Table) {
  const item = present(await readKvItem(world, tableId, { partition: '', bucket: 0 }), 'a snapshot')
  return runsOf({ objects: world.objects, cache: new KvCache(1 << 20), tableId }, item)
}

/** In front of the next look at a head. */
class RacedItems extends MemoryItems {
  race: (() => Promise<void>) | undefined

  override async get(key: ItemKey): ReturnType<MemoryItems['get']> {
    const { race } = this
    if (race === undefined || key.sort !== headSort) return super.get(key)
    this.race = undefined
    await race()
    return super.get(key)
  }
}

const headSort = headKey('0000000000000000', { partition: '', bucket: 0 }).sort

test('a changelog of 8 MiB is sent to be folded at once', async () => {
  const world = testWorld()
  const table = await keyedTable(world)
  const one = testKv(world, 1 << 28)
  doneOf(await one.kv.upsert(table, upsertOf(table, rowsOf(7, 'a', 1_000_000))))
  expect(world.jobs.filter(isFold)).toEqual([])
  doneOf(await one.kv.upsert(table, upsertOf(table, rowsOf(2, 'b', 1_000_000))))
  const [job, ...more] = world.jobs.filter(isFold)
  expect(more).toEqual([])
  expect(await foldOf(world, one, present(job, 'a fold'))).toMatchObject({ state: 'folded', publications: 1 })
})

test('a single small change is folded by the sweep a minute later, and no sweep before sends it', async () => {
  const world = testWorld()
  const table = await keyedTable(world)
  const one = testKv(world)
  doneOf(await one.kv.upsert(table, upsertOf(table, [['a', 1n, 'x']])))
  world.time.now += 59_000
  await sweep(world)
  expect(world.jobs.filter(isFold)).toEqual([])
  world.time.now += 1_000
  await sweep(world)
  const [job] = world.jobs.splice(0).filter(isFold)
  expect(await foldOf(world, one, present(job, 'a fold'))).toMatchObject({ state: 'folded', publications: 1 })
  expect((await runsNow(world, table)).map(({ records }) => records)).toEqual([1])
  world.time.now += 600_000
  await sweep(world)
  expect(world.jobs.filter(isFold)).toEqual([])
})

test('a fold writes what has changed, and the runs that are there stay as they are', async () => {
  const world = testWorld()
  const table = await keyedTable(world)
  const one = testKv(world)
  const folded = async (rows: ReturnType<typeof rowsOf>) => {
    doneOf(await one.kv.upsert(table, upsertOf(table, rows)))
    world.time.now += 120_000
    return foldOf(world, one, jobOf(table))
  }
  const { bytes } = await folded(rowsOf(5_000, 'a', 100))
  const [first] = await runsNow(world, table)
  const { bytes: more } = await folded(rowsOf(50, 'b', 100))
  const [second, ...older] = await runsNow(world, table)
  expect(older).toEqual([first])
  expect([second?.records, second?.bytes]).toEqual([50, more])
  expect(more).toBeLessThan(bytes / 50)
})

test('rows are counted by a process that knows nothing without a read of a run: by what the snapshot says and the changelog', async () => {
  const objects = new CountedObjects()
  const world = testWorld({ objects })
  const table = await keyedTable(world)
  const one = testKv(world)
  doneOf(await one.kv.upsert(table, upsertOf(table, rowsOf(5_000, 'a', 100))))
  world.time.now += 120_000
  await foldOf(world, one, jobOf(table))
  objects.bytesRead = 0
  expect([await testKv(world).kv.count(table, at), objects.bytesRead]).toEqual([5_000n, 0])
  doneOf(await one.kv.upsert(table, deleteOf(table, ['a0', 'a1', 'b0'])))
  objects.bytesRead = 0
  expect(await testKv(world).kv.count(table, at)).toBe(4_998n)
  // The manifest and two records; a block of a run is 16 KiB.
  expect(objects.bytesRead).toBeLessThan(3_000)
})

test('a fold whose copy of the manifest cannot be written is done all the same, and the next one need not wait for its lease', async () => {
  class NoCopies extends MemoryItems {
    override async update(update: Update): Promise<UpdateResult> {
      if (update.key.sort === 'm') throw new SluiceError('throttled', 'too many writes')
      return super.update(update)
    }
  }
  const world = testWorld({ items: new NoCopies() })
  const table = await keyedTable(world)
  const one = testKv(world)
  for (const key of ['a', 'b']) {
    doneOf(await one.kv.upsert(table, upsertOf(table, [[key, 1n, 'x']])))
    const later = { ...world, clock: { ...world.clock, now: () => world.clock.now() + 30_000 } }
    expect(await foldOf(later, one, jobOf(table))).toMatchObject({ state: 'folded', publications: 1 })
  }
})

test('a fold that meets rows of newer columns leaves them to the next, which need not wait for its claim', async () => {
  const items = new RacedItems()
  const world = testWorld({ items })
  const table = await keyedTable(world)
  const one = testKv(world)
  doneOf(await one.kv.upsert(table, upsertOf(table, [['a', 1n, 'x']])))
  items.race = async () => {
    const newer = await alterTable(world, 'd', 't', { addColumns: [{ name: 'more', type: 'string' }] })
    doneOf(await one.kv.upsert(newer, upsertOf(newer, [['b', 1n, 'x', 'y']])))
  }
  const later = { ...world, clock: { ...world.clock, now: () => world.clock.now() + 120_000 } }
  expect(await foldOf(later, one, jobOf(table))).toMatchObject({ state: 'folded', publications: 0 })
  expect(await foldOf(later, one, jobOf(table))).toMatchObject({ state: 'folded', publications: 1 })
})
