/** What is produced as bodies of requests: lines, cut between lines, and Arrow, cut between rows. */
import { DataType, type RecordBatch, RecordBatchReader, Table, tableToIPC, type Vector, vectorFromArray } from 'apache-arrow'
import { Failure } from '../failure.ts'
import { arrowJoiner, endOfStream } from '../fetch/arrow-stream.ts'

export interface Body {
  readonly bytes: Uint8Array
  readonly rows: number
  /** Of the input, from 1, where it has lines. */
  readonly firstLine?: number
}

/** A row that is larger goes alone: the server says what it thinks of it. */
export const bodyBytesMax = 1024 * 1024

/** Blank lines are no rows. */
export async function* lineBodies(source: AsyncIterable<Uint8Array | string>): AsyncGenerator<Body> {
  let rest = Buffer.alloc(0)
  let firstLine = 1
  const bodyOf = (bytes: Uint8Array): Body => {
    const body = { bytes, rows: rowsIn(bytes), firstLine }
    firstLine += linesIn(bytes)
    return body
  }
  for await (const chunk of source) {
    rest = Buffer.concat([rest, Buffer.from(chunk as Uint8Array)])
    while (rest.length > bodyBytesMax) {
      const fitting = rest.lastIndexOf(lineEnd, bodyBytesMax - 1)
      const end = fitting === -1 ? rest.indexOf(lineEnd) : fitting
      if (end === -1) break
      yield bodyOf(rest.subarray(0, end + 1))
      rest = rest.subarray(end + 1)
    }
    if (rest.length > lineBytesMax) throw new Failure(`line ${firstLine} is longer than ${lineBytesMax} bytes: see --format`)
  }
  if (rest.length > 0) yield bodyOf(rest)
}

const lineEnd = 10
/** A request takes no more. */
const lineBytesMax = 4 * 1024 * 1024

function linesIn(bytes: Uint8Array): number {
  let lines = 0
  for (let at = bytes.indexOf(lineEnd); at !== -1; at = bytes.indexOf(lineEnd, at + 1)) lines++
  return lines
}

function rowsIn(bytes: Uint8Array): number {
  let rows = 0
  let isBlank = true
  for (const byte of bytes) {
    if (byte === lineEnd) {
      if (!isBlank) rows++
      isBlank = true
    } else if (byte > 32) isBlank = false
  }
  return isBlank ? rows : rows + 1
}

/** Lines without their ends, some thousand at a time. */
export async function* joinLines(lines: AsyncIterable<string>): AsyncGenerator<string> {
  let joined = ''
  for await (const line of lines) {
    joined += `${line}\n`
    if (joined.length < chunkLength) continue
    yield joined
    joined = ''
  }
  if (joined !== '') yield joined
}

const chunkLength = 64 * 1024

/** Streams and files. Small batches go together, except those with dictionaries, which each bring their own. */
export async function* arrowBodies(source: AsyncIterable<Uint8Array>): AsyncGenerator<Body> {
  const reader = await opened(source)
  let kept = emptyBody()
  for await (const batch of batchesOf(reader)) {
    const plain = withoutDictionaries(batch)
    const isJoined = !plain.schema.fields.some(({ type }) => String(type).includes('Dictionary'))
    for (const { bytes, rows } of encoded(plain)) {
      if (kept.rows > 0 && (!isJoined || kept.length + bytes.length > bodyBytesMax)) {
        yield bodyOfStream(kept)
        kept = emptyBody()
      }
      const piece = kept.join(bytes)
      kept = { ...kept, pieces: [...kept.pieces, piece], rows: kept.rows + rows, length: kept.length + bytes.length }
    }
  }
  yield kept.rows > 0 ? bodyOfStream(kept) : { bytes: tableToIPC(new Table(reader.schema), 'stream'), rows: 0 }
}

/** Errors: the input ends early, or has a type that the reader does not know. */
async function* batchesOf(reader: AsyncIterable<RecordBatch>): AsyncGenerator<RecordBatch> {
  try {
    yield* reader
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall !== undefined) throw error
    throw new Failure(`the Arrow input cannot be read: ${(error as Error).message}`)
  }
}

interface OpenBody {
  readonly join: (stream: Uint8Array) => Uint8Array
  readonly pieces: readonly Uint8Array[]
  readonly rows: number
  readonly length: number
}

const emptyBody = (): OpenBody => ({ join: arrowJoiner(), pieces: [], rows: 0, length: 0 })

const bodyOfStream = ({ pieces, rows }: OpenBody): Body => ({ bytes: Buffer.concat([...pieces, endOfStream]), rows })

/** Of texts, bytes and numbers: a part of a batch would bring the whole dictionary. */
function withoutDictionaries(batch: RecordBatch): RecordBatch {
  const columns = batch.schema.fields.map(({ name, type }, i) => {
    const column = batch.getChildAt(i)
    const isPlain = column === null || !DataType.isDictionary(type) || !isSimple(type.dictionary)
    return [name, isPlain ? column : vectorFromArray([...column], type.dictionary)] as const
  })
  if (columns.every(([, column], i) => column?.type === batch.schema.fields[i]?.type)) return batch
  const table = new Table(Object.fromEntries(columns) as Record<string, Vector>)
  return table.batches[0] ?? batch
}

const isSimple = (type: DataType): boolean =>
  DataType.isUtf8(type) || DataType.isLargeUtf8(type) || DataType.isBinary(type) || DataType.isInt(type)

async function opened(source: AsyncIterable<Uint8Array>): Promise<Awaited<ReturnType<typeof RecordBatchReader.from>>> {
  try {
    const reader = await RecordBatchReader.from(source)
    await reader.open()
    if (reader.schema === undefined) throw new Error('there is no schema')
    return reader
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall !== undefined) throw error
    throw new Failure(
      `the input is not Arrow, or was cut off${error instanceof TypeError ? '' : `: ${(error as Error).message}`}`,
    )
  }
}

/** Halves what is too large, while that makes it smaller. */
function* encoded(batch: RecordBatch, before = Number.POSITIVE_INFINITY): Generator<Body> {
  const bytes = tableToIPC(new Table([batch]), 'stream')
  const rows = batch.numRows
  if (bytes.length <= bodyBytesMax || rows <= 1 || bytes.length > before * 0.9) {
    if (rows > 0) yield { bytes, rows }
    return
  }
  const middle = rows >> 1
  yield* encoded(batch.slice(0, middle), bytes.length)
  yield* encoded(batch.slice(middle, rows), bytes.length)
}
