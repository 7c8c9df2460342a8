/**
 * Columns that were stored under a narrower type, in the wider one that the table has now (model/evolve.ts says which are wider).
 * Values stay what they were; so do their bounds.
 */
import { assert } from '../../kernel/assert.ts'
import { viewOf } from '../../kernel/bytes.ts'
import type { DataType } from '../../model/types.ts'
import type { ColumnData } from './column.ts'
import { bytesOf, float32s, int8s, int16s, int32s, widthOf } from './layout.ts'

/** A copy, but of a decimal, whose values have one width. */
export function widenColumn(column: ColumnData, to: DataType): ColumnData {
  const { type, length, values } = column
  if (type.kind === 'decimal' && to.kind === 'decimal') return { ...column, type: to }
  assert(values !== undefined, 'a column that is widened has values')
  if (type.kind === 'float') return { ...column, type: to, values: bytesOf(Float64Array.from(float32s(values, length))) }
  return { ...column, type: to, values: bytesOf(widened(integersOf(type, values, length), widthOf(to))) }
}

/** A single value of Iceberg of one type as one of the wider type. */
export function widenBound(bound: Uint8Array, from: DataType, to: DataType): Uint8Array {
  if (from.kind === 'float') return bytesOf(Float64Array.of(viewOf(bound).getFloat32(0, true)))
  if (to.kind !== 'bigint' || bound.length === 8) return bound
  return bytesOf(BigInt64Array.of(BigInt(viewOf(bound).getInt32(0, true))))
}

function integersOf({ kind }: DataType, values: Uint8Array, length: number): Int8Array | Int16Array | Int32Array {
  if (kind === 'tinyint') return int8s(values, length)
  if (kind === 'smallint') return int16s(values, length)
  assert(kind === 'int', 'an integer that can be widened', { kind })
  return int32s(values, length)
}

function widened(values: Int8Array | Int16Array | Int32Array, width: number): ArrayBufferView {
  if (width === 2) return Int16Array.from(values)
  if (width === 4) return Int32Array.from(values)
  // low words, and the sign in the high ones
  const words = new Int32Array(2 * values.length)
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number
    words[2 * i] = value
    words[2 * i + 1] = value >> 31
  }
  return words
}
