/**
 * A table whose runs fail is tried again after a pause that doubles with each failure since the last success, so that it takes no
 * worker's time from others, and recovers by itself soon after the cause is gone. Only runs that marks ask for wait; the failure
 * and its count are in the lake item.
 */
import type { LakeItem } from '../format/items/lake.ts'
import { dropMarks, putMark } from '../jobs/marks.ts'
import type { Job } from '../ports/queue.ts'
import type { World } from '../ports/world.ts'

export const pauseMsFirst = 5_000
export const pauseMsMax = 600_000

/** After the `count`th failure in a row, from 1. */
export const pauseMs = (count: number): number => Math.min(pauseMsMax, pauseMsFirst * 2 ** (count - 1))

/** ms since 1970: when marks are answered again; undefined where the last run did not fail. */
export const nextAttemptAt = ({ lastError }: LakeItem): number | undefined =>
  lastError === undefined ? undefined : lastError.at + pauseMs(lastError.count)

/**
 * True: it is too early for this job, and a mark of its own will bring it back in time; a crash between the two leaves a mark too
 * many. A failure that by this clock is yet to come was noted by one that is ahead, and holds nobody back.
 */
export async function isPutOff(world: World, job: Job, lake: LakeItem): Promise<boolean> {
  const now = world.clock.now()
  const due = nextAttemptAt(lake)
  if (job.marks.length === 0 || due === undefined || due <= now || (lake.lastError?.at ?? 0) > now) return false
  await putMark(world, { kind: 'tier', table: job.table, buckets: job.buckets, due })
  await dropMarks(world, job.table.tableId, job.marks)
  return true
}
