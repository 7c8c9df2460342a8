/**
 * Frames: the RecordBatch messages of the log. A frame's metadata has one layout of ours, with fixed-width custom metadata at
 * fixed places, so that bucket, offset and timestamp are patched without parsing, and bodies pass through untouched. Any Arrow
 * reader takes it. Buffers are uncompressed, aligned to 8, in schema order, so a column's buffers are one range of the body.
 * Frames that were stored are ours: what does not decode is damage (`internal`), never the caller's fault.
 */
import { assert } from '../../kernel/assert.ts'
import { concat, utf8, utf8Text, viewOf } from '../../kernel/bytes.ts'
import { isSluiceError, SluiceError } from '../../kernel/errors.ts'
import type { Batch, ColumnData, Field } from './column.ts'
import { decodeBody, type FrameBuffer } from './frame-body.ts'
import { bufferCount, bytesOf } from './layout.ts'
import { firstOf, messageAt, messageKind, recordBatchHeader, secondOf } from './message.ts'
import { padded, sliceBatch, usedValues } from './take.ts'

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

export interface ScannedFrame {
  /** Of the FlatBuffer; the body begins 8 + metadataLength after the frame. */
  readonly metadataLength: number
  readonly bodyLength: number
  readonly rows: number
  /** Position after the frame. */
  readonly end: number
  /** Relative to the body. */
  readonly buffers: readonly FrameBuffer[]
  /** Per field [start, end) in the body of all its buffers; empty without fields. */
  readonly columnRanges: readonly { readonly start: number; readonly end: number }[]
}

/** One RecordBatch message. Validity bitmaps of columns without nulls are left out. */
export function encodeFrame(batch: Batch, position: Partial<FramePosition> = {}): Uint8Array {
  return concat(encodeFramePieces(batch, position).pieces)
}

/** A frame in pieces: its own metadata, then the columns' buffers as they lie, so that whoever writes it copies them once. */
export interface FramePieces {
  readonly pieces: readonly Uint8Array[]
  readonly bytes: number
  /** Of the first piece: everything before the body. */
  readonly metadataBytes: number
  readonly columns: readonly ColumnPieces[]
}

/** [start, end) in the body, padding included. */
export interface ColumnPieces {
  readonly start: number
  readonly end: number
  readonly pieces: readonly Uint8Array[]
}

export function encodeFramePieces(batch: Batch, position: Partial<FramePosition> = {}): FramePieces {
  const body: Body = { nodes: [], buffers: [], bytes: 0 }
  const columns = batch.columns.map((column) => {
    const start = body.bytes
    const first = body.buffers.length
    addColumn(body, column)
    return { start, end: body.bytes, pieces: body.buffers.slice(first).flatMap(withPadding) }
  })
  const metadata = encodeMetadata(batch, body, position)
  const pieces = [metadata, ...columns.flatMap((column) => column.pieces)]
  return { pieces, bytes: metadata.length + body.bytes, metadataBytes: metadata.length, columns }
}

function withPadding(buffer: Uint8Array): readonly Uint8Array[] {
  const missing = padded(buffer.length) - buffer.length
  return missing === 0 ? (buffer.length === 0 ? [] : [buffer]) : [buffer, paddings.subarray(0, missing)]
}

function encodeMetadata(batch: Batch, body: Body, position: Partial<FramePosition>): Uint8Array {
  const partition = utf8(position.partition ?? '')
  const recordBatch = padded(at.partition + 4 + partition.length + 1)
  const nodes = recordBatch + 40
  const buffers = nodes + 8 + body.nodes.length * 8
  const metadataLength = buffers + 8 + body.buffers.length * 16
  const frame = new Uint8Array(8 + metadataLength)
  frame.set(template, 8)
  const view = new DataView(frame.buffer, 8)
  viewOf(frame).setInt32(0, -1, true)
  viewOf(frame).setInt32(4, metadataLength, true)
  view.setUint32(at.header, recordBatch + 16 - at.header, true)
  setInt64(view, at.bodyLength, body.bytes)
  view.setUint32(at.partition, partition.length, true)
  frame.set(partition, 8 + at.partition + 4)
  writeRecordBatch(view, { recordBatch, nodes, buffers, rows: batch.rows })
  view.setUint32(nodes + 4, body.nodes.length / 2, true)
  for (let i = 0; i < body.nodes.length; i++) setInt64(view, nodes + 8 + 8 * i, body.nodes[i] as number)
  view.setUint32(buffers + 4, body.buffers.length, true)
  let offset = 0
  for (let i = 0; i < body.buffers.length; i++) {
    const { length } = body.buffers[i] as Uint8Array
    setInt64(view, buffers + 8 + 16 * i, offset)
    setInt64(view, buffers + 16 + 16 * i, length)
    offset += padded(length)
  }
  patchInPlace(frame, { bucket: position.bucket ?? 0, offset: position.offset ?? 0n, timestamp: position.timestamp ?? 0 })
  return frame
}

