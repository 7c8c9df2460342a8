/**
 * The tier job: a table's log into its lake, exactly once. Claim, then rounds of stage and commit until nothing is left or the
 * time is up, then the marks. The one thing that counts is the update of the lake item (core/lake/item.ts), which holds the tier
 * points: a crash before it leaves orphans, a crash after it leaves marks, and whoever comes next reads where the lake is from
 * the lake itself. A worker that was superseded changes nothing.
 */
import type { LakeItem } from '../format/items/lake.ts'
import { isSluiceError } from '../kernel/errors.ts'
import { claimLake, clearFailure, noteFailure, readLakeItem } from '../lake/item.ts'
import { tieredHeads } from '../log/buckets.ts'
import { markCollect } from '../log/keep/lake-mark.ts'
import type { ParquetWriter } from '../ports/parquet.ts'
import type { Job } from '../ports/queue.ts'
import type { World } from '../ports/world.ts'
import { isPutOff } from './back-off.ts'
import type { LogReader } from './frames.ts'
import { planRanges, rowsIn } from './plan.ts'
import { type Alive, aliveTable, Rounds, type TierOptions, type TierOutcome, targetOf } from './rounds.ts'
import { settleMarks } from './settle.ts'

/** Any failure is shown in the table's state and thrown; the job's marks stay, so that it is tried again (back-off.ts). */
export async function runTier(
  world: World,
  log: LogReader,
  parquet: ParquetWriter,
  job: Job,
  options: TierOptions,
): Promise<TierOutcome> {
  // The table after the lake: its columns are never older than those of the last commit.
  const lake = await readLakeItem(world.items, job.table.tableId)
  const table = await aliveTable(world, job)
  if (table === undefined || lake === undefined || !lake.open) {
    await settleMarks(world, job, 'nothing-to-do')
    return outcome('gone')
  }
  if (await isPutOff(world, job, lake)) return outcome('put-off')
  try {
    return await runAlive({ world, log, parquet, job, options, table, lake })
  } catch (error) {
    if (isSluiceError(error, 'not-found') && (await aliveTable(world, job)) === undefined) return outcome('gone')
    throw error
  }
}

async function runAlive(run: Alive): Promise<TierOutcome> {
  const { world, job, table } = run
  const startedAt = world.clock.now()
  const { lake, heads, placed } = await showing(
    run,
    () => run.lake,
    async () => {
      const looked = await targetOf(run, table).look(run.lake)
      return { ...looked, heads: await tieredHeads(world, table) }
    },
  )
  const planned = rowsIn(planRanges(heads, placed.points))
  if (planned === 0n) {
    const aligned = await showing(
      run,
      () => lake,
      () => targetOf(run, table).align(lake, (seen) => markCollect(world, job, seen)),
    )
    if (aligned.is === 'overtaken') return outcome('busy')
    if (aligned.lake.lastError !== undefined) await clearFailure(world, table.tableId, aligned.lake)
    await settleMarks(world, job, { table, heads, startedAt, remaining: 0n })
    return outcome('idle')
  }
  const claim = await claimLake(world, table.tableId, lake, { collectDue: await markCollect(world, job, lake) })
  if (claim.is === 'lost') return outcome('busy', { remaining: planned })
  if (claim.is === 'gone') return outcome('gone')
  const claimed = new Rounds({ ...run, lake: claim.lake, heads, placed, startedAt })
  const result = await showing(
    run,
    () => claimed.lake,
    () => claimed.run(),
  )
  if (result.state === 'committed') await settleMarks(world, job, { ...claimed.seen, remaining: result.remaining })
  return result
}

/** The failure itself is what the caller must see, whatever becomes of showing it. */
async function showing<T>({ world, table }: Alive, seen: () => LakeItem, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    await noteFailure(world, table.tableId, seen(), message).catch(() => undefined)
    throw error
  }
}

const outcome = (state: TierOutcome['state'], more: Partial<TierOutcome> = {}): TierOutcome => ({
  state,
  snapshots: 0,
  rows: 0n,
  remaining: 0n,
  ...more,
})
