/**
 * Arrow IPC messages: framing (`FFFFFFFF`, metadata length, FlatBuffer, body) and the parts of Message.fbs that streams use.
 * Everything is read through the checked FlatBuffer reader; lengths are checked against the bytes that are there.
 */
import { viewOf } from '../../kernel/bytes.ts'
import {
  damaged,
  type FlatTable,
  type FlatVector,
  fieldAt,
  int8Field,
  int16Field,
  int64At,
  int64Field,
  rootTable,
  tableField,
  vectorField,
} from './flatbuffer.ts'

export const messageKind = { schema: 1, dictionary: 2, recordBatch: 3 } as const

/** What stands before a message's body. */
export interface MessageHead {
  /** One of messageKind, or a kind that is not read. */
  readonly kind: number
  readonly header: FlatTable
  readonly message: FlatTable
  readonly metadataLength: number
  readonly bodyLength: number
}

export interface Message extends MessageHead {
  readonly body: Uint8Array
  /** Position after the body. */
  readonly end: number
}

export interface RecordBatchHeader {
  readonly rows: number
  /** 16 bytes each: length, null count. */
  readonly nodes: FlatVector
  /** 16 bytes each: offset, length in the body. */
  readonly buffers: FlatVector
  readonly compression: 'none' | 'lz4' | 'zstd'
  readonly variadicCounts: FlatVector
}

/** The message at `at`, or undefined at an end-of-stream marker or the end of the bytes. */
export function messageAt(bytes: Uint8Array, at: number): Message | undefined {
  const head = messageHeadAt(bytes, at)
  if (head === undefined) return undefined
  const start = at + 8 + head.metadataLength
  const end = start + head.bodyLength
  if (end > bytes.length) throw damaged('it ends inside a body')
  return { ...head, body: bytes.subarray(start, end), end }
}

/** The same without the body, which need not be there. */
export function messageHeadAt(bytes: Uint8Array, at: number): MessageHead | undefined {
  if (at === bytes.length) return undefined
  const view = viewOf(bytes)
  if (at + 8 > bytes.length) throw damaged('it ends inside a message')
  if (view.getInt32(at, true) !== -1)
    throw damaged('a message begins without its continuation marker; send an Arrow IPC stream of version 5')
  const metadataLength = view.getInt32(at + 4, true)
  if (metadataLength === 0) return undefined
  const start = at + 8
  if (metadataLength < 8 || start + metadataLength > bytes.length) throw damaged('it ends inside a message')
  const message = rootTable(bytes.subarray(start, start + metadataLength))
  const version = int16Field(message, 0)
  if (version !== 3 && version !== 4) throw damaged('its metadata version is not 4 or 5')
  const bodyLength = int64Field(message, 3)
  if (bodyLength < 0) throw damaged('it ends inside a body')
  const header = tableField(message, 2)
  if (header === undefined) throw damaged('a message has no header')
  return { kind: int8Field(message, 1), header, message, metadataLength, bodyLength }
}

export function recordBatchHeader(header: FlatTable): RecordBatchHeader {
  return {
    rows: int64Field(header, 0),
    nodes: vectorField(header, 1, 16),
    buffers: vectorField(header, 2, 16),
    compression: compressionOf(header),
    variadicCounts: vectorField(header, 4, 8),
  }
}

/** First 64-bit number of a 16-byte element: a node's length, a buffer's offset. */
export const firstOf = (vector: FlatVector, i: number): number => int64At(vector.view, vector.at + 16 * i)
/** Second 64-bit number: a node's null count, a buffer's length. */
export const secondOf = (vector: FlatVector, i: number): number => int64At(vector.view, vector.at + 16 * i + 8)

function compressionOf(header: FlatTable): 'none' | 'lz4' | 'zstd' {
  if (fieldAt(header, 3, 4) === 0) return 'none'
  const compression = tableField(header, 3)
  if (compression === undefined) return 'none'
  const codec = int8Field(compression, 0)
  if (int8Field(compression, 1) !== 0 || codec < 0 || codec > 1)
    throw damaged('its compression is not LZ4_FRAME or ZSTD by buffer')
  return codec === 0 ? 'lz4' : 'zstd'
}
