/**
 * Manifests and manifest lists (spec, "Manifests", "Manifest Lists"). An append writes one manifest of added files;
 * the manifests before it are carried over, or several of them as one (core/lake/upkeep). A commit that takes files away writes
 * again the manifests that had them.
 */
import { assert } from '../../kernel/assert.ts'
import type { Random } from '../../kernel/random.ts'
import { type AvroRoom, avroMetadata, decodeAvroFile, encodeAvroFile, isWrittenWith } from './avro.ts'
import type { ColumnMetrics } from './bounds.ts'
import { type EntryForm, entrySchemaOf, listSchemaOf, nothingMore, partitionNames } from './manifest-schema.ts'
import type { PartitionSpec } from './partition-spec.ts'
import {
  avroValue,
  type FieldSummary,
  type PartitionValue,
  partitionTuple,
  partitionTypes,
  summarize,
  widenedAvro,
} from './partition-value.ts'
import type { FormatVersion } from './row-lineage.ts'
import type { IcebergSchema } from './schema.ts'

/** A data file as the manifest describes it: sorted by `__offset`, one bucket of one partition. */
export interface DataFile {
  readonly uri: string
  readonly bytes: number
  readonly rows: number
  /** Of the table's partition columns, in their order; empty where it has none. */
  readonly partition: readonly PartitionValue[]
  readonly bucket: number
  readonly columns: readonly ColumnMetrics[]
}

/** An entry of a manifest list. */
export interface ManifestFile {
  readonly manifest_path: string
  readonly manifest_length: bigint
  readonly partition_spec_id: number
  readonly content: number
  readonly sequence_number: bigint
  readonly min_sequence_number: bigint
  readonly added_snapshot_id: bigint
  readonly added_files_count: number
  readonly existing_files_count: number
  readonly deleted_files_count: number
  readonly added_rows_count: bigint
  readonly existing_rows_count: bigint
  readonly deleted_rows_count: bigint
  readonly partitions: readonly FieldSummary[] | null
  readonly key_metadata: Uint8Array | null
  /** Of version 3; null or absent: a commit gives it (row-lineage.ts). */
  readonly first_row_id?: bigint | null
}

export interface ManifestContext {
  readonly schema: IcebergSchema
  readonly spec: PartitionSpec
  readonly snapshotId: bigint
  readonly random: Random
  readonly formatVersion: FormatVersion
  /** Default: the one of our own lakes. */
  readonly sortOrderId?: number
}

export function encodeManifest(files: readonly DataFile[], context: ManifestContext): Uint8Array {
  const { schema, spec, snapshotId, sortOrderId: sortOrder = sortOrderId } = context
  const types = partitionTypes(spec, schema)
  const names = partitionNames(spec)
  const entries = files.map((file) => {
    const tuple = names.length === 0 ? [] : partitionTuple(file.partition, file.bucket)
    assert(tuple.length === names.length, 'a file has a value for each partition field', { uri: file.uri })
    return {
      status: entryStatus.added,
      snapshot_id: snapshotId,
      // Inherited from the manifest list, so that the same manifest can be committed again under another number.
      sequence_number: null,
      file_sequence_number: null,
      data_file: {
        content: 0,
        file_path: file.uri,
        file_format: 'PARQUET',
        partition: Object.fromEntries(names.map((name, i) => [name, avroValue(types[i] ?? '', tuple[i] ?? null)])),
        record_count: BigInt(file.rows),
        file_size_in_bytes: BigInt(file.bytes),
        value_counts: file.columns.map(({ id }) => ({ key: id, value: BigInt(file.rows) })),
        null_value_counts: file.columns.map(({ id, nulls }) => ({ key: id, value: BigInt(nulls) })),
        nan_value_counts: file.columns.flatMap(({ id, nans }) => (nans === undefined ? [] : [{ key: id, value: BigInt(nans) }])),
        lower_bounds: boundsOf(file.columns, 'lower'),
        upper_bounds: boundsOf(file.columns, 'upper'),
        sort_order_id: sortOrder,
      },
    }
  })
  return encodeEntries(entries, context)
}

/** The list's entry for a manifest that encodeManifest made. */
export function manifestFile(
  files: readonly DataFile[],
  manifest: {
    readonly uri: string
    readonly bytes: number
    readonly spec: PartitionSpec
    readonly schema: IcebergSchema
    readonly snapshotId: bigint
    readonly sequence: bigint
  },
): ManifestFile {
  const { spec, schema } = manifest
  const tuples = files.map(({ partition, bucket }) => partitionTuple(partition, bucket))
  return {
    manifest_path: manifest.uri,
    manifest_length: BigInt(manifest.bytes),
    partition_spec_id: spec['spec-id'],
    content: 0,
    sequence_number: manifest.sequence,
    min_sequence_number: manifest.sequence,
    added_snapshot_id: manifest.snapshotId,
    added_files_count: files.length,
    existing_files_count: 0,
    deleted_files_count: 0,
    added_rows_count: files.reduce((sum, { rows }) => sum + BigInt(rows), 0n),
    existing_rows_count: 0n,
    deleted_rows_count: 0n,
    partitions: partitionTypes(spec, schema).map((type, i) => {
      return summarize(
        type,
        tuples.map((tuple) => tuple[i] ?? null),
      )
    }),
    key_metadata: null,
  }
}

/** An entry of a manifest: what we look at; the rest is carried over as it is. */
export interface ManifestEntry {
  readonly status: number
  readonly snapshot_id: bigint | null
  readonly sequence_number: bigint | null
  readonly file_sequence_number: bigint | null
  readonly data_file: ManifestDataFile
}

