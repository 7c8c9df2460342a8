/**
 * Batches as JSON rows (contract, "Values in JSON"): NDJSON, a line a row, or `{"rows": […]}`. With a position each row ends
 * with `__offset`, `__timestamp`, `__op` where it is a change, and, where a whole table is read, `__partition`, `__bucket`. decodeRows
 * reads it back.
 */
import { utf8 } from '../../kernel/bytes.ts'
import { changeKinds } from '../../model/changelog.ts'
import { putClock, putDate, putDigits } from '../../model/values/calendar.ts'
import type { Batch } from '../arrow/column.ts'
import { batchBytes } from '../arrow/take.ts'
import { Sink } from './sink.ts'
import { type ValueWriter, writerOf } from './value-writers.ts'

export interface RowsPosition {
  /** Of the first row; row i is at offset + i. */
  readonly offset: bigint
  /** Where rows are missing between: row i is at base + indices[i]. */
  readonly picked?: { readonly base: bigint; readonly indices: Uint32Array }
  /** ms since 1970 */
  readonly timestamp: number
  /** Of each row its code (`changeKinds`): rows of a changelog. */
  readonly ops?: Int8Array
  /** Both given when the table, not one bucket, is read. */
  readonly partition?: string
  readonly bucket?: number
}

export interface PlacedBatch {
  readonly batch: Batch
  /** Absent: rows without system columns. */
  readonly position?: RowsPosition
}

export function encodeRows(batch: Batch, position: RowsPosition | undefined, form: 'ndjson' | 'json'): Uint8Array {
  return encodeBatches([position === undefined ? { batch } : { batch, position }], form)
}

/** One body of many batches, in order; they may differ in columns. */
export function encodeBatches(parts: readonly PlacedBatch[], form: 'ndjson' | 'json'): Uint8Array {
  const sink = new Sink(
    256 + parts.reduce((sum, { batch }) => sum + 2 * batchBytes(batch) + batch.rows * (80 + 16 * batch.columns.length), 0),
  )
  if (form === 'json') sink.ascii('{"rows":[')
  let written = 0
  for (const part of parts) {
    writeBatch(sink, part, form === 'json' ? (written === 0 ? 'first' : 'next') : 'line')
    written += part.batch.rows
  }
  if (form === 'json') sink.ascii(']}')
  return sink.finish()
}

function writeBatch(sink: Sink, { batch, position }: PlacedBatch, rowForm: 'line' | 'first' | 'next'): void {
  const writers = batch.columns.map(writerOf)
  const keys = batch.fields.map((field, i) => utf8(`${i === 0 ? '{' : ','}${JSON.stringify(field.name)}:`))
  const beforeOffset = utf8(`${keys.length === 0 ? '{' : ','}"__offset":"`)
  const close = utf8(position === undefined ? (keys.length === 0 ? '{}' : '}') : systemEnd(position))
  const opCloses = position?.ops && changeKinds.map((kind) => utf8(systemEnd(position, kind)))
  for (let row = 0; row < batch.rows; row++) {
    if (rowForm === 'next' || (rowForm === 'first' && row > 0)) sink.byte(0x2c)
    for (let i = 0; i < keys.length; i++) {
      sink.put(keys[i] as Uint8Array)
      ;(writers[i] as ValueWriter)(sink, row)
    }
    if (position !== undefined) {
      sink.put(beforeOffset)
      sink.ascii(offsetAt(position, row).toString())
    }
    sink.put(opCloses?.[position?.ops?.[row] as number] ?? close)
    if (rowForm === 'line') sink.byte(0x0a)
  }
}

const offsetAt = ({ offset, picked }: RowsPosition, row: number): bigint =>
  picked === undefined ? offset + BigInt(row) : picked.base + BigInt(picked.indices[row] as number)

/** What follows the digits of the offset; the same for every row of a batch. */
function systemEnd({ timestamp, partition, bucket }: RowsPosition, op?: string): string {
  const place =
    partition === undefined || bucket === undefined ? '' : `,"__partition":${JSON.stringify(partition)},"__bucket":${bucket}`
  const change = op === undefined ? '' : `,"__op":"${op}"`
  return `","__timestamp":"${timestampText(timestamp)}"${change}${place}}`
}

/** timestamp_ltz(3) of ms since 1970: `2026-11-21T09:30:00.123Z`. */
export function timestampText(ms: number): string {
  const out = new Uint8Array(24)
  const day = Math.floor(ms / 86_400_000)
  const rest = ms - day * 86_400_000
  putDate(out, 0, day)
  out[10] = 0x54
  putClock(out, 11, Math.floor(rest / 1000))
  out[19] = 0x2e
  putDigits(out, 20, Math.floor(rest % 1000), 3)
  out[23] = 0x5a
  return String.fromCharCode(...out)
}
