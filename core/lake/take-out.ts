/**
 * Data files taken out of a lake: each manifest that has some of them is written again, its other files existing from now on, those
 * that are taken out deleted by the new snapshot; every other manifest is carried over as it is. Writes nothing: the objects are
 * the caller's to create before its commit.
 */
import { present } from '../kernel/assert.ts'
import type { Label } from '../kernel/ids.ts'
import { mapAtOnce } from '../kernel/parallel.ts'
import type { World } from '../ports/world.ts'
import { hasFiles, type NewObject, type NewSnapshot, named } from './append.ts'
import { encodeEntries, entryStatus, type ManifestEntry, type ManifestFile } from './iceberg/manifest.ts'
import type { PartitionSpec } from './iceberg/partition-spec.ts'
import type { FileCounts } from './iceberg/summary.ts'
import { manifestKey } from './layout.ts'
import { readManifest } from './upkeep/merge.ts'

export interface ManifestJudge {
  /** Of the manifest's object. */
  readonly key: string
  /** Of the manifest. */
  readonly spec: PartitionSpec
  /** May throw where that cannot be told. */
  readonly takes: (entry: ManifestEntry) => boolean
}

export interface TakenOut {
  /** All of the snapshot's. */
  readonly manifests: readonly ManifestFile[]
  readonly objects: readonly NewObject[]
  readonly counts: FileCounts
}

export type TakeOut = Pick<NewSnapshot, 'schema' | 'formatVersion' | 'snapshotId' | 'sequence'> & { readonly label: Label }

/** `judgeOf`: undefined for a manifest that has none of the files. */
export async function takeOut(
  world: Pick<World, 'objects' | 'random'>,
  tableId: string,
  manifests: readonly ManifestFile[],
  change: TakeOut,
  judgeOf: (listed: ManifestFile) => ManifestJudge | undefined,
): Promise<TakenOut> {
  const rewritten = await mapAtOnce(manifests.filter(hasFiles), manifestsAtOnce, async (listed): Promise<Rewritten> => {
    const judge = judgeOf(listed)
    if (judge === undefined) return { listed, taken: [] }
    const found = await readManifest(world.objects, judge.key, judge.spec, listed, change.schema)
    const entries = present(found, 'the entries of a manifest')
    const taken = new Set(entries.filter(judge.takes))
    return taken.size === 0
      ? { listed, taken: [] }
      : rewrite(world, tableId, { ...change, spec: judge.spec, listed, entries, taken })
  })
  const taken = rewritten.flatMap((each) => each.taken)
  return {
    manifests: rewritten.map(({ listed }) => listed),
    objects: rewritten.flatMap(({ object }) => (object === undefined ? [] : [object])),
    counts: {
      files: taken.length,
      rows: rowsOf(taken),
      bytes: taken.reduce((sum, { data_file: file }) => sum + file.file_size_in_bytes, 0n),
      partitions: new Set(
        taken.map(({ data_file: file }) => JSON.stringify(file.partition, (_, value: unknown) => String(value))),
      ).size,
    },
  }
}

const manifestsAtOnce = 8

interface Rewritten {
  readonly listed: ManifestFile
  readonly taken: readonly ManifestEntry[]
  readonly object?: NewObject
}

function rewrite(
  { objects, random }: Pick<World, 'objects' | 'random'>,
  tableId: string,
  change: TakeOut & {
    readonly spec: PartitionSpec
    readonly listed: ManifestFile
    /** Existing ones. */
    readonly entries: readonly ManifestEntry[]
    readonly taken: ReadonlySet<ManifestEntry>
  },
): Rewritten {
  const { listed, entries, taken, snapshotId, sequence, label } = change
  const kept = entries.filter((entry) => !taken.has(entry))
  const changed = entries.map((entry) =>
    taken.has(entry) ? { ...entry, status: entryStatus.deleted, snapshot_id: snapshotId } : entry,
  )
  const bytes = encodeEntries(changed, { ...change, random })
  const object = named(manifestKey(tableId, label, random, bytes), bytes)
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

const rowsOf = (some: readonly ManifestEntry[]): bigint => some.reduce((sum, { data_file: file }) => sum + file.record_count, 0n)
