/**
 * A commit that changes no row (operation `replace`): manifests that merge, and with them data files that were joined. The manifest
 * that takes their place lists the joined files as added, their sources as deleted, all others as they were; the points stay. It
 * is never rebased: where another commit was faster, what was written for it is an orphan, and the files are joined another time.
 */
import type { Label } from '../../kernel/ids.ts'
import type { Table } from '../../model/table.ts'
import { type CommitPlan, type CommitWorld, hasFiles, type LakeBase, mergedManifest, newSnapshot, planCommit } from '../append.ts'
import { entryStatus, type ManifestDataFile, type ManifestEntry } from '../iceberg/manifest.ts'
import type { TableMetadata } from '../iceberg/metadata.ts'
import { type FileCounts, replaceSummary, totalsIn } from '../iceberg/summary.ts'
import type { UpkeepLimits } from './limits.ts'
import type { Merge } from './merge.ts'

export interface Joined {
  /** Among the entries of the merge. */
  readonly from: readonly ManifestEntry[]
  readonly file: ManifestDataFile
}

export interface Replacement {
  readonly merge: Merge
  readonly joined: readonly Joined[]
  /** At most that of every file. */
  readonly label: Label
  /** ms since 1970 */
  readonly now: number
  readonly limits?: UpkeepLimits | undefined
}

/** Pure but for the random parts of names. */
export function planReplace(
  world: CommitWorld,
  table: Table,
  base: LakeBase & { readonly metadata: TableMetadata },
  { merge, joined, label, now, limits }: Replacement,
): CommitPlan {
  const snapshot = newSnapshot(world, table, base)
  const sources = new Set(joined.flatMap(({ from }) => from))
  const entries = [
    ...joined.map(({ file }) => ({
      status: entryStatus.added,
      snapshot_id: snapshot.snapshotId,
      sequence_number: null,
      file_sequence_number: null,
      data_file: file,
    })),
    ...merge.entries.map((entry) =>
      sources.has(entry) ? { ...entry, status: entryStatus.deleted, snapshot_id: snapshot.snapshotId } : entry,
    ),
  ]
  const merged = mergedManifest(world, table.tableId, { from: merge.from, entries }, { ...snapshot, label })
  return planCommit(world, table, base, {
    ...snapshot,
    label,
    now,
    limits,
    objects: [merged.object],
    manifests: [...base.manifests.filter((each) => hasFiles(each) && !merge.from.includes(each)), merged.listed],
    points: base.placed.points,
    touched: [],
    summary: replaceSummary(
      totalsIn(base.metadata),
      countsOf(joined.map(({ file }) => file)),
      countsOf([...sources].map(({ data_file }) => data_file)),
    ),
  })
}

const countsOf = (files: readonly ManifestDataFile[]): FileCounts => ({
  files: files.length,
  rows: files.reduce((sum, { record_count }) => sum + record_count, 0n),
  bytes: files.reduce((sum, { file_size_in_bytes }) => sum + file_size_in_bytes, 0n),
  partitions: new Set(files.map(({ partition }) => JSON.stringify(partition, (_, value: unknown) => String(value)))).size,
})
