/**
 * A table of an external catalog as the place of a run's rows. The commit point is the catalog's, fenced by the snapshot whose
 * points the round continues from; the lake item is the claim, and remembers which table it was and how far, for whoever asks
 * without the catalog: it follows the commit, and a run whose predecessor died in between makes it follow. A crash leaves
 * orphan files in the table's folder, or an item that is one commit behind.
 */
import type { LakeItem, ObjectRef } from '../../format/items/lake.ts'
import { noPoints, type PlacedPoints } from '../../format/items/points.ts'
import { present } from '../../kernel/assert.ts'
import { SluiceError } from '../../kernel/errors.ts'
import type { Partition } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import type { ObjectStore } from '../../ports/objects.ts'
import type { World } from '../../ports/world.ts'
import type { Aligned } from '../align.ts'
import { commitLakeItem, type LakeOutcome, nextLabel, readLakeItem, releaseLake } from '../item.ts'
import { createNew, readPoints, readPointsAt } from '../objects.ts'
import { parquetFields } from '../parquet-columns.ts'
import type { LakeCommitted, LakeTarget, OpenLake } from '../target.ts'
import { type ExternalTable, factsOf, nameOf } from './answer.ts'
import { type ColumnsPlan, planColumns } from './columns.ts'
import { commitExternal } from './commit.ts'
import { type DroppedPartition, planWithout } from './drop-partition.ts'
import { layoutAt } from './layout.ts'
import { mainManifests } from './manifests.ts'
import { planMerge } from './merge.ts'
import { type ExternalBase, type ExternalPlan, planExternal } from './plan.ts'
import { isBehind, pointsRef, samePoints, setBack, tableIdProperty } from './points.ts'
import { type Remembered, readRemembered, rememberedObject } from './remembered.ts'
import { accessible, type ExternalPlace, loadExternal, readyExternal } from './table.ts'

export function externalLake(world: World, table: Table, place: ExternalPlace): ExternalLake {
  return new External(world, table, place)
}

export interface ExternalLake extends LakeTarget {
  /**
   * Under the claim `mine`: the rows of a partition that was dropped leave the table, in one commit. Where it has none of them and a worker
   * may be bringing some in, the commit is made all the same: its snapshot is the fence. `busy`: repeat it.
   */
  without(mine: LakeItem, dropped: DroppedPartition): Promise<'gone' | 'busy'>
  /** Errors: as those of `without` that would come again. Commits nothing. */
  checkWithout(seen: LakeItem, partition: Partition): Promise<void>
}

class External implements ExternalLake {
  readonly #world: World
  readonly #table: Table
  readonly #place: ExternalPlace

  constructor(world: World, table: Table, place: ExternalPlace) {
    this.#world = world
    this.#table = table
    this.#place = place
  }

