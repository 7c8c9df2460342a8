/**
 * Rows as JSON, up to a number of bytes but at least one row. They are written as lines, a slice of a batch at a time, because JSON
 * may be many times larger than Arrow; the body is cut after the last line that fits. No line end stands inside a row, so one object
 * of rows is the same lines with commas for line ends.
 */
import type { Batch } from '../../core/format/arrow/column.ts'
import { int8s } from '../../core/format/arrow/layout.ts'
import { sliceBatch } from '../../core/format/arrow/take.ts'
import { encodeRows, type RowsPosition } from '../../core/format/json/encode.ts'
import { present } from '../../core/kernel/assert.ts'
import { utf8 } from '../../core/kernel/bytes.ts'
import { decodeBuffers } from '../../core/log/read/conform.ts'
import { type FetchedRows, offsetAt } from '../../core/log/read/rows.ts'
import { opColumn } from '../../core/model/changelog.ts'
import { bucketColumn, partitionColumn } from '../../core/model/system-columns.ts'
import { type AnswerColumn, storedColumns } from './columns.ts'
import type { AnswerRows, RowsWriter } from './rows-writer.ts'

export interface JsonForm {
  /** `lines`: NDJSON · `object`: `{"rows":[…]}` · `array` */
  readonly wrapping: 'lines' | 'object' | 'array'
  /** Rows end with partition and bucket too. */
  readonly isTable: boolean
}

interface Slice {
  readonly bytes: Uint8Array
  readonly rows: number
}

const sliceRows = 2_048
const lineEnd = 0x0a
const comma = 0x2c

/** Rows always end with where they lie, so `columns` need not name that. */
export function jsonWriter(columns: readonly AnswerColumn[], { wrapping, isTable }: JsonForm): RowsWriter {
  const isPlaced = isTable || columns.some(({ id }) => id === partitionColumn.id || id === bucketColumn.id)
  const stored = storedColumns(columns)
  const opIndex = stored.findIndex(({ id }) => id === opColumn.id)
  const [head, tail] = wrappings[wrapping]
  return {
    // the last line's end is not in it
    wrappingBytes: wrapping === 'lines' ? 0 : head.length + tail.length - 1,
    write: (fetched, bytesMax) => {
      const { pieces, rows } = takeLines(slices({ stored, opIndex, isPlaced }, fetched), bytesMax)
      return { pieces: wrapping === 'lines' ? pieces : [head, ...joinedByCommas(pieces), tail], rows }
    },
  }
}

const wrappings = {
  lines: [new Uint8Array(0), new Uint8Array(0)],
  object: [utf8('{"rows":['), utf8(']}')],
  array: [utf8('['), utf8(']')],
} as const

function takeLines(slices: Iterable<Slice>, bytesMax: number): AnswerRows {
  const pieces: Uint8Array[] = []
  let rows = 0
  let left = bytesMax
  for (const { bytes, rows: count } of slices) {
    const kept = left >= bytes.length ? { bytes, rows: count } : cutLines(bytes, left, rows === 0)
    if (kept.rows > 0) pieces.push(kept.bytes)
    rows += kept.rows
    left -= kept.bytes.length
    if (kept.rows < count) break
  }
  return { pieces, rows }
}

interface Lines {
  readonly stored: readonly AnswerColumn[]
  /** Of `__op` among them; below zero: rows of no changelog. */
  readonly opIndex: number
  readonly isPlaced: boolean
}

function* slices({ stored, opIndex, isPlaced }: Lines, fetched: readonly FetchedRows[]): Iterable<Slice> {
  for (const rows of fetched) {
    const whole = decodeBuffers(stored, rows.rows, rows.columns())
    const ops = opIndex < 0 ? undefined : int8s(present(whole.columns[opIndex]?.values, 'the values of __op'), rows.rows)
    const batch = opIndex < 0 ? whole : without(whole, opIndex)
    for (let start = 0; start < batch.rows; start += sliceRows) {
      const end = Math.min(batch.rows, start + sliceRows)
      const slice = end - start === batch.rows ? batch : sliceBatch(batch, start, end)
      const position = { ...positionOf(rows, start, end, isPlaced), ...(ops && { ops: ops.subarray(start, end) }) }
      yield { bytes: encodeRows(slice, position, 'ndjson'), rows: end - start }
    }
  }
}

const without = ({ rows, fields, columns }: Batch, index: number): Batch => ({
  rows,
  fields: fields.filter((_, i) => i !== index),
  columns: columns.filter((_, i) => i !== index),
})

function positionOf(rows: FetchedRows, start: number, end: number, isPlaced: boolean): RowsPosition {
  const { partition, bucket, timestamp, picked } = rows
  return {
    offset: offsetAt(rows, start),
    timestamp,
    ...(picked && { picked: { base: picked.base, indices: picked.indices.subarray(start, end) } }),
    ...(isPlaced && { partition: partition.name, bucket }),
  }
}

/** The lines that fit; the first one in any case where `atLeastOne`. */
function cutLines(bytes: Uint8Array, bytesMax: number, atLeastOne: boolean): Slice {
  let rows = 0
  let end = 0
  for (let next = bytes.indexOf(lineEnd); next !== -1; next = bytes.indexOf(lineEnd, end)) {
    if (next + 1 > bytesMax && !(atLeastOne && rows === 0)) break
    rows++
    end = next + 1
  }
  return { bytes: bytes.subarray(0, end), rows }
}

/** In place: the lines are ours. */
function joinedByCommas(pieces: readonly Uint8Array[]): readonly Uint8Array[] {
  for (const piece of pieces) for (let i = piece.indexOf(lineEnd); i !== -1; i = piece.indexOf(lineEnd, i + 1)) piece[i] = comma
  return pieces.map((piece, i) => (i === pieces.length - 1 ? piece.subarray(0, -1) : piece))
}
