/**
 * The sweep: reads the marks that are due and sends one job for each table, or partition, and kind. It never reads tables, so an idle
 * deployment costs these reads alone. What becomes due before the next sweep is sent as well, to be done then: a job with the marks that a
 * sweep would have found at that time. A mark stays until its worker drops it: a lost job is sent again by the next sweep.
 * Marks that nobody can drop (a table whose jobs fail, a kind of a newer build) hide no others. What has waited longest past its time goes
 * first; a mark is due by its table's freshness, so a tighter one comes sooner.
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

/** `aheadMs`: until the next sweep. */
export async function sweep(world: World, aheadMs = 0): Promise<{ readonly jobs: number }> {
  const now = world.clock.now()
  const jobs = new Map<string, Waiting>()
  for (let shard = 0; shard < dueShards; shard++) {
    for await (const item of dueItems(world, shard, now + aheadMs)) {
      const mark = readMark(item)
      if (mark === undefined) continue
      const { kind, table, buckets, partition, due } = mark
      const id = `${kind}#${table.tableId}#${partition?.id ?? ''}`
      const of = partition === undefined ? {} : { partition }
      const waiting = jobs.get(id) ?? { job: { kind, table, buckets, ...of, marks: [] }, since: due }
      const isDue = due <= Math.max(now, waiting.since)
      if (isDue && waiting.job.marks.length < marksPerJobMax) waiting.job.marks.push(item.key.sort)
      jobs.set(id, waiting)
    }
  }
  for (const { job, since } of [...jobs.values()].sort((a, b) => a.since - b.since))
    await world.queue.send(job, Math.max(0, since - now))
  return { jobs: jobs.size }
}

interface Waiting {
  readonly job: Job & { readonly marks: string[] }
  /** When the first of its marks was due, ms since 1970. */
  readonly since: number
}

async function* dueItems(world: World, shard: number, until: number): AsyncIterable<Item> {
  const to = dueText(until + 1)
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
