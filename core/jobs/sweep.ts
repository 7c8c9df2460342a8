/**
 * The sweep: reads the marks that are due and sends one job for each table, or partition, and kind. It never reads tables, so an idle
 * deployment costs these reads alone. A mark stays until its worker drops it: a lost job is sent again by the next sweep.
 * Marks that nobody can drop (a table whose jobs fail, a kind of a newer build) hide no others.
 */
import { decodeMark, duePartition, dueShards, dueText, type Mark } from '../format/items/mark.ts'
import { isSluiceError } from '../kernel/errors.ts'
import type { Item } from '../ports/items.ts'
import type { Job } from '../ports/queue.ts'
import type { World } from '../ports/world.ts'

const pageMarks = 1_000
/** Of one shard and sweep: the bound of its time and memory. */
const pagesMax = 100
/** What a job carries; the marks that are left are the next sweep's. */
const marksPerJobMax = 1_000

export async function sweep(world: World): Promise<{ readonly jobs: number }> {
  const jobs = new Map<string, Job & { readonly marks: string[] }>()
  for (let shard = 0; shard < dueShards; shard++) {
    for await (const item of dueItems(world, shard)) {
      const mark = readMark(item)
      if (mark === undefined) continue
      const { kind, table, buckets, partition } = mark
      const id = `${kind}#${table.tableId}#${partition?.id ?? ''}`
      const job = jobs.get(id) ?? { kind, table, buckets, ...(partition === undefined ? {} : { partition }), marks: [] }
      if (job.marks.length < marksPerJobMax) job.marks.push(item.key.sort)
      jobs.set(id, job)
    }
  }
  for (const job of jobs.values()) await world.queue.send(job)
  return { jobs: jobs.size }
}

async function* dueItems(world: World, shard: number): AsyncIterable<Item> {
  const to = dueText(world.clock.now() + 1)
  let from = ''
  for (let page = 0; page < pagesMax; page++) {
    const items = await world.items.query({ partition: duePartition(shard), from, to, limit: pageMarks })
    yield* items
    const last = items.at(-1)
    if (last === undefined || items.length < pageMarks) return
    from = `${last.key.sort}\u0000`
  }
}

/** Undefined for what this build cannot read: whoever wrote it will. */
function readMark(item: Item): Mark | undefined {
  try {
    return decodeMark(item)
  } catch (error) {
    if (isSluiceError(error, 'internal')) return undefined
    throw error
  }
}
