/**
 * Small data files that become one, chosen where manifests merge: files of ours, of one partition and bucket, whose offsets follow
 * each other, each below 8 MiB, together at most 16. So a row is copied once for each level of manifests until its file is large
 * enough, and a file's offsets stay one range. Pure: whoever writes the file, and what commits it, is elsewhere (replace.ts).
 */
import { compareBounds } from '../../format/arrow/statistics.ts'
import { assert } from '../../kernel/assert.ts'
import { viewOf } from '../../kernel/bytes.ts'
import type { DataType } from '../../model/types.ts'
import type { ById, ManifestDataFile, ManifestEntry } from '../iceberg/manifest.ts'
import { nothingMore, partitionNames } from '../iceberg/manifest-schema.ts'
import type { PartitionSpec } from '../iceberg/partition-spec.ts'
import { avroKey, partitionTypes } from '../iceberg/partition-value.ts'
import { type IcebergSchema, offsetColumn } from '../iceberg/schema.ts'
import { labelOfKey } from '../layout.ts'
import { type UpkeepLimits, upkeepLimits } from './limits.ts'

const fileBytesMax = 8n * 1024n * 1024n
const joinBytesMax = 16n * 1024n * 1024n
/** Of all that one commit copies; the rest comes with the next level. */
const commitBytesMax = 64n * 1024n * 1024n
/** Of joined files in one commit, so that rows of a table with many partitions do not wait for it. */
const joinsMax = 256
/** Fewer are not worth a file. */
const filesMin = 4
/** In one file: each is a request. */
const filesMax = 1_000

/** Groups in the order of their offsets. `entries`: of manifests that are merged. `place`: equal for files of one partition and bucket. */
export function chooseJoins(
  entries: readonly ManifestEntry[],
  place: (file: ManifestDataFile) => string,
  { levelManifests }: UpkeepLimits = upkeepLimits,
): readonly (readonly ManifestEntry[])[] {
  const min = Math.min(filesMin, levelManifests)
  let bytes = 0n
  const runs = runsOf(entries, place).filter((run) => {
    if (run.length < min || bytes + bytesOf(run) > commitBytesMax) return false
    bytes += bytesOf(run)
    return true
  })
  return runs.slice(0, joinsMax)
}

function runsOf(
  entries: readonly ManifestEntry[],
  place: (file: ManifestDataFile) => string,
): readonly (readonly ManifestEntry[])[] {
  const groups = new Map<string, Ranged[]>()
  for (const ranged of entries.flatMap(offsetsOf)) {
    const at = place(ranged.entry.data_file)
    const group = groups.get(at)
    if (group === undefined) groups.set(at, [ranged])
    else group.push(ranged)
  }
  return [...groups.values()].flatMap(runsIn)
}

function runsIn(group: readonly Ranged[]): readonly (readonly ManifestEntry[])[] {
  const runs: ManifestEntry[][] = []
  let end: bigint | undefined
  let bytes = 0n
  for (const { entry, first, last } of group.toSorted((a, b) => (a.first < b.first ? -1 : 1))) {
    const { file_size_in_bytes: size } = entry.data_file
    if (size >= fileBytesMax) {
      end = undefined
      continue
    }
    const run = runs.at(-1)
    bytes += size
    if (run !== undefined && first === end && bytes <= joinBytesMax && run.length < filesMax) run.push(entry)
    else {
      runs.push([entry])
      bytes = size
    }
    end = last + 1n
  }
  return runs
}

/** What the manifest says of a file that has the rows of all of these. `types`: by field id. */
export function joinedFile(
  from: readonly ManifestEntry[],
  written: { readonly uri: string; readonly bytes: number },
  types: ReadonlyMap<number, DataType>,
): ManifestDataFile {
  const files = from.map(({ data_file }) => data_file)
  const [first] = files
  assert(first !== undefined, 'a joined file has sources')
  return {
    ...first,
    ...nothingMore,
    file_path: written.uri,
    file_size_in_bytes: BigInt(written.bytes),
    record_count: files.reduce((sum, { record_count }) => sum + record_count, 0n),
    value_counts: sums(files, 'value_counts'),
    null_value_counts: sums(files, 'null_value_counts'),
    nan_value_counts: sums(files, 'nan_value_counts'),
    lower_bounds: widest(files, 'lower_bounds', -1, types),
    upper_bounds: widest(files, 'upper_bounds', 1, types),
    first_row_id: null,
  }
}

/** The same text for files of the same partition and bucket, exactly. */
export function placeOf(spec: PartitionSpec, schema: IcebergSchema): (file: ManifestDataFile) => string {
  const types = partitionTypes(spec, schema)
  const names = partitionNames(spec)
  return ({ partition }) => JSON.stringify(names.map((name, i) => avroKey(types[i] ?? '', partition[name])))
}

const bytesOf = (entries: readonly ManifestEntry[]): bigint =>
  entries.reduce((sum, { data_file }) => sum + data_file.file_size_in_bytes, 0n)

interface Ranged {
  readonly entry: ManifestEntry
  /** Offsets. */
  readonly first: bigint
  readonly last: bigint
}

function offsetsOf(entry: ManifestEntry): readonly Ranged[] {
  const lower = byId(entry.data_file.lower_bounds, offsetColumn.id)
  const upper = byId(entry.data_file.upper_bounds, offsetColumn.id)
  // An engine's file need not be sorted.
  const isOurs = labelOfKey(entry.data_file.file_path) !== undefined
  if (!isOurs || lower?.length !== 8 || upper?.length !== 8) return []
  return [{ entry, first: viewOf(lower).getBigInt64(0, true), last: viewOf(upper).getBigInt64(0, true) }]
}

const byId = <T>(pairs: readonly ById<T>[] | null, id: number): T | undefined => pairs?.find(({ key }) => key === id)?.value

type Counts = 'value_counts' | 'null_value_counts' | 'nan_value_counts'

/** Of the columns that all of them count. */
function sums(files: readonly ManifestDataFile[], name: Counts): readonly ById<bigint>[] {
  const [first, ...others] = files.map((file) => new Map((file[name] ?? []).map(({ key, value }) => [key, value])))
  return [...(first ?? [])].flatMap(([key, value]) => {
    const rest = others.flatMap((counts) => counts.get(key) ?? [])
    return rest.length === others.length ? [{ key, value: rest.reduce((sum, each) => sum + each, value) }] : []
  })
}

/** Of the columns for which each file has a bound, or nothing that could have one. */
function widest(
  files: readonly ManifestDataFile[],
  name: 'lower_bounds' | 'upper_bounds',
  sign: 1 | -1,
  types: ReadonlyMap<number, DataType>,
): readonly ById<Uint8Array>[] {
  const found = new Map<number, Uint8Array>()
  for (const key of new Set(files.flatMap((file) => (file[name] ?? []).map((pair) => pair.key)))) {
    const type = types.get(key)
    const bounds = files.map((file) => byId(file[name], key) ?? (isEmpty(file, key) ? 'none' : 'unknown'))
    if (type === undefined || bounds.includes('unknown')) continue
    const known = bounds.filter((bound) => typeof bound !== 'string')
    found.set(
      key,
      known.reduce((most, bound) => (compareBounds(type, bound, most) * sign > 0 ? bound : most)),
    )
  }
  return [...found].map(([key, value]) => ({ key, value }))
}

function isEmpty(file: ManifestDataFile, id: number): boolean {
  const values = byId(file.value_counts, id)
  const without = (byId(file.null_value_counts, id) ?? 0n) + (byId(file.nan_value_counts, id) ?? 0n)
  return values !== undefined && values === without
}
