/**
 * Rows that have left the log, read on from the lake: the same rows at the same offsets, with the times of their commits, in the
 * columns that the table has now, up to where the log begins. Files are read whole, because each is bounded, and one at a time in a
 * process: what is held at once is a file, and the bodies. A walk that the lake changes under begins again from the heads.
 */
import type { Batch, ColumnData, Field } from '../../format/arrow/column.ts'
import { buffersOf, type ColumnBuffers } from '../../format/arrow/column-buffers.ts'
import { selectRows } from '../../format/arrow/filter.ts'
import { readArrowStream } from '../../format/arrow/read.ts'
import { concatBatches, gatherBatch, gatherColumn, sliceColumn } from '../../format/arrow/take.ts'
import { assert, present } from '../../kernel/assert.ts'
import { viewOf } from '../../kernel/bytes.ts'
import { isSluiceError, SluiceError } from '../../kernel/errors.ts'
import { type Offset, offsetOf } from '../../kernel/ids.ts'
import { limits } from '../../kernel/limits.ts'
import type { LakeFile, LakeIndex } from '../../lake/files-at.ts'
import { childTypes, safeType } from '../../lake/parquet-columns.ts'
import { columnsOf, type FilterColumn } from '../../model/filter.ts'
import type { BucketRef } from '../../model/partition.ts'
import { offsetColumn, timestampColumn } from '../../model/system-columns.ts'
import type { Table } from '../../model/table.ts'
import type { DataType } from '../../model/types.ts'
import type { Reading, Step } from './reading.ts'
import { type FetchedRows, fetchedRows } from './rows.ts'
import { isSystemColumn, systemData } from './system.ts'
import type { WalkerLimits } from './walker.ts'

export interface LakeRange extends BucketRef {
  /** Index in the walk. */
  readonly index: number
  readonly from: Offset
  /** Where the log begins. */
  readonly to: Offset
}

/** Files of ours are far smaller; those of an engine whose ranges overlap are read together. */
const groupBytesMax = 128n * 1024n * 1024n
const arrowBytesMax = 1024 * 1024 * 1024
/** A walk that found nothing yet goes on for so long. */
const searchMsMax = 10_000

/**
 * Adds to `steps` until a file has given rows, the limits are reached, or the log's start. Errors: those of the stores · `not-supported`:
 * the files are too large · `internal`: they are not what the lake says.
 */
export async function walkLake(
  reading: Reading,
  table: Table,
  range: LakeRange,
  { fields, filter, rowsMax, bytesMax }: WalkerLimits,
  steps: Step[],
): Promise<void> {
  const startedMs = reading.world.clock.now()
  const filterColumns = filter === undefined ? [] : columnsOf(filter).filter((column) => !isSystemColumn(column))
  const columns = wantedColumns(fields, filterColumns)
  let rowsLeft = rowsMax
  let bytesLeft = bytesMax
  for (let from = range.from; from < range.to; ) {
    const files = await reading.lake.filesAt(table, range, from)
    if (files.length === 0 && from > range.from) return
    if (files.length === 0) throw notInLake(range)
    const isFull = await reading.lake.alone(async () => {
      const stored = await storedIn(reading, range, files, columns)
      for (const piece of piecesOf(stored, from, range.to)) {
        const { rows, next } = takePiece(stored, piece, { range, fields, filter, rowsMax: rowsLeft })
        if (rows !== undefined) {
          if (rowsLeft < rowsMax && rows.bytes > bytesLeft) return true
          rowsLeft -= rows.rows
          bytesLeft -= rows.bytes
        }
        steps.push({ bucket: range.index, next, ...(rows && { rows }) })
        from = next
        if (rowsLeft <= 0 || bytesLeft <= 0) return true
      }
      return false
    })
    if (isFull || rowsLeft < rowsMax || reading.world.clock.now() - startedMs >= searchMsMax) return
  }
}

/** By id; nullable, for a file may be older than a column. */
function wantedColumns(fields: readonly Field[], filterColumns: readonly FilterColumn[]): readonly Field[] {
  const wanted = new Map<number, Field>()
  for (const { id, name, type } of [...fields, ...filterColumns, offsetColumn, timestampColumn])
    wanted.set(id, { id, name, type, nullable: true })
  return [...wanted.values()]
}

