/**
 * The tier job: a table's log into its lake, exactly once. Claim, then rounds of stage and commit until nothing is left or the
 * time is up, then the marks. The one thing that counts is the update of the lake item (core/lake/item.ts), which holds the tier
 * points: a crash before it leaves orphans, a crash after it leaves marks, and whoever comes next reads where the lake is from
 * the lake itself. A worker that was superseded changes nothing.
 */
import { findTable } from '../catalog/tables.ts'
import type { LakeItem } from '../format/items/lake.ts'
import type { PlacedPoints, Points } from '../format/items/points.ts'
import { isSluiceError, SluiceError } from '../kernel/errors.ts'
import type { Label } from '../kernel/ids.ts'
import { type CommitPlan, commitAppend, type LakeBase, planAppend, planMerge, readBase } from '../lake/append.ts'
import { claimLake, clearFailure, leaseMs, nextLabel, noteFailure, readLakeItem, releaseLake, renewLake } from '../lake/item.ts'
import { readPoints } from '../lake/objects.ts'
import { publish, repairPublished } from '../lake/publish.ts'
import type { UpkeepLimits } from '../lake/upkeep/limits.ts'
import { tieredHeads } from '../log/buckets.ts'
import { markCollect } from '../log/keep/lake-mark.ts'
import type { BucketOffsets } from '../log/types.ts'
import type { Table } from '../model/table.ts'
import type { ParquetWriter } from '../ports/parquet.ts'
import type { Job } from '../ports/queue.ts'
import type { World } from '../ports/world.ts'
import { planCompaction } from './compact-lake.ts'
import { type BucketRange, isDroppedPartition, type LogReader } from './frames.ts'
import { planRanges, rowsIn } from './plan.ts'
import { type RoundLimits, type StagedRound, stageRound } from './round.ts'
import { settleMarks } from './settle.ts'

export interface TierOptions {
  /**
   * ms since 1970: no round begins after it, and one that runs commits what it has, so leave time for that. The first round
   * always runs, if only for one batch.
   */
  readonly deadlineMs: number
  /** Of Arrow, in one commit. */
  readonly roundBytesMax: number
  /** Of Arrow, in one file; default 64 MiB. */
  readonly fileBytesMax?: number
  readonly upkeep?: UpkeepLimits
}

export interface TierOutcome {
  /** `busy`: another worker is at it · `gone`: the table was dropped · `fenced`: another worker took over. */
  readonly state: 'idle' | 'committed' | 'busy' | 'gone' | 'fenced'
  readonly snapshots: number
  readonly rows: bigint
  /** Rows that were in the log when the run began and are not in the lake. */
  readonly remaining: bigint
}

/** Any failure is shown in the table's state and thrown; the job's marks stay, so that it is tried again. */
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
  try {
    return await runAlive({ world, log, parquet, job, options, table, lake })
  } catch (error) {
    if (isSluiceError(error, 'not-found') && (await aliveTable(world, job)) === undefined) return outcome('gone')
    throw error
  }
}

interface Alive {
  readonly world: World
  readonly log: LogReader
  readonly parquet: ParquetWriter
  readonly job: Job
  readonly options: TierOptions
  readonly table: Table
  /** As last seen. */
  readonly lake: LakeItem
}

async function runAlive(run: Alive): Promise<TierOutcome> {
  const { world, job, table, lake } = run
  const startedAt = world.clock.now()
  const { heads, placed } = await showing(run, lake, async () => {
    await repairPublished(world, table.tableId, lake)
    const found = await tieredHeads(world, table)
    return { heads: found, placed: await readPoints(world.objects, lake) }
  })
  const planned = rowsIn(planRanges(heads, placed.points))
  if (planned === 0n) {
    if (lake.lastError !== undefined) await clearFailure(world, table.tableId, lake)
    await settleMarks(world, job, { table, heads, startedAt, remaining: 0n })
    return outcome('idle')
  }
  const claim = await claimLake(world, table.tableId, lake, { collectDue: await markCollect(world, job, lake) })
  if (claim.is === 'lost') return outcome('busy', { remaining: planned })
  if (claim.is === 'gone') return outcome('gone')
  const claimed = new TierRun({ ...run, lake: claim.lake, heads, placed, startedAt })
  const result = await showing(run, claim.lake, () => claimed.rounds())
  if (result.state === 'committed') await settleMarks(world, job, { ...claimed.seen, remaining: result.remaining })
  return result
}

