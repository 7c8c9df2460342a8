/** The Avro schemas of manifests and manifest lists (spec, "Manifests", "Manifest Lists"), with the spec's field ids. Version 3 has row ids. */
import { safeName } from '../parquet-columns.ts'
import type { AvroField, AvroRecordSchema } from './avro.ts'
import type { PartitionSpec } from './partition-spec.ts'
import { avroType } from './partition-value.ts'
import type { FormatVersion } from './row-lineage.ts'

/**
 * `ours`: what our files have; `whole`: all that the specification lets an engine say of a data file; `any`: to read it, of version 1 too,
 * whose files are of rows and may say what is written no more.
 */
export type EntryForm = 'ours' | 'whole' | 'any'

/** Made once per form: compiling one costs more than encoding a manifest. `types`: Iceberg's, of the spec's values. */
export function entrySchemaOf(
  spec: PartitionSpec,
  types: readonly string[],
  version: FormatVersion,
  kind: EntryForm = 'ours',
): AvroRecordSchema {
  const form = JSON.stringify([spec.fields, types, version, kind])
  const schema = entrySchemas.get(form) ?? entrySchema(spec, types, version, kind)
  if (entrySchemas.size >= formsMax) entrySchemas.clear()
  entrySchemas.set(form, schema)
  return schema
}

const entrySchemas = new Map<string, AvroRecordSchema>()
const formsMax = 256

/** Avro's names are plain; two that become the same differ by the id of their field. */
export function partitionNames(spec: PartitionSpec): readonly string[] {
  const taken = new Set<string>()
  return spec.fields.map((each) => {
    let name = safeName(each.name)
    while (taken.has(name)) name += `__${each['field-id']}`
    taken.add(name)
    return name
  })
}

const field = (id: number, name: string, type: unknown): AvroField => ({ name, type, 'field-id': id })
const optional = (id: number, name: string, type: unknown): AvroField => ({
  name,
  type: ['null', type],
  default: null,
  'field-id': id,
})

/** To read: version 1 has no such field, and 0 is what it would be (spec, "Reading v1 metadata for v2"). */
const orZero = (id: number, name: string, type: unknown): AvroField => ({ ...field(id, name, type), default: 0 })

/** Avro maps have text keys only; Iceberg's by-id maps are arrays of pairs. */
const byId = (keyId: number, valueId: number, value: string): object => ({
  type: 'array',
  logicalType: 'map',
  items: { type: 'record', name: `k${keyId}_v${valueId}`, fields: [field(keyId, 'key', 'int'), field(valueId, 'value', value)] },
})

function partitionFields(spec: PartitionSpec, types: readonly string[]): readonly AvroField[] {
  const names = partitionNames(spec)
  return spec.fields.map((each, i) => optional(each['field-id'], names[i] ?? '', avroType(types[i] ?? '')))
}

/** Of engines' files alone. */
const wholeFields: readonly AvroField[] = [
  optional(108, 'column_sizes', byId(117, 118, 'long')),
  optional(131, 'key_metadata', 'bytes'),
  optional(132, 'split_offsets', { type: 'array', items: 'long', 'element-id': 133 }),
  optional(135, 'equality_ids', { type: 'array', items: 'int', 'element-id': 136 }),
  optional(143, 'referenced_data_file', 'string'),
  optional(144, 'content_offset', 'long'),
  optional(145, 'content_size_in_bytes', 'long'),
]

/** Of version 1, deprecated: "Do not write". */
const formerFields: readonly AvroField[] = [
  optional(105, 'block_size_in_bytes', 'long'),
  optional(106, 'file_ordinal', 'int'),
  optional(107, 'sort_columns', { type: 'array', items: 'int', 'element-id': 112 }),
  optional(111, 'distinct_counts', byId(123, 124, 'long')),
]

/** A file that says none of it. */
export const nothingMore: Readonly<Record<string, null>> = Object.fromEntries(wholeFields.map(({ name }) => [name, null]))

const entrySchema = (
  spec: PartitionSpec,
  types: readonly string[],
  version: FormatVersion,
  form: EntryForm,
): AvroRecordSchema => ({
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
        form === 'any' ? orZero(134, 'content', 'int') : field(134, 'content', 'int'),
        field(100, 'file_path', 'string'),
        field(101, 'file_format', 'string'),
        field(102, 'partition', { type: 'record', name: 'r102', fields: partitionFields(spec, types) }),
        field(103, 'record_count', 'long'),
        field(104, 'file_size_in_bytes', 'long'),
        optional(109, 'value_counts', byId(119, 120, 'long')),
        optional(110, 'null_value_counts', byId(121, 122, 'long')),
        optional(137, 'nan_value_counts', byId(138, 139, 'long')),
        optional(125, 'lower_bounds', byId(126, 127, 'bytes')),
        optional(128, 'upper_bounds', byId(129, 130, 'bytes')),
        optional(140, 'sort_order_id', 'int'),
        ...(version === 3 ? [optional(142, 'first_row_id', 'long')] : []),
        ...(form === 'ours' ? [] : wholeFields),
        ...(form === 'any' ? formerFields : []),
      ],
    }),
  ],
})

/** By their ids, the fields of ListedFile. */
export const fileSchema: AvroRecordSchema = {
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
        optional(142, 'first_row_id', 'long'),
      ],
    }),
  ],
}

/** By their ids, of any version, what counting a manifest takes. */
export const countSchema: AvroRecordSchema = {
  type: 'record',
  name: 'manifest_entry',
  fields: [
    field(0, 'status', 'int'),
    optional(1, 'snapshot_id', 'long'),
    field(2, 'data_file', { type: 'record', name: 'r2', fields: [field(103, 'record_count', 'long')] }),
  ],
}

export const listSchemaOf = (version: FormatVersion): AvroRecordSchema => (version === 3 ? listSchema3 : listSchema2)

const listFields: readonly AvroField[] = [
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
]

const listSchema2: AvroRecordSchema = { type: 'record', name: 'manifest_file', fields: listFields }
const listSchema3: AvroRecordSchema = { ...listSchema2, fields: [...listFields, optional(520, 'first_row_id', 'long')] }

/** To read a list of any version: what version 1 has no field for is 0, what it may leave out is null. */
export const anyListSchema: AvroRecordSchema = {
  ...listSchema3,
  fields: listSchema3.fields.map((each) => {
    const { 'field-id': id, name, type } = each
    if (id >= 515 && id <= 517) return orZero(id, name, type)
    const isCount = (id >= 503 && id <= 506) || (id >= 512 && id <= 514)
    return isCount ? optional(id, name, type) : each
  }),
}
