/**
 * Auto partitions: those that are older than the table keeps are dropped, those of the periods ahead are made. One mark stands for each
 * table that has them, due when its next period begins; it is put in the transaction that creates the table or turns them on, and
 * each run puts the next before it drops those that it answers. Whoever writes is not served by this: rows make their partition.
 */
import { createPartition, listPartitions } from '../../catalog/partitions.ts'
import { findTable } from '../../catalog/tables.ts'
import { dropMarks, putMark } from '../../jobs/marks.ts'
import { isSluiceError } from '../../kernel/errors.ts'
import { limits } from '../../kernel/limits.ts'
import { isExpired, namesAhead, type Periods, periodOfName, periodsOf } from '../../model/auto-partition.ts'
import { nextPeriodMs } from '../../model/period.ts'
import type { Table } from '../../model/table.ts'
import type { Job } from '../../ports/queue.ts'
import type { World } from '../../ports/world.ts'
import { type Dropped, dropPartition } from '../drop.ts'

export interface Turned {
  readonly created: number
  readonly dropped: number
}

/** Repeatable, and by any number of workers at once. */
export async function autoPartition(world: World, job: Job, deadlineMs: number): Promise<Turned> {
  const { database, table: name, tableId } = job.table
  const table = await findTable(world, database, name)
  const isThere = table?.tableId === tableId && table.state === 'alive'
  const periods = isThere ? periodsOf(table) : undefined
  if (!isThere || periods === undefined) {
    await dropMarks(world, tableId, job.marks)
    return { created: 0, dropped: 0 }
  }
  const now = world.clock.now()
  const { dropped, isWhole, awaitsLake } = await dropExpired(world, table, periods, { now, deadlineMs })
  const created = isWhole ? await createAhead(world, table, periods, now) : 0
  if (job.marks.length > 0) {
    const next = nextPeriodMs(periods, now)
    const due = isWhole ? (awaitsLake ? Math.min(next, now + table.options.lakeFreshnessMs) : next) : now
    await putMark(world, { kind: 'auto-partition', table: job.table, buckets: job.buckets, due })
    await dropMarks(world, tableId, job.marks)
  }
  return { created, dropped }
}

/** Those that stand ahead from now on, for whoever has just created the table or turned them on. */
export async function createFirst(world: World, table: Table): Promise<void> {
  const periods = periodsOf(table)
  if (periods !== undefined) await createAhead(world, table, periods, world.clock.now())
}

async function dropExpired(
  world: World,
  table: Table,
  periods: Periods,
  { now, deadlineMs }: { readonly now: number; readonly deadlineMs: number },
): Promise<{ readonly dropped: number; readonly isWhole: boolean; readonly awaitsLake: boolean }> {
  const partitions = await listPartitions(world, table, { limit: limits.listLimitMax })
  let dropped = 0
  let awaitsLake = false
  // Also those whose drop a worker has left half done.
  for (const { name } of partitions) {
    const period = periodOfName(periods, name)
    if (period === undefined || !isExpired(periods, period, now)) continue
    if (world.clock.now() >= deadlineMs) return { dropped, isWhole: false, awaitsLake }
    const outcome = await dropIfThere(world, table, name)
    if (outcome === 'gone') dropped++
    if (outcome === 'closing') awaitsLake = true
  }
  return { dropped, isWhole: true, awaitsLake }
}

/** The lake has all rows first, and keeps them. */
async function dropIfThere(world: World, table: Table, name: string): Promise<Dropped | 'by another'> {
  try {
    return await dropPartition(world, table, name, table.options.lakeFormat === 'none' ? 'go' : 'first')
  } catch (error) {
    if (isSluiceError(error, 'not-found')) return 'by another'
    throw error
  }
}

/** Those that are there, or are just being dropped by hand, are passed over; a table that is full has to be emptied by its owner. */
async function createAhead(world: World, table: Table, periods: Periods, now: number): Promise<number> {
  let created = 0
  for (const name of namesAhead(periods, now)) {
    try {
      if ((await createPartition(world, table, name)).created) created++
    } catch (error) {
      if (isSluiceError(error, 'full') || isSluiceError(error, 'not-found')) return created
      if (!isSluiceError(error, 'conflict')) throw error
    }
  }
  return created
}
