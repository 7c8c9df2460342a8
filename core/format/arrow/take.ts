/**
 * Parts and rearrangements of batches: slice, gather, concat, split. Results share buffers with their source wherever they
 * can. Hot: loops over typed arrays, no object a row, and 64-bit values as pairs of 32-bit words.
 */
import { assert } from '../../kernel/assert.ts'
import { countBits, gatherBits, placeBits, sliceBits } from './bits.ts'
import type { Batch, ColumnData } from './column.ts'
import { bitmapBytes, bytesOf, childFields, hasOffsets, int16s, int32s, widthOf } from './layout.ts'

/** Rows [start, end). */
export function sliceBatch(batch: Batch, start: number, end: number): Batch {
  if (start === 0 && end === batch.rows) return batch
  assert(start >= 0 && start <= end && end <= batch.rows, 'a slice lies inside its batch', { start, end, rows: batch.rows })
  return { rows: end - start, fields: batch.fields, columns: batch.columns.map((column) => sliceColumn(column, start, end)) }
}

/** The rows at these indices, in this order; every index is below `batch.rows`. */
export function gatherBatch(batch: Batch, indices: Uint32Array): Batch {
  return { rows: indices.length, fields: batch.fields, columns: batch.columns.map((column) => gatherColumn(column, indices)) }
}

/** All rows of batches of the same fields, in order; at least one batch. */
export function concatBatches(batches: readonly Batch[]): Batch {
  const [first] = batches
  assert(first !== undefined, 'there is a batch to concatenate')
  if (batches.length === 1) return first
  const rows = batches.reduce((sum, batch) => sum + batch.rows, 0)
  const columns = first.columns.map((_, i) => concatColumns(batches.map((batch) => batch.columns[i] as ColumnData)))
  return { rows, fields: first.fields, columns }
}

/** In order, each at most `bytesMax` of Arrow buffers or one row; a batch without rows gives none. */
export function splitBatch(batch: Batch, bytesMax: number): readonly Batch[] {
  if (batch.rows === 0) return []
  if (batchBytes(batch) <= bytesMax) return [batch]
  const parts: Batch[] = []
  for (let start = 0; start < batch.rows; ) {
    const end = splitEnd(batch, start, bytesMax)
    parts.push(sliceBatch(batch, start, end))
    start = end
  }
  return parts
}

/** Bytes of the buffers as they lie in a frame's body, each padded to 8. */
export function batchBytes(batch: Batch): number {
  return rangeBytes(batch, 0, batch.rows)
}

/** The greatest end such that [start, end) takes at most `bytesMax`; at least one row. */
function splitEnd(batch: Batch, start: number, bytesMax: number): number {
  let low = start + 1
  let high = batch.rows
  if (rangeBytes(batch, start, high) <= bytesMax) return high
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (rangeBytes(batch, start, middle) <= bytesMax) low = middle
    else high = middle - 1
  }
  return low
}

function rangeBytes(batch: Batch, start: number, end: number): number {
  let sum = 0
  for (const column of batch.columns) sum += columnBytes(column, start, end)
  return sum
}

/** Bytes of rows [start, end) of a column in a frame's body. */
export function columnBytes(column: ColumnData, start = 0, end = column.length): number {
  const { type } = column
  const rows = end - start
  let sum = column.validity === undefined ? 0 : padded(bitmapBytes(rows))
  if (type.kind === 'boolean') return sum + padded(bitmapBytes(rows))
  const width = widthOf(type)
  if (width > 0) return sum + padded(rows * width)
  if (type.kind === 'vector') return sum + padded(rows * type.dimension * 4)
  let from = start
  let to = end
  if (column.offsets !== undefined) {
    sum += padded(4 * (rows + 1))
    from = column.offsets[start] as number
    to = column.offsets[end] as number
  }
  if (column.children.length === 0) return sum + padded(to - from)
  for (const child of column.children) sum += columnBytes(child, from, to)
  return sum
}

export const padded = (bytes: number): number => Math.ceil(bytes / 8) * 8

