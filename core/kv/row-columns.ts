/**
 * Rows as bytes (row.ts) from columns and back, column by column, without a value each: what a row has is moved as it lies, but for
 * booleans, which are bits in a column, short times, and what is nested, which goes by way of values.
 */
import { setBit } from '../format/arrow/bits.ts'
import type { ColumnData } from '../format/arrow/column.ts'
import { bitmapBytes, isValid, widthOf } from '../format/arrow/layout.ts'
import { assert } from '../kernel/assert.ts'
import { putBytes, type Span } from '../kernel/bytes.ts'
import type { DataType } from '../model/types.ts'
import { damagedRow, decodeValue, encodeValue } from './row.ts'
import { columnOf, type Value, valuesOf } from './values.ts'

/** One row lies behind the other. */
export function encodeRows(columns: readonly ColumnData[], rows: number): readonly Span[] {
  const nested = columns.map((column) => (isNested(column.type) ? encodedValues(column) : undefined))
  const bitBytes = (columns.length + 7) >>> 3
  const ends = new Uint32Array(rows).fill(bitBytes)
  for (const [i, column] of columns.entries()) addLengths(ends, column, nested[i])
  const cursors = new Uint32Array(rows)
  let total = 0
  for (let row = 0; row < rows; row++) {
    cursors[row] = total + bitBytes
    total += ends[row] as number
    ends[row] = total
  }
  const bytes = new Uint8Array(total)
  for (const [i, column] of columns.entries()) {
    if (column.nullCount > 0) putNullBits(bytes, ends, column, i)
    putColumn(bytes, cursors, column, nested[i])
  }
  return Array.from(ends, (end, row) => ({ bytes, start: row === 0 ? 0 : (ends[row - 1] as number), end }))
}

/** Of rows of these types. Errors: `internal`: they are not. */
export function decodeColumns(types: readonly DataType[], rows: readonly Span[]): readonly ColumnData[] {
  const bitBytes = (types.length + 7) >>> 3
  const cursors = Float64Array.from(rows, ({ start }) => start + bitBytes)
  const nulls = anyNulls(rows, bitBytes)
  const columns = types.map((type, i) => takeColumn(type, rows, cursors, i, isSet(nulls, i)))
  for (const [i, { end }] of rows.entries()) if (cursors[i] !== end) throw damagedRow()
  return columns
}

const isNested = ({ kind }: DataType): boolean => kind === 'array' || kind === 'map' || kind === 'row' || kind === 'vector'
const isText = ({ kind }: DataType): boolean => kind === 'string' || kind === 'binary'

/** In a row. */
const storedWidth = (type: DataType): number => (type.kind === 'boolean' ? 1 : type.kind === 'time' ? 8 : widthOf(type))

/** Undefined: null. */
const encodedValues = (column: ColumnData): readonly (Uint8Array | undefined)[] =>
  valuesOf(column).map((value) => (value === null ? undefined : encodeValue(column.type, value)))

function addLengths(lengths: Uint32Array, column: ColumnData, nested: readonly (Uint8Array | undefined)[] | undefined): void {
  const { type, offsets, nullCount } = column
  const width = storedWidth(type)
  for (let row = 0; row < lengths.length; row++) {
    if (nullCount > 0 && !isValid(column, row)) continue
    const before = lengths[row] as number
    if (nested !== undefined) lengths[row] = before + (nested[row]?.length ?? 0)
    else if (isText(type)) lengths[row] = before + 4 + lengthAt(offsets, row)
    else lengths[row] = before + width
  }
}

function lengthAt(offsets: Int32Array | undefined, row: number): number {
  assert(offsets !== undefined, 'a column of text has offsets')
  return (offsets[row + 1] as number) - (offsets[row] as number)
}

function putNullBits(bytes: Uint8Array, ends: Uint32Array, column: ColumnData, index: number): void {
  for (let row = 0; row < ends.length; row++) {
    if (isValid(column, row)) continue
    const at = (row === 0 ? 0 : (ends[row - 1] as number)) + (index >>> 3)
    bytes[at] = (bytes[at] as number) | (1 << (index & 7))
  }
}

function putColumn(
  out: Uint8Array,
  cursors: Uint32Array,
  column: ColumnData,
  nested: readonly (Uint8Array | undefined)[] | undefined,
): void {
  const { type, values = noBytes, offsets, nullCount } = column
  const width = storedWidth(type)
  for (let row = 0; row < cursors.length; row++) {
    if (nullCount > 0 && !isValid(column, row)) continue
    const at = cursors[row] as number
    if (nested !== undefined) {
      const value = nested[row] as Uint8Array
      putBytes(out, at, value)
      cursors[row] = at + value.length
    } else if (isText(type)) {
      const length = lengthAt(offsets, row)
      const from = offsets?.[row] as number
      putLength(out, at, length)
      putBytes(out, at + 4, values, from, from + length)
      cursors[row] = at + 4 + length
    } else {
      putFixed(out, at, type, values, row)
      cursors[row] = at + width
    }
  }
}

