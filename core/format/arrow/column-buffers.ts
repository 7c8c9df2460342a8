/**
 * A column as a frame's body holds it: the nodes and buffers that Arrow writes for it and its children, in order. Buffers are
 * views: a column goes from one frame into another without being decoded. Stored ones are ours and checksummed, so text is not
 * checked again when they are decoded; but every length and offset is, so that damage ends in an error and never in wrong memory
 * or an endless loop.
 */
import { SluiceError } from '../../kernel/errors.ts'
import type { DataType } from '../../model/types.ts'
import type { ColumnData, Field } from './column.ts'
import { bitmapBytes, bytesOf, childFields, hasOffsets, int32s, widthOf } from './layout.ts'
import { padded, usedValues } from './take.ts'

export interface ColumnBuffers {
  /** length, null count, length, null count … */
  readonly nodes: readonly number[]
  readonly buffers: readonly Uint8Array[]
  /** All buffers, padded, where they lie in one piece. */
  readonly range?: Uint8Array
}

const nothing = new Uint8Array(0)

/** The validity bitmap of a column without nulls is left out. */
export function buffersOf(column: ColumnData): ColumnBuffers {
  const nodes: number[] = []
  const buffers: Uint8Array[] = []
  addColumn(nodes, buffers, column)
  return { nodes, buffers }
}

function addColumn(nodes: number[], buffers: Uint8Array[], column: ColumnData): void {
  nodes.push(column.length, column.nullCount)
  buffers.push(column.nullCount === 0 ? nothing : (column.validity?.subarray(0, bitmapBytes(column.length)) ?? nothing))
  if (column.offsets !== undefined) buffers.push(bytesOf(column.offsets.subarray(0, column.length + 1)))
  if (column.type.kind === 'map') {
    nodes.push(column.offsets?.[column.length] ?? 0, 0)
    buffers.push(nothing)
  }
  if (column.values !== undefined) buffers.push(usedValues(column))
  for (const child of column.children) addColumn(nodes, buffers, child)
}

/** All null, of a column that the rows were written without; every buffer is zeros, shared. */
export function nullBuffers(type: DataType, length: number): ColumnBuffers {
  const nodes: number[] = []
  const buffers: Uint8Array[] = []
  addNulls(nodes, buffers, type, { length, nulls: length })
  return { nodes, buffers }
}

function addNulls(
  nodes: number[],
  buffers: Uint8Array[],
  type: DataType,
  { length, nulls }: { readonly length: number; readonly nulls: number },
): void {
  nodes.push(length, nulls)
  buffers.push(nulls === 0 ? nothing : zeros(bitmapBytes(length)))
  if (hasOffsets(type)) buffers.push(zeros(4 * (length + 1)))
  if (type.kind === 'map') {
    nodes.push(0, 0)
    buffers.push(nothing)
  }
  const children = childFields(type)
  if (type.kind === 'vector') return addNulls(nodes, buffers, { kind: 'float' }, { length: length * type.dimension, nulls: 0 })
  if (children.length === 0 && type.kind !== 'row') buffers.push(zeros(valueBytes(type, length)))
  const inner = type.kind === 'row' ? length : 0
  for (const child of children) addNulls(nodes, buffers, child.type, { length: inner, nulls: inner })
}

function valueBytes(type: DataType, length: number): number {
  if (hasOffsets(type)) return 0
  return type.kind === 'boolean' ? bitmapBytes(length) : length * widthOf(type)
}

let shared = new Uint8Array(64 * 1024)

function zeros(bytes: number): Uint8Array {
  if (bytes > shared.length) shared = new Uint8Array(2 ** Math.ceil(Math.log2(bytes)))
  return shared.subarray(0, bytes)
}

/** Where a column's buffers lie in the bytes of the column. */
export interface ColumnLayout {
  /** length, null count, length, null count … */
  readonly nodes: readonly number[]
  readonly buffers: readonly { readonly start: number; readonly length: number }[]
}

/** `bytes`: of the column, padding included. */
export function slicedBuffers({ nodes, buffers }: ColumnLayout, bytes: Uint8Array): ColumnBuffers {
  const slice = ({ start, length }: ColumnLayout['buffers'][number]): Uint8Array =>
    length === 0 ? nothing : length === bytes.length ? bytes : bytes.subarray(start, start + length)
  return { nodes, buffers: buffers.map(slice), range: bytes }
}