export function sliceColumn(column: ColumnData, start: number, end: number): ColumnData {
  if (start === 0 && end === column.length) return column
  const { type } = column
  const length = end - start
  const bits = column.validity === undefined ? undefined : sliceBits(column.validity, start, end)
  const nullCount = bits === undefined ? 0 : length - countBits(bits, length)
  const validity = nullCount === 0 ? undefined : bits
  const base = { type, length, nullCount, validity, offsets: undefined, values: undefined, children: [] }
  if (column.offsets !== undefined) {
    const offsets = rebase(column.offsets, start, end)
    const from = column.offsets[start] as number
    const to = column.offsets[end] as number
    const values = column.values?.subarray(from, to)
    return { ...base, offsets, values, children: column.children.map((child) => sliceColumn(child, from, to)) }
  }
  if (type.kind === 'row') return { ...base, children: column.children.map((child) => sliceColumn(child, start, end)) }
  if (type.kind === 'vector') {
    return { ...base, children: column.children.map((child) => sliceColumn(child, start * type.dimension, end * type.dimension)) }
  }
  const values = valuesOf(column)
  if (type.kind === 'boolean') return { ...base, values: sliceBits(values, start, end) }
  const width = widthOf(type)
  return { ...base, values: values.subarray(start * width, end * width) }
}

/** Offsets [start, end] less the first. */
export function rebase(offsets: Int32Array, start: number, end: number): Int32Array {
  const first = offsets[start] as number
  const view = offsets.subarray(start, end + 1)
  if (first === 0) return view
  const out = new Int32Array(view.length)
  for (let i = 0; i < out.length; i++) out[i] = (view[i] as number) - first
  return out
}

export function gatherColumn(column: ColumnData, indices: Uint32Array): ColumnData {
  const { type } = column
  const length = indices.length
  const bits = column.validity === undefined ? undefined : gatherBits(column.validity, indices)
  const nullCount = bits === undefined ? 0 : length - countBits(bits, length)
  const validity = nullCount === 0 ? undefined : bits
  const base = { type, length, nullCount, validity, offsets: undefined, values: undefined, children: [] }
  switch (type.kind) {
    case 'boolean':
      return { ...base, values: gatherBits(valuesOf(column), indices) }
    case 'string':
    case 'binary':
      return { ...base, ...gatherVariable(column, indices) }
    case 'array':
    case 'map': {
      const { offsets, inner } = gatherRanges(offsetsOf(column), indices)
      return { ...base, offsets, children: column.children.map((child) => gatherColumn(child, inner)) }
    }
    case 'row':
      return { ...base, children: column.children.map((child) => gatherColumn(child, indices)) }
    case 'vector': {
      const [child] = column.children
      assert(child !== undefined, 'a vector has a child')
      const values = gatherFixed(valuesOf(child), indices, type.dimension * 4)
      return { ...base, children: [{ ...child, length: length * type.dimension, nullCount: 0, validity: undefined, values }] }
    }
    default:
      return { ...base, values: gatherFixed(valuesOf(column), indices, widthOf(type)) }
  }
}

function gatherFixed(values: Uint8Array, indices: Uint32Array, width: number): Uint8Array {
  const n = indices.length
  if (width === 1) {
    const out = new Uint8Array(n)
    for (let i = 0; i < n; i++) out[i] = values[indices[i] as number] as number
    return out
  }
  if (width === 2) {
    const from = int16s(values, values.length >>> 1)
    const out = new Int16Array(n)
    for (let i = 0; i < n; i++) out[i] = from[indices[i] as number] as number
    return bytesOf(out)
  }
  const from = int32s(values, values.length >>> 2)
  const words = width >>> 2
  const out = new Int32Array(n * words)
  if (words === 1) for (let i = 0; i < n; i++) out[i] = from[indices[i] as number] as number
  else if (words === 2) {
    for (let i = 0; i < n; i++) {
      const at = (indices[i] as number) * 2
      out[2 * i] = from[at] as number
      out[2 * i + 1] = from[at + 1] as number
    }
  } else {
    for (let i = 0, to = 0; i < n; i++) {
      const at = (indices[i] as number) * words
      for (let k = 0; k < words; k++) out[to++] = from[at + k] as number
    }
  }
  return bytesOf(out)
}

