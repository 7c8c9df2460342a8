/** What a lookup of a process that knows nothing asks of the stores, and how often it waits for them. */
import { expect, test } from 'vitest'
import { MemoryItems } from '../../stores/items/memory.ts'
import { MemoryObjects } from '../../stores/objects/memory.ts'
import { findTable } from '../catalog/tables.ts'
import { batchOf } from '../format/arrow/batch.case.ts'
import { present } from '../kernel/assert.ts'
import { levelLimits } from './fold/levels.ts'
import { foldNow, keyedTable, plainOf, testKv, testWorld, upsertOf } from './world.case.ts'

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

test('a cold lookup reads three items in two waves, and four objects in three, the tail beside the manifest', async () => {
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
  const { rows: answer } = await testKv(cold).kv.lookup(found, keys, { stale: false, bytesMax: 1 << 20 })
  expect(answer.map(plainOf)).toEqual([['k1234', 1234n, 'x'.repeat(60)]])
  expect([items.reads, items.waves]).toEqual([3, 2])
  expect([objects.reads, objects.waves]).toEqual([4, 3])
})
