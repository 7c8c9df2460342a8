/** Jobs of this thread, over stores in memory. */
import { expect, test } from 'vitest'
import { readKvItem } from '../../core/kv/item.ts'
import { doneOf, jobOf, keyedTable, routedOf } from '../../core/kv/world.case.ts'
import { testWorld } from '../../core/log/world.case.ts'
import { Counter } from '../../stores/decorators/count.ts'
import { MemoryObjects } from '../../stores/objects/memory.ts'
import { inlineParquet } from '../../stores/parquet/inline.ts'
import { worldOver } from '../world.ts'
import { jobsHere } from './runner.ts'

class Watched extends MemoryObjects {
  onCreate = (): void => undefined

  override create(...asked: Parameters<MemoryObjects['create']>): ReturnType<MemoryObjects['create']> {
    this.onCreate()
    return super.create(...asked)
  }
}

test('a fold that runs when time is up ends with the buckets that it has begun, and leaves the others', async () => {
  const objects = new Watched()
  const bare = testWorld({ objects })
  const stores = { objects, items: bare.items, counter: new Counter(), parquet: inlineParquet(), close: async () => undefined }
  const world = worldOver(stores, bare.queue, { clock: bare.clock, random: bare.random })
  const table = await keyedTable(world, undefined, 8)
  const rows = Array.from({ length: 200 }, (_, i) => [`k${i}`, 1n, 'x'])
  for (const answer of await world.kv.upsert(table, routedOf(table, rows))) doneOf([answer])
  bare.time.now += 60_000
  const jobs = jobsHere(world)
  objects.onCreate = () => jobs.hurry()
  await jobs.run(jobOf(table))
  const folded = await Promise.all(
    Array.from({ length: 8 }, async (_, bucket) => (await readKvItem(world, table.tableId, { partition: '', bucket }))?.manifest),
  )
  expect(folded.filter((manifest) => manifest !== undefined).length).toBeOneOf([1, 2])
})
