/**
 * Manifests and manifest lists of Iceberg v2 (spec, "Manifests", "Manifest Lists"), with the spec's field ids. A commit writes
 * one manifest of added files; the manifests before it are carried over, or several of them as one (core/lake/upkeep).
 */
import { assert } from '../../kernel/assert.ts'
import type { Random } from '../../kernel/random.ts'
import { type AvroField, type AvroRecordSchema, decodeAvroFile, encodeAvroFile, isWrittenWith } from './avro.ts'
import { type ColumnMetrics, intBound } from './bounds.ts'
import { type PartitionSpec, partitionFieldId } from './partition-spec.ts'
import type { IcebergSchema } from './schema.ts'

/** A data file as the manifest describes it: sorted by `__offset`, one bucket. */
export interface DataFile {
  readonly uri: string
  readonly bytes: number
  readonly rows: number
  readonly bucket: number
  readonly columns: readonly ColumnMetrics[]
}

/** Of the values of one partition field; bounds are absent where all are null. */
export interface FieldSummary {
  readonly contains_null: boolean
  readonly contains_nan: boolean | null
  readonly lower_bound: Uint8Array | null
  readonly upper_bound: Uint8Array | null
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
}

/** An entry of a manifest as it lies in the file. */
export interface ManifestEntry {
  readonly status: number
  readonly snapshot_id: bigint | null
  readonly sequence_number: bigint | null
  readonly file_sequence_number: bigint | null
  readonly data_file: { readonly file_path: string; readonly record_count: bigint }
}

export interface ManifestContext {
  readonly schema: IcebergSchema
  readonly spec: PartitionSpec
  readonly snapshotId: bigint
  readonly random: Random
}

export function encodeManifest(files: readonly DataFile[], context: ManifestContext): Uint8Array {
  const partition = context.spec.fields[0]?.name ?? ''
  const entries = files.map((file) => ({
    status: entryStatus.added,
    snapshot_id: context.snapshotId,
    // Inherited from the manifest list, so that the same manifest can be committed again under another number.
    sequence_number: null,
    file_sequence_number: null,
    data_file: {
      content: 0,
      file_path: file.uri,
      file_format: 'PARQUET',
      partition: { [partition]: file.bucket },
      record_count: BigInt(file.rows),
      file_size_in_bytes: BigInt(file.bytes),
      value_counts: file.columns.map(({ id }) => ({ key: id, value: BigInt(file.rows) })),
      null_value_counts: file.columns.map(({ id, nulls }) => ({ key: id, value: BigInt(nulls) })),
      nan_value_counts: file.columns.flatMap(({ id, nans }) => (nans === undefined ? [] : [{ key: id, value: BigInt(nans) }])),
      lower_bounds: boundsOf(file.columns, 'lower'),
      upper_bounds: boundsOf(file.columns, 'upper'),
      sort_order_id: sortOrderId,
    },
  }))
  return encodeEntries(entries, context)
}

export function encodeEntries(
  entries: readonly ManifestEntry[],
  { schema, spec, random }: Omit<ManifestContext, 'snapshotId'>,
): Uint8Array {
  return encodeAvroFile(entrySchemaOf(spec), entries, {
    random,
    metadata: {
      schema: JSON.stringify(schema),
      'schema-id': String(schema['schema-id']),
      'partition-spec': JSON.stringify(spec.fields),
      'partition-spec-id': String(spec['spec-id']),
      'format-version': '2',
      content: 'data',
    },
  })
}

/** Undefined for a file that was not written with the very schema of encodeEntries. */
export function decodeEntries(bytes: Uint8Array, spec: PartitionSpec): readonly ManifestEntry[] | undefined {
  const schema = entrySchemaOf(spec)
  return isWrittenWith(schema, bytes) ? (decodeAvroFile(schema, bytes) as ManifestEntry[]) : undefined
}

/** The list's entry for a manifest that encodeManifest made. */
export function manifestFile(
  files: readonly DataFile[],
  manifest: {
    readonly uri: string
    readonly bytes: number
    readonly specId: number
    readonly snapshotId: bigint
    readonly sequence: bigint
  },
): ManifestFile {
  const buckets = files.map(({ bucket }) => bucket)
  return {
    manifest_path: manifest.uri,
    manifest_length: BigInt(manifest.bytes),
    partition_spec_id: manifest.specId,
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
    partitions: [
      {
        contains_null: false,
        contains_nan: false,
        lower_bound: Buffer.from(intBound(Math.min(...buckets))),
        upper_bound: Buffer.from(intBound(Math.max(...buckets))),
      },
    ],
    key_metadata: null,
  }
}

