/** What a lookup of a process that knows nothing asks of the stores, and how often it waits for them. */
import { expect, test } from 'vitest'
import { MemoryItems } from '../../stores/items/memory.ts'
import { MemoryObjects } from '../../stores/objects/memory.ts'
import { findTable } from '../catalog/tables.ts'
import { batchOf } from '../format/arrow/batch.case.ts'
import { manifestCopyKey } from '../format/items/manifest-copy.ts'
import { present } from '../kernel/assert.ts'
import { dropTable } from '../log/drop.ts'
import { unpartitioned } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import type { World } from '../ports/world.ts'
import { putManifestCopy } from './ahead.ts'
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

/** Of whom reads are counted. */
function counted(stores: Stores) {
  const [objects, items] = [new Waves(), new Waves()]
  const world = testWorld({
    objects: Object.assign(Object.create(stores.objects) as MemoryObjects, {
      read: (key: string, range?: { start: number; end: number }) => objects.in(() => stores.objects.read(key, range)),
    }),
    items: Object.assign(Object.create(stores.items) as MemoryItems, {
      get: (...asked: Parameters<MemoryItems['get']>) => items.in(() => stores.items.get(...asked)),
      query: (...asked: Parameters<MemoryItems['query']>) => items.in(() => stores.items.query(...asked)),
    }),
  })
  return { objects, items, world }
}

interface Stores {
  readonly objects: MemoryObjects
  readonly items: MemoryItems
}

/** Two thousand rows in a snapshot, and one behind it. */
async function folded(): Promise<{ readonly stores: Stores; readonly world: World; readonly table: Table }> {
  const stores = { objects: new MemoryObjects(), items: new MemoryItems() }
  const world = testWorld(stores)
  const table = await keyedTable(world)
  const writer = testKv(world)
  const rows = Array.from({ length: 2_000 }, (_, i) => [`k${i}`, BigInt(i), 'x'.repeat(60)] as const)
  await writer.kv.upsert(table, upsertOf(table, rows))
  await foldNow(world, writer, table, levelLimits)
  await writer.kv.upsert(table, upsertOf(table, [['k7', 700n, 'new']]))
  return { stores, world, table }
}

const bucket = { partition: '', bucket: 0 }

test('a cold lookup reads four items in two waves, and the tail and one block of each run in one', async () => {
  const { stores } = await folded()
  const { objects, items, world: cold } = counted(stores)
  const found = present(await findTable(cold, 'd', 't'), 'the table')
  const keys = batchOf(found.schema.columns.slice(0, 1), [['k1234']])
  const { kv } = testKv(cold)
  const { rows: answer } = await kv.lookup(found, keys, { stale: false, bytesMax: 1 << 20 })
  expect(answer.map(plainOf)).toEqual([['k1234', 1234n, 'x'.repeat(60)]])
  expect([items.reads, items.waves]).toEqual([4, 2])
  expect([objects.reads, objects.waves]).toEqual([2, 1])
  // Who comes again reads the meta, which then says where a key is not.
  const asked = (key: string) =>
    kv.lookup(found, batchOf(found.schema.columns.slice(0, 1), [[key]]), { stale: true, bytesMax: 1 << 20 })
  await asked('k1999')
  expect([objects.reads, objects.waves]).toEqual([4, 3])
  await asked('k1999x')
  expect([objects.reads, objects.waves]).toEqual([4, 3])
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
  for (const [key, row] of [
    ['k1', 1n],
    ['k1000', 2n],
    ['k1999', 3n],
    ['k1500', undefined],
    ['k99999', undefined],
  ] as const) {
    const { objects, world: cold } = counted(stores)
    const keys = batchOf(table.schema.columns.slice(0, 1), [[key]])
    const { rows } = await testKv(cold).kv.lookup(table, keys, { stale: false, bytesMax: 1 << 20 })
    expect(rows.map((each) => each?.[1])).toEqual([row])
    expect(objects.waves).toBe(key === 'k99999' ? 0 : 1)
  }
})

async function coldLookup(stores: Stores, table: Table, key: string) {
  const { objects, world } = counted(stores)
  const keys = batchOf(table.schema.columns.slice(0, 1), [[key]])
  const { rows } = await testKv(world).kv.lookup(table, keys, { stale: false, bytesMax: 1 << 20 })
  return { v: rows[0]?.[1], waves: objects.waves }
}

test.each([
  ['of an older manifest', { o: { value: '00/000000000001-0123456789abcdef' } }],
  ['that is damaged', { b: { value: new Uint8Array(40) } }],
  ['that is no copy of one', { b: { value: 'none' } }],
])('a copy of a manifest %s is not looked at, and the next fold brings a new one', async (_, set) => {
  const { stores, world, table } = await folded()
  await stores.items.update({ key: manifestCopyKey(table.tableId, bucket), set })
  expect(await coldLookup(stores, table, 'k1234')).toEqual({ v: 1234n, waves: 2 })
  await foldNow(world, testKv(world), table, levelLimits)
  expect(await coldLookup(stores, table, 'k1234')).toEqual({ v: 1234n, waves: 1 })
})

test('a copy of a manifest gives way to newer ones alone, and none comes to a table that is gone', async () => {
  const { stores, world, table } = await folded()
  const key = manifestCopyKey(table.tableId, bucket)
  const there = await stores.items.get(key)
  const at = { ...bucket, partition: unpartitioned }
  await putManifestCopy(world, table, at, { name: 'late', version: 0n, bytes: new Uint8Array(1) })
  expect(await stores.items.get(key)).toEqual(there)
  await stores.items.delete(key)
  await dropTable(world, 'd', 't')
  await putManifestCopy(world, table, at, { name: 'late', version: 9n, bytes: new Uint8Array(1) })
  expect(await stores.items.get(key)).toBeUndefined()
})
