/**
 * Purge: a day after a drop, what it left goes. Of a table: objects of the log and the lake, heads, index, evicted producers, the
 * items of its partitions and older schemas, the lake item. Of a partition: its heads with what stands beside them; its rows lie in objects that
 * others may share, and go when nothing refers to them. Heads were closed before, and an update never creates, so nothing late
 * can bring a row back. An object that a stalled writer puts after this run is found by the next: the purge of a table repeats
 * until it finds nothing. What is alive keeps everything: its drop was refused after it had put the mark.
 */
import { findPartition } from '../catalog/partitions.ts'
import { findTable } from '../catalog/tables.ts'
import { headKey } from '../format/items/head.ts'
import { lakeItemKey } from '../format/items/lake.ts'
import { decodePartition, floorsOf, partitionCountKey, partitionsOf } from '../format/items/partition.ts'
import { schemasOf } from '../format/items/schema.ts'
import { dropMarks, putMark } from '../jobs/marks.ts'
import { limits } from '../kernel/limits.ts'
import type { Job } from '../ports/queue.ts'
import type { World } from '../ports/world.ts'
import { finishDrop, finishPartitionDrop } from './drop.ts'

const deletesAtOnce = 500
const itemsAtOnce = 500

export type Purged = 'purged' | 'again' | 'closing' | 'alive'

export async function purge(world: World, job: Job, deadlineMs: number): Promise<Purged> {
  const purged =
    job.partition === undefined ? await purgeTable(world, job, deadlineMs) : await purgePartition(world, job, deadlineMs)
  if (purged === 'again')
    await putMark(world, { kind: 'purge', table: job.table, buckets: job.buckets, due: world.clock.now() + limits.orphanAgeMs })
  if (purged !== 'closing') await dropMarks(world, job.table.tableId, job.marks)
  return purged
}

async function purgeTable(world: World, job: Job, deadlineMs: number): Promise<Purged> {
  const { database, table: name, tableId } = job.table
  const table = await findTable(world, database, name)
  if (table?.tableId === tableId && table.state === 'alive') return 'alive'
  if (table?.tableId === tableId && (await finishDrop(world, table, deadlineMs)) === 'closing') return 'closing'
  const objects = (await purgeObjects(world, `t/${tableId}/`)) + (await purgeObjects(world, `lake/${tableId}/`))
  await purgeHeads(world, job, '')
  for (;;) {
    if (world.clock.now() > deadlineMs) return 'closing'
    const [item] = await world.items.query({ partition: partitionsOf(tableId), limit: 1 })
    if (item === undefined) break
    await purgeHeads(world, job, decodePartition(item).id)
    await world.items.delete(item.key)
  }
  await purgeItems(world, floorsOf(tableId))
  await purgeItems(world, schemasOf(tableId))
  await world.items.delete(partitionCountKey(tableId))
  await world.items.delete(lakeItemKey(tableId))
  return objects > 0 ? 'again' : 'purged'
}

/** The table may be gone as well: its own purge does not know the partitions that went before it. */
async function purgePartition(world: World, job: Job, deadlineMs: number): Promise<Purged> {
  const { database, table: name, tableId } = job.table
  const { id = '', name: partitionName = '' } = job.partition ?? {}
  const table = await findTable(world, database, name)
  if (table?.tableId === tableId && table.state === 'alive') {
    const found = await findPartition(world, table, partitionName)
    if (found?.id === id && found.state === 'alive') return 'alive'
    if (found?.id === id) {
      const dropped = await finishPartitionDrop(world, table, found, { lakeRows: found.lakeRows, until: deadlineMs })
      if (dropped === 'closing') return 'closing'
    }
  }
  await purgeHeads(world, job, id)
  return 'purged'
}

async function purgeHeads(world: World, { table, buckets }: Job, partition: string): Promise<void> {
  for (let bucket = 0; bucket < buckets; bucket++)
    await purgeItems(world, headKey(table.tableId, { partition, bucket }).partition)
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