export function encodeManifestList(
  manifests: readonly ManifestFile[],
  snapshot: {
    readonly snapshotId: bigint
    readonly parentId: bigint | undefined
    readonly sequence: bigint
    readonly random: Random
  },
): Uint8Array {
  return encodeAvroFile(listSchema, manifests, {
    random: snapshot.random,
    metadata: {
      'snapshot-id': String(snapshot.snapshotId),
      'parent-snapshot-id': String(snapshot.parentId ?? 'null'),
      'sequence-number': String(snapshot.sequence),
      'format-version': '2',
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
export const decodeManifests = (bytes: Uint8Array): ManifestFile[] => decodeAvroFile(listSchema, bytes) as ManifestFile[]

/** What a manifest of any writer says of a file. */
export interface ListedFile {
  readonly status: number
  readonly data_file: {
    readonly content: number
    readonly file_path: string
    readonly file_format: string
    readonly record_count: bigint
  }
}

export const decodeFiles = (bytes: Uint8Array): ListedFile[] => decodeAvroFile(fileSchema, bytes) as ListedFile[]

export const sortOrderId = 1

/** Of a manifest entry (spec, "Manifest Entry Fields"). */
export const entryStatus = { existing: 0, added: 1, deleted: 2 } as const

function boundsOf(columns: readonly ColumnMetrics[], side: 'lower' | 'upper'): object[] {
  const out: object[] = []
  for (const column of columns) {
    const value = column[side]
    if (value !== undefined) out.push({ key: column.id, value: Buffer.from(value) })
  }
  return out
}

const field = (id: number, name: string, type: unknown): AvroField => ({ name, type, 'field-id': id })
const optional = (id: number, name: string, type: unknown): AvroField => ({
  name,
  type: ['null', type],
  default: null,
  'field-id': id,
})

/** Avro maps have text keys only; Iceberg's by-id maps are arrays of pairs. */
const byId = (keyId: number, valueId: number, value: string): object => ({
  type: 'array',
  logicalType: 'map',
  items: { type: 'record', name: `k${keyId}_v${valueId}`, fields: [field(keyId, 'key', 'int'), field(valueId, 'value', value)] },
})

/** The partition field's name is part of the schema; this build has two. */
const entrySchemas = new Map<string, AvroRecordSchema>()

function entrySchemaOf({ fields }: PartitionSpec): AvroRecordSchema {
  const partition = fields[0]?.name ?? ''
  const schema = entrySchemas.get(partition) ?? entrySchema(partition)
  if (entrySchemas.size < 16) entrySchemas.set(partition, schema)
  return schema
}

const entrySchema = (partition: string): AvroRecordSchema => ({
  type: 'record',
  name: 'manifest_entry',
  fields: [
    field(0, 'status', 'int'),
    optional(1, 'snapshot_id', 'long'),
    optional(3, 'sequence_number', 'long'),
    optional(4, 'file_sequence_number', 'long'),
    field(2, 'data_file', {
      type: 'record',
      name: 'r2',
      fields: [
        field(134, 'content', 'int'),
        field(100, 'file_path', 'string'),
        field(101, 'file_format', 'string'),
        field(102, 'partition', { type: 'record', name: 'r102', fields: [optional(partitionFieldId, partition, 'int')] }),
        field(103, 'record_count', 'long'),
        field(104, 'file_size_in_bytes', 'long'),
        optional(109, 'value_counts', byId(119, 120, 'long')),
        optional(110, 'null_value_counts', byId(121, 122, 'long')),
        optional(137, 'nan_value_counts', byId(138, 139, 'long')),
        optional(125, 'lower_bounds', byId(126, 127, 'bytes')),
        optional(128, 'upper_bounds', byId(129, 130, 'bytes')),
        optional(140, 'sort_order_id', 'int'),
      ],
    }),
  ],
})

/** By their ids, the fields of ListedFile. */
const fileSchema: AvroRecordSchema = {
  type: 'record',
  name: 'manifest_entry',
  fields: [
    field(0, 'status', 'int'),
    field(2, 'data_file', {
      type: 'record',
      name: 'r2',
      fields: [
        field(134, 'content', 'int'),
        field(100, 'file_path', 'string'),
        field(101, 'file_format', 'string'),
        field(103, 'record_count', 'long'),
      ],
    }),
  ],
}

const listSchema: AvroRecordSchema = {
  type: 'record',
  name: 'manifest_file',
  fields: [
    field(500, 'manifest_path', 'string'),
    field(501, 'manifest_length', 'long'),
    field(502, 'partition_spec_id', 'int'),
    field(517, 'content', 'int'),
    field(515, 'sequence_number', 'long'),
    field(516, 'min_sequence_number', 'long'),
    field(503, 'added_snapshot_id', 'long'),
    field(504, 'added_files_count', 'int'),
    field(505, 'existing_files_count', 'int'),
    field(506, 'deleted_files_count', 'int'),
    field(512, 'added_rows_count', 'long'),
    field(513, 'existing_rows_count', 'long'),
    field(514, 'deleted_rows_count', 'long'),
    optional(507, 'partitions', {
      type: 'array',
      'element-id': 508,
      items: {
        type: 'record',
        name: 'r508',
        fields: [
          field(509, 'contains_null', 'boolean'),
          optional(518, 'contains_nan', 'boolean'),
          optional(510, 'lower_bound', 'bytes'),
          optional(511, 'upper_bound', 'bytes'),
        ],
      },
    }),
    optional(519, 'key_metadata', 'bytes'),
  ],
}
