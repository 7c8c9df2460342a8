/** What a lookup of a process that knows nothing asks of the stores, and how often it waits for them. */
import { expect, test } from 'vitest'
import { MemoryItems } from '../../stores/items/memory.ts'
import { MemoryObjects } from '../../stores/objects/memory.ts'
import { findTable } from '../catalog/tables.ts'
import { batchOf } from '../format/arrow/batch.case.ts'
import { present } from '../kernel/assert.ts'
import { KvCache } from './cache.ts'
import { levelLimits } from './fold/levels.ts'
import { readKvItem } from './item.ts'
import { runsOf } from './snapshot.ts'
import { deleteOf, foldNow, keyedTable, plainOf, testKv, testWorld, upsertOf } from './world.case.ts'

/** Reads that begin before the first of them is answered are one wave. */
class Waves {
  reads = 0
  waves = 0
  #waiting: (() => void)[] = [];

  async in<T>(read: () => Promise<T>): Promise<T> {
    this.reads += 1
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve)
      if (this.#waiting.length > 1) return
      setImmediate(() => {
        this.waves += 1
        for (const go of this.#waiting.splice(0)) go()
      })
    })
    return read()
  }
}

test('a cold lookup reads three items in two waves, and in two more the tail beside the manifest, then one block of each run', async () => {
  const stores = { objects: new MemoryObjects(), items: new MemoryItems() }
  const world = testWorld(stores)
  const table = await keyedTable(world)
  const writer = testKv(world)
  const rows = Array.from({ length: 2_000 }, (_, i) => [`k${i}`, BigInt(i), 'x'.repeat(60)] as const)
  await writer.kv.upsert(table, upsertOf(table, rows))
  await foldNow(world, writer, table, levelLimits)
  await writer.kv.upsert(table, upsertOf(table, [['k7', 700n, 'new']]))

  const [objects, items] = [new Waves(), new Waves()]
  const cold = testWorld({
    objects: Object.assign(Object.create(stores.objects) as MemoryObjects, {
      read: (key: string, range?: { start: number; end: number }) => objects.in(() => stores.objects.read(key, range)),
    }),
    items: Object.assign(Object.create(stores.items) as MemoryItems, {
      get: (...asked: Parameters<MemoryItems['get']>) => items.in(() => stores.items.get(...asked)),
      query: (...asked: Parameters<MemoryItems['query']>) => items.in(() => stores.items.query(...asked)),
    }),
  })
  const found = present(await findTable(cold, 'd', 't'), 'the table')
  const keys = batchOf(found.schema.columns.slice(0, 1), [['k1234']])
  const { kv } = testKv(cold)
  const { rows: answer } = await kv.lookup(found, keys, { stale: false, bytesMax: 1 << 20 })
  expect(answer.map(plainOf)).toEqual([['k1234', 1234n, 'x'.repeat(60)]])
  expect([items.reads, items.waves]).toEqual([3, 2])
  expect([objects.reads, objects.waves]).toEqual([3, 2])
  // Who comes again reads the meta, which then says where a key is not.
  const asked = (key: string) =>
    kv.lookup(found, batchOf(found.schema.columns.slice(0, 1), [[key]]), { stale: true, bytesMax: 1 << 20 })
  await asked('k1999')
  expect([objects.reads, objects.waves]).toEqual([5, 4])
  await asked('k1999x')
  expect([objects.reads, objects.waves]).toEqual([5, 4])
})

const apart = { ...levelLimits, level0RunsMin: 99, level0RunsMax: 99 }

test('in runs that overlap a cold lookup finds the newest row, in one wave, and no row where the newest run has deleted it', async () => {
  const stores = { objects: new MemoryObjects(), items: new MemoryItems() }
  const world = testWorld(stores)
  const table = await keyedTable(world)
  const writer = testKv(world)
  const put = async (from: number, v: bigint): Promise<void> => {
    const rows = Array.from({ length: 2_000 }, (_, i) => [`k${i}`, v, 'x'.repeat(60)] as const)
    await writer.kv.upsert(table, upsertOf(table, rows.slice(from)))
    await foldNow(world, writer, table, apart)
  }
  for (const [from, v] of [
    [0, 1n],
    [700, 2n],
    [1_400, 3n],
  ] as const)
    await put(from, v)
  await writer.kv.upsert(table, deleteOf(table, ['k1500']))
  await foldNow(world, writer, table, apart)
  const item = present(await readKvItem(world, table.tableId, { partition: '', bucket: 0 }), 'the snapshot')
  const reading = { objects: stores.objects, cache: new KvCache(1), tableId: table.tableId }
  expect((await runsOf(reading, item)).map(({ level }) => level)).toEqual([0, 0, 0, 0])
  const objects = new Waves()
  for (const [key, row] of [
    ['k1', 1n],
    ['k1000', 2n],
    ['k1999', 3n],
    ['k1500', undefined],
    ['k99999', undefined],
  ] as const) {
    const cold = testWorld({
      ...stores,
      objects: Object.assign(Object.create(stores.objects) as MemoryObjects, {
        read: (name: string, range?: { start: number; end: number }) => objects.in(() => stores.objects.read(name, range)),
      }),
    })
    const before = objects.waves
    const keys = batchOf(table.schema.columns.slice(0, 1), [[key]])
    const { rows } = await testKv(cold).kv.lookup(table, keys, { stale: false, bytesMax: 1 << 20 })
    expect(rows.map((each) => each?.[1])).toEqual([row])
    expect(objects.waves - before).toBe(key === 'k99999' ? 1 : 2)
  }
})
