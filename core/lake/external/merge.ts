/**
 * Manifests of an external table merged with the append that a commit makes, as every writer of Iceberg does, by the table's own
 * properties (`commit.manifest-merge.enabled`, `commit.manifest.min-count-to-merge`, `commit.manifest.target-size-bytes`). Which ones
 * become one is as in our own lakes (core/lake/upkeep/merge.ts); here engines' manifests are merged too, among themselves, where ours
 * has a place for all that they say. What cannot be read, or does not fit, stays as it is: a merge is never a reason not to append. Reads
 * only.
 */
import { isSluiceError } from '../../kernel/errors.ts'
import type { ObjectStore } from '../../ports/objects.ts'
import { hasFiles } from '../append.ts'
import type { AvroRoom } from '../iceberg/avro.ts'
import { decodeWholeEntries } from '../iceberg/foreign-manifest.ts'
import { decodeEntries, entryStatus, type ManifestEntry, type ManifestFile } from '../iceberg/manifest.ts'
import { isBound, partitionTypes } from '../iceberg/partition-value.ts'
import { lakeFolder } from '../layout.ts'
import { checkCrc, isOurs, liveEntries, type Merge, type MergeLimits, mergeBytesMax, readChosen } from '../upkeep/merge.ts'
import { type ExternalTable, keyBelow } from './answer.ts'
import type { ExternalBase } from './plan.ts'
import type { ExternalPlace } from './table.ts'

/** What one commit takes of a process for manifests that others may have written. */
const room: AvroRoom = { bytes: 8 * mergeBytesMax, records: 200_000 }
/** Of the table's `commit.manifest.min-count-to-merge`: more are read as so many, so that one commit reads no more. */
const manifestsMax = 1_000
const manifestsDefault = 100

/** `objects`: the table's own, by our layout of keys. Undefined: nothing is due, or the table forbids it. */
export async function planMerge(
  objects: ObjectStore,
  place: ExternalPlace,
  tableId: string,
  { table, manifests }: Pick<ExternalBase, 'table' | 'manifests'>,
): Promise<Merge | undefined> {
  const limits = limitsOf(table.properties)
  if (limits === undefined) return undefined
  const types = partitionTypes(table.spec, table.schema)
  const candidates = manifests.filter((each) => isCandidate(each, table, types))
  const left = { ...room }
  const read = (from: ManifestFile) => readable(() => readEntries(objects, place, tableId, table, from, left))
  const ours = await readChosen(candidates.filter(isOurs), limits, read)
  return (
    ours ??
    readChosen(
      candidates.filter((each) => !isOurs(each)),
      limits,
      read,
    )
  )
}

/** As Iceberg reads them, but for numbers that are none, which are the default. Undefined: the table wants no merges. */
export function limitsOf(properties: ExternalTable['properties']): MergeLimits | undefined {
  const { 'commit.manifest-merge.enabled': enabled = 'true' } = properties
  if (enabled.toLowerCase() !== 'true') return undefined
  const number = (name: string, otherwise: number): number => {
    const text = properties[name] ?? ''
    return /^[0-9]{1,15}$/.test(text) ? Number(text) : otherwise
  }
  const count = number('commit.manifest.min-count-to-merge', manifestsDefault)
  return {
    levelManifests: Math.max(2, Math.min(count, manifestsMax)),
    bytesMax: Math.min(number('commit.manifest.target-size-bytes', mergeBytesMax), mergeBytesMax),
  }
}

/** Of rows, of the partitions that the table has now, without a key, and with bounds that can be compared. */
function isCandidate(manifest: ManifestFile, { spec }: ExternalTable, types: readonly string[]): boolean {
  const { content, partition_spec_id: id, key_metadata: key, manifest_length: length, partitions } = manifest
  if (!hasFiles(manifest) || content !== 0 || id !== spec['spec-id'] || key !== null || length <= 0n) return false
  if (partitions === null) return true
  return (
    partitions.length === types.length &&
    partitions.every(({ lower_bound, upper_bound }, i) =>
      [lower_bound, upper_bound].every((bound) => bound === null || isBound(types[i] ?? '', bound)),
    )
  )
}

/** Undefined: it says something for which a manifest of ours has no place. */
async function readEntries(
  objects: ObjectStore,
  place: ExternalPlace,
  tableId: string,
  table: ExternalTable,
  manifest: ManifestFile,
  left: AvroRoom,
): Promise<readonly ManifestEntry[] | undefined> {
  const key = `${lakeFolder(tableId)}/${keyBelow(place.catalog, place.name, table, manifest.manifest_path)}`
  // No more than the list says, whatever the object has.
  const bytes = await objects.read(key, { start: 0, end: Number(manifest.manifest_length) })
  checkCrc(key, bytes)
  const found = decodeEntries(bytes, table.spec, left) ?? decodeWholeEntries(bytes, table, left)
  return found?.every((entry) => isPlain(entry, manifest)) === true ? liveEntries(found, manifest, key) : undefined
}

/** A file of rows; only one that is added, or all of version 1, have their numbers from the list (spec, "Sequence Number Inheritance"). */
function isPlain(
  { status, sequence_number: sequence, file_sequence_number: ofFile, data_file }: ManifestEntry,
  { sequence_number: listed }: ManifestFile,
): boolean {
  const isNumbered = status === entryStatus.added || listed === 0n || (sequence !== null && ofFile !== null)
  return data_file.content === 0 && (isNumbered || status === entryStatus.deleted)
}

/** Damage, lies and stores that do not answer: the manifest is carried on as it is. */
async function readable<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (isSluiceError(error)) return undefined
    throw error
  }
}
