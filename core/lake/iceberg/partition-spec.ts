/**
 * The one partition spec of a table (design section 6): `bucket[N]` of the bucket key where Iceberg's transform is exactly our
 * bucketing, else the identity of `__bucket`. Either way the partition value is the bucket and a file holds one bucket.
 * A nullable key stays out: its nulls go to our bucket 0, while Iceberg's transform of null is null.
 */
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

export function partitionSpec(table: Pick<Table, 'schema' | 'buckets'>): PartitionSpec {
  return { 'spec-id': 0, fields: [{ 'field-id': partitionFieldId, ...bucketField(table) }] }
}

/** Ids of partition fields count from 1000 (spec, "Partitioning"). */
export const partitionFieldId = 1000

function bucketField({ schema, buckets }: Pick<Table, 'schema' | 'buckets'>): Omit<PartitionField, 'field-id'> {
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
