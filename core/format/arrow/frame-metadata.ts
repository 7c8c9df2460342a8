/**
 * A frame's metadata: one layout of ours, with fixed-width custom metadata at fixed places, so that bucket, offset and timestamp are
 * patched without parsing. Positions from its start (uoffsets point forward only):
 *   0 root · 8 vtable and 24 table of Message · 48 vtable of KeyValue · 56 vector of 4 KeyValues · 76 their tables ·
 *   124 their keys and values, fixed width · 268 partition · then, aligned to 8: RecordBatch vtable and table, nodes, buffers.
 */
import { assert } from '../../kernel/assert.ts'
import { utf8, utf8Text, viewOf } from '../../kernel/bytes.ts'
import { SluiceError } from '../../kernel/errors.ts'
import type { ColumnBuffers } from './column-buffers.ts'
import { messageKind } from './message.ts'
import { padded } from './take.ts'

/** Where a frame's rows lie: row i is at offset + i. */
export interface FramePosition {
  /** Fixed when the frame is made. */
  readonly partition: string
  /** 0 … 9999 */
  readonly bucket: number
  readonly offset: bigint
  /** ms since 1970 */
  readonly timestamp: number
}

/** What a committed frame is patched with. */
export type PatchPosition = Omit<FramePosition, 'partition'>

/** In bytes, of a frame with so many nodes and buffers. */
export function metadataLength(partition: string, nodes: number, buffers: number): number {
  return 8 + recordBatchAt(utf8(partition)) + 40 + 8 + 16 * nodes + 8 + 16 * buffers
}

/** Everything before the body: the continuation marker, the length, the FlatBuffer. `room`: where it is written, if it is as long. */
export function encodeMetadata(
  rows: number,
  columns: readonly ColumnBuffers[],
  { partition = '', bucket = 0, offset = 0n, timestamp = 0 }: Partial<FramePosition>,
  room?: Uint8Array,
): Uint8Array {
  const shape = shapeOf(rows, columns, partition)
  if (last === undefined || !isAlike(last.shape, shape)) last = { shape, frame: encodeShape(rows, columns, partition) }
  const frame = room?.length === last.frame.length ? room : new Uint8Array(last.frame.length)
  frame.set(last.frame)
  patchInPlace(frame, { bucket, offset, timestamp })
  return frame
}

/** Frames that are made one after the other are often alike in all but their position. */
let last: { readonly shape: readonly (number | string)[]; readonly frame: Uint8Array } | undefined

function shapeOf(rows: number, columns: readonly ColumnBuffers[], partition: string): readonly (number | string)[] {
  const shape: (number | string)[] = [partition, rows]
  for (const { nodes, buffers } of columns) {
    shape.push(nodes.length, buffers.length)
    for (const node of nodes) shape.push(node)
    for (const { length } of buffers) shape.push(length)
  }
  return shape
}