interface StoredRows {
  readonly rows: number
  readonly offsetAt: (row: number) => bigint
  readonly timeAt: (row: number) => number
  readonly column: (id: number) => ColumnData
  /** Of Arrow. */
  readonly bytes: number
  /** Rows of about a frame. */
  readonly pieceRows: number
}

/** The last that a process read, if it is of usual size: a reader comes back for the next page of the same files. They never change. */
const lastRead = new WeakMap<LakeIndex, { readonly name: string; readonly stored: StoredRows }>()
const keptBytesMax = 64 * 1024 * 1024

/** Under `alone`. */
async function storedIn(
  reading: Reading,
  range: LakeRange,
  files: readonly LakeFile[],
  columns: readonly Field[],
): Promise<StoredRows> {
  const name = JSON.stringify([files.map(({ key }) => key), columns.map(({ id, type }) => [id, type])])
  const last = lastRead.get(reading.lake)
  if (last?.name === name) return last.stored
  lastRead.delete(reading.lake)
  const stored = await readFiles(reading, range, files, columns)
  if (stored.bytes <= keptBytesMax) lastRead.set(reading.lake, { name, stored })
  return stored
}

async function readFiles(
  { world }: Reading,
  { partition, bucket }: LakeRange,
  files: readonly LakeFile[],
  columns: readonly Field[],
): Promise<StoredRows> {
  const reader = present(world.lakeReader, 'a reader of data files')
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0n)
  if (bytes > groupBytesMax) {
    throw new SluiceError('not-supported', 'the data files of these rows are too large to read on from the lake', {
      action: 'stop',
      facts: { partition: partition.name, bucket, bytes: `${bytes}` },
    })
  }
  const batches: Batch[] = []
  let arrowBytes = 0
  for (const { key, bytes: length, rows } of files) {
    const file = await world.objects.read(key)
    assert(BigInt(file.length) === length, 'a data file is as long as its manifest says', { key })
    const stream = await reader.read(file)
    arrowBytes += stream.length
    const read = batchesOf(stream, columns, { key, rows: Number(rows) })
    const count = read.reduce((sum, batch) => sum + batch.rows, 0)
    assert(BigInt(count) === rows, 'a data file has the rows that its manifest says', { key })
    batches.push(...read)
  }
  return storedRows(inOrder(concatBatches(batches), columns), columns, arrowBytes)
}

function batchesOf(
  stream: Uint8Array,
  columns: readonly Field[],
  { key, rows }: { readonly key: string; readonly rows: number },
) {
  const options = { byId: true, rowsMax: rows, rowBytesMax: Number.MAX_SAFE_INTEGER, expandedBytesMax: arrowBytesMax }
  try {
    return readArrowStream(
      stream,
      columns.map((field) => ({ ...field, type: safeType(field.type) })),
      options,
    )
  } catch (error) {
    if (!isSluiceError(error)) throw error
    throw new SluiceError('internal', `the data file ${key} cannot be read on from: ${error.message}`, {
      action: 'stop',
      facts: { key },
      cause: error,
    })
  }
}

function storedRows(batch: Batch, columns: readonly Field[], bytes: number): StoredRows {
  const byId = new Map(
    columns.map(({ id, type }, i) => [id, retyped(present(batch.columns[i], 'a column that was read'), type)] as const),
  )
  const column = (id: number): ColumnData => present(byId.get(id), 'a wanted column')
  const [offsets, times] = [offsetColumn, timestampColumn].map(({ id }) => longs(column(id)))
  return {
    rows: batch.rows,
    offsetAt: (row) => present(offsets, 'offsets')(row),
    timeAt: (row) => Number(present(times, 'times')(row)),
    column,
    bytes,
    pieceRows: Math.max(1, Math.floor((limits.frameBytesMax * batch.rows) / Math.max(1, bytes))),
  }
}

function longs({ values, nullCount }: ColumnData): (row: number) => bigint {
  assert(nullCount === 0, 'rows of the lake have an offset and a time')
  const view = viewOf(present(values, 'the values of a column'))
  return (row) => view.getBigInt64(8 * row, true)
}

