/**
 * The sweep: reads the marks that are due and sends one job for each table and kind. It never reads tables, so an idle
 * deployment costs these reads alone. A mark stays until its worker drops it: a lost job is sent again by the next sweep.
 */
import { decodeMark, duePartition, dueShards, dueText } from '../format/items/mark.ts'
import type { Job } from '../ports/queue.ts'
import type { World } from '../ports/world.ts'

const marksPerShardMax = 1_000

export async function sweep(world: World): Promise<{ readonly jobs: number }> {
  const jobs = new Map<string, Job>()
  const to = dueText(world.clock.now() + 1)
  for (let shard = 0; shard < dueShards; shard++) {
    const due = await world.items.query({ partition: duePartition(shard), to, limit: marksPerShardMax })
    for (const item of due) {
      const { kind, table, buckets } = decodeMark(item)
      const id = `${kind}#${table.tableId}`
      jobs.set(id, { kind, table, buckets, marks: [...(jobs.get(id)?.marks ?? []), item.key.sort] })
    }
  }
  for (const job of jobs.values()) await world.queue.send(job)
  return { jobs: jobs.size }
}
