/**
 * Our types as Iceberg's (spec, "Schemas and Data Types"). Columns keep their ids; the three system columns follow them with
 * ids 1 to 3. tinyint and smallint become int, a vector becomes list<float>, every time and timestamp is in microseconds, but for
 * timestamps of 7 to 9 digits: they are in nanoseconds, and only tables of format version 3 have them (core/model/spec.ts).
 */

import type { Field } from '../../format/arrow/column.ts'
import { assert } from '../../kernel/assert.ts'
import type { Schema } from '../../model/table.ts'
import { type DataType, unitOfPrecision } from '../../model/types.ts'

export const bucketColumn: Field = { id: 1, name: '__bucket', type: { kind: 'int' }, nullable: false }
export const offsetColumn: Field = { id: 2, name: '__offset', type: { kind: 'bigint' }, nullable: false }
export const timestampColumn: Field = {
  id: 3,
  name: '__timestamp',
  type: { kind: 'timestamp_ltz', precision: 6 },
  nullable: false,
}
export const systemColumns: readonly Field[] = [bucketColumn, offsetColumn, timestampColumn]

export type IcebergType =
  | string
  | { readonly type: 'struct'; readonly fields: readonly IcebergField[] }
  | { readonly type: 'list'; readonly 'element-id': number; readonly element: IcebergType; readonly 'element-required': false }
  | {
      readonly type: 'map'
      readonly 'key-id': number
      readonly key: IcebergType
      readonly 'value-id': number
      readonly value: IcebergType
      readonly 'value-required': false
    }

export interface IcebergField {
  readonly id: number
  readonly name: string
  readonly required: boolean
  readonly type: IcebergType
  readonly doc?: string
}

export interface IcebergSchema {
  readonly type: 'struct'
  readonly 'schema-id': number
  readonly fields: readonly IcebergField[]
}

/** The table's columns, then the system columns, in the lake's types. */
export function icebergSchema(schema: Schema): IcebergSchema {
  const fields: IcebergField[] = schema.columns.map((column) => ({
    id: column.id,
    name: column.name,
    required: !column.nullable,
    type: icebergType(column.type, column.name),
    ...(column.comment !== undefined && { doc: column.comment }),
  }))
  for (const { id, name, type } of systemColumns) fields.push({ id, name, required: true, type: icebergType(type, name) })
  return { type: 'struct', 'schema-id': schema.schemaId, fields }
}

/** The column as the data files hold it: the type that Parquet is written with. */
export function lakeType(type: DataType): DataType {
  switch (type.kind) {
    case 'tinyint':
    case 'smallint':
      return { kind: 'int' }
    case 'time':
    case 'timestamp':
    case 'timestamp_ltz':
      return type.precision > 6 ? type : { kind: type.kind, precision: 6 }
    case 'array':
      return { ...type, element: lakeType(type.element) }
    case 'vector':
      return { kind: 'array', element: { kind: 'float' }, elementId: type.elementId }
    case 'map':
      return { ...type, key: lakeType(type.key), value: lakeType(type.value) }
    case 'row':
      return { kind: 'row', fields: type.fields.map((field) => ({ ...field, type: lakeType(field.type) })) }
    default:
      return type
  }
}

/** `schema.name-mapping.default`: for files without field ids. */
export const nameMapping = (schema: IcebergSchema): string => JSON.stringify(mappedFields(schema.fields))

export function icebergType(type: DataType, column: string): IcebergType {
  switch (type.kind) {
    case 'boolean':
    case 'float':
    case 'double':
    case 'string':
    case 'binary':
    case 'date':
    case 'int':
      return type.kind
    case 'tinyint':
    case 'smallint':
      return 'int'
    case 'bigint':
      return 'long'
    case 'decimal':
      return `decimal(${type.precision}, ${type.scale})`
    case 'time':
      assert(unitOfPrecision(type.precision) !== 'ns', 'a time of a lake is in microseconds', { column })
      return 'time'
    case 'timestamp':
      return unitOfPrecision(type.precision) === 'ns' ? 'timestamp_ns' : 'timestamp'
    case 'timestamp_ltz':
      return unitOfPrecision(type.precision) === 'ns' ? 'timestamptz_ns' : 'timestamptz'
    case 'vector':
      return { type: 'list', 'element-id': type.elementId, element: 'float', 'element-required': false }
    case 'array':
      return { type: 'list', 'element-id': type.elementId, element: icebergType(type.element, column), 'element-required': false }
    case 'map':
      return {
        type: 'map',
        'key-id': type.keyId,
        key: icebergType(type.key, column),
        'value-id': type.valueId,
        value: icebergType(type.value, column),
        'value-required': false,
      }
    case 'row':
      return {
        type: 'struct',
        fields: type.fields.map(({ id, name, type: nested }) => ({
          id,
          name,
          required: false,
          type: icebergType(nested, column),
        })),
      }
  }
}

interface Mapped {
  readonly 'field-id': number
  readonly names: readonly string[]
  readonly fields?: readonly Mapped[]
}

const mappedFields = (fields: readonly IcebergField[]): Mapped[] => fields.map(({ id, name, type }) => mapped(id, name, type))

function mapped(id: number, name: string, type: IcebergType): Mapped {
  const nested = nestedOf(type)
  return { 'field-id': id, names: [name], ...(nested.length > 0 && { fields: nested }) }
}

function nestedOf(type: IcebergType): Mapped[] {
  if (typeof type === 'string') return []
  if (type.type === 'struct') return mappedFields(type.fields)
  if (type.type === 'list') return [mapped(type['element-id'], 'element', type.element)]
  return [mapped(type['key-id'], 'key', type.key), mapped(type['value-id'], 'value', type.value)]
}
