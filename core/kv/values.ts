/**
 * Rows as values, for what is decided row by row: keys, merges, changelogs. A value is a boolean for boolean; a bigint for
 * bigint, decimal (unscaled), time and timestamps (in the type's unit); a number for the other numbers and for date (days); bytes
 * for string (UTF-8) and binary; a list for array and vector, row (by field) and map (pairs of key and value).
 * Column by column in both directions. Bytes are views of the batch: who keeps a row for long copies them.
 */

import { setBit } from '../format/arrow/bits.ts'
import type { Batch, ColumnData, Field } from '../format/arrow/column.ts'
import {
  bitmapBytes,
  bytesOf,
  childFields,
  float32s,
  float64s,
  int8s,
  int16s,
  int32s,
  isValid,
  widthOf,
} from '../format/arrow/layout.ts'
import { assert } from '../kernel/assert.ts'
import { equalBytes } from '../kernel/bytes.ts'
import type { DataType } from '../model/types.ts'

export type Value = null | boolean | number | bigint | Uint8Array | readonly Value[]
/** Values in the order of a schema's columns. */
export type Row = readonly Value[]

export function rowsOf(batch: Batch): Row[] {
  const rows: Value[][] = []
  for (let row = 0; row < batch.rows; row++) rows.push(new Array<Value>(batch.columns.length))
  for (const [at, column] of batch.columns.entries()) {
    const values = valuesOf(column)
    for (let row = 0; row < batch.rows; row++) (rows[row] as Value[])[at] = values[row] as Value
  }
  return rows
}

/** A row that is shorter than the fields has nulls behind its end. */
export function batchOf(fields: readonly Field[], rows: readonly Row[]): Batch {
  const columns = fields.map((field, at) => {
    const values = new Array<Value>(rows.length)
    for (let row = 0; row < rows.length; row++) values[row] = (rows[row] as Row)[at] ?? null
    return columnOf(field.type, values)
  })
  return { rows: rows.length, fields, columns }
}

/** The same value: NaN is NaN, and 0 is not -0. */
export function equalValues(a: Value, b: Value): boolean {
  if (a instanceof Uint8Array) return b instanceof Uint8Array && equalBytes(a, b)
  if (!Array.isArray(a) || !Array.isArray(b)) return Object.is(a, b)
  return a.length === b.length && a.every((value, i) => equalValues(value, b[i]))
}

/** In bytes, about. */
export const sizeOf = (value: Value): number =>
  value instanceof Uint8Array ? value.length : Array.isArray(value) ? 8 + sizeOfAll(value) : 8

export const sizeOfAll = (values: readonly Value[]): number => values.reduce<number>((sum, value) => sum + sizeOf(value), 0)

/** No view of anything. */
export const copyOf = (value: Value): Value =>
  value instanceof Uint8Array ? value.slice() : Array.isArray(value) ? (value as Row).map(copyOf) : value

export function valuesOf(column: ColumnData): Value[] {
  const out = filledValues(column)
  if (column.nullCount > 0) for (let row = 0; row < out.length; row++) if (!isValid(column, row)) out[row] = null
  return out
}

/** Whatever lies in the slots of nulls, too. */
function filledValues({ type, length, values = noBytes, offsets, children }: ColumnData): Value[] {
  const out = new Array<Value>(length)
  switch (type.kind) {
    case 'boolean':
      for (let i = 0; i < length; i++) out[i] = (((values[i >>> 3] as number) >>> (i & 7)) & 1) === 1
      return out
    case 'string':
    case 'binary':
      assert(offsets !== undefined, `a column of ${type.kind} has offsets`)
      for (let i = 0; i < length; i++) out[i] = values.subarray(offsets[i] as number, offsets[i + 1] as number)
      return out
    case 'array':
    case 'map': {
      assert(offsets !== undefined, `a column of ${type.kind} has offsets`)
      const inner = type.kind === 'map' ? tuplesOf(children, offsets[length] as number) : valuesOf(children[0] as ColumnData)
      for (let i = 0; i < length; i++) out[i] = inner.slice(offsets[i] as number, offsets[i + 1] as number)
      return out
    }
    case 'row':
      return tuplesOf(children, length)
    case 'vector': {
      const inner = valuesOf(children[0] as ColumnData)
      for (let i = 0; i < length; i++) out[i] = inner.slice(i * type.dimension, (i + 1) * type.dimension)
      return out
    }
    case 'decimal':
      return decimals(int64s(values, 2 * length), out)
    default: {
      if (type.kind === 'time' && widthOf(type) === 4) {
        const numbers = int32s(values, length)
        for (let i = 0; i < length; i++) out[i] = BigInt(numbers[i] as number)
        return out
      }
      const numbers = numbersOf(type, values, length)
      for (let i = 0; i < length; i++) out[i] = numbers[i] as number | bigint
      return out
    }
  }
}

function tuplesOf(children: readonly ColumnData[], length: number): Value[] {
  const parts = children.map(valuesOf)
  const out: Value[] = []
  for (let i = 0; i < length; i++) out.push(parts.map((part) => part[i] as Value))
  return out
}