function isAlike(a: readonly (number | string)[], b: readonly (number | string)[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

function encodeShape(rows: number, columns: readonly ColumnBuffers[], partitionName: string): Uint8Array {
  const partition = utf8(partitionName)
  const recordBatch = recordBatchAt(partition)
  const nodes = recordBatch + 40
  const nodeCount = columns.reduce((count, column) => count + column.nodes.length / 2, 0)
  const bufferCount = columns.reduce((count, column) => count + column.buffers.length, 0)
  const buffers = nodes + 8 + nodeCount * 16
  const metadataLength = buffers + 8 + bufferCount * 16
  const frame = new Uint8Array(8 + metadataLength)
  frame.set(template, 8)
  const view = new DataView(frame.buffer, 8)
  viewOf(frame).setInt32(0, -1, true)
  viewOf(frame).setInt32(4, metadataLength, true)
  view.setUint32(at.header, recordBatch + 16 - at.header, true)
  view.setUint32(at.partition, partition.length, true)
  frame.set(partition, 8 + at.partition + 4)
  writeRecordBatch(view, { recordBatch, nodes, buffers, rows })
  view.setUint32(nodes + 4, nodeCount, true)
  view.setUint32(buffers + 4, bufferCount, true)
  let node = nodes + 8
  let buffer = buffers + 8
  let bytes = 0
  for (const column of columns) {
    for (const value of column.nodes) {
      setInt64(view, node, value)
      node += 8
    }
    for (const { length } of column.buffers) {
      setInt64(view, buffer, bytes)
      setInt64(view, buffer + 8, length)
      buffer += 16
      bytes += padded(length)
    }
  }
  setInt64(view, at.bodyLength, bytes)
  return frame
}

const recordBatchAt = (partition: Uint8Array): number => padded(at.partition + 4 + partition.length + 1)

/** For bytes that nobody else holds. */
export function patchInPlace(frame: Uint8Array, position: PatchPosition): void {
  checkOurs(frame)
  writeDigits(frame, 8 + at.bucket, 4, position.bucket.toString())
  writeDigits(frame, 8 + at.offset, 19, position.offset.toString())
  writeDigits(frame, 8 + at.timestamp, 13, Math.max(0, Math.trunc(position.timestamp)).toString())
}

export function readPosition(frame: Uint8Array): FramePosition {
  checkOurs(frame)
  const length = viewOf(frame).getUint32(8 + at.partition, true)
  const start = 8 + at.partition + 4
  if (start + length > frame.length) throw broken('its partition lies outside')
  return {
    partition: textOf(frame.subarray(start, start + length)),
    bucket: Number(digits(frame, 8 + at.bucket, 4)),
    offset: BigInt(digits(frame, 8 + at.offset, 19)),
    timestamp: Number(digits(frame, 8 + at.timestamp, 13)),
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    return utf8Text(bytes)
  } catch {
    throw broken('its partition is not UTF-8')
  }
}

const at = { header: 28, bodyLength: 32, bucket: 148, offset: 180, timestamp: 228, partition: 268 } as const
const template = makeTemplate()

function makeTemplate(): Uint8Array {
  const bytes = new Uint8Array(at.partition)
  const view = viewOf(bytes)
  view.setUint32(0, 24, true)
  setShorts(view, 8, [14, 24, 20, 22, 4, 8, 16])
  view.setInt32(24, 16, true)
  view.setUint32(40, 16, true)
  view.setInt16(44, 4, true)
  view.setUint8(46, messageKind.recordBatch)
  setShorts(view, 48, [8, 12, 4, 8])
  view.setUint32(56, 4, true)
  const entries = [
    { key: 244, value: at.partition, name: 'sluice.partition', width: 0 },
    { key: 124, value: at.bucket - 4, name: 'sluice.bucket', width: 4 },
    { key: 156, value: at.offset - 4, name: 'sluice.offset', width: 19 },
    { key: 200, value: at.timestamp - 4, name: 'sluice.timestamp', width: 13 },
  ]
  for (const [i, entry] of entries.entries()) {
    const table = 76 + 12 * i
    view.setUint32(60 + 4 * i, table - (60 + 4 * i), true)
    view.setInt32(table, table - 48, true)
    view.setUint32(table + 4, entry.key - (table + 4), true)
    view.setUint32(table + 8, entry.value - (table + 8), true)
    view.setUint32(entry.key, entry.name.length, true)
    bytes.set(utf8(entry.name), entry.key + 4)
    if (entry.width > 0) view.setUint32(entry.value, entry.width, true)
  }
  return bytes
}

function writeRecordBatch(view: DataView, to: { recordBatch: number; nodes: number; buffers: number; rows: number }): void {
  setShorts(view, to.recordBatch, [10, 24, 8, 4, 16])
  const table = to.recordBatch + 16
  view.setInt32(table, 16, true)
  view.setUint32(table + 4, to.nodes + 4 - (table + 4), true)
  setInt64(view, table + 8, to.rows)
  view.setUint32(table + 16, to.buffers + 4 - (table + 16), true)
}

function setShorts(view: DataView, position: number, values: readonly number[]): void {
  for (let i = 0; i < values.length; i++) view.setUint16(position + 2 * i, values[i] as number, true)
}

function setInt64(view: DataView, position: number, value: number): void {
  view.setUint32(position, value >>> 0, true)
  view.setInt32(position + 4, Math.floor(value / 0x100000000), true)
}

function writeDigits(frame: Uint8Array, position: number, width: number, text: string): void {
  assert(text.length <= width && text.charCodeAt(0) !== 0x2d, 'a position fits its field', { text })
  const zeros = width - text.length
  for (let i = 0; i < width; i++) frame[position + i] = i < zeros ? 0x30 : text.charCodeAt(i - zeros)
}

function digits(frame: Uint8Array, position: number, width: number): string {
  let text = ''
  for (let i = 0; i < width; i++) text += String.fromCharCode(frame[position + i] as number)
  if (!/^[0-9]+$/.test(text)) throw broken('its position is not a number')
  return text
}

/** Whether the metadata has our layout: the root, and the widths before each patched value. */
function checkOurs(frame: Uint8Array): void {
  if (frame.length < 8 + at.partition + 4) throw broken('it is cut off')
  const view = viewOf(frame)
  const word = (position: number): number => view.getUint32(8 + position, true)
  if (word(0) !== 24 || word(at.bucket - 4) !== 4 || word(at.offset - 4) !== 19 || word(at.timestamp - 4) !== 13) {
    throw broken('its metadata has not our layout')
  }
}

const broken = (what: string): SluiceError => new SluiceError('internal', `a stored frame is damaged: ${what}`)
