/**
 * A block: rows of one bucket under one schema inside an object: those of one request, or those of several that were joined by
 * compaction. Little-endian, a multiple of 8 bytes, so that Arrow bodies stay aligned: header length u32 · header · CRC-32 of the
 * header, begun from the block's place, u32 · padding · frames (Arrow RecordBatch messages).
 * Header: version u8 · schema id u32 · rows u32 · frames u32 · joined u8 · per frame: bytes u32, rows u32, if joined its time u48,
 * metadata bytes u32, CRC-32 of the metadata u32, columns u16 · per column: range in the body u32 u32, CRC-32 u32, nulls u32, flags
 * u8 (bit 0: least value, 1: greatest value, 2: a NaN), then those values as u8 length + bytes each.
 * Version 1 had neither `joined` nor times, and flags of bit 0 alone: both values; whether there is a NaN it did not say.
 * Checksums are per column, so that a reader of few columns reads the header and those columns, and can verify them.
 */
import { crc32 } from 'node:zlib'
import { present } from '../../kernel/assert.ts'
import { copyOf, raised, viewOf } from '../../kernel/bytes.ts'
import { SluiceError } from '../../kernel/errors.ts'
import type { Batch, ColumnData } from '../arrow/column.ts'
import { type ColumnPieces, encodeFramePieces, type FramePieces } from '../arrow/frame.ts'
import { columnStatistics } from '../arrow/statistics.ts'
import { Reader, Writer } from '../binary.ts'

export interface BlockHeader {
  readonly schemaId: number
  readonly rows: number
  readonly frames: readonly BlockFrame[]
  /** Bytes of the block. */
  readonly bytes: number
}

export interface BlockFrame {
  /** Byte of the block at which the Arrow message begins. */
  readonly start: number
  readonly bytes: number
  readonly rows: number
  /** When its rows were committed, ms: in a joined block. */
  readonly time?: number
  /** Of everything before the message's body. */
  readonly metadata: { readonly bytes: number; readonly crc: number }
  readonly columns: readonly BlockColumn[]
}

export interface BlockColumn {
  /** In the frame's body, padding included; columns follow each other. */
  readonly start: number
  readonly end: number
  readonly crc: number
  readonly nulls: number
  /** Bounds: single values of Iceberg. Long text is cut to one below, or one above, what is there. */
  readonly min?: Uint8Array | undefined
  readonly max?: Uint8Array | undefined
  /** Whether a value may be NaN. */
  readonly mayHaveNan: boolean
}

const versions = { requests: 1, current: 2 } as const
const boundBytesMax = 32
/** Headers are copied out before the next one is written. */
const scratch = new Writer()

/** `batches` are cut to frames already. The block's bytes in pieces: its header, then frames, whose columns stay where they are. */
export function encodeBlock(schemaId: number, partition: string, batches: readonly Batch[]): readonly Uint8Array[] {
  const frames = batches.map((batch) => encodeFramePieces(batch, { partition }))
  const headers = batches.map((batch, i) => describeFrame(batch, present(frames[i], 'the frame of a batch')))
  const prefix = encodeHeader({ schemaId, rows: rowsIn(batches), frames: headers }, false)
  return [prefix, ...frames.flatMap((frame) => frame.pieces)]
}

/** A frame as it was stored, and when. */
export interface JoinedFrame {
  readonly header: Omit<BlockFrame, 'start' | 'time'>
  readonly time: number
  readonly bytes: Uint8Array
}

/** Stored frames in one block, as they are. */
export function encodeJoinedBlock(schemaId: number, frames: readonly JoinedFrame[]): readonly Uint8Array[] {
  const headers = frames.map(({ header, time }) => ({ ...header, time }))
  const prefix = encodeHeader({ schemaId, rows: rowsIn(headers), frames: headers }, true)
  return [prefix, ...frames.map(({ bytes }) => bytes)]
}

/**
 * Ties a block to its place: the header's checksum begins from the byte at which the block stands in its object, so that
 * a whole block from another place is not taken for it. A copy of the header, because a block may be placed again. No rows have no
 * block.
 */
export function sealBlock(block: readonly Uint8Array[], at: number): readonly Uint8Array[] {
  const [unsealed, ...frames] = block
  if (unsealed === undefined) return []
  const header = copyOf(unsealed)
  const view = viewOf(header)
  const length = view.getUint32(0, true)
  view.setUint32(4 + length, crc32(header.subarray(4, 4 + length), at), true)
  return [header, ...frames]
}

/** Bytes of a block before its frames, from its first four. */
export const headerBytes = (block: Uint8Array): number =>
  block.length < 4 ? Number.POSITIVE_INFINITY : aligned(4 + viewOf(block).getUint32(0, true) + 4)