/** The failure itself is what the caller must see, whatever becomes of showing it. */
async function showing<T>({ world, table }: Alive, seen: LakeItem, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    await noteFailure(world, table.tableId, seen, message).catch(() => undefined)
    throw error
  }
}

/** As they were at `startedAt`, ms since 1970: the end of what a run brings into the lake. */
interface Seen {
  readonly table: Table
  readonly heads: readonly BucketOffsets[]
  readonly startedAt: number
}

interface Claimed extends Alive, Seen {
  readonly placed: PlacedPoints
}

/** The rounds under one claim. */
class TierRun {
  readonly #with: Claimed
  #seen: Seen
  /** The item as our last update left it. */
  #mine: LakeItem
  #isFenced = false
  #snapshots = 0
  #rows = 0n

  constructor(claimed: Claimed) {
    this.#with = claimed
    this.#seen = claimed
    this.#mine = claimed.lake
  }

  get seen(): Seen {
    const { table, heads, startedAt } = this.#seen
    return { table, heads, startedAt }
  }

  async rounds(): Promise<TierOutcome> {
    const { world, table } = this.#with
    try {
      return await this.#rounds()
    } catch (error) {
      this.#isFenced ||= await this.#isSuperseded()
      if (this.#isFenced) return this.#outcome('fenced')
      throw error
    } finally {
      // Only so that the next trigger need not wait for the lease to run out.
      if (!this.#isFenced) await releaseLake(world, table.tableId, this.#mine).catch(() => undefined)
    }
  }

  async #rounds(): Promise<TierOutcome> {
    const { world, table } = this.#with
    let base = await readBase(world.objects, table.tableId, this.#mine, this.#with.placed)
    let staged: { readonly round: StagedRound; readonly label: Label } | undefined
    for (let refused = 0, looks = 0; ; ) {
      const ranges = planRanges(this.#seen.heads, base.placed.points)
      if (ranges.length === 0 || (this.#snapshots > 0 && this.#isLate())) return this.#outcome('committed', rowsIn(ranges))
      const label: Label = staged?.label ?? nextLabel(world.clock.now(), this.#mine.gc)
      const round: StagedRound | undefined = staged?.round ?? (await this.#stage(ranges, label))
      staged = undefined
      if (round === undefined) {
        looks += 1
        if (looks > looksMax) throw changedTooOften(table)
        if (!(await this.#lookAgain())) return this.#outcome('gone')
        continue
      }
      const { upkeep: limits } = this.#with.options
      const merge = await planMerge(world.objects, table.tableId, base, limits)
      const gone = goneFrom(base.placed.points, this.#seen.heads)
      const now = world.clock.now()
      // Never over a version that is not the base's, however often the lease was renewed since.
      const plan = planAppend(world, this.#seen.table, base, { ...round, gone, label, merge, now, limits })
      const commit = await commitAppend(world, table.tableId, base, plan)
      if (commit.is === 'gone') return this.#outcome('gone')
      this.#isFenced = commit.lake.epoch !== this.#mine.epoch
      if (this.#isFenced) return this.#outcome('fenced')
      this.#mine = commit.lake
      const isOvertaken = commit.lake.version !== base.lake.version
      if (commit.is === 'lost') {
        // An engine's commit came between, and the files will do for another try. Or they may be collected: new ones under a new label.
        refused += 1
        if (refused === refusedMax || (!isOvertaken && commit.lake.gc < label)) throw refusedForNoReason(commit.lake)
        if (isOvertaken) base = await this.#rebased()
        if (commit.lake.gc < label) staged = { round, label }
        continue
      }
      refused = looks = 0
      this.#snapshots += 1
      this.#rows += round.rows
      base = await this.#compacted(await this.#taken(plan, commit.lake))
    }
  }

  /** The base of what follows a commit that is done. An engine's may have come over it already. */
  async #taken(plan: CommitPlan, lake: LakeItem): Promise<LakeBase> {
    if (lake.committed?.metadata.key !== plan.commit.metadata.key) return this.#rebased()
    await publish(this.#with.world, this.#with.table.tableId, lake, plan.metadataBytes)
    return { ...plan.next, lake }
  }

  /** What an engine's commit has made of the lake: the points are ours still, all else is read again. Its copy comes before ours. */
  async #rebased(): Promise<LakeBase> {
    const { world, table } = this.#with
    await repairPublished(world, table.tableId, this.#mine)
    return readBase(world.objects, table.tableId, this.#mine, await readPoints(world.objects, this.#mine))
  }

  /** Manifests and small files as fewer, level by level, where that is due. What fails or is overtaken is left: the lake is as good. */
  async #compacted(appended: LakeBase): Promise<LakeBase> {
    let base = appended
    for (let level = 0; level < levelsMax && !this.#isLate(); level++) {
      const plan = await planCompaction(this.#context(), this.#seen.table, base, this.#with.options.upkeep).catch(() => undefined)
      const commit = plan && (await commitAppend(this.#with.world, this.#with.table.tableId, base, plan))
      if (plan === undefined || commit?.is !== 'done') return base
      this.#mine = commit.lake
      base = await this.#taken(plan, commit.lake)
    }
    return base
  }

  /** Undefined: a partition was dropped, or columns have changed, since the table was looked at; what was staged is left behind. */
  async #stage(ranges: readonly BucketRange[], label: Label): Promise<StagedRound | undefined> {
    try {
      return await stageRound(this.#context(), this.#seen.table, ranges, label, this.#limits())
    } catch (error) {
      if (isDroppedPartition(error) || isSluiceError(error, 'changed')) return undefined
      throw error
    }
  }

  /** False: the table is gone. */
  async #lookAgain(): Promise<boolean> {
    const { world, job } = this.#with
    const startedAt = world.clock.now()
    const table = await aliveTable(world, job)
    if (table === undefined) return false
    this.#seen = { table, heads: await tieredHeads(world, table), startedAt }
    return true
  }

  /** Another may have brought the rows into the lake while this worker slept, and they may have left the log since. */
  async #isSuperseded(): Promise<boolean> {
    const { world, table } = this.#with
    const lake = await readLakeItem(world.items, table.tableId).catch(() => undefined)
    return lake !== undefined && lake.epoch !== this.#mine.epoch
  }

  /** Read every time: a deadline may come nearer, when a process is told to stop. */
  #isLate(): boolean {
    return this.#with.world.clock.now() >= this.#with.options.deadlineMs
  }

  #limits(): RoundLimits {
    const { roundBytesMax, fileBytesMax = 64 * 1024 * 1024 } = this.#with.options
    return { roundBytesMax, fileBytesMax, isLate: () => this.#isLate() }
  }

  #context() {
    const { world, log, parquet } = this.#with
    return {
      world,
      log,
      parquet,
      stillMine: (): Promise<void> => this.#renew(),
    }
  }

  /** Half a lease before it ends. */
  async #renew(): Promise<void> {
    const { world, table } = this.#with
    if (this.#mine.lease - world.clock.now() > leaseMs / 2) return
    const renewed = await renewLake(world, table.tableId, this.#mine)
    this.#isFenced = renewed.is === 'lost'
    if (renewed.is === 'lost') throw new SluiceError('conflict', 'another worker has taken over this lake', { action: 'stop' })
    if (renewed.is === 'gone') throw new SluiceError('not-found', `table ${table.database}.${table.name} was dropped`)
    this.#mine = renewed.lake
  }

  #outcome(state: TierOutcome['state'], remaining = 0n): TierOutcome {
    return { state, snapshots: this.#snapshots, rows: this.#rows, remaining }
  }
}

const refusedMax = 5
/** Of digits in the rows of a manifest. */
const levelsMax = 19
/** Between two commits. */
const looksMax = 100

/** Pages of partitions that were dropped; ids do not come again. */
function goneFrom(points: Points, heads: readonly BucketOffsets[]): ReadonlySet<string> {
  const alive = new Set(heads.map(({ partition }) => partition.id))
  return new Set([...points.keys()].filter((id) => !alive.has(id)))
}

/** Only the very table that the job names. */
async function aliveTable(world: World, { table: { database, table, tableId } }: Pick<Job, 'table'>): Promise<Table | undefined> {
  const found = await findTable(world, database, table)
  return found !== undefined && found.tableId === tableId && found.state === 'alive' ? found : undefined
}

const outcome = (state: TierOutcome['state'], more: Partial<TierOutcome> = {}): TierOutcome => ({
  state,
  snapshots: 0,
  rows: 0n,
  remaining: 0n,
  ...more,
})

const refusedForNoReason = (lake: LakeItem): SluiceError =>
  new SluiceError('conflict', 'the commit to the lake was refused again and again', {
    action: 'retry',
    facts: { version: String(lake.version) },
  })

const changedTooOften = ({ database, name }: Table): SluiceError =>
  new SluiceError('conflict', `${database}.${name} changes faster than rows of it can be staged`, { action: 'retry' })
