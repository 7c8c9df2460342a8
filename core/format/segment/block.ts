/**
 * A block: the rows of one request for one bucket inside an object. Little-endian, a multiple of 8 bytes, so that Arrow
 * bodies stay aligned: header length u32 · header · CRC-32 of the header, begun from the block's place, u32 · padding · frames
 * (Arrow RecordBatch messages).
 * Header: version u8 · schema id u32 · rows u32 · frames u32 · per frame: bytes u32, rows u32, metadata bytes u32,
 * CRC-32 of the metadata u32, columns u16 · per column: range in the body u32 u32, CRC-32 u32, nulls u32, flags u8
 * (bit 0: bounds), then bounds as u8 length + bytes each. Checksums are per column, so that a reader of few columns can verify them.
 */
import { crc32 } from 'node:zlib'
import { present } from '../../kernel/assert.ts'
import { viewOf } from '../../kernel/bytes.ts'
import { SluiceError } from '../../kernel/errors.ts'
import type { Batch } from '../arrow/column.ts'
import { encodeFramePieces, type FramePieces } from '../arrow/frame.ts'
import { columnStatistics } from '../arrow/statistics.ts'
import { Reader, Writer } from './cursor.ts'

export interface BlockFrame {
  /** The whole Arrow message. */
  readonly bytes: Uint8Array
  readonly rows: number
  readonly columns: readonly BlockColumn[]
}

export interface BlockColumn {
  /** In the frame's body. */
  readonly start: number
  readonly end: number
  readonly crc: number
  readonly nulls: number
  /** Single-value bytes of Iceberg; absent where they are longer than 32 bytes or no value is comparable. */
  readonly min?: Uint8Array
  readonly max?: Uint8Array
}

export interface Block {
  readonly schemaId: number
  readonly rows: number
  readonly frames: readonly BlockFrame[]
  /** Offset behind the block. */
  readonly end: number
}

const version = 1
const boundBytesMax = 32
/** Headers are copied out before the next one is written. */
const scratch = new Writer()

/** `batches` are cut to frames already. The block's bytes in pieces: its header, then frames, whose columns stay where they are. */
export function encodeBlock(schemaId: number, partition: string, batches: readonly Batch[]): readonly Uint8Array[] {
  const header = scratch
  header.clear()
  const frames = batches.map((batch) => encodeFramePieces(batch, { partition }))
  header.u8(version)
  header.u32(schemaId)
  header.u32(batches.reduce((rows, batch) => rows + batch.rows, 0))
  header.u32(batches.length)
  for (const [index, batch] of batches.entries()) writeFrameHeader(header, present(frames[index], 'the frame of a batch'), batch)
  const head = header.bytes()
  const prefix = new Uint8Array(aligned(4 + head.length + 4))
  const view = viewOf(prefix)
  view.setUint32(0, head.length, true)
  prefix.set(head, 4)
  view.setUint32(4 + head.length, crc32(head), true)
  return [prefix, ...frames.flatMap((frame) => frame.pieces)]
}

/**
 * Ties a block to its place: the header's checksum begins from the byte at which the block stands in its object, so that
 * a whole block from another place is not taken for it. A copy of the header, because a block may be placed again.
 */
export function sealBlock(block: readonly Uint8Array[], at: number): readonly Uint8Array[] {
  const [unsealed, ...frames] = block
  const header = present(unsealed, 'the header of a block').slice()
  const view = viewOf(header)
  const length = view.getUint32(0, true)
  view.setUint32(4 + length, crc32(header.subarray(4, 4 + length), at), true)
  return [header, ...frames]
}

/**
 * Verifies every checksum; damage is an `internal` error that names the place, never rows. `rangeStart`: the byte of the object
 * at which `range` begins; without it the block was never sealed.
 */
export function decodeBlock(range: Uint8Array, at: number, where: string, rangeStart?: number): Block {
  try {
    return readBlock(range, at, rangeStart === undefined ? 0 : rangeStart + at)
  } catch (cause) {
    throw new SluiceError('internal', `the block at byte ${at} of ${where} is damaged`, {
      action: 'retry',
      cause,
      facts: { object: where, at },
    })
  }
}

function readBlock(range: Uint8Array, at: number, seal: number): Block {
  const length = viewOf(range).getUint32(at, true)
  const head = slice(range, at + 4, at + 4 + length)
  if (viewOf(range).getUint32(at + 4 + length, true) !== crc32(head, seal)) throw new RangeError('checksum of the header')
  const header = new Reader(head)
  if (header.u8() !== version) throw new RangeError('version')
  const schemaId = header.u32()
  const rows = header.u32()
  const count = header.u32()
  const frames: BlockFrame[] = []
  let cursor = at + aligned(4 + length + 4)
  let counted = 0
  for (let i = 0; i < count; i++) {
    const frame = readFrame(header, range, cursor)
    cursor += frame.bytes.length
    counted += frame.rows
    frames.push(frame)
  }
  if (counted !== rows) throw new RangeError('rows')
  return { schemaId, rows, frames, end: cursor }
}

function writeFrameHeader(header: Writer, frame: FramePieces, batch: Batch): void {
  header.u32(frame.bytes)
  header.u32(batch.rows)
  header.u32(frame.metadataBytes)
  header.u32(crcOf(frame.pieces.slice(0, 1)))
  header.u16(batch.columns.length)
  for (const [index, column] of batch.columns.entries()) {
    const { start, end, pieces } = present(frame.columns[index], 'the pieces of a column')
    const { nulls, min, max } = columnStatistics(column)
    header.u32(start)
    header.u32(end)
    header.u32(crcOf(pieces))
    header.u32(nulls)
    const bounded = min !== undefined && max !== undefined && min.length <= boundBytesMax && max.length <= boundBytesMax
    header.u8(bounded ? 1 : 0)
    if (bounded) {
      header.short(min)
      header.short(max)
    }
  }
}

function crcOf(pieces: readonly Uint8Array[]): number {
  let crc = 0
  for (const piece of pieces) crc = crc32(piece, crc)
  return crc
}

function readFrame(header: Reader, range: Uint8Array, at: number): BlockFrame {
  const length = header.u32()
  const rows = header.u32()
  const bodyStart = header.u32()
  const bytes = slice(range, at, at + length)
  if (header.u32() !== crc32(slice(bytes, 0, bodyStart))) throw new RangeError('checksum of the metadata')
  const columns: BlockColumn[] = []
  const count = header.u16()
  for (let i = 0; i < count; i++) {
    const start = header.u32()
    const end = header.u32()
    const crc = header.u32()
    if (crc !== crc32(slice(bytes, bodyStart + start, bodyStart + end))) throw new RangeError(`checksum of column ${i}`)
    const nulls = header.u32()
    const column = { start, end, crc, nulls }
    columns.push(header.u8() === 1 ? { ...column, min: header.short(), max: header.short() } : column)
  }
  return { bytes, rows, columns }
}

function slice(bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (start > end || end > bytes.length) throw new RangeError('truncated')
  return bytes.subarray(start, end)
}

const aligned = (length: number): number => (length + 7) & ~7
