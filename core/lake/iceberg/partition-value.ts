/**
 * Partition values: Iceberg's single values (spec, appendix D), as the manifest's Avro has them (spec, appendix A) and as a field
 * summary bounds them. A partition's name gives its values; null is null, and NaN is a value without an order.
 */
import type { Field } from '../../format/arrow/column.ts'
import { columnStatistics, compareBounds } from '../../format/arrow/statistics.ts'
import { readPartitionName } from '../../format/partition/name.ts'
import { assert, present } from '../../kernel/assert.ts'
import { equalBytes, hex, viewOf } from '../../kernel/bytes.ts'
import type { Table } from '../../model/table.ts'
import type { DataType } from '../../model/types.ts'
import { intBound } from './bounds.ts'
import type { PartitionSpec } from './partition-spec.ts'
import type { IcebergSchema } from './schema.ts'

/** In single-value serialisation. */
export type PartitionValue = Uint8Array | null

/** One per level of the table's partitions; a file's bucket follows. */
export function partitionValues({ partitionBy, schema }: Pick<Table, 'partitionBy' | 'schema'>, name: string): PartitionValue[] {
  if (partitionBy.length === 0) return []
  const fields = partitionBy.map((by): Field => {
    const column = schema.columns.find((each) => each.name === by)
    return present(column, 'a partition column')
  })
  const { columns } = readPartitionName(fields, name)
  return columns.map((column) => {
    const { nulls, nans, min } = columnStatistics(column)
    if (nulls > 0) return null
    return nans > 0 ? notANumber(column.type.kind) : present(min, 'the value of a partition column')
  })
}

/** A file's values, in the order of the spec's fields. */
export const partitionTuple = (values: readonly PartitionValue[], bucket: number): readonly PartitionValue[] => [
  ...values,
  intBound(bucket),
]

/** Iceberg's types of the spec's values under this schema. */
export function partitionTypes(spec: PartitionSpec, schema: IcebergSchema): readonly string[] {
  return spec.fields.map((field) => {
    if (field.transform !== 'identity') return 'int'
    const type = schema.fields.find(({ id }) => id === field['source-id'])?.type
    assert(typeof type === 'string', 'a partition field has a primitive type', { field: field.name })
    return type
  })
}

/** A field summary of a manifest's list entry (spec, "Manifest Lists"); bounds are absent where no value has an order. */
export interface FieldSummary {
  readonly contains_null: boolean
  readonly contains_nan: boolean | null
  readonly lower_bound: Uint8Array | null
  readonly upper_bound: Uint8Array | null
}

export function summarize(type: string, values: readonly PartitionValue[]): FieldSummary {
  const ordered = values.filter((value): value is Uint8Array => value !== null && !isNan(type, value))
  const [first] = ordered
  let lower = first
  let upper = first
  for (const value of ordered) {
    if (lower !== undefined && compareValues(type, value, lower) < 0) lower = value
    if (upper !== undefined && compareValues(type, value, upper) > 0) upper = value
  }
  return {
    contains_null: values.includes(null),
    contains_nan: values.some((value) => value !== null && isNan(type, value)),
    lower_bound: lower === undefined ? null : Buffer.from(lower),
    upper_bound: upper === undefined ? null : Buffer.from(upper),
  }
}

/** False where no file of the manifest has the value. Bounds of an integer that was widened since are shorter. */
export function mayHave(type: string, summary: FieldSummary, value: PartitionValue): boolean {
  if (value === null) return summary.contains_null
  if (isNan(type, value)) return summary.contains_nan !== false
  const { lower_bound: lower, upper_bound: upper } = summary
  if (lower === null || upper === null) return false
  return compareValues(type, lower, value) <= 0 && compareValues(type, value, upper) <= 0
}

/** What a manifest says of one column of a file. */
export interface ColumnBounds {
  readonly rows: bigint
  readonly nulls: bigint | undefined
  readonly nans: bigint | undefined
  readonly lower: Uint8Array | undefined
  readonly upper: Uint8Array | undefined
}

/** Whether every row of the file has the value, none has, or that cannot be told: bounds may be wider than the values. */
export function isOnly(
  type: string,
  value: PartitionValue,
  { rows, nulls, nans, lower, upper }: ColumnBounds,
): 'in' | 'out' | 'untold' {
  const counted = (count: bigint | undefined): 'in' | 'out' | 'untold' =>
    count === rows ? 'in' : count === 0n ? 'out' : 'untold'
  if (value === null) return counted(nulls)
  if (nulls === rows) return 'out'
  const isFloat = type === 'float' || type === 'double'
  if (isNan(type, value)) return counted(nans)
  if (isFloat && nans === rows) return 'out'
  if (lower === undefined || upper === undefined) return 'untold'
  try {
    if (compareValues(type, value, lower) < 0 || compareValues(type, upper, value) < 0) return 'out'
    // 0 and -0 are two values of one place in the order.
    const isSame = (bound: Uint8Array): boolean => (isFloat ? equalBytes(bound, value) : compareValues(type, bound, value) === 0)
    return isSame(lower) && isSame(upper) && nulls === 0n && (!isFloat || nans === 0n) ? 'in' : 'untold'
  } catch (error) {
    // A bound that is too short for its type.
    if (error instanceof RangeError) return 'untold'
    throw error
  }
}