function gatherVariable(column: ColumnData, indices: Uint32Array): { offsets: Int32Array; values: Uint8Array } {
  const from = offsetsOf(column)
  const values = valuesOf(column)
  const n = indices.length
  const offsets = new Int32Array(n + 1)
  let total = 0
  for (let i = 0; i < n; i++) {
    const at = indices[i] as number
    total += (from[at + 1] as number) - (from[at] as number)
    offsets[i + 1] = total
  }
  assert(total <= 0x7fffffff, 'gathered values fit 32-bit offsets', { total })
  const out = new Uint8Array(total)
  for (let i = 0, to = 0; i < n; i++) {
    const at = indices[i] as number
    const start = from[at] as number
    const end = from[at + 1] as number
    if (end - start > 64) {
      out.set(values.subarray(start, end), to)
      to += end - start
    } else for (let k = start; k < end; k++) out[to++] = values[k] as number
  }
  return { offsets, values: out }
}

function gatherRanges(from: Int32Array, indices: Uint32Array): { offsets: Int32Array; inner: Uint32Array } {
  const n = indices.length
  const offsets = new Int32Array(n + 1)
  let total = 0
  for (let i = 0; i < n; i++) {
    const at = indices[i] as number
    total += (from[at + 1] as number) - (from[at] as number)
    offsets[i + 1] = total
  }
  assert(total <= 0x7fffffff, 'gathered elements fit 32-bit offsets', { total })
  const inner = new Uint32Array(total)
  for (let i = 0, to = 0; i < n; i++) {
    const at = indices[i] as number
    const end = from[at + 1] as number
    for (let k = from[at] as number; k < end; k++) inner[to++] = k
  }
  return { offsets, inner }
}

export function concatColumns(columns: readonly ColumnData[]): ColumnData {
  const [first] = columns
  assert(first !== undefined, 'there is a column to concatenate')
  if (columns.length === 1) return first
  const { type } = first
  let length = 0
  let nullCount = 0
  for (const column of columns) {
    length += column.length
    nullCount += column.nullCount
  }
  const validity = nullCount === 0 ? undefined : concatBits(columns, length, (column) => column.validity)
  const base = { type, length, nullCount, validity, offsets: undefined, values: undefined }
  const children = childFields(type).map((_, i) => concatColumns(columns.map((column) => column.children[i] as ColumnData)))
  if (type.kind === 'boolean') return { ...base, values: concatBits(columns, length, valuesOf), children }
  if (type.kind === 'row' || type.kind === 'vector') return { ...base, children }
  const offsets = hasOffsets(type) ? concatOffsets(columns, length) : undefined
  if (children.length > 0) return { ...base, offsets, children }
  return { ...base, offsets, values: concatValues(columns), children }
}

function concatBits(
  columns: readonly ColumnData[],
  length: number,
  bits: (column: ColumnData) => Uint8Array | undefined,
): Uint8Array {
  const out = new Uint8Array(bitmapBytes(length))
  let at = 0
  for (const column of columns) {
    placeBits(out, at, bits(column), column.length)
    at += column.length
  }
  return out
}

function concatOffsets(columns: readonly ColumnData[], length: number): Int32Array {
  const out = new Int32Array(length + 1)
  let at = 0
  let base = 0
  for (const column of columns) {
    const offsets = offsetsOf(column)
    for (let i = 1; i <= column.length; i++) out[at + i] = base + (offsets[i] as number)
    at += column.length
    base += offsets[column.length] as number
    assert(base <= 0x7fffffff, 'concatenated values fit 32-bit offsets', { base })
  }
  return out
}

function concatValues(columns: readonly ColumnData[]): Uint8Array {
  const parts = columns.map(usedValues)
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** The values buffer cut to what the column's length says. */
export function usedValues(column: ColumnData): Uint8Array {
  const values = valuesOf(column)
  if (column.offsets !== undefined) return values.subarray(0, column.offsets[column.length] as number)
  return values.subarray(0, column.type.kind === 'boolean' ? bitmapBytes(column.length) : column.length * widthOf(column.type))
}

function valuesOf(column: ColumnData): Uint8Array {
  assert(column.values !== undefined, `a ${column.type.kind} column has values`)
  return column.values
}

function offsetsOf(column: ColumnData): Int32Array {
  assert(column.offsets !== undefined, `a ${column.type.kind} column has offsets`)
  return column.offsets
}