function decimals(words: BigInt64Array, out: Value[]): Value[] {
  for (let i = 0; i < out.length; i++) {
    const low = words[2 * i] as bigint
    const high = words[2 * i + 1] as bigint
    out[i] = high === (low < 0n ? -1n : 0n) ? low : (high << 64n) | BigInt.asUintN(64, low)
  }
  return out
}

type Numbers = Int8Array | Int16Array | Int32Array | Float32Array | Float64Array | BigInt64Array

function numbersOf(type: DataType, values: Uint8Array, length: number): Numbers {
  if (type.kind === 'float') return float32s(values, length)
  if (type.kind === 'double') return float64s(values, length)
  const width = widthOf(type)
  if (width === 1) return int8s(values, length)
  if (width === 2) return int16s(values, length)
  return width === 4 ? int32s(values, length) : int64s(values, length)
}

function int64s(bytes: Uint8Array, length: number): BigInt64Array {
  const words = float64s(bytes, length)
  return new BigInt64Array(words.buffer, words.byteOffset, length)
}

/** Values of another kind than the type's are a defect of the caller. */
export function columnOf(type: DataType, values: readonly Value[]): ColumnData {
  const { length } = values
  let nullCount = 0
  for (let i = 0; i < length; i++) if (values[i] === null) nullCount++
  const validity = nullCount === 0 ? undefined : validityOf(values)
  const base = { type, length, nullCount, validity, offsets: undefined, values: undefined, children: [] }
  switch (type.kind) {
    case 'boolean': {
      const bits = new Uint8Array(bitmapBytes(length))
      for (let i = 0; i < length; i++) if (values[i] === true) setBit(bits, i)
      return { ...base, values: bits }
    }
    case 'string':
    case 'binary':
      return { ...base, ...textParts(values) }
    case 'array':
    case 'map': {
      const offsets = offsetsOf(values)
      const inner: Value[] = []
      for (const list of values) if (list !== null) for (const value of list as Row) inner.push(value)
      const children = type.kind === 'map' ? childrenOf(type, inner) : [columnOf(type.element, inner)]
      return { ...base, offsets, children }
    }
    case 'row':
      return { ...base, children: childrenOf(type, values) }
    case 'vector': {
      const inner = new Array<Value>(length * type.dimension).fill(0)
      for (let i = 0; i < length; i++) {
        for (const [k, value] of ((values[i] as Row | null) ?? []).entries()) inner[i * type.dimension + k] = value
      }
      return { ...base, children: [columnOf({ kind: 'float' }, inner)] }
    }
    default:
      return { ...base, values: fixedOf(type, values) }
  }
}

function validityOf(values: readonly Value[]): Uint8Array {
  const bits = new Uint8Array(bitmapBytes(values.length))
  for (let i = 0; i < values.length; i++) if (values[i] !== null) setBit(bits, i)
  return bits
}

function childrenOf(type: DataType, tuples: readonly Value[]): ColumnData[] {
  return childFields(type).map((child, at) =>
    columnOf(
      child.type,
      tuples.map((tuple) => (tuple as Row | null)?.[at] ?? null),
    ),
  )
}

function offsetsOf(values: readonly Value[]): Int32Array {
  const offsets = new Int32Array(values.length + 1)
  let at = 0
  for (let i = 0; i < values.length; i++) {
    at += (values[i] as { readonly length: number } | null)?.length ?? 0
    offsets[i + 1] = at
  }
  assert(at <= 0x7fffffff, 'values fit 32-bit offsets', { at })
  return offsets
}

function textParts(values: readonly Value[]): { readonly offsets: Int32Array; readonly values: Uint8Array } {
  const offsets = offsetsOf(values)
  const out = new Uint8Array(offsets[values.length] as number)
  for (let i = 0; i < values.length; i++) {
    const bytes = values[i] as Uint8Array | null
    if (bytes === null) continue
    let to = offsets[i] as number
    if (bytes.length > 64) out.set(bytes, to)
    else for (let k = 0; k < bytes.length; k++) out[to++] = bytes[k] as number
  }
  return { offsets, values: out }
}

function fixedOf(type: DataType, values: readonly Value[]): Uint8Array {
  const { length } = values
  const bytes = new Uint8Array(length * widthOf(type))
  if (type.kind === 'decimal') {
    const words = int64s(bytes, 2 * length)
    for (let i = 0; i < length; i++) {
      const value = values[i] as bigint | null
      if (value === null) continue
      words[2 * i] = value
      words[2 * i + 1] = value >> 64n
    }
    return bytes
  }
  const numbers = numbersOf(type, bytes, length)
  if (numbers instanceof BigInt64Array) {
    for (let i = 0; i < length; i++) numbers[i] = (values[i] as bigint | null) ?? 0n
  } else for (let i = 0; i < length; i++) numbers[i] = Number(values[i])
  return bytesOf(numbers)
}

const noBytes = new Uint8Array(0)
