/**
 * So that what a claimant of a lake may leave behind is never forgotten: a collect mark stands that is due when all of it is old. Put
 * before the claim, which notes it in the lake item; there is one in half a day.
 */
import type { LakeItem } from '../../format/items/lake.ts'
import { putMark } from '../../jobs/marks.ts'
import { limits } from '../../kernel/limits.ts'
import type { Job } from '../../ports/queue.ts'
import type { World } from '../../ports/world.ts'

/** Longer than a run, and than clocks differ. */
const runMsMax = 3_600_000
const collectWindowMs = 12 * 3_600_000

/** Returns when it is due, ms since 1970. */
export async function markCollect(
  world: World,
  { table, buckets }: Pick<Job, 'table' | 'buckets'>,
  lake: LakeItem,
): Promise<number> {
  const now = world.clock.now()
  if (lake.collectDue >= now + runMsMax + limits.orphanAgeMs) return lake.collectDue
  const due = now + collectWindowMs + limits.orphanAgeMs
  await putMark(world, { kind: 'collect', table, buckets, due })
  return due
}
