/**
 * Column types, as values. Text form (contract): `boolean tinyint smallint int bigint float double decimal(p,s) string
 * binary date time(p) timestamp(p) timestamp_ltz(p) array<t> map<k,v> row<name t, …> vector(n)`; see parseType, printType.
 * Arrow layout of each (core/format/arrow/layout): Bool Int8 Int16 Int32 Int64 Float32 Float64 Decimal128 Utf8 Binary
 * Date32 Time32(s, ms)/Time64(µs, ns) Timestamp(unit, no zone) Timestamp(unit, 'UTC') List Map Struct FixedSizeList<Float32>.
 * Precision p: 0 s, 1–3 ms, 4–6 µs, 7–9 ns.
 */
export type DataType =
  | { readonly kind: 'boolean' | 'tinyint' | 'smallint' | 'int' | 'bigint' | 'float' | 'double' | 'string' | 'binary' | 'date' }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'time' | 'timestamp' | 'timestamp_ltz'; readonly precision: number }
  | { readonly kind: 'array'; readonly element: DataType; readonly elementId: number }
  | { readonly kind: 'map'; readonly key: DataType; readonly keyId: number; readonly value: DataType; readonly valueId: number }
  | { readonly kind: 'row'; readonly fields: readonly RowField[] }
  | { readonly kind: 'vector'; readonly dimension: number; readonly elementId: number }

/** Ids of nested fields come from the same counter as column ids; 0 where none is assigned yet (before create). */
export interface RowField {
  readonly id: number
  readonly name: string
  readonly type: DataType
}

export type TypeKind = DataType['kind']
export type TimeUnit = 's' | 'ms' | 'us' | 'ns'

export const unitOfPrecision = (precision: number): TimeUnit =>
  precision === 0 ? 's' : precision <= 3 ? 'ms' : precision <= 6 ? 'us' : 'ns'
