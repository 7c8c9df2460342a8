/**
 * Columns of a foreign record batch: buffers cut out of the body, decompressed within a budget, with lengths checked against
 * the nodes. What the values mean is checked where they are cast.
 */
import { viewOf } from '../../kernel/bytes.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { countBits } from './bits.ts'
import { type Budget, spend } from './budget.ts'
import { damaged, int64At } from './flatbuffer.ts'
import type { ForeignField } from './foreign.ts'
import { bitmapBytes } from './layout.ts'
import { decodeLz4Frame } from './lz4.ts'
import { firstOf, type RecordBatchHeader, secondOf } from './message.ts'

export interface ForeignColumn {
  readonly field: ForeignField
  readonly length: number
  /** Counted here, whatever the message says. */
  readonly nullCount: number
  readonly validity: Uint8Array | undefined
  /** All but validity. */
  readonly buffers: readonly Uint8Array[]
  readonly children: readonly ForeignColumn[]
  /** For dictionary-encoded columns: the values so far, in order; a delta makes a new list. */
  readonly dictionary: readonly ForeignColumn[]
}

/** Decompresses one zstd frame to exactly this many bytes; more is an error. */
export type Zstd = (bytes: Uint8Array, expandedBytes: number) => Uint8Array

export interface BodyReader {
  readonly header: RecordBatchHeader
  readonly body: Uint8Array
  readonly expanded: Budget
  readonly work: Budget
  readonly zstd: Zstd | undefined
  readonly dictionaries: ReadonlyMap<number, readonly ForeignColumn[]>
}

export function foreignColumns(reader: BodyReader, fields: readonly ForeignField[]): readonly ForeignColumn[] {
  const cursor: Cursor = { ...reader, node: 0, buffer: 0, variadic: 0 }
  const columns = fields.map((field) => readColumn(cursor, field))
  if (cursor.node !== reader.header.nodes.length || cursor.buffer !== reader.header.buffers.length)
    throw damaged('it has other buffers than its schema says')
  for (const column of columns)
    if (column.length !== reader.header.rows) throw damaged('a column has another length than its batch')
  return columns
}

interface Cursor extends BodyReader {
  node: number
  buffer: number
  variadic: number
}

/** Elements of one column: no buffer bounds those of null and empty structs. */
const lengthMax = 0x2000000

function readColumn(cursor: Cursor, field: ForeignField): ForeignColumn {
  const node = cursor.node++
  if (node >= cursor.header.nodes.length) throw damaged('it has fewer columns than its schema')
  const length = firstOf(cursor.header.nodes, node)
  if (length < 0 || length > lengthMax) throw damaged('a column length is not possible')
  const { type } = field
  if (field.dictionary !== undefined) {
    const validity = readValidity(cursor, length)
    return {
      field,
      length,
      ...validity,
      buffers: [nextBuffer(cursor)],
      children: [],
      dictionary: cursor.dictionaries.get(field.dictionary.id) ?? [],
    }
  }
  if (type.kind === 'other')
    throw new SluiceError(
      'invalid-rows',
      `column ${JSON.stringify(field.name)} is ${type.name}, which is not read here; cast it before sending`,
    )
  const bare = { field, length, children: [], dictionary: [] }
  if (type.kind === 'null') return { ...bare, nullCount: length, validity: undefined, buffers: [] }
  const validity = readValidity(cursor, length)
  const buffers = ownBuffers(cursor, field)
  const children = field.children.map((child) => readColumn(cursor, child))
  if (type.kind === 'struct')
    for (const child of children) if (child.length !== length) throw damaged('a struct has a child of another length')
  return { ...bare, ...validity, buffers, children }
}

function ownBuffers(cursor: Cursor, { type }: ForeignField): readonly Uint8Array[] {
  switch (type.kind) {
    case 'struct':
    case 'fixed-list':
      return []
    case 'list':
      return type.view ? [nextBuffer(cursor), nextBuffer(cursor)] : [nextBuffer(cursor)]
    case 'utf8':
    case 'binary':
      return Array.from({ length: type.bits === 128 ? 1 + variadicCount(cursor) : 2 }, () => nextBuffer(cursor))
    default:
      return [nextBuffer(cursor)]
  }
}

function variadicCount(cursor: Cursor): number {
  const { variadicCounts, buffers } = cursor.header
  const i = cursor.variadic++
  if (i >= variadicCounts.length) throw damaged('a view column has no count of buffers')
  const count = int64At(variadicCounts.view, variadicCounts.at + 8 * i)
  if (count < 0 || count > buffers.length) throw damaged('a view column has an impossible count of buffers')
  return count
}

function readValidity(cursor: Cursor, length: number): { nullCount: number; validity: Uint8Array | undefined } {
  const bits = nextBuffer(cursor)
  if (bits.length === 0) return { nullCount: 0, validity: undefined }
  if (bits.length < bitmapBytes(length)) throw damaged('a validity bitmap is too short')
  spend(cursor.work, bitmapBytes(length))
  const nullCount = length - countBits(bits, length)
  return { nullCount, validity: nullCount === 0 ? undefined : bits.subarray(0, bitmapBytes(length)) }
}

function nextBuffer(cursor: Cursor): Uint8Array {
  const { buffers, compression } = cursor.header
  const i = cursor.buffer++
  if (i >= buffers.length) throw damaged('it has fewer buffers than its schema says')
  const offset = firstOf(buffers, i)
  const length = secondOf(buffers, i)
  if (offset < 0 || length < 0 || offset + length > cursor.body.length) throw damaged('a buffer lies outside its body')
  const bytes = cursor.body.subarray(offset, offset + length)
  return compression === 'none' || length === 0 ? bytes : decompress(cursor, bytes)
}

/** 8 bytes of expanded length (-1: stored as it is), then the compressed bytes. */
function decompress(cursor: Cursor, bytes: Uint8Array): Uint8Array {
  if (bytes.length < 8) throw damaged('a compressed buffer has no length')
  const expandedBytes = int64At(viewOf(bytes), 0)
  const packed = bytes.subarray(8)
  if (expandedBytes === -1) return packed
  if (expandedBytes < 0) throw damaged('a compressed buffer has an impossible length')
  spend(cursor.expanded, expandedBytes)
  if (expandedBytes === 0) return packed.subarray(0, 0)
  return cursor.header.compression === 'lz4' ? decodeLz4Frame(packed, expandedBytes) : unzstd(cursor.zstd, packed, expandedBytes)
}

function unzstd(zstd: Zstd | undefined, packed: Uint8Array, expandedBytes: number): Uint8Array {
  if (zstd === undefined)
    throw new SluiceError('not-supported', 'ZSTD-compressed Arrow buffers are not read here; send them uncompressed or as LZ4')
  let out: Uint8Array
  try {
    out = zstd(packed, expandedBytes)
  } catch (cause) {
    throw new SluiceError('invalid-rows', 'the Arrow message is damaged: a ZSTD buffer does not expand', { cause })
  }
  if (out.length !== expandedBytes) throw damaged('a ZSTD buffer expands to another length than it says')
  return out
}