/** Whether the rows, the nulls and the bytes of a column tell its layout; otherwise only the metadata of its frame knows it. */
export const isFlat = ({ kind }: DataType): boolean => kind !== 'array' && kind !== 'map' && kind !== 'row'

/** `bytes`: of a flat column, padding included. */
export function flatLayout({ type }: Field, rows: number, nulls: number, bytes: Uint8Array): ColumnLayout {
  const lengths = [nulls === 0 ? 0 : bitmapBytes(rows)]
  if (type.kind === 'vector') lengths.push(0, 4 * rows * type.dimension)
  else if (hasOffsets(type)) lengths.push(4 * (rows + 1), textBytes(bytes, padded(lengths[0] as number) + 4 * rows))
  else lengths.push(valueBytes(type, rows))
  let start = 0
  const buffers = lengths.map((length) => {
    const buffer = { start, length }
    start += padded(length)
    return buffer
  })
  if (start !== bytes.length) throw damage('a column has not the bytes of its rows')
  return { nodes: type.kind === 'vector' ? [rows, nulls, rows * type.dimension, 0] : [rows, nulls], buffers }
}

/** The last offset of a text column. */
function textBytes(bytes: Uint8Array, at: number): number {
  if (at + 4 > bytes.length) throw damage('a column is shorter than its offsets')
  const end = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getInt32(at, true)
  if (end < 0) throw damage('an offset is negative')
  return end
}

/** Zero copy. */
export function decodeColumn(field: Field, rows: number, { nodes, buffers }: ColumnBuffers): ColumnData {
  const cursor = { nodes, buffers, node: 0, buffer: 0 }
  const column = readColumn(cursor, field, rows)
  if (cursor.node !== nodes.length || cursor.buffer !== buffers.length) throw damage('it has other columns than its schema')
  return column
}

interface Cursor extends ColumnBuffers {
  node: number
  buffer: number
}

function readColumn(cursor: Cursor, field: Field, length: number): ColumnData {
  const { type } = field
  const nullCount = nextNode(cursor, length)
  const bitmap = nextBuffer(cursor, nullCount === 0 ? 0 : bitmapBytes(length))
  const validity = nullCount === 0 ? undefined : bitmap
  const offsets = hasOffsets(type) ? readOffsets(nextBuffer(cursor, 4 * (length + 1)), length) : undefined
  const inner = offsets === undefined ? length : (offsets[length] as number)
  const base = { type, length, nullCount, validity, offsets }
  if (type.kind === 'map') {
    if (nextNode(cursor, inner) !== 0) throw damage('a map has null entries')
    nextBuffer(cursor, 0)
  }
  const children = childFields(type)
  if (children.length > 0 || type.kind === 'row') {
    const childLength = type.kind === 'vector' ? length * type.dimension : inner
    return { ...base, values: undefined, children: children.map((child) => readColumn(cursor, child, childLength)) }
  }
  const bytes = offsets !== undefined ? inner : type.kind === 'boolean' ? bitmapBytes(length) : length * widthOf(type)
  return { ...base, values: nextBuffer(cursor, bytes), children: [] }
}

function readOffsets(bytes: Uint8Array, length: number): Int32Array {
  const offsets = int32s(bytes, length + 1)
  if (offsets[0] !== 0) throw damage('offsets do not begin at 0')
  for (let i = 0; i < length; i++) if ((offsets[i] as number) > (offsets[i + 1] as number)) throw damage('offsets go back')
  return offsets
}

/** The null count of the next node, which has `length` rows. */
function nextNode(cursor: Cursor, length: number): number {
  const rows = cursor.nodes[cursor.node++]
  const nulls = cursor.nodes[cursor.node++]
  if (rows !== length || nulls === undefined) throw damage('a column has another length than its schema says')
  if (nulls < 0 || nulls > length) throw damage('a null count is not possible')
  return nulls
}

/** The first `bytes` bytes of the next buffer. */
function nextBuffer(cursor: Cursor, bytes: number): Uint8Array {
  const buffer = cursor.buffers[cursor.buffer++]
  if (buffer === undefined || buffer.length < bytes) throw damage('a buffer is shorter than its column')
  return buffer.subarray(0, bytes)
}

const damage = (what: string): SluiceError => new SluiceError('internal', `a stored frame is damaged: ${what}`)