/** A copy of the frame at another position; the partition stays. */
export function patchFrame(frame: Uint8Array, position: PatchPosition): Uint8Array {
  const copy = frame.slice()
  patchInPlace(copy, position)
  return copy
}

/** As patchFrame, for a frame whose bytes nobody else holds. */
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

/** Our own frame, zero copy. `fields`: those of the schema under which it was encoded. */
export function decodeFrame(frame: Uint8Array, fields: readonly Field[]): Batch {
  return asDamage(() => {
    const scanned = scan(frame, 0, fields)
    const bodyStart = 8 + scanned.metadataLength
    const body = frame.subarray(bodyStart, bodyStart + scanned.bodyLength)
    return decodeBody({ rows: scanned.rows, fields, nodes: scanned.nodes, buffers: scanned.buffers, body })
  })
}

/** Metadata of the frame at `position` without touching its body. */
export function scanFrame(bytes: Uint8Array, position: number, fields: readonly Field[] = []): ScannedFrame {
  return asDamage(() => scan(bytes, position, fields))
}

/** Rows [start, end) of a frame as a frame of its own, at the offset of its first row. */
export function sliceFrame(frame: Uint8Array, fields: readonly Field[], start: number, end: number): Uint8Array {
  const position = readPosition(frame)
  const batch = sliceBatch(decodeFrame(frame, fields), start, end)
  return encodeFrame(batch, { ...position, offset: position.offset + BigInt(start) })
}

interface Body {
  /** length, null count, length, null count … */
  readonly nodes: number[]
  readonly buffers: Uint8Array[]
  bytes: number
}

function addColumn(body: Body, column: ColumnData): void {
  body.nodes.push(column.length, column.nullCount)
  addBuffer(body, column.nullCount === 0 ? nothing : (column.validity?.subarray(0, (column.length + 7) >>> 3) ?? nothing))
  if (column.offsets !== undefined) addBuffer(body, bytesOf(column.offsets.subarray(0, column.length + 1)))
  if (column.type.kind === 'map') {
    body.nodes.push(column.offsets?.[column.length] ?? 0, 0)
    addBuffer(body, nothing)
  }
  if (column.values !== undefined) addBuffer(body, usedValues(column))
  for (const child of column.children) addColumn(body, child)
}

function addBuffer(body: Body, bytes: Uint8Array): void {
  body.buffers.push(bytes)
  body.bytes += padded(bytes.length)
}

function scan(
  bytes: Uint8Array,
  position: number,
  fields: readonly Field[],
): ScannedFrame & { readonly nodes: readonly FrameBuffer[] } {
  const message = messageAt(bytes, position)
  if (message === undefined || message.kind !== messageKind.recordBatch) throw broken('there is no record batch')
  const header = recordBatchHeader(message.header)
  if (header.compression !== 'none') throw broken('it is compressed')
  const nodes: FrameBuffer[] = []
  for (let i = 0; i < header.nodes.length; i++)
    nodes.push({ offset: secondOf(header.nodes, i), length: firstOf(header.nodes, i) })
  const buffers: FrameBuffer[] = []
  for (let i = 0; i < header.buffers.length; i++) {
    const buffer = { offset: firstOf(header.buffers, i), length: secondOf(header.buffers, i) }
    if (buffer.offset < 0 || buffer.length < 0 || buffer.offset + buffer.length > message.body.length)
      throw broken('a buffer lies outside')
    buffers.push(buffer)
  }
  if (header.rows < 0 || header.rows > 0x7fffffff) throw broken('its row count is not possible')
  return {
    metadataLength: message.metadataLength,
    bodyLength: message.body.length,
    rows: header.rows,
    end: message.end,
    nodes,
    buffers,
    columnRanges: columnRanges(fields, buffers),
  }
}

function columnRanges(fields: readonly Field[], buffers: readonly FrameBuffer[]) {
  let next = 0
  return fields.map((field) => {
    const own = buffers.slice(next, next + bufferCount(field.type))
    next += bufferCount(field.type)
    const last = own.at(-1)
    if (last === undefined || next > buffers.length) throw broken('it has fewer buffers than its schema')
    return { start: own[0]?.offset ?? 0, end: padded(last.offset + last.length) }
  })
}

/*
 * The metadata, positions from its start (uoffsets point forward only):
 *   0 root · 8 vtable and 24 table of Message · 48 vtable of KeyValue · 56 vector of 4 KeyValues · 76 their tables ·
 *   124 their keys and values, fixed width · 268 partition · then, aligned to 8: RecordBatch vtable and table, nodes, buffers.
 */
const at = { header: 28, bodyLength: 32, bucket: 148, offset: 180, timestamp: 228, partition: 268 } as const
const nothing = new Uint8Array(0)
const paddings = new Uint8Array(8)
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
  for (const [i, value] of values.entries()) view.setUint16(position + 2 * i, value, true)
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

function asDamage<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!isSluiceError(error, 'invalid-rows')) throw error
    throw new SluiceError('internal', `a stored frame is damaged: ${error.message}`, { cause: error })
  }
}

const broken = (what: string): SluiceError => new SluiceError('internal', `a stored frame is damaged: ${what}`)