  async look(lake: LakeItem): Promise<{ readonly lake: LakeItem; readonly placed: PlacedPoints }> {
    const [remembered, before] = await Promise.all([
      readRemembered(this.#world.objects, lake),
      readPoints(this.#world.objects, lake),
    ])
    for (let read = 1; ; read++) {
      const external = await this.#sameTable(remembered)
      const ref = external && pointsRef(external, this.#table.tableId)
      const placed = await this.#pointsAt(ref, lake, before)
      // An older state than one that we have seen: the catalog's caches catch up, or someone has set the table back.
      if (isBehind(placed.points, before.points) && read < readsMax) {
        await this.#world.clock.sleep(rereadMs * read)
        continue
      }
      const isCurrent = external === undefined || ref === undefined || ref.key === lake.committed?.points.key
      if (isCurrent || lake.lease >= this.#world.clock.now()) return { lake, placed: setBack(placed, before) }
      return { lake: await this.#follow(lake, external, ref), placed: setBack(placed, before) }
    }
  }

  async align(lake: LakeItem): Promise<Aligned> {
    const remembered = await readRemembered(this.#world.objects, lake)
    if (remembered !== undefined) await readyExternal(this.#place, this.#table, remembered.uuid)
    return { is: 'same', lake }
  }

  async open(mine: LakeItem): Promise<OpenLake> {
    return this.#opened(await this.#over(mine))
  }

  async without(mine: LakeItem, dropped: DroppedPartition): Promise<'gone' | 'busy'> {
    const remembered = await readRemembered(this.#world.objects, mine)
    // Never made: who makes it from here on sees our claim before a commit of rows.
    if (remembered === undefined && (await loadExternal(this.#place)) === undefined) return 'gone'
    const over = await this.#over(mine)
    const committed = await this.#commit(mine, over, (base) => this.#planWithout(mine, { ...over, base }, dropped))
    // Once it is committed there, the item follows by itself.
    return committed?.is === 'moved' ? 'busy' : 'gone'
  }

  async checkWithout(seen: LakeItem, partition: Partition): Promise<void> {
    const external = await this.#sameTable(await readRemembered(this.#world.objects, seen))
    if (external === undefined) return
    const columns = planColumns(this.#table, external, true)
    const over = this.#at(external, columns, { placed: noPoints, manifests: await this.#manifests(external) })
    await this.#planWithout(seen, over, { partition, hadRows: false })
  }

  #planWithout({ gc, epoch }: LakeItem, { objects, columns, base }: Over, dropped: DroppedPartition) {
    const { random, clock } = this.#world
    const now = clock.now()
    const turn = { ...dropped, columns, label: nextLabel(now, gc), now, epoch }
    return planWithout({ random, objects }, this.#place, this.#table, base, turn)
  }

  async #over(mine: LakeItem): Promise<Over> {
    const remembered = await readRemembered(this.#world.objects, mine)
    const { external, columns } = await readyExternal(this.#place, this.#table, remembered?.uuid)
    const placed = await this.#points(external, mine)
    await this.#stillMine(mine)
    return this.#at(external, columns, { placed, manifests: await this.#manifests(external) })
  }

  /**
   * After a state of the table was read that a commit will be fenced by, never before: whoever claims the lake after this commits
   * over that state or a later one, and the fence refuses us.
   */
  async #stillMine({ epoch }: LakeItem): Promise<void> {
    const lake = await readLakeItem(this.#world.items, this.#table.tableId)
    if (lake?.open === true && lake.epoch === epoch) return
    const { database, name } = this.#table
    if (lake?.open !== true) throw new SluiceError('not-found', `table ${database}.${name} was dropped`)
    throw new SluiceError('conflict', 'another worker has taken over this lake', { action: 'stop' })
  }

  /** Without a claim: what a commit of the item leaves as one is given back. */
  async #follow(lake: LakeItem, external: ExternalTable, points: ObjectRef): Promise<LakeItem> {
    const noted = await this.#remember(lake, external, points)
    if (noted.is !== 'done') return noted.is === 'gone' ? lake : noted.lake
    await releaseLake(this.#world, this.#table.tableId, noted.lake)
    return { ...noted.lake, lease: 0 }
  }

  async #sameTable(remembered: Remembered | undefined): Promise<ExternalTable | undefined> {
    const external = await loadExternal(this.#place)
    if (remembered === undefined) {
      // A table that we made or entered, before the item could say so.
      return external?.properties[tableIdProperty] === this.#table.tableId ? external : undefined
    }
    if (external !== undefined && external.uuid === remembered.uuid) return external
    const { catalog, name } = this.#place
    const what =
      external === undefined ? 'is not there any more' : `is another table now (uuid ${external.uuid}, not ${remembered.uuid})`
    throw new SluiceError('conflict', `${nameOf(catalog, name)} ${what}: restore it, or drop the table here`, {
      action: 'stop',
      facts: factsOf(catalog, name),
    })
  }

  async #points(external: ExternalTable, mine: LakeItem): Promise<PlacedPoints> {
    const before = await readPoints(this.#world.objects, mine)
    return setBack(await this.#pointsAt(pointsRef(external, this.#table.tableId), mine, before), before)
  }

  async #pointsAt(ref: ObjectRef | undefined, { committed }: LakeItem, known: PlacedPoints): Promise<PlacedPoints> {
    if (ref === undefined) return noPoints
    return ref.key === committed?.points.key ? known : readPointsAt(this.#world.objects, ref)
  }

  #at(external: ExternalTable, columns: ColumnsPlan, known: Omit<ExternalBase, 'table'>): Over {
    const objects = layoutAt(accessible(this.#place, external), this.#table.tableId)
    return { objects, columns, base: { ...known, table: external } }
  }

  #opened(over: Over): OpenLake {
    const { objects, columns, base } = over
    return {
      placed: base.placed,
      objects,
      fields: parquetFields(columns.fields),
      commit: async (mine, round) => {
        const { clock, random } = this.#world
        const committed = await this.#commit(mine, over, async (now) => {
          const merge = await planMerge(objects, this.#place, this.#table.tableId, now)
          return planExternal({ random, objects }, this.#table, now, { ...round, merge, now: clock.now(), epoch: mine.epoch })
        })
        return present(committed, 'a commit of rows')
      },
    }
  }

  #manifests(external: ExternalTable): Promise<ExternalBase['manifests']> {
    return mainManifests(accessible(this.#place, external), this.#place, external)
  }

  /** Over foreign commits it is planned again, as long as the points are those that it continues from. Undefined: there is nothing to commit. */
  async #commit(
    mine: LakeItem,
    over: Over,
    planOf: (base: ExternalBase) => Promise<ExternalPlan | undefined>,
  ): Promise<LakeCommitted | undefined> {
    const { clock } = this.#world
    const { objects } = over
    let { base } = over
    for (let rebase = 0; ; rebase++) {
      const plan = await planOf(base)
      if (plan === undefined) return undefined
      await createNew(this.#world.objects, plan.pointsObject.key, plan.pointsObject.bytes)
      for (const { key, bytes } of plan.objects) await createNew(objects, key, bytes) // crash here: orphans
      const committed = await commitExternal(this.#world, this.#place, base, plan) // COMMIT POINT
      if (committed.is === 'done') return this.#noted(mine, over, committed.external, plan)
      const columns = planColumns(this.#table, committed.external, true)
      const placed = await this.#points(committed.external, mine)
      const isSame =
        columns.mapping === over.columns.mapping && columns.changed === undefined && samePoints(placed.points, base.placed.points)
      if (!isSame || committed.external.spec['spec-id'] !== base.table.spec['spec-id']) {
        return { is: 'moved', lake: mine, open: await this.open(mine), keepsFiles: false }
      }
      if (rebase === rebasesMax) throw this.#contended()
      await clock.sleep(rebasePauseMs * 2 ** Math.min(rebase, 6))
      await this.#stillMine(mine)
      base = { table: committed.external, placed, manifests: await this.#manifests(committed.external) }
    }
  }

  async #noted(mine: LakeItem, { columns }: Over, external: ExternalTable, plan: ExternalPlan): Promise<LakeCommitted> {
    const noted = await this.#remember(mine, external, plan.pointsRef)
    if (noted.is !== 'done') return noted
    const next = planColumns(this.#table, external, true)
    if (next.changed !== undefined || next.mapping !== columns.mapping) {
      return { is: 'done', lake: noted.lake, open: await this.open(noted.lake) }
    }
    const isOurs = external.main?.id === plan.snapshotId
    const placed = isOurs ? plan.placed : await this.#points(external, noted.lake)
    const manifests = isOurs ? plan.manifests : await this.#manifests(external)
    return { is: 'done', lake: noted.lake, open: this.#opened(this.#at(external, next, { placed, manifests })) }
  }

  /** Another run may have let the item follow meanwhile: as long as the claim is ours, or nobody's, it is done again. */
  async #remember(seen: LakeItem, external: ExternalTable, points: ObjectRef): Promise<LakeOutcome> {
    const { clock, random, objects } = this.#world
    for (let lake = seen, attempt = 1; ; attempt++) {
      const label = nextLabel(clock.now(), lake.gc)
      const { key, bytes, crc32 } = rememberedObject(this.#table.tableId, external, { label, random })
      await createNew(objects, key, bytes)
      const commit = { metadata: { key, crc32 }, points, snapshotId: external.main?.id ?? 0n }
      const outcome = await commitLakeItem(this.#world, this.#table.tableId, lake, commit, label)
      if (outcome.is !== 'lost' || outcome.lake.epoch !== seen.epoch || attempt === rememberedMax) return outcome
      lake = outcome.lake
    }
  }

  #contended(): SluiceError {
    const { catalog, name } = this.#place
    return new SluiceError(
      'conflict',
      `others commit to ${nameOf(catalog, name)} faster than a round can: it is tried again later`,
      {
        action: 'retry',
        facts: factsOf(catalog, name),
      },
    )
  }
}

interface Over {
  readonly objects: ObjectStore
  readonly base: ExternalBase
  readonly columns: ColumnsPlan
}

const readsMax = 4
const rereadMs = 250
const rebasesMax = 12
const rebasePauseMs = 20
const rememberedMax = 5
