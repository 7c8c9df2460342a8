/**
 * Manifests merged as commits go on (Iceberg's "commit.manifest-merge"), so that the list of a snapshot stays short: manifests of
 * like many rows gather in levels of ten, and ten of one level become one of the next. So each entry is copied once a level, the
 * list grows by ten with every tenfold of rows, and one commit copies at most `mergeBytesMax`. Entries keep the snapshot and the
 * sequence numbers that they had. In a lake of ours only manifests that are ours are merged, their bytes checked against their names;
 * external tables, whose engines say when and how much, read theirs by themselves (core/lake/external/merge.ts).
 */
import { crc32 } from 'node:zlib'
import { assert, present } from '../../kernel/assert.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { mapAtOnce } from '../../kernel/parallel.ts'
import type { ObjectStore } from '../../ports/objects.ts'
import { decodeForeignEntries } from '../iceberg/foreign-manifest.ts'
import { decodeEntries, entryStatus, type ManifestEntry, type ManifestFile } from '../iceberg/manifest.ts'
import type { PartitionSpec } from '../iceberg/partition-spec.ts'
import { type FieldSummary, joinSummaries, partitionTypes } from '../iceberg/partition-value.ts'
import { inheritRowIds } from '../iceberg/row-lineage.ts'
import type { IcebergSchema } from '../iceberg/schema.ts'
import { keyOfUri, manifestCrc } from '../layout.ts'
import { type UpkeepLimits, upkeepLimits } from './limits.ts'

/** Manifests that the next commit writes as one. */
export interface Merge {
  readonly from: readonly ManifestFile[]
  /** Without those that are deleted. */
  readonly entries: readonly ManifestEntry[]
}

/** Fewer are not worth the write, where a larger neighbour does not fit. */
const mergedMin = 5
export const mergeBytesMax = 4 * 1024 * 1024
const readsAtOnce = 8

/** When manifests merge, and how much of them at once. */
export interface MergeLimits extends Pick<UpkeepLimits, 'levelManifests'> {
  /** Of the manifests that become one, default 4 MiB. */
  readonly bytesMax?: number
}

/** Of a lake of ours. Undefined where there is nothing to merge. Errors: `internal` where a manifest is damaged. */
export async function readMerge(
  objects: ObjectStore,
  tableId: string,
  spec: PartitionSpec,
  manifests: readonly ManifestFile[],
  limits: UpkeepLimits = upkeepLimits,
): Promise<Merge | undefined> {
  const ours = manifests.filter((each) => isOurs(each) && each.partition_spec_id === spec['spec-id'] && each.content === 0)
  return readChosen(ours, limits, (from) => readEntries(objects, tableId, spec, from))
}

/** `read`: the entries of one as they go into another; undefined: it stays as it is. */
export async function readChosen(
  manifests: readonly ManifestFile[],
  limits: MergeLimits,
  read: (from: ManifestFile) => Promise<readonly ManifestEntry[] | undefined>,
): Promise<Merge | undefined> {
  const chosen = chooseMerge(manifests, limits)
  const found = await mapAtOnce(chosen, readsAtOnce, async (from) => ({ from, entries: await read(from) }))
  const merged = found.flatMap(({ from, entries }) => (entries === undefined ? [] : [{ from, entries }]))
  if (merged.length < Math.min(mergedMin, limits.levelManifests)) return undefined
  return { from: merged.map(({ from }) => from), entries: merged.flatMap(({ entries }) => entries) }
}

/** The newest of the lowest level that is full, as many as a commit may copy. `manifests`: in the order of their commits. */
export function chooseMerge(
  manifests: readonly ManifestFile[],
  { levelManifests, bytesMax = mergeBytesMax }: MergeLimits = upkeepLimits,
): readonly ManifestFile[] {
  const levels = new Map<number, ManifestFile[]>()
  for (const manifest of manifests) {
    // 1 to 9 rows, 10 to 99, and so on: of rows, because files that are joined grow fewer.
    const level = String(manifest.added_rows_count + manifest.existing_rows_count).length
    levels.set(level, [...(levels.get(level) ?? []), manifest])
  }
  for (const [, level] of [...levels].sort(([a], [b]) => a - b)) {
    if (level.length < levelManifests) continue
    const chosen: ManifestFile[] = []
    let bytes = 0n
    for (const manifest of level.slice(-levelManifests).reverse()) {
      bytes += manifest.manifest_length
      if (bytes <= bytesMax) chosen.unshift(manifest)
    }
    if (chosen.length >= Math.min(mergedMin, levelManifests)) return chosen
  }
  return []
}