function putLength(out: Uint8Array, at: number, length: number): void {
  out[at] = length
  out[at + 1] = length >>> 8
  out[at + 2] = length >>> 16
  out[at + 3] = length >>> 24
}

function putFixed(out: Uint8Array, at: number, type: DataType, values: Uint8Array, row: number): void {
  const width = widthOf(type)
  if (type.kind === 'boolean') out[at] = ((values[row >>> 3] as number) >>> (row & 7)) & 1
  else for (let i = 0, from = row * width; i < width; i++) out[at + i] = values[from + i] as number
  // what is shorter in a column is below a day, so the bytes that are missing are zero
}

/** A bit for each column in which some row is null. */
function anyNulls(rows: readonly Span[], bitBytes: number): Uint8Array {
  const nulls = new Uint8Array(bitBytes)
  for (const { bytes, start } of rows)
    for (let i = 0; i < bitBytes; i++) nulls[i] = (nulls[i] as number) | (bytes[start + i] as number)
  return nulls
}

function takeColumn(type: DataType, rows: readonly Span[], cursors: Float64Array, index: number, hasNulls: boolean): ColumnData {
  const { length } = rows
  const validity = hasNulls ? new Uint8Array(bitmapBytes(length)) : undefined
  let nullCount = 0
  for (let i = 0; i < length && validity !== undefined; i++) {
    const { bytes, start } = rows[i] as Span
    if (isNullIn(bytes, start, index)) nullCount += 1
    else setBit(validity, i)
  }
  if (isNested(type)) return columnOf(type, takeValues(type, rows, cursors, validity))
  const parts = isText(type) ? takeText(rows, cursors, validity) : takeFixed(type, rows, cursors, validity)
  const base = { type, length, nullCount, validity, offsets: undefined, children: [] }
  return { ...base, ...parts }
}

const isSet = (bits: Uint8Array, at: number): boolean => (((bits[at >>> 3] as number) >>> (at & 7)) & 1) === 1
const isNullIn = (bytes: Uint8Array, start: number, index: number): boolean =>
  (((bytes[start + (index >>> 3)] as number) >>> (index & 7)) & 1) === 1

function takeValues(
  type: DataType,
  rows: readonly Span[],
  cursors: Float64Array,
  validity: Uint8Array | undefined,
): readonly Value[] {
  return rows.map(({ bytes, end }, i) => {
    if (validity !== undefined && !isSet(validity, i)) return null
    const { value, bytes: taken } = decodeValue(type, bytes.subarray(cursors[i] as number, end))
    cursors[i] = (cursors[i] as number) + taken
    return value
  })
}

function takeText(
  rows: readonly Span[],
  cursors: Float64Array,
  validity: Uint8Array | undefined,
): { readonly offsets: Int32Array; readonly values: Uint8Array } {
  const offsets = new Int32Array(rows.length + 1)
  let total = 0
  for (let i = 0; i < rows.length; i++) {
    if (validity === undefined || isSet(validity, i)) {
      const { bytes, end } = rows[i] as Span
      const at = cursors[i] as number
      if (at + 4 > end) throw damagedRow()
      const length =
        (bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24)
      if (length < 0 || at + 4 + length > end) throw damagedRow()
      total += length
    }
    offsets[i + 1] = total
  }
  assert(total <= 0x7fffffff, 'values fit 32-bit offsets', { at: total })
  const values = new Uint8Array(total)
  for (let i = 0; i < rows.length; i++) {
    if (validity !== undefined && !isSet(validity, i)) continue
    const at = (cursors[i] as number) + 4
    const length = lengthAt(offsets, i)
    putBytes(values, offsets[i] as number, (rows[i] as Span).bytes, at, at + length)
    cursors[i] = at + length
  }
  return { offsets, values }
}

function takeFixed(
  type: DataType,
  rows: readonly Span[],
  cursors: Float64Array,
  validity: Uint8Array | undefined,
): { readonly values: Uint8Array } {
  const stored = storedWidth(type)
  const isBoolean = type.kind === 'boolean'
  const width = widthOf(type)
  const values = new Uint8Array(isBoolean ? bitmapBytes(rows.length) : rows.length * width)
  for (let i = 0; i < rows.length; i++) {
    if (validity !== undefined && !isSet(validity, i)) continue
    const { bytes, end } = rows[i] as Span
    const at = cursors[i] as number
    if (at + stored > end) throw damagedRow()
    if (!isBoolean) for (let k = 0, to = i * width; k < width; k++) values[to + k] = bytes[at + k] as number
    else if (bytes[at] === 1) setBit(values, i)
    cursors[i] = at + stored
  }
  return { values }
}

const noBytes = new Uint8Array(0)
