/**
 * Takes the rows of a partition that was dropped by hand out of the lake, in one commit: all files that have its values, also
 * those of earlier partitions of that name, whose rows the lake had kept. Its heads are closed before, and no worker that looks
 * after that plans rows of it; one that looked before is fenced by the claim, which raises the epoch even where there is nothing
 * to take out. The table is looked at under the claim: where another caller has finished the drop, the files may be those of the next
 * partition of its name, and whoever brought those in fences this claim if it came later; and its columns are none that the lake
 * has left behind.
 * Repeatable: a crash before the commit leaves orphans and a lease, one after it a lake that has none of the rows.
 */

import type { LakeItem } from '../format/items/lake.ts'
import { advancePoints } from '../format/items/points.ts'
import { present } from '../kernel/assert.ts'
import type { Label } from '../kernel/ids.ts'
import { mapAtOnce } from '../kernel/parallel.ts'
import type { Partition } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import type { World } from '../ports/world.ts'
import {
  type CommitPlan,
  commitAppend,
  hasFiles,
  type LakeBase,
  type NewObject,
  type NewSnapshot,
  named,
  newSnapshot,
  planCommit,
  readBase,
} from './append.ts'
import { fileJudge } from './file-judge.ts'
import { encodeEntries, entryStatus, type ManifestEntry, type ManifestFile } from './iceberg/manifest.ts'
import { deleteSummary } from './iceberg/metadata.ts'
import { claimLake, nextLabel, releaseLake } from './item.ts'
import { manifestKey } from './layout.ts'
import { readPoints } from './objects.ts'
import { publish, repairPublished } from './publish.ts'
import { readEntries } from './upkeep/merge.ts'

export interface DropTurn {
  /** The lake as it was seen last. */
  readonly seen: LakeItem
  /** Of the collect mark that stands for what this turn may leave, ms since 1970. */
  readonly collectDue: number
  /** Leave the lake to whoever holds the lease. */
  readonly isPatient: boolean
  /** The table as it is now, strongly read; undefined where the partition is no longer being dropped. */
  readonly look: () => Promise<Table | undefined>
}

/** `busy`: another is at the lake, or was faster; repeat it. */
export async function dropFromLake(
  world: World,
  tableId: string,
  partition: Partition,
  { seen, collectDue, isPatient, look }: DropTurn,
): Promise<'gone' | 'busy'> {
  const claim = await claimLake(world, tableId, seen, { collectDue, evenIfHeld: !isPatient })
  if (claim.is !== 'done') return claim.is === 'gone' ? 'gone' : 'busy'
  let mine = claim.lake
  try {
    const table = await look()
    if (table === undefined) return 'gone'
    await repairPublished(world, tableId, mine)
    const base = await readBase(world.objects, tableId, mine, await readPoints(world.objects, mine))
    const plan = await planDrop(world, table, partition, base)
    if (plan === undefined) return 'gone'
    const commit = await commitAppend(world, tableId, base, plan)
    if (commit.is !== 'done') return commit.is === 'gone' ? 'gone' : 'busy'
    mine = commit.lake
    // An engine may have built on it already.
    if (mine.committed?.metadata.key === plan.commit.metadata.key) await publish(world, tableId, mine, plan.metadataBytes)
    else await repairPublished(world, tableId, mine)
    return 'gone'
  } finally {
    await releaseLake(world, tableId, mine).catch(() => undefined)
  }
}

/** Undefined: the lake has no file of it. */
async function planDrop(world: World, table: Table, partition: Partition, base: LakeBase): Promise<CommitPlan | undefined> {
  if (base.metadata === undefined) return undefined
  const snapshot = newSnapshot(world, table, base)
  const isOf = fileJudge(table, partition, snapshot)
  const label = nextLabel(world.clock.now(), base.lake.gc)
  const rewritten = await mapAtOnce(base.manifests.filter(hasFiles), manifestsAtOnce, async (listed): Promise<Rewritten> => {
    if (!isOf.mayBeIn(listed)) return { listed, taken: [] }
    const found = await readEntries(world.objects, table.tableId, snapshot.spec, listed, snapshot.schema)
    const entries = present(found, 'the entries of a manifest')
    const taken = new Set(entries.filter(isOf.entry))
    return taken.size === 0 ? { listed, taken: [] } : rewrite(world, table, { ...snapshot, listed, entries, taken, label })
  })
  const taken = rewritten.flatMap((each) => each.taken)
  if (taken.length === 0) return undefined
  return planCommit(world, table, base, {
    ...snapshot,
    label,
    now: world.clock.now(),
    objects: rewritten.flatMap(({ object }) => (object === undefined ? [] : [object])),
    manifests: rewritten.map(({ listed }) => listed),
    points: advancePoints(base.placed.points, new Map(), new Set([partition.id])),
    touched: [],
    summary: deleteSummary(base.metadata, {
      files: taken.length,
      rows: taken.reduce((sum, { data_file: file }) => sum + file.record_count, 0n),
      bytes: taken.reduce((sum, { data_file: file }) => sum + file.file_size_in_bytes, 0n),
      partitions: new Set(
        taken.map(({ data_file: file }) => JSON.stringify(file.partition, (_, value: unknown) => String(value))),
      ).size,
    }),
  })
}

const manifestsAtOnce = 8

interface Rewritten {
  readonly listed: ManifestFile
  readonly taken: readonly ManifestEntry[]
  readonly object?: NewObject
}

/** The files that stay are existing from now on, those that are taken out are deleted by this snapshot. */
function rewrite(
  { objects, random }: World,
  { tableId }: Table,
  change: NewSnapshot & {
    readonly listed: ManifestFile
    /** Existing ones. */
    readonly entries: readonly ManifestEntry[]
    readonly taken: ReadonlySet<ManifestEntry>
    readonly label: Label
  },
): Rewritten {
  const { listed, entries, taken, snapshotId, sequence, label } = change
  const kept = entries.filter((entry) => !taken.has(entry))
  const changed = entries.map((entry) =>
    taken.has(entry) ? { ...entry, status: entryStatus.deleted, snapshot_id: snapshotId } : entry,
  )
  const bytes = encodeEntries(changed, { ...change, random })
  const object = named(manifestKey(tableId, label, random, bytes), bytes)
  const rowsOf = (some: readonly ManifestEntry[]): bigint =>
    some.reduce((sum, { data_file: file }) => sum + file.record_count, 0n)
  return {
    taken: [...taken],
    object,
    listed: {
      ...listed,
      manifest_path: objects.uri(object.key),
      manifest_length: BigInt(bytes.length),
      sequence_number: sequence,
      min_sequence_number: kept.reduce(
        (least, { sequence_number: own }) => (own !== null && own < least ? own : least),
        sequence,
      ),
      added_snapshot_id: snapshotId,
      added_files_count: 0,
      existing_files_count: kept.length,
      deleted_files_count: taken.size,
      added_rows_count: 0n,
      existing_rows_count: rowsOf(kept),
      deleted_rows_count: rowsOf([...taken]),
      first_row_id: null,
    },
  }
}