/** As our own files are; an engine's need not be. */
function inOrder(batch: Batch, columns: readonly Field[]): Batch {
  const at = columns.findIndex(({ id }) => id === offsetColumn.id)
  const offset = longs(present(batch.columns[at], 'the offsets of a file'))
  let isSorted = true
  for (let row = 1; row < batch.rows && isSorted; row++) isSorted = offset(row - 1) < offset(row)
  if (isSorted) return batch
  const rows = Uint32Array.from({ length: batch.rows }, (_, row) => row)
  return gatherBatch(
    batch,
    rows.sort((a, b) => (offset(a) < offset(b) ? -1 : 1)),
  )
}

/** Names inside rows as the table has them. */
function retyped(column: ColumnData, type: DataType): ColumnData {
  const types = childTypes(type)
  return { ...column, type, children: column.children.map((child, i) => retyped(child, types[i] ?? child.type)) }
}

/** It was there when the walk began. */
const notInLake = ({ partition, bucket, from }: LakeRange): SluiceError =>
  new SluiceError('offset-out-of-range', `offset ${from} is not in the lake any more`, {
    action: 'refresh',
    facts: { partition: partition.name, bucket, offset: `${from}` },
  })

interface Piece {
  readonly start: number
  readonly end: number
}

/** Rows of one commit time each, of [from, to), not larger than a frame by much. */
function* piecesOf({ rows, offsetAt, timeAt, pieceRows }: StoredRows, from: bigint, to: bigint): Iterable<Piece> {
  let start = 0
  for (let past = rows; start < past; ) {
    const middle = (start + past) >>> 1
    if (offsetAt(middle) < from) start = middle + 1
    else past = middle
  }
  for (let expected = from; start < rows && offsetAt(start) < to; ) {
    let end = start
    for (; end < rows && end - start < pieceRows && offsetAt(end) < to && timeAt(end) === timeAt(start); end++) {
      if (offsetAt(end) !== expected++) throw hole(expected - 1n)
    }
    yield { start, end }
    start = end
  }
}

const hole = (offset: bigint): SluiceError =>
  new SluiceError('internal', `the lake has no row, or two, at offset ${offset}`, {
    action: 'retry',
    facts: { offset: `${offset}` },
  })

/** Copied, so that a body holds no file. */
const owned = ({ nodes, buffers }: ColumnBuffers): ColumnBuffers => ({ nodes, buffers: buffers.map((bytes) => bytes.slice()) })

interface Taking {
  readonly range: LakeRange
  readonly fields: readonly Field[]
  readonly filter: WalkerLimits['filter']
  readonly rowsMax: number
}

function takePiece(
  stored: StoredRows,
  { start, end }: Piece,
  { range: { partition, bucket }, fields, filter, rowsMax }: Taking,
): { readonly rows?: FetchedRows; readonly next: Offset } {
  const base = offsetOf(stored.offsetAt(start))
  const timestamp = stored.timeAt(start)
  const offsetOfRow = (row: number): Offset => offsetOf(base + BigInt(row))
  const place = { partition: partition.name, bucket, offset: base, timestamp, rows: end - start }
  const columnOf = (column: FilterColumn): ColumnData =>
    isSystemColumn(column) ? systemData(column, place) : sliceColumn(stored.column(column.id), start, end)
  const selected = filter === undefined ? 'all' : selectRows(filter, place.rows, columnOf)
  if (selected === 'none') return { next: offsetOfRow(place.rows) }
  const at = { partition, bucket, timestamp }
  if (selected === 'all') {
    const rows = Math.min(place.rows, rowsMax)
    const columns = fields.map(({ id }) => owned(buffersOf(sliceColumn(stored.column(id), start, start + rows))))
    return { rows: fetchedRows({ ...at, offset: base, rows }, columns), next: offsetOfRow(rows) }
  }
  const indices = selected.subarray(0, rowsMax)
  const next = offsetOfRow(selected[rowsMax] ?? place.rows)
  const inFile = indices.map((row) => row + start)
  const columns = fields.map(({ id }) => buffersOf(gatherColumn(stored.column(id), inFile)))
  const offset = offsetOfRow(present(indices[0], 'a selected row'))
  return { rows: fetchedRows({ ...at, offset, rows: indices.length, picked: { base, indices } }, columns), next }
}
