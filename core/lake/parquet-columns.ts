/**
 * Rows of the log as the columns of a data file: the table's columns in the lake's types, then `__bucket`, `__offset`,
 * `__timestamp`. Buffers are shared with the source wherever the type does not change. Names are made safe as Iceberg's own
 * writers do (readers go by field id), so that no name reads as a path.
 */
import type { Batch, ColumnData, Field } from '../format/arrow/column.ts'
import { countUp } from '../format/arrow/int64.ts'
import { bytesOf, childFields, int8s, int16s, int32s, isValid } from '../format/arrow/layout.ts'
import { SluiceError } from '../kernel/errors.ts'
import type { Schema } from '../model/table.ts'
import { type DataType, type TimeUnit, unitOfPrecision } from '../model/types.ts'
import { lakeType, systemColumns } from './iceberg/schema.ts'

/** Where a batch's rows lie in the log. */
export interface Position {
  readonly bucket: number
  /** Of the first row. */
  readonly offset: bigint
  /** ms since 1970 */
  readonly timestamp: number
}

/** The fields of a data file, with ids and safe names. */
export const fileFields = (schema: Schema): readonly Field[] =>
  parquetFields([
    ...schema.columns.map(({ id, name, type, nullable }) => ({ id, name, type: lakeType(type), nullable })),
    ...systemColumns,
  ])

/** With safe names. */
export const parquetFields = (fields: readonly Field[]): readonly Field[] =>
  safeNames(fields).map((field) => ({ ...field, type: safeType(field.type) }))

/** Of the columns and of the fields inside rows: a list's or map's elements have no bounds in Iceberg. */
export function typesById(fields: readonly Field[], found = new Map<number, DataType>()): Map<number, DataType> {
  for (const { id, type } of fields) {
    found.set(id, type)
    if (type.kind === 'row') typesById(childFields(type), found)
  }
  return found
}

/** `fields`: fileFields of the schema that the batch has. */
export function fileBatch(batch: Batch, fields: readonly Field[], { bucket, offset, timestamp }: Position): Batch {
  const { rows } = batch
  const columns = batch.columns.map((column, i) => castColumn(column, (fields[i] as Field).type, (fields[i] as Field).name))
  const system = [
    bytesOf(new Int32Array(rows).fill(bucket)),
    bytesOf(countUp(rows, offset)),
    bytesOf(new BigInt64Array(rows).fill(BigInt(timestamp) * 1000n)),
  ]
  system.forEach((values, i) => {
    columns.push({
      type: (systemColumns[i] as Field).type,
      length: rows,
      nullCount: 0,
      validity: undefined,
      offsets: undefined,
      values,
      children: [],
    })
  })
  return { rows, fields, columns }
}

/** ASCII letters, digits and _, as Iceberg's Parquet writer makes names; two that become the same get their ids. */
function safeNames<T extends { readonly id: number; readonly name: string }>(fields: readonly T[]): T[] {
  const taken = new Set<string>()
  return fields.map((field) => {
    let name = safeName(field.name)
    while (taken.has(name)) name += `__${field.id}`
    taken.add(name)
    return { ...field, name }
  })
}

export function safeName(name: string): string {
  let out = ''
  for (let i = 0; i < name.length; i++) {
    const character = name.charAt(i)
    if (/[A-Za-z_]/.test(character)) out += character
    else if (/[0-9]/.test(character)) out += i === 0 ? `_${character}` : character
    else out += `_x${name.charCodeAt(i).toString(16).toUpperCase()}`
  }
  return out
}

/** With names inside rows made safe. */
export function safeType(type: DataType): DataType {
  switch (type.kind) {
    case 'array':
      return { ...type, element: safeType(type.element) }
    case 'map':
      return { ...type, key: safeType(type.key), value: safeType(type.value) }
    case 'row':
      return { kind: 'row', fields: safeNames(type.fields).map((field) => ({ ...field, type: safeType(field.type) })) }
    default:
      return type
  }
}

function castColumn(column: ColumnData, type: DataType, name: string): ColumnData {
  const from = column.type
  if (from.kind === 'tinyint' || from.kind === 'smallint') return { ...column, type, values: widened(column) }
  if (from.kind === 'time' && from.precision <= 3) return { ...column, type, values: timeMicros(column, from.precision) }
  if ((from.kind === 'timestamp' || from.kind === 'timestamp_ltz') && from.precision <= 3) {
    return { ...column, type, values: timestampMicros(column, unitOfPrecision(from.precision), name) }
  }
  if (from.kind === 'vector') return listOf(column, from.dimension, type)
  if (column.children.length === 0) return { ...column, type }
  const types = childTypes(type)
  return { ...column, type, children: column.children.map((child, i) => castColumn(child, types[i] as DataType, name)) }
}

/** In the order of a column's children. */
export function childTypes(type: DataType): readonly DataType[] {
  switch (type.kind) {
    case 'array':
      return [type.element]
    case 'map':
      return [type.key, type.value]
    case 'row':
      return type.fields.map((field) => field.type)
    default:
      return []
  }
}

/** A list of as many elements in every row, that of a null too. Iceberg has no other, and readers compare Arrow's types with its own. */
function listOf(column: ColumnData, dimension: number, type: DataType): ColumnData {
  const offsets = Int32Array.from({ length: column.length + 1 }, (_, row) => row * dimension)
  return { ...column, type, offsets }
}

function widened({ type, values, length }: ColumnData): Uint8Array {
  const source = values ?? new Uint8Array(0)
  return bytesOf(Int32Array.from(type.kind === 'tinyint' ? int8s(source, length) : int16s(source, length)))
}

/** 32-bit seconds or ms of a day as 64-bit µs; below 2^53, so exact in a double. */
function timeMicros({ values, length }: ColumnData, precision: number): Uint8Array {
  const source = int32s(values ?? new Uint8Array(0), length)
  const factor = precision === 0 ? 1_000_000 : 1_000
  const words = new Int32Array(2 * length)
  for (let i = 0; i < length; i++) {
    const value = (source[i] as number) * factor
    words[2 * i] = value | 0
    words[2 * i + 1] = Math.floor(value / 2 ** 32)
  }
  return bytesOf(words)
}

/** 64-bit seconds or ms as µs, in pairs of 32-bit words: bigints a row would cost more than Parquet itself. */
function timestampMicros(column: ColumnData, unit: TimeUnit, name: string): Uint8Array {
  const words = int32s(column.values ?? new Uint8Array(0), 2 * column.length).slice()
  for (let step = unit === 's' ? 2 : 1; step > 0; step--) {
    for (let i = 0; i < column.length; i++) {
      const high = words[2 * i + 1] as number
      if (high < -highMax || high >= highMax) {
        if (isValid(column, i)) throw outOfRange(name)
        words[2 * i] = words[2 * i + 1] = 0
        continue
      }
      // Both products are exact in a double: low × 1000 < 2^42, high × 1000 < 2^31.
      const low = ((words[2 * i] as number) >>> 0) * 1000
      words[2 * i] = low | 0
      words[2 * i + 1] = high * 1000 + Math.floor(low / 2 ** 32)
    }
  }
  return bytesOf(words)
}

/** Times 1000 it still fits into 64 bits, by far past the year 100,000. */
const highMax = 2 ** 21

const outOfRange = (name: string): SluiceError =>
  new SluiceError(
    'not-supported',
    `column ${name} has a timestamp that iceberg's microseconds cannot hold: it is beyond the year 200,000`,
    {
      action: 'stop',
      facts: { column: name },
    },
  )
