/**
 * Takes the rows of a partition that was dropped by hand out of the lake, in one commit: all files that have its values, also
 * those of earlier partitions of that name, whose rows the lake had kept. Its heads are closed before, and no worker that looks
 * after that plans rows of it; one that looked before is fenced by the claim, which raises the epoch even where there is nothing
 * to take out (in an external catalog, by the commit). The table is looked at under the claim: where another caller has finished the
 * drop, the files may be those of the next partition of its name, and whoever brought those in fences this claim if it came later; and
 * its columns are none that the lake has left behind.
 * Repeatable: a crash before the commit leaves orphans and a lease, one after it a lake that has none of the rows.
 */

import type { LakeItem } from '../format/items/lake.ts'
import { advancePoints } from '../format/items/points.ts'
import type { Partition } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import type { World } from '../ports/world.ts'
import { type CommitPlan, commitAppend, type LakeBase, newSnapshot, planCommit, readBase } from './append.ts'
import { externalPlace } from './external/table.ts'
import { externalLake } from './external/target.ts'
import { fileJudge } from './file-judge.ts'
import { deleteSummary, totalsIn } from './iceberg/summary.ts'
import { claimLake, nextLabel, readLakeItem, releaseLake } from './item.ts'
import { keyOfUri } from './layout.ts'
import { readPoints } from './objects.ts'
import { publish, repairPublished } from './publish.ts'
import { takeOut } from './take-out.ts'

export interface DropTurn {
  /** The lake as it was seen last. */
  readonly seen: LakeItem
  /** Of the collect mark that stands for what this turn may leave, ms since 1970. */
  readonly collectDue: number
  /** Leave the lake to whoever holds the lease. */
  readonly isPatient: boolean
  /** It, or an earlier one of its name, had rows, which a worker may be bringing in. */
  readonly hadRows: boolean
  /** The table as it is now, strongly read; undefined where the partition is no longer being dropped. */
  readonly look: () => Promise<Table | undefined>
}

/** `busy`: another is at the lake, or was faster; repeat it. */
export async function dropFromLake(
  world: World,
  tableId: string,
  partition: Partition,
  { seen, collectDue, isPatient, hadRows, look }: DropTurn,
): Promise<'gone' | 'busy'> {
  const claim = await claimLake(world, tableId, seen, { collectDue, evenIfHeld: !isPatient })
  if (claim.is !== 'done') return claim.is === 'gone' ? 'gone' : 'busy'
  try {
    const table = await look()
    if (table === undefined) return 'gone'
    const place = externalPlace(world.catalogs, table)
    if (place === undefined) return await emptyOwn(world, table, partition, claim.lake)
    return await externalLake(world, table, place).without(claim.lake, { partition, hadRows })
  } finally {
    await releaseLake(world, tableId, claim.lake).catch(() => undefined)
  }
}

/** What an external table would refuse is refused before the partition is marked, and nothing has begun. */
export async function checkDrop(world: World, table: Table, partition: Partition): Promise<void> {
  const place = externalPlace(world.catalogs, table)
  const seen = place && (await readLakeItem(world.items, table.tableId))
  if (place !== undefined && seen !== undefined) await externalLake(world, table, place).checkWithout(seen, partition)
}

async function emptyOwn(world: World, table: Table, partition: Partition, mine: LakeItem): Promise<'gone' | 'busy'> {
  const { tableId } = table
  await repairPublished(world, tableId, mine)
  const base = await readBase(world.objects, tableId, mine, await readPoints(world.objects, mine))
  const plan = await planDrop(world, table, partition, base)
  if (plan === undefined) return 'gone'
  const commit = await commitAppend(world, tableId, base, plan)
  if (commit.is !== 'done') return commit.is === 'gone' ? 'gone' : 'busy'
  const { lake } = commit
  // An engine may have built on it already.
  if (lake.committed?.metadata.key === plan.commit.metadata.key) await publish(world, tableId, lake, plan.metadataBytes)
  else await repairPublished(world, tableId, lake)
  return 'gone'
}

/** Undefined: the lake has no file of it. */
async function planDrop(world: World, table: Table, partition: Partition, base: LakeBase): Promise<CommitPlan | undefined> {
  if (base.metadata === undefined) return undefined
  const snapshot = newSnapshot(world, table, base)
  const isOf = fileJudge(table, partition, snapshot)
  const label = nextLabel(world.clock.now(), base.lake.gc)
  const { manifests, objects, counts } = await takeOut(world, table.tableId, base.manifests, { ...snapshot, label }, (listed) =>
    isOf.mayBeIn(listed)
      ? { key: keyOfUri(world.objects, table.tableId, listed.manifest_path), spec: snapshot.spec, takes: isOf.entry }
      : undefined,
  )
  if (counts.files === 0) return undefined
  return planCommit(world, table, base, {
    ...snapshot,
    label,
    now: world.clock.now(),
    objects,
    manifests,
    points: advancePoints(base.placed.points, new Map(), new Set([partition.id])),
    touched: [],
    summary: deleteSummary(totalsIn(base.metadata), counts),
  })
}
