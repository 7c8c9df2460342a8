/**
 * Purge: a day after a drop, what the table left goes: objects of the log and the lake, heads, index, evicted producers, lake
 * item. The heads were closed before, and an update never creates, so nothing late can bring a row back. An object that a
 * stalled writer puts after this run is found by the next: the purge repeats until it finds nothing. A table that is alive
 * keeps everything: its drop was refused after it had put the mark, and whoever asked was told so.
 */
import { findTable } from '../catalog/tables.ts'
import { headKey } from '../format/items/head.ts'
import { lakeItemKey } from '../format/items/lake.ts'
import { dropMarks, putMark } from '../jobs/marks.ts'
import { limits } from '../kernel/limits.ts'
import type { Job } from '../ports/queue.ts'
import type { World } from '../ports/world.ts'
import { finishDrop } from './drop.ts'

const deletesAtOnce = 500
const itemsAtOnce = 500

export async function purge(world: World, job: Job, deadlineMs: number): Promise<'purged' | 'again' | 'closing' | 'alive'> {
  const { database, table: name, tableId } = job.table
  const table = await findTable(world, database, name)
  if (table?.tableId === tableId && table.state === 'alive') {
    await dropMarks(world, tableId, job.marks)
    return 'alive'
  }
  if (table?.tableId === tableId && (await finishDrop(world, table, deadlineMs)) === 'closing') return 'closing'
  const objects = (await purgeObjects(world, `t/${tableId}/`)) + (await purgeObjects(world, `lake/${tableId}/`))
  for (let bucket = 0; bucket < job.buckets; bucket++) await purgeItems(world, headKey(tableId, bucket).partition)
  await world.items.delete(lakeItemKey(tableId))
  if (objects > 0)
    await putMark(world, { kind: 'purge', table: job.table, buckets: job.buckets, due: world.clock.now() + limits.orphanAgeMs })
  await dropMarks(world, tableId, job.marks)
  return objects > 0 ? 'again' : 'purged'
}

async function purgeObjects(world: World, prefix: string): Promise<number> {
  let count = 0
  const keys: string[] = []
  for await (const { key } of world.objects.list(prefix)) {
    keys.push(key)
    count += 1
    if (keys.length === deletesAtOnce) await world.objects.delete(keys.splice(0))
  }
  if (keys.length > 0) await world.objects.delete(keys)
  return count
}

async function purgeItems(world: World, partition: string): Promise<void> {
  for (;;) {
    const items = await world.items.query({ partition, limit: itemsAtOnce })
    for (const item of items) await world.items.delete(item.key)
    if (items.length < itemsAtOnce) return
  }
}
