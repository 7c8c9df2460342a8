/**
 * The one partition spec of a table (design section 6): the identity of each partition column, then `bucket[N]` of the bucket key
 * where Iceberg's transform is exactly our bucketing, else the identity of `__bucket`. Either way the last value is the bucket,
 * and a file holds one bucket of one partition. A nullable key stays out: its nulls go to our bucket 0, while Iceberg's transform
 * of null is null. Columns that partition a table keep their names, so those of the fields stay true.
 */
import { present } from '../../kernel/assert.ts'
import type { Table } from '../../model/table.ts'
import type { TypeKind } from '../../model/types.ts'
import { bucketColumn } from './schema.ts'

export interface PartitionSpec {
  readonly 'spec-id': number
  readonly fields: readonly PartitionField[]
}

export interface PartitionField {
  readonly 'source-id': number
  readonly 'field-id': number
  readonly name: string
  readonly transform: string
}

export function partitionSpec(table: Pick<Table, 'schema' | 'partitionBy' | 'buckets'>): PartitionSpec {
  const fields = [...table.partitionBy.map((name) => identityField(table, name)), bucketField(table)]
  return { 'spec-id': 0, fields: fields.map((field, i) => ({ 'field-id': firstPartitionFieldId + i, ...field })) }
}

/** Ids of partition fields count from 1000 (spec, "Partitioning"). */
export const firstPartitionFieldId = 1000

export const lastPartitionFieldId = ({ fields }: PartitionSpec): number => firstPartitionFieldId + fields.length - 1

type Unnumbered = Omit<PartitionField, 'field-id'>

function identityField({ schema }: Pick<Table, 'schema'>, name: string): Unnumbered {
  const column = present(
    schema.columns.find((each) => each.name === name),
    'a partition column',
  )
  return { 'source-id': column.id, name, transform: 'identity' }
}

function bucketField({ schema, buckets }: Pick<Table, 'schema' | 'buckets'>): Unnumbered {
  const [key, ...others] = buckets.key ?? []
  const column = others.length === 0 ? schema.columns.find(({ name }) => name === key) : undefined
  if (column !== undefined && !column.nullable && bucketable.has(column.type.kind)) {
    // No column of a person's begins with __, so the name is free.
    return { 'source-id': column.id, name: '__key_bucket', transform: `bucket[${buckets.count}]` }
  }
  return { 'source-id': bucketColumn.id, name: bucketColumn.name, transform: 'identity' }
}

const bucketable: ReadonlySet<TypeKind> = new Set<TypeKind>([
  'tinyint',
  'smallint',
  'int',
  'bigint',
  'decimal',
  'string',
  'binary',
  'date',
  'time',
  'timestamp',
  'timestamp_ltz',
])
