/**
 * Frames: the RecordBatch messages of the log. Any Arrow reader takes them. Buffers are uncompressed, aligned to 8, in schema
 * order, so a column's buffers are one range of the body: it goes from one frame into another as it lies, and bodies pass through
 * untouched while the metadata says where the rows are (frame-metadata.ts).
 * Frames that were stored are ours: what does not decode is damage (`internal`), never the caller's fault.
 */
import { concat, copyOf, viewOf } from '../../kernel/bytes.ts'
import { isSluiceError, SluiceError } from '../../kernel/errors.ts'
import type { Batch, Field } from './column.ts'
import { buffersOf, type ColumnBuffers, type ColumnLayout, decodeColumn, slicedBuffers } from './column-buffers.ts'
import { encodeMetadata, type FramePosition, type PatchPosition, patchInPlace } from './frame-metadata.ts'
import { bufferCount, nodeCount } from './layout.ts'
import { firstOf, messageHeadAt, messageKind, recordBatchHeader, secondOf } from './message.ts'
import { padded } from './take.ts'

/** [start, end) in the body, padding included, and what lies there. */
export interface ScannedColumn extends ColumnLayout {
  readonly start: number
  readonly end: number
}

export interface ScannedFrame {
  /** Of everything before the body. */
  readonly metadataBytes: number
  readonly bodyBytes: number
  readonly rows: number
  /** Per field; empty without fields. */
  readonly columns: readonly ScannedColumn[]
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

/** One RecordBatch message. Validity bitmaps of columns without nulls are left out. */
export function encodeFrame(batch: Batch, position: Partial<FramePosition> = {}): Uint8Array {
  return concat(encodeFramePieces(batch, position).pieces)
}

export function encodeFramePieces(batch: Batch, position: Partial<FramePosition> = {}): FramePieces {
  return assembleFrame(batch.rows, batch.columns.map(buffersOf), position)
}

/** A frame of columns that lie in buffers already. `room`: for its metadata, if they are as long. */
export function assembleFrame(
  rows: number,
  buffers: readonly ColumnBuffers[],
  position: Partial<FramePosition> = {},
  room?: Uint8Array,
): FramePieces {
  const metadata = encodeMetadata(rows, buffers, position, room)
  let end = 0
  const columns = buffers.map((column): ColumnPieces => {
    const start = end
    for (const { length } of column.buffers) end += padded(length)
    return { start, end, pieces: column.range === undefined ? column.buffers.flatMap(withPadding) : [column.range] }
  })
  const pieces = [metadata, ...columns.flatMap((column) => column.pieces)]
  return { pieces, bytes: metadata.length + end, metadataBytes: metadata.length, columns }
}

function withPadding(buffer: Uint8Array): readonly Uint8Array[] {
  const missing = padded(buffer.length) - buffer.length
  return missing === 0 ? (buffer.length === 0 ? [] : [buffer]) : [buffer, paddings.subarray(0, missing)]
}

const paddings = new Uint8Array(8)

/** The frame at another position, its body shared; the partition stays. */
export function patchedPieces(frame: Uint8Array, position: PatchPosition): readonly Uint8Array[] {
  const metadataBytes = frame.length < 8 ? frame.length : 8 + viewOf(frame).getInt32(4, true)
  const metadata = copyOf(frame, 0, metadataBytes)
  patchInPlace(metadata, position)
  return metadataBytes === frame.length ? [metadata] : [metadata, frame.subarray(metadataBytes)]
}

/** Our own frame, zero copy. `fields`: those of the schema under which it was encoded. */
export function decodeFrame(frame: Uint8Array, fields: readonly Field[]): Batch {
  return asDamage(() => {
    const { metadataBytes, bodyBytes, rows, columns } = scan(frame, fields)
    if (metadataBytes + bodyBytes > frame.length) throw broken('it ends inside its body')
    const body = frame.subarray(metadataBytes, metadataBytes + bodyBytes)
    const decoded = fields.map((field, i) => {
      const { start, end, ...layout } = columns[i] as ScannedColumn
      return decodeColumn(field, rows, slicedBuffers(layout, body.subarray(start, end)))
    })
    return { rows, fields, columns: decoded }
  })
}

/** The metadata at the beginning of `bytes`; the body need not be there. */
export function scanFrame(bytes: Uint8Array, fields: readonly Field[] = []): ScannedFrame {
  return asDamage(() => scan(bytes, fields))
}

function scan(bytes: Uint8Array, fields: readonly Field[]): ScannedFrame {
  const message = messageHeadAt(bytes, 0)
  if (message === undefined || message.kind !== messageKind.recordBatch) throw broken('there is no record batch')
  const header = recordBatchHeader(message.header)
  if (header.compression !== 'none') throw broken('it is compressed')
  if (header.rows < 0 || header.rows > 0x7fffffff) throw broken('its row count is not possible')
  return {
    metadataBytes: 8 + message.metadataLength,
    bodyBytes: message.bodyLength,
    rows: header.rows,
    columns: scanColumns(fields, header, message.bodyLength),
  }
}

function scanColumns(
  fields: readonly Field[],
  { nodes, buffers }: ReturnType<typeof recordBatchHeader>,
  bodyBytes: number,
): readonly ScannedColumn[] {
  let node = 0
  let buffer = 0
  let before = 0
  const columns = fields.map(({ type }) => {
    const column = { nodes: [] as number[], buffers: [] as { start: number; length: number }[], start: before, end: before }
    const nodesEnd = node + nodeCount(type)
    const buffersEnd = buffer + bufferCount(type)
    if (nodesEnd > nodes.length || buffersEnd > buffers.length) throw broken('it has fewer columns than its schema')
    for (; node < nodesEnd; node++) column.nodes.push(firstOf(nodes, node), secondOf(nodes, node))
    for (; buffer < buffersEnd; buffer++) {
      const start = firstOf(buffers, buffer)
      const length = secondOf(buffers, buffer)
      if (start !== column.end || length < 0 || start + length > bodyBytes) throw broken('a buffer lies outside')
      column.buffers.push({ start: start - column.start, length })
      column.end = padded(start + length)
    }
    before = column.end
    return column
  })
  if (fields.length > 0 && (node !== nodes.length || buffer !== buffers.length))
    throw broken('it has other columns than its schema')
  return columns
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