/** The list's entry for a manifest of these entries, which takes the place of `from`. */
export function listedManifest(
  from: readonly ManifestFile[],
  entries: readonly ManifestEntry[],
  manifest: {
    readonly uri: string
    readonly bytes: number
    readonly snapshotId: bigint
    readonly sequence: bigint
    readonly spec: PartitionSpec
    readonly schema: IcebergSchema
  },
): ManifestFile {
  const { existing, added, deleted } = entryStatus
  const of = (wanted: number): readonly ManifestEntry[] => entries.filter(({ status }) => status === wanted)
  return {
    manifest_path: manifest.uri,
    manifest_length: BigInt(manifest.bytes),
    partition_spec_id: manifest.spec['spec-id'],
    content: 0,
    sequence_number: manifest.sequence,
    // An added entry has the number of this manifest.
    min_sequence_number: of(existing).reduce(
      (least, { sequence_number }) => (sequence_number !== null && sequence_number < least ? sequence_number : least),
      manifest.sequence,
    ),
    added_snapshot_id: manifest.snapshotId,
    added_files_count: of(added).length,
    existing_files_count: of(existing).length,
    deleted_files_count: of(deleted).length,
    added_rows_count: rowsOf(of(added)),
    existing_rows_count: rowsOf(of(existing)),
    deleted_rows_count: rowsOf(of(deleted)),
    partitions: mergeSummaries(
      partitionTypes(manifest.spec, manifest.schema),
      from.map(({ partitions }) => partitions),
    ),
    key_metadata: null,
  }
}

export const isOurs = ({ manifest_path }: ManifestFile): boolean => manifestCrc(manifest_path) !== undefined

/**
 * Those that are live, with the numbers that they inherit from the list. Undefined where another build or an engine wrote it, with
 * other fields.
 */
export async function readEntries(
  objects: ObjectStore,
  tableId: string,
  spec: PartitionSpec,
  manifest: ManifestFile,
): Promise<readonly ManifestEntry[] | undefined> {
  return readManifest(objects, keyOfUri(objects, tableId, manifest.manifest_path), spec, manifest)
}

/** The same, by the key of its object. With `schema`, the table's, others' manifests are read too, as far as we know their fields. */
export async function readManifest(
  objects: ObjectStore,
  key: string,
  spec: PartitionSpec,
  manifest: ManifestFile,
  schema?: IcebergSchema,
): Promise<readonly ManifestEntry[] | undefined> {
  const bytes = await objects.read(key)
  checkCrc(key, bytes)
  const found = decodeEntries(bytes, spec) ?? (schema && decodeForeignEntries(bytes, spec, schema))
  return found && liveEntries(found, manifest, key)
}

export function checkCrc(key: string, bytes: Uint8Array): void {
  const crc = manifestCrc(key)
  if (crc !== undefined && crc !== crc32(bytes)) {
    throw new SluiceError('internal', `${key} is damaged: its checksum differs`, { action: 'retry', facts: { key } })
  }
}

/** Those of a manifest that are live, as existing ones with what they inherit from the list. */
export function liveEntries(found: readonly ManifestEntry[], manifest: ManifestFile, key: string): readonly ManifestEntry[] {
  const live = found.filter(({ status }) => status !== entryStatus.deleted)
  const entries = inheritRowIds(live, manifest).map((entry) => ({
    ...entry,
    status: entryStatus.existing,
    snapshot_id: entry.snapshot_id ?? manifest.added_snapshot_id,
    sequence_number: entry.sequence_number ?? manifest.sequence_number,
    file_sequence_number: entry.file_sequence_number ?? manifest.sequence_number,
  }))
  assert(
    rowsOf(entries) === manifest.added_rows_count + manifest.existing_rows_count,
    'a manifest has the rows that its list says',
    { key },
  )
  return entries
}

const rowsOf = (entries: readonly ManifestEntry[]): bigint =>
  entries.reduce((sum, { data_file }) => sum + data_file.record_count, 0n)

/** Null, which rules nothing out, where one of them says nothing. */
function mergeSummaries(
  types: readonly string[],
  all: readonly (readonly FieldSummary[] | null)[],
): readonly FieldSummary[] | null {
  const [first, ...others] = all
  if (first === undefined || first === null) return null
  let merged: readonly FieldSummary[] = first
  for (const next of others) {
    if (next?.length !== merged.length) return null
    merged = merged.map((field, at) => joinSummaries(present(types[at], 'the type of a field'), field, next[at] ?? field))
  }
  return merged
}
