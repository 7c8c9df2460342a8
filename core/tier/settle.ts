/**
 * What becomes of the marks that a tier job answers (protocol section 4). Nothing left: the heads that the run saw are told that
 * old marks count no more, then the marks go. Something left, or something new: a new mark first, then the old ones go. A crash
 * anywhere leaves a mark too many, never one too few.
 */
import { dropMarks, putMark } from '../jobs/marks.ts'
import { quietHeads } from '../log/quiet.ts'
import type { BucketOffsets } from '../log/types.ts'
import type { Table } from '../model/table.ts'
import type { Job } from '../ports/queue.ts'
import type { World } from '../ports/world.ts'

export interface Settled {
  readonly table: Table
  /** As the run read them, before it looked for rows; all their rows but `remaining` are in the lake. */
  readonly heads: readonly BucketOffsets[]
  /** ms since 1970, before the heads were read. */
  readonly startedAt: number
  readonly remaining: bigint
}

/** `nothing-to-do`: the table has no lake, or is gone. */
export async function settleMarks(world: World, job: Job, settled: Settled | 'nothing-to-do'): Promise<void> {
  // A job that no mark asked for has none to answer, and leaves those of others alone.
  if (job.marks.length === 0) return
  if (settled !== 'nothing-to-do') {
    const due = await nextDue(world, settled)
    if (due !== undefined) await putMark(world, { kind: 'tier', table: job.table, buckets: settled.table.buckets.count, due })
  }
  await dropMarks(world, job.table.tableId, job.marks)
}

/** Rows of the run's plan are due already; rows that came since are due when the oldest possible of them is. */
async function nextDue(world: World, { table, heads, startedAt, remaining }: Settled): Promise<number | undefined> {
  if (remaining > 0n) return startedAt
  if (await quietHeads(world, table, heads)) return undefined
  return startedAt + table.options.lakeFreshnessMs
}