/** What avsc encodes; the same for every width that a widened column has had. */
export function avroValue(type: string, value: PartitionValue): unknown {
  if (value === null) return null
  const view = viewOf(value)
  switch (type) {
    case 'boolean':
      return value[0] === 1
    case 'int':
    case 'date':
      return view.getInt32(0, true)
    case 'float':
      return view.getFloat32(0, true)
    case 'double':
      return view.getFloat64(0, true)
    case 'string':
      return Buffer.from(value).toString('utf8')
    case 'binary':
      return Buffer.from(value)
    case 'long':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return view.getBigInt64(0, true)
    default:
      return extended(value, decimalBytes(decimalOf(type).precision))
  }
}

/** A value that a manifest had when its column was narrower, as the column has it now. */
export function widenedAvro(type: string, value: unknown): unknown {
  if (typeof value === 'number' && type === 'long') return BigInt(value)
  return Buffer.isBuffer(value) && type.startsWith('decimal') ? extended(value, decimalBytes(decimalOf(type).precision)) : value
}

/** Of the files of both manifests. */
export function joinSummaries(type: string, a: FieldSummary, b: FieldSummary): FieldSummary {
  const pick = (one: Uint8Array | null, other: Uint8Array | null, sign: 1 | -1): Uint8Array | null => {
    if (one === null || other === null) return one ?? other
    return Math.sign(compareValues(type, one, other)) === sign ? one : other
  }
  return {
    contains_null: a.contains_null || b.contains_null,
    contains_nan: eitherKnown(a.contains_nan, b.contains_nan),
    lower_bound: pick(a.lower_bound, b.lower_bound, -1),
    upper_bound: pick(a.upper_bound, b.upper_bound, 1),
  }
}

/** Null: not known. */
const eitherKnown = (a: boolean | null, b: boolean | null): boolean | null =>
  a === true || b === true || (a === null || b === null ? null : false)

/** Whether the bytes can bound a value of the type, as it is now or was when it was narrower. */
export function isBound(type: string, { length }: Uint8Array): boolean {
  switch (type) {
    case 'string':
    case 'binary':
      return true
    case 'boolean':
      return length === 1
    default:
      return type.startsWith('decimal') ? length > 0 && length <= 16 : length === 4 || length === 8
  }
}

/** Equal for two of avsc's values exactly if they are the same value, whatever width the file that held one gave it. */
export function avroKey(type: string, value: unknown): string {
  if (Buffer.isBuffer(value)) return type === 'binary' ? hex(value) : `${signed(value)}`
  return typeof value === 'number' && Object.is(value, -0) ? '-0' : `${typeof value === 'string' ? 's' : ''}${String(value)}`
}

export function avroType(type: string): unknown {
  switch (type) {
    case 'boolean':
    case 'int':
    case 'long':
    case 'float':
    case 'double':
    case 'string':
      return type
    case 'binary':
      return 'bytes'
    case 'date':
      return { type: 'int', logicalType: 'date' }
    case 'time':
      return { type: 'long', logicalType: 'time-micros' }
    case 'timestamp':
    case 'timestamptz':
      return { type: 'long', logicalType: 'timestamp-micros', 'adjust-to-utc': type === 'timestamptz' }
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return { type: 'long', logicalType: 'timestamp-nanos', 'adjust-to-utc': type === 'timestamptz_ns' }
    default: {
      const { precision, scale } = decimalOf(type)
      const name = `decimal_${precision}_${scale}`
      return { type: 'fixed', name, size: decimalBytes(precision), logicalType: 'decimal', precision, scale }
    }
  }
}

function decimalOf(type: string): { readonly precision: number; readonly scale: number } {
  const [, precision, scale] = /^decimal\(([0-9]+), ?([0-9]+)\)$/.exec(type) ?? []
  assert(precision !== undefined && scale !== undefined, 'a type that partitions a table', { type })
  return { precision: Number(precision), scale: Number(scale) }
}

/** The fewest bytes that hold every unscaled value of so many digits. */
function decimalBytes(precision: number): number {
  let bytes = 1
  while (2n ** BigInt(8 * bytes - 1) <= 10n ** BigInt(precision) - 1n) bytes++
  return bytes
}

/** Big-endian two's complement in `size` bytes. */
function extended(value: Uint8Array, size: number): Buffer {
  const out = Buffer.alloc(size, (value[0] ?? 0) >= 128 ? 255 : 0)
  out.set(value.subarray(Math.max(0, value.length - size)), Math.max(0, size - value.length))
  return out
}

const signed = (value: Uint8Array): bigint => BigInt.asIntN(8 * value.length, BigInt(`0x0${hex(value)}`))

const isNan = (type: string, value: Uint8Array): boolean =>
  (type === 'float' && Number.isNaN(viewOf(value).getFloat32(0, true))) ||
  (type === 'double' && Number.isNaN(viewOf(value).getFloat64(0, true)))

function notANumber(kind: DataType['kind']): Uint8Array {
  return new Uint8Array(kind === 'float' ? Float32Array.of(Number.NaN).buffer : Float64Array.of(Number.NaN).buffer)
}

/** By the order of the type; longs may have the width of the ints that they were. */
const compareValues = (type: string, a: Uint8Array, b: Uint8Array): number => compareBounds(orderOf(type), a, b)

function orderOf(type: string): DataType {
  switch (type) {
    case 'boolean':
    case 'float':
    case 'double':
    case 'string':
    case 'binary':
      return { kind: type }
    case 'int':
    case 'date':
    case 'long':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return { kind: 'bigint' }
    default:
      return { kind: 'decimal', ...decimalOf(type) }
  }
}
