/**
 * A frame's body as columns, zero copy. The bytes are ours and checksummed, so text is not checked again; but every length and
 * offset is, so that damage ends in an error and never in wrong memory or an endless loop.
 */
import { SluiceError } from '../../kernel/errors.ts'
import type { Batch, ColumnData, Field } from './column.ts'
import { bitmapBytes, childFields, hasOffsets, int32s, widthOf } from './layout.ts'

/** A range of the body; for nodes `length` and, in `offset`, the null count. */
export interface FrameBuffer {
  readonly offset: number
  readonly length: number
}

export interface FrameBody {
  readonly rows: number
  readonly fields: readonly Field[]
  readonly nodes: readonly FrameBuffer[]
  readonly buffers: readonly FrameBuffer[]
  readonly body: Uint8Array
}

export function decodeBody(frame: FrameBody): Batch {
  const cursor = { ...frame, node: 0, buffer: 0 }
  const columns = frame.fields.map((field) => readColumn(cursor, field, frame.rows))
  if (cursor.node !== frame.nodes.length || cursor.buffer !== frame.buffers.length)
    throw damage('it has other columns than its schema')
  return { rows: frame.rows, fields: frame.fields, columns }
}

interface Cursor extends FrameBody {
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
  const node = cursor.nodes[cursor.node++]
  if (node === undefined || node.length !== length) throw damage('a column has another length than its schema says')
  if (node.offset < 0 || node.offset > length) throw damage('a null count is not possible')
  return node.offset
}

/** The first `bytes` bytes of the next buffer. */
function nextBuffer(cursor: Cursor, bytes: number): Uint8Array {
  const buffer = cursor.buffers[cursor.buffer++]
  if (buffer === undefined || buffer.length < bytes) throw damage('a buffer is shorter than its column')
  return cursor.body.subarray(buffer.offset, buffer.offset + bytes)
}

const damage = (what: string): SluiceError => new SluiceError('internal', `a stored frame is damaged: ${what}`)