/**
 * The header at the beginning of `block`, of which `headerBytes` must be there. `place`: the byte of its object at which the block
 * stands; 0 if it was never sealed. Damage is an `internal` error that names the place.
 */
export function readHeader(block: Uint8Array, where: string, place = 0): BlockHeader {
  return undamaged(where, place, () => {
    const length = viewOf(block).getUint32(0, true)
    const head = slice(block, 4, 4 + length)
    if (viewOf(block).getUint32(4 + length, true) !== crc32(head, place)) throw new RangeError('checksum of the header')
    return decodeHeader(new Reader(head), aligned(4 + length + 4))
  })
}

export interface Block extends BlockHeader {
  readonly frames: readonly (BlockFrame & { /** The whole Arrow message. */ readonly message: Uint8Array })[]
}

/** A block with its frames, every checksum verified. */
export function decodeBlock(block: Uint8Array, where: string, place = 0): Block {
  return undamaged(where, place, () => {
    const header = readHeader(block, where, place)
    verifyFrames(header, block, where, place)
    const frames = header.frames.map((frame) => ({ ...frame, message: messageOf(frame, block) }))
    return { ...header, frames }
  })
}

/** Errors: `internal`, as readHeader. `block`: all of it. */
export function verifyFrames({ frames }: BlockHeader, block: Uint8Array, where: string, place: number): void {
  undamaged(where, place, () => {
    for (const frame of frames) verifyFrame(frame, messageOf(frame, block), where, place)
  })
}

/** Errors: `internal`, as readHeader. */
export function verifyFrame(frame: BlockFrame, message: Uint8Array, where: string, place: number): void {
  verifyMetadata(frame, message, where, place)
  for (const index of frame.columns.keys()) verifyColumn(frame, index, columnBytes(frame, index, message), where, place)
}

const messageOf = ({ start, bytes }: BlockFrame, block: Uint8Array): Uint8Array => slice(block, start, start + bytes)

/** Errors: `internal`, as readHeader. `bytes`: those of the frame, or at least of its metadata. */
export function verifyMetadata({ metadata }: BlockFrame, bytes: Uint8Array, where: string, place: number): void {
  undamaged(where, place, () => {
    if (crc32(slice(bytes, 0, metadata.bytes)) !== metadata.crc) throw new RangeError('checksum of the metadata')
  })
}

/** `bytes`: those of the column. */
export function verifyColumn(frame: BlockFrame, index: number, bytes: Uint8Array, where: string, place: number): void {
  undamaged(where, place, () => {
    const { start, end, crc } = present(frame.columns[index], 'a column of the frame')
    if (bytes.length !== end - start || crc32(bytes) !== crc) throw new RangeError(`checksum of column ${index}`)
  })
}

/** Those of one column in the whole message. */
export function columnBytes(frame: BlockFrame, index: number, message: Uint8Array): Uint8Array {
  const { start, end } = present(frame.columns[index], 'a column of the frame')
  return message.subarray(frame.metadata.bytes + start, frame.metadata.bytes + end)
}

function undamaged<T>(where: string, place: number, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof SluiceError) throw cause
    throw new SluiceError('internal', `the block at byte ${place} of ${where} is damaged`, {
      action: 'retry',
      cause,
      facts: { object: where, at: place },
    })
  }
}

type FrameHeader = Omit<BlockFrame, 'start'>

function encodeHeader(
  { schemaId, rows, frames }: { readonly schemaId: number; readonly rows: number; readonly frames: readonly FrameHeader[] },
  joined: boolean,
): Uint8Array {
  const header = scratch
  header.clear()
  header.u8(versions.current)
  header.u32(schemaId)
  header.u32(rows)
  header.u32(frames.length)
  header.u8(joined ? 1 : 0)
  for (const frame of frames) writeFrame(header, frame, joined)
  const head = header.bytes()
  const prefix = new Uint8Array(aligned(4 + head.length + 4))
  const view = viewOf(prefix)
  view.setUint32(0, head.length, true)
  prefix.set(head, 4)
  view.setUint32(4 + head.length, crc32(head), true)
  return prefix
}

function writeFrame(header: Writer, { bytes, rows, time, metadata, columns }: FrameHeader, joined: boolean): void {
  header.u32(bytes)
  header.u32(rows)
  if (joined) header.u48(present(time, 'the time of a joined frame'))
  header.u32(metadata.bytes)
  header.u32(metadata.crc)
  header.u16(columns.length)
  for (const { start, end, crc, nulls, min, max, mayHaveNan } of columns) {
    header.u32(start)
    header.u32(end)
    header.u32(crc)
    header.u32(nulls)
    header.u8((min === undefined ? 0 : 1) | (max === undefined ? 0 : 2) | (mayHaveNan ? 4 : 0))
    if (min !== undefined) header.short(min)
    if (max !== undefined) header.short(max)
  }
}

