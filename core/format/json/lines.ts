/**
 * Rows as lines of JSON, a slice of a batch at a time, because JSON may be many times larger than Arrow (a null takes a bit there, and
 * the name of its column here); taken up to a number of bytes, but at least one. No line end stands inside a row, so a list of rows
 * is the same lines with commas for line ends.
 */
import { sliceBatch } from '../arrow/take.ts'
import { encodeRows, type PlacedBatch, type RowsPosition } from './encode.ts'

export interface Lines {
  readonly bytes: Uint8Array
  readonly rows: number
}

const sliceRowsMax = 2_048
/** Of which nothing is known yet. */
const sliceRowsFirst = 8
/** Of a slice, if its rows are like those of the one before. */
const sliceBytes = 1024 * 1024
const lineEnd = 0x0a
const comma = 0x2c

export function* linesOf(parts: Iterable<PlacedBatch>): Iterable<Lines> {
  let count = sliceRowsFirst
  for (const { batch, position } of parts) {
    for (let start = 0; start < batch.rows; ) {
      const end = Math.min(batch.rows, start + count)
      const slice = end - start === batch.rows ? batch : sliceBatch(batch, start, end)
      const bytes = encodeRows(slice, position && positionFrom(position, start, end), 'ndjson')
      yield { bytes, rows: end - start }
      count = Math.max(1, Math.min(sliceRowsMax, Math.floor((sliceBytes * (end - start)) / bytes.length)))
      start = end
    }
  }
}

function positionFrom({ offset, picked, ops, ...rest }: RowsPosition, start: number, end: number): RowsPosition {
  return {
    ...rest,
    offset: offset + BigInt(start),
    ...(picked && { picked: { base: picked.base, indices: picked.indices.subarray(start, end) } }),
    ...(ops && { ops: ops.subarray(start, end) }),
  }
}

export interface TakenLines {
  readonly pieces: readonly Uint8Array[]
  readonly rows: number
}

export function takeLines(lines: Iterable<Lines>, bytesMax: number): TakenLines {
  const pieces: Uint8Array[] = []
  let rows = 0
  let left = bytesMax
  for (const { bytes, rows: count } of lines) {
    const kept = left >= bytes.length ? { bytes, rows: count } : cutLines(bytes, left, rows === 0)
    if (kept.rows > 0) pieces.push(kept.bytes)
    rows += kept.rows
    left -= kept.bytes.length
    if (kept.rows < count) break
  }
  return { pieces, rows }
}

/** The lines that fit; the first one in any case where `atLeastOne`. */
function cutLines(bytes: Uint8Array, bytesMax: number, atLeastOne: boolean): Lines {
  let rows = 0
  let end = 0
  for (let next = bytes.indexOf(lineEnd); next !== -1; next = bytes.indexOf(lineEnd, end)) {
    if (next + 1 > bytesMax && !(atLeastOne && rows === 0)) break
    rows++
    end = next + 1
  }
  return { bytes: bytes.subarray(0, end), rows }
}

/** In place: the lines are the caller's. Nothing stands behind the last. */
export function joinedByCommas(pieces: readonly Uint8Array[]): readonly Uint8Array[] {
  for (const piece of pieces) for (let i = piece.indexOf(lineEnd); i !== -1; i = piece.indexOf(lineEnd, i + 1)) piece[i] = comma
  return pieces.map((piece, i) => (i === pieces.length - 1 ? piece.subarray(0, -1) : piece))
}
