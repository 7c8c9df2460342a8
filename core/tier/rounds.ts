/**
 * The rounds of a tier run under one claim: stage, commit, publish, until nothing is left or the time is up. A round is staged over the
 * lake as it was opened; a commit that is refused because others have committed opens it again and commits the same files over that.
 * A worker that was superseded finds out by the epoch in its commit, and changes nothing.
 */
import { findTable } from '../catalog/tables.ts'
import type { LakeItem } from '../format/items/lake.ts'
import { type PlacedPoints, type Points, pointAt } from '../format/items/points.ts'
import { isSluiceError, SluiceError } from '../kernel/errors.ts'
import type { Label } from '../kernel/ids.ts'
import { externalPlace } from '../lake/external/table.ts'
import { externalLake } from '../lake/external/target.ts'
import { leaseMs, nextLabel, readLakeItem, releaseLake, renewLake } from '../lake/item.ts'
import { type LakeTarget, type OpenLake, ownLake, refusedForNoReason } from '../lake/target.ts'
import type { UpkeepLimits } from '../lake/upkeep/limits.ts'
import { tieredHeads } from '../log/buckets.ts'
import type { BucketOffsets } from '../log/types.ts'
import { idOf } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import type { ParquetWriter } from '../ports/parquet.ts'
import type { Job } from '../ports/queue.ts'
import type { World } from '../ports/world.ts'
import { planCompaction } from './compact-lake.ts'
import { type BucketRange, isDroppedPartition, type LogReader } from './frames.ts'
import { planRanges, rowsIn } from './plan.ts'
import { type RoundLimits, type StagedRound, stageRound } from './round.ts'

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
  /** `busy`: another worker is at it · `gone`: the table was dropped · `fenced`: another worker took over · `put-off`: too soon after a failure. */
  readonly state: 'idle' | 'committed' | 'busy' | 'gone' | 'fenced' | 'put-off'
  readonly snapshots: number
  readonly rows: bigint
  /** Rows that were in the log when the run began and are not in the lake. */
  readonly remaining: bigint
}

export interface Alive {
  readonly world: World
  readonly log: LogReader
  readonly parquet: ParquetWriter
  readonly job: Job
  readonly options: TierOptions
  readonly table: Table
  /** As last seen. */
  readonly lake: LakeItem
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
export class Rounds {
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

  get lake(): LakeItem {
    return this.#mine
  }

  async run(): Promise<TierOutcome> {
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
    let lake = await this.#open(this.#with.placed)
    let staged: { readonly round: StagedRound; readonly label: Label } | undefined
    for (let refused = 0, looks = 0; ; ) {
      const points = lake.placed.points
      const ranges = planRanges(await this.#headsPast(points), points)
      if (ranges.length === 0 || (this.#snapshots > 0 && this.#isLate())) return this.#outcome('committed', rowsIn(ranges))
      const label: Label = staged?.label ?? nextLabel(world.clock.now(), this.#mine.gc)
      const round: StagedRound | undefined = staged?.round ?? (await this.#stage(lake, ranges, label))
      staged = undefined
      if (round === undefined) {
        looks += 1
        if (looks > looksMax) throw changedTooOften(table)
        if (!(await this.#lookAgain())) return this.#outcome('gone')
        lake = await this.#open(lake.placed)
        continue
      }
      const commit = await lake.commit(this.#mine, { ...round, label, gone: goneFrom(points, this.#seen.heads) })
      if (commit.is === 'gone') return this.#outcome('gone')
      this.#isFenced = commit.lake.epoch !== this.#mine.epoch || commit.is === 'lost'
      if (this.#isFenced || commit.is === 'lost') return this.#outcome('fenced')
      this.#mine = commit.lake
      lake = commit.open
      if (commit.is === 'moved') {
        refused += 1
        if (refused === refusedMax) throw refusedForNoReason(commit.lake)
        if (commit.keepsFiles) staged = { round, label }
        continue
      }
      refused = looks = 0
      this.#snapshots += 1
      this.#rows += round.rows
      lake = await this.#compacted(lake)
    }
  }

  #open(placed: PlacedPoints): Promise<OpenLake> {
    return targetOf(this.#with, this.#seen.table).open(this.#mine, placed)
  }

  /** A superseded worker's last commit to a catalog may have come after the heads were read. */
  async #headsPast(points: Points): Promise<readonly BucketOffsets[]> {
    const isPast = ({ end, ...at }: BucketOffsets): boolean => (pointAt(points, idOf(at))?.offset ?? 0n) > end
    if (this.#seen.heads.some(isPast)) {
      const { table } = this.#seen
      this.#seen = { ...this.#seen, heads: await tieredHeads(this.#with.world, table) }
    }
    return this.#seen.heads
  }

  /** Manifests and small files as fewer, level by level, where that is due. What fails or is overtaken is left: the lake is as good. */
  async #compacted(appended: OpenLake): Promise<OpenLake> {
    let lake = appended
    for (let level = 0; level < levelsMax && !this.#isLate(); level++) {
      const context = this.#context(lake)
      const compacted = await lake.replace?.((base) =>
        planCompaction(context, this.#seen.table, base, this.#with.options.upkeep).catch(() => undefined),
      )
      if (compacted === undefined) return lake
      this.#mine = compacted.lake
      lake = compacted.open
    }
    return lake
  }

  /** Undefined: a partition was dropped, or columns have changed, since the table was looked at; what was staged is left behind. */
  async #stage(lake: OpenLake, ranges: readonly BucketRange[], label: Label): Promise<StagedRound | undefined> {
    try {
      return await stageRound(this.#context(lake), this.#seen.table, ranges, label, this.#limits())
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

  #context({ objects, fields }: OpenLake) {
    const { world, log, parquet } = this.#with
    return {
      world: { ...world, objects },
      ...(fields !== undefined && { fields }),
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
export async function aliveTable(
  world: World,
  { table: { database, table, tableId } }: Pick<Job, 'table'>,
): Promise<Table | undefined> {
  const found = await findTable(world, database, table)
  return found !== undefined && found.tableId === tableId && found.state === 'alive' ? found : undefined
}

export function targetOf({ world, options }: Alive, table: Table): LakeTarget {
  const place = externalPlace(world.catalogs, table)
  return place === undefined ? ownLake(world, table, options.upkeep) : externalLake(world, table, place)
}

const changedTooOften = ({ database, name }: Table): SluiceError =>
  new SluiceError('conflict', `${database}.${name} changes faster than rows of it can be staged`, { action: 'retry' })