function describeFrame(batch: Batch, frame: FramePieces): FrameHeader {
  return {
    bytes: frame.bytes,
    rows: batch.rows,
    metadata: { bytes: frame.metadataBytes, crc: crcOf(frame.pieces.slice(0, 1)) },
    columns: frame.columns.map((column, i) => describeColumn(column, present(batch.columns[i], 'a column'))),
  }
}

function describeColumn({ start, end, pieces }: ColumnPieces, column: ColumnData): BlockColumn {
  const { nulls, nans, min, max } = columnStatistics(column)
  const low = min === undefined || min.length <= boundBytesMax ? min : isText(column) ? min.subarray(0, boundBytesMax) : undefined
  const high = max === undefined || max.length <= boundBytesMax ? max : isText(column) ? raised(max, boundBytesMax) : undefined
  return {
    start,
    end,
    crc: crcOf(pieces),
    nulls,
    mayHaveNan: nans > 0,
    ...(low === undefined ? {} : { min: low }),
    ...(high === undefined ? {} : { max: high }),
  }
}

const isText = ({ type }: ColumnData): boolean => type.kind === 'string' || type.kind === 'binary'

function crcOf(pieces: readonly Uint8Array[]): number {
  let crc = 0
  for (const piece of pieces) crc = crc32(piece, crc)
  return crc
}

function decodeHeader(header: Reader, framesStart: number): BlockHeader {
  const version = header.u8()
  if (version !== versions.requests && version !== versions.current) throw new RangeError('version')
  const schemaId = header.u32()
  const rows = header.u32()
  const count = header.u32()
  const joined = version === versions.current && header.u8() === 1
  const frames: BlockFrame[] = []
  let start = framesStart
  for (let i = 0; i < count; i++) {
    const frame = readFrame(header, { start, joined, version })
    start += frame.bytes
    frames.push(frame)
  }
  if (rowsIn(frames) !== rows) throw new RangeError('rows')
  return { schemaId, rows, frames, bytes: start }
}

interface FrameForm {
  readonly start: number
  readonly joined: boolean
  readonly version: number
}

function readFrame(header: Reader, { start, joined, version }: FrameForm): BlockFrame {
  const bytes = header.u32()
  const rows = header.u32()
  const time = joined ? { time: header.u48() } : {}
  const metadata = { bytes: header.u32(), crc: header.u32() }
  const count = header.u16()
  const columns: BlockColumn[] = []
  let end = 0
  for (let i = 0; i < count; i++) {
    const column = readColumn(header, version)
    if (column.start !== end || column.end < end) throw new RangeError('the range of a column')
    end = column.end
    columns.push(column)
  }
  if (metadata.bytes + end !== bytes || bytes % 8 !== 0) throw new RangeError('the bytes of a frame')
  return { start, bytes, rows, ...time, metadata, columns }
}

function readColumn(header: Reader, version: number): BlockColumn {
  const column = new StoredColumn(header)
  const written = header.u8()
  const flags = version === versions.requests ? (written === 1 ? 7 : 4) : written
  column.mayHaveNan = (flags & 4) !== 0
  if ((flags & 1) !== 0) column.least = header.skipShort()
  if ((flags & 2) !== 0) column.greatest = header.skipShort()
  return column
}

/** Few readers look at bounds, and views cost more than all the rest of a header: they are made when they are asked for. */
class StoredColumn implements BlockColumn {
  readonly start: number
  readonly end: number
  readonly crc: number
  readonly nulls: number
  mayHaveNan = false
  /** Where they are in the header. */
  least = -1
  greatest = -1
  readonly #header: Reader

  constructor(header: Reader) {
    this.start = header.u32()
    this.end = header.u32()
    this.crc = header.u32()
    this.nulls = header.u32()
    this.#header = header
  }

  get min(): Uint8Array | undefined {
    return this.least < 0 ? undefined : this.#header.shortAt(this.least)
  }

  get max(): Uint8Array | undefined {
    return this.greatest < 0 ? undefined : this.#header.shortAt(this.greatest)
  }
}

function rowsIn(parts: readonly { readonly rows: number }[]): number {
  return parts.reduce((rows, part) => rows + part.rows, 0)
}

function slice(bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (start > end || end > bytes.length) throw new RangeError('truncated')
  return bytes.subarray(start, end)
}

const aligned = (length: number): number => (length + 7) & ~7
