/**
 * Fetched frames as JSON rows, up to a number of bytes but at least one row. Rows are written as lines, a slice of a
 * frame at a time, because JSON may be many times larger than the frame; the body is cut after the last line that fits.
 * No line end stands inside a row, so one object of rows is the same lines with commas for line ends.
 */
import { decodeFrame } from '../../core/format/arrow/frame.ts'
import { sliceBatch } from '../../core/format/arrow/take.ts'
import { encodeRows } from '../../core/format/json/encode.ts'
import { concat, utf8 } from '../../core/kernel/bytes.ts'
import type { Fetched } from '../../core/log/types.ts'
import type { Table } from '../../core/model/table.ts'

export interface JsonForm {
  readonly ndjson: boolean
  readonly bytesMax: number
}

export interface JsonRows {
  readonly bytes: Uint8Array
  readonly rows: number
}

const sliceRows = 2_048
const lineEnd = 0x0a
const comma = 0x2c

export function encodeJsonRows(table: Table, fetched: Fetched, { ndjson, bytesMax }: JsonForm): JsonRows {
  const lines: Uint8Array[] = []
  let rows = 0
  let left = bytesMax
  for (const { bytes, rows: count } of slices(table, fetched)) {
    const kept = left >= bytes.length ? { bytes, rows: count } : cutLines(bytes, left, rows === 0)
    if (kept.rows > 0) lines.push(kept.bytes)
    rows += kept.rows
    left -= kept.bytes.length
    if (kept.rows < count) break
  }
  return { bytes: ndjson ? concat(lines) : oneObject(lines), rows }
}

function* slices(table: Table, { frames }: Fetched): Iterable<JsonRows> {
  for (const frame of frames) {
    const batch = decodeFrame(frame.bytes, table.schema.columns)
    for (let start = 0; start < batch.rows; start += sliceRows) {
      const end = Math.min(batch.rows, start + sliceRows)
      const slice = end - start === batch.rows ? batch : sliceBatch(batch, start, end)
      const position = { offset: frame.offset + BigInt(start), timestamp: frame.timestamp }
      yield { bytes: encodeRows(slice, position, 'ndjson'), rows: end - start }
    }
  }
}

/** The lines that fit; the first one in any case where `atLeastOne`. */
function cutLines(bytes: Uint8Array, bytesMax: number, atLeastOne: boolean): JsonRows {
  let rows = 0
  let end = 0
  for (let next = bytes.indexOf(lineEnd); next !== -1; next = bytes.indexOf(lineEnd, end)) {
    if (next + 1 > bytesMax && !(atLeastOne && rows === 0)) break
    rows++
    end = next + 1
  }
  return { bytes: bytes.subarray(0, end), rows }
}

const head = utf8('{"rows":[')
const tail = utf8(']}')
/** Around the lines of an object of rows; the last line's end is not in it. */
export const jsonWrappingBytes = head.length + tail.length - 1

function oneObject(lines: readonly Uint8Array[]): Uint8Array {
  const rows = concat(lines)
  for (let i = rows.indexOf(lineEnd); i !== -1; i = rows.indexOf(lineEnd, i + 1)) rows[i] = comma
  return concat([head, rows.subarray(0, Math.max(0, rows.length - 1)), tail])
}