export interface ManifestDataFile {
  /** 0: rows. */
  readonly content: number
  readonly file_path: string
  /** By Avro's name of the field, as avsc has values. */
  readonly partition: Readonly<Record<string, unknown>>
  readonly record_count: bigint
  readonly file_size_in_bytes: bigint
  readonly value_counts: readonly ById<bigint>[] | null
  readonly null_value_counts: readonly ById<bigint>[] | null
  readonly nan_value_counts: readonly ById<bigint>[] | null
  readonly lower_bounds: readonly ById<Uint8Array>[] | null
  readonly upper_bounds: readonly ById<Uint8Array>[] | null
  /** Of version 3; null or absent: inherited from the manifest. */
  readonly first_row_id?: bigint | null
}

/** Iceberg's maps by field id are arrays of pairs. */
export interface ById<T> {
  readonly key: number
  readonly value: T
}

/** Of a manifest entry (spec, "Manifest Entry Fields"). */
export const entryStatus = { existing: 0, added: 1, deleted: 2 } as const

/** `entries`: of manifests of this spec, with the partition values that columns have now or had when they were narrower. */
export function encodeEntries(
  entries: readonly ManifestEntry[],
  { schema, spec, random, formatVersion }: Omit<ManifestContext, 'snapshotId'>,
): Uint8Array {
  const types = partitionTypes(spec, schema)
  const names = partitionNames(spec)
  const form = entries.some(({ data_file }) => saysMore(data_file)) ? 'whole' : 'ours'
  const widened = entries.map((entry) => ({
    ...entry,
    data_file: {
      ...nothingMore,
      ...entry.data_file,
      first_row_id: entry.data_file.first_row_id ?? null,
      partition: Object.fromEntries(
        names.map((name, i) => [name, widenedAvro(types[i] ?? '', entry.data_file.partition[name] ?? null)]),
      ),
    },
  }))
  return encodeAvroFile(entrySchemaOf(spec, types, formatVersion, form), widened, {
    random,
    metadata: {
      schema: JSON.stringify(schema),
      'schema-id': String(schema['schema-id']),
      'partition-spec': JSON.stringify(spec.fields),
      'partition-spec-id': String(spec['spec-id']),
      'format-version': String(formatVersion),
      content: 'data',
    },
  })
}

function saysMore(file: object): boolean {
  const said: Readonly<Record<string, unknown>> = { ...nothingMore, ...file }
  return Object.keys(nothingMore).some((name) => said[name] !== null)
}

/** Undefined for a file that was not written with a very schema of encodeEntries, for the columns that it says the table had. */
export function decodeEntries(bytes: Uint8Array, spec: PartitionSpec, room?: AvroRoom): readonly ManifestEntry[] | undefined {
  const { schema } = avroMetadata(bytes) ?? {}
  const types = schema === undefined ? undefined : knownTypes(spec, schema)
  if (types === undefined) return undefined
  const written = forms
    .map(([version, form]) => entrySchemaOf(spec, types, version, form))
    .find((each) => isWrittenWith(each, bytes))
  return written && (decodeAvroFile(written, bytes, room) as ManifestEntry[])
}

const forms: readonly (readonly [FormatVersion, EntryForm])[] = [
  [2, 'ours'],
  [3, 'ours'],
  [2, 'whole'],
  [3, 'whole'],
]

function knownTypes(spec: PartitionSpec, schemaText: string): readonly string[] | undefined {
  try {
    return partitionTypes(spec, JSON.parse(schemaText) as IcebergSchema)
  } catch {
    // A foreign schema may be anything.
    return undefined
  }
}

export function encodeManifestList(
  manifests: readonly ManifestFile[],
  snapshot: {
    readonly snapshotId: bigint
    readonly parentId: bigint | undefined
    readonly sequence: bigint
    readonly random: Random
    readonly formatVersion: FormatVersion
    /** Of version 3, with the ids of its manifests. */
    readonly firstRowId?: bigint | undefined
  },
): Uint8Array {
  const { random, formatVersion, firstRowId } = snapshot
  const listed = manifests.map((manifest) => ({ ...manifest, first_row_id: manifest.first_row_id ?? null }))
  return encodeAvroFile(listSchemaOf(formatVersion), listed, {
    random,
    metadata: {
      'snapshot-id': String(snapshot.snapshotId),
      'parent-snapshot-id': String(snapshot.parentId ?? 'null'),
      'sequence-number': String(snapshot.sequence),
      ...(firstRowId !== undefined && { 'first-row-id': String(firstRowId) }),
      'format-version': String(formatVersion),
    },
  })
}

/** `rows`: what the snapshot's summary says; a list that sums to another number is damaged. */
export function decodeManifestList(bytes: Uint8Array, rows: bigint): ManifestFile[] {
  const manifests = decodeManifests(bytes)
  const sum = manifests.reduce((total, each) => total + each.added_rows_count + each.existing_rows_count, 0n)
  assert(sum === rows, 'a manifest list has the rows that its snapshot says', { list: String(sum), snapshot: String(rows) })
  return manifests
}

/** The list of any writer, not yet compared with anything. */
export function decodeManifests(bytes: Uint8Array): ManifestFile[] {
  const plain = listSchemaOf(2)
  return decodeAvroFile(isWrittenWith(plain, bytes) ? plain : listSchemaOf(3), bytes) as ManifestFile[]
}

export const sortOrderId = 1

function boundsOf(columns: readonly ColumnMetrics[], side: 'lower' | 'upper'): ById<Uint8Array>[] {
  const out: ById<Uint8Array>[] = []
  for (const column of columns) {
    const value = column[side]
    if (value !== undefined) out.push({ key: column.id, value: Buffer.from(value) })
  }
  return out
}
