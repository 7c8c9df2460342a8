/**
 * Where a run brings rows: our own lake, whose commit point is its item, or a table of an external catalog, whose commit point is
 * that catalog's. The lake item is the claim in either case. This file has what they share and the first of them.
 */
import type { Field } from '../format/arrow/column.ts'
import type { LakeItem } from '../format/items/lake.ts'
import type { PlacedPoints, Points } from '../format/items/points.ts'
import { SluiceError } from '../kernel/errors.ts'
import type { Label } from '../kernel/ids.ts'
import type { Table } from '../model/table.ts'
import type { ObjectStore } from '../ports/objects.ts'
import type { World } from '../ports/world.ts'
import { type Aligned, alignLake } from './align.ts'
import { type CommitPlan, commitAppend, type LakeBase, planAppend, planMerge, readBase } from './append.ts'
import type { MarkCollect } from './commit.ts'
import type { DataFile } from './iceberg/manifest.ts'
import { readPoints } from './objects.ts'
import { publish, repairPublished } from './publish.ts'
import type { UpkeepLimits } from './upkeep/limits.ts'

export interface LakeTarget {
  /** How far the log is in the lake, before heads are read; what an earlier run left unsaid is repaired. */
  look(lake: LakeItem): Promise<{ readonly lake: LakeItem; readonly placed: PlacedPoints }>
  /** Columns and format version become those of the table, where no row brings them along. Needs no claim. */
  align(lake: LakeItem, markCollect: MarkCollect): Promise<Aligned>
  /** Under the claim `mine`: what the first round builds on. */
  open(mine: LakeItem, placed: PlacedPoints): Promise<OpenLake>
}

/** One state of the lake, and the commit over it. */
export interface OpenLake {
  readonly placed: PlacedPoints
  /** Where data files go, by our layout of keys. */
  readonly objects: ObjectStore
  /** Of data files, where they are not those of the table's schema. */
  readonly fields?: readonly Field[]
  commit(mine: LakeItem, round: StagedFiles): Promise<LakeCommitted>
  /** A commit of files in the place of others, where the lake is ours. Undefined: there is nothing to replace, or it was overtaken. */
  replace?(plan: (base: LakeBase) => Promise<CommitPlan | undefined>): Promise<LakeDone | undefined>
}

export interface StagedFiles {
  readonly files: readonly DataFile[]
  readonly reached: Points
  /** Ids of partitions that are no more. */
  readonly gone: ReadonlySet<string>
  /** At most that of every file. */
  readonly label: Label
}

export interface LakeDone {
  readonly is: 'done'
  readonly lake: LakeItem
  /** What follows builds on it. */
  readonly open: OpenLake
}

/** `lost`: another has claimed the lake, or its item changes faster than it can be followed. */
export type LakeCommitted =
  | LakeDone
  | { readonly is: 'gone' }
  | { readonly is: 'lost'; readonly lake: LakeItem }
  /** No effect: others have committed. The next try is over what is there now, with the same files or with new ones. */
  | { readonly is: 'moved'; readonly lake: LakeItem; readonly open: OpenLake; readonly keepsFiles: boolean }

export function ownLake(world: World, table: Table, limits?: UpkeepLimits): LakeTarget {
  return new OwnLake(world, table, limits)
}

class OwnLake implements LakeTarget {
  readonly #world: World
  readonly #table: Table
  readonly #limits: UpkeepLimits | undefined

  constructor(world: World, table: Table, limits: UpkeepLimits | undefined) {
    this.#world = world
    this.#table = table
    this.#limits = limits
  }

  async look(lake: LakeItem): Promise<{ readonly lake: LakeItem; readonly placed: PlacedPoints }> {
    await repairPublished(this.#world, this.#table.tableId, lake)
    return { lake, placed: await readPoints(this.#world.objects, lake) }
  }

  async align(lake: LakeItem, markCollect: MarkCollect): Promise<Aligned> {
    // One without a commit shows what the table has.
    return lake.committed === undefined ? { is: 'same', lake } : alignLake(this.#world, this.#table, lake, markCollect)
  }

  async open(mine: LakeItem, placed: PlacedPoints): Promise<OpenLake> {
    return this.#over(await readBase(this.#world.objects, this.#table.tableId, mine, placed))
  }

  #over(base: LakeBase): OpenLake {
    return {
      placed: base.placed,
      objects: this.#world.objects,
      commit: (mine, round) => this.#commit(base, mine, round),
      replace: (plan) => this.#replace(base, plan),
    }
  }

  async #replace(base: LakeBase, planOf: (base: LakeBase) => Promise<CommitPlan | undefined>): Promise<LakeDone | undefined> {
    const plan = await planOf(base)
    const commit = plan && (await commitAppend(this.#world, this.#table.tableId, base, plan))
    return plan !== undefined && commit?.is === 'done' ? this.#done(plan, commit.lake) : undefined
  }

  /** Never over a version that is not the base's, however often the lease was renewed since. */
  async #commit(base: LakeBase, mine: LakeItem, round: StagedFiles): Promise<LakeCommitted> {
    const [world, table, limits] = [this.#world, this.#table, this.#limits]
    const merge = await planMerge(world.objects, table.tableId, base, limits)
    const plan = planAppend(world, table, base, { ...round, merge, now: world.clock.now(), limits })
    const commit = await commitAppend(world, table.tableId, base, plan)
    if (commit.is === 'gone') return commit
    const { lake } = commit
    if (lake.epoch !== mine.epoch) return { is: 'lost', lake }
    if (commit.is === 'done') return this.#done(plan, lake)
    // An engine's commit came between, and the files will do for another try. Or they may be collected: new ones under a new label.
    const isOvertaken = lake.version !== base.lake.version
    const isCollectable = lake.gc >= round.label
    if (!isOvertaken && !isCollectable) throw refusedForNoReason(lake)
    return { is: 'moved', lake, open: isOvertaken ? await this.#rebased(lake) : this.#over(base), keepsFiles: !isCollectable }
  }

  /** An engine's commit may have come over it already. */
  async #done(plan: CommitPlan, lake: LakeItem): Promise<LakeDone> {
    if (lake.committed?.metadata.key !== plan.commit.metadata.key) return { is: 'done', lake, open: await this.#rebased(lake) }
    await publish(this.#world, this.#table.tableId, lake, plan.metadataBytes)
    return { is: 'done', lake, open: this.#over({ ...plan.next, lake }) }
  }

  /** What an engine's commit has made of the lake: the points are ours still, all else is read again. Its copy comes before ours. */
  async #rebased(lake: LakeItem): Promise<OpenLake> {
    await repairPublished(this.#world, this.#table.tableId, lake)
    return this.open(lake, await readPoints(this.#world.objects, lake))
  }
}

export const refusedForNoReason = (lake: LakeItem): SluiceError =>
  new SluiceError('conflict', 'the commit to the lake was refused again and again', {
    action: 'retry',
    facts: { version: String(lake.version) },
  })
