/**
 * Rows in JSON (contract, "Values in JSON") as columns, without an object a row: NDJSON, one object a line, or
 * `{"rows": […]}`. Errors name line and column. Memory is bounded by a budget, whatever the text asks for.
 */

import { utf8Text } from '../../kernel/bytes.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { limits } from '../../kernel/limits.ts'
import { systemColumns } from '../../model/names.ts'
import { budgetOf, spend } from '../arrow/budget.ts'
import type { Batch, Field } from '../arrow/column.ts'
import { checkRowBytes } from '../arrow/row-bytes.ts'
import { batchBytes } from '../arrow/take.ts'
import { utf8Problem } from '../arrow/utf8.ts'
import { ObjectReader } from './nested-builders.ts'
import { expectByte, nextOrClose, peek, placeOf, problem, RowProblem, readText, Source } from './source.ts'

export interface DecodeOptions {
  readonly rowsMax?: number
  readonly rowBytesMax?: number
  readonly expandedBytesMax?: number
  /** Names that columns had before, to their ids. */
  readonly formerNames?: Readonly<Record<string, number>>
}

/** One batch, or none without rows. Errors: `invalid-rows`, `unknown-field`, `too-large`; facts `line`, `column` from 1, `field` where a column of the table is meant. */
export function decodeRows(
  bytes: Uint8Array,
  fields: readonly Field[],
  form: 'ndjson' | 'json',
  options: DecodeOptions = {},
): readonly Batch[] {
  const expandedBytesMax = options.expandedBytesMax ?? limits.produceExpandedBytesMax
  // buffers double, so they take at most four times what is in them, growth included
  const source = new Source(bytes, budgetOf(4 * expandedBytesMax + fields.length * 1024))
  const wrong = utf8Problem(bytes, 0, bytes.length)
  if (wrong >= 0) throw problem(source, 'this is not UTF-8', wrong)
  const reader = new ObjectReader(fields, source.budget, { ignored: systemColumns, formerNames: options.formerNames ?? {} })
  const rowsMax = options.rowsMax ?? limits.produceRowsMax
  const rows = form === 'ndjson' ? readLines(source, reader, rowsMax) : readWhole(source, reader, rowsMax)
  if (rows === 0) return []
  const batch: Batch = { rows, fields, columns: reader.finish(rows) }
  spend(budgetOf(expandedBytesMax), batchBytes(batch))
  checkRowBytes(batch, options.rowBytesMax ?? limits.rowBytesMax)
  return [batch]
}

/** Objects with a line end after each but the last; empty lines are passed. */
function readLines(source: Source, reader: ObjectReader, rowsMax: number): number {
  let rows = 0
  while (peek(source) !== 0 || source.at < source.end) {
    checkRows(rows, rowsMax)
    reader.read(source, rows++)
    endLine(source)
  }
  return rows
}

function endLine(source: Source): void {
  const { bytes, end } = source
  while (source.at < end && (bytes[source.at] === 0x20 || bytes[source.at] === 0x09 || bytes[source.at] === 0x0d)) source.at++
  if (source.at < end && bytes[source.at] !== 0x0a) throw problem(source, 'a line has more than one value')
}

function readWhole(source: Source, reader: ObjectReader, rowsMax: number): number {
  let rows = 0
  let seen = false
  if (peek(source) !== 0x7b) throw problem(source, jsonForm)
  source.at++
  if (peek(source) !== 0x7d) {
    do {
      const start = source.at
      if (peek(source) !== 0x22) throw problem(source, 'a key is expected here')
      readText(source)
      const name = utf8Text(source.text.subarray(source.from, source.to))
      if (name !== 'rows') throw new RowProblem('unknown-field', jsonForm, placeOf(source.bytes, start), name)
      if (seen) throw problem(source, 'the key "rows" comes twice', start)
      seen = true
      expectByte(source, 0x3a)
      if (peek(source) !== 0x5b) throw problem(source, jsonForm)
      source.at++
      if (peek(source) === 0x5d) source.at++
      else {
        do {
          checkRows(rows, rowsMax)
          peek(source)
          reader.read(source, rows++)
        } while (nextOrClose(source, 0x5d))
      }
    } while (nextOrClose(source, 0x7d))
  } else source.at++
  if (!seen) throw problem(source, jsonForm)
  if (peek(source) !== 0 || source.at < source.end) throw problem(source, 'something follows the value')
  return rows
}

const jsonForm =
  'application/json has its rows in one object, {"rows":[{…},{…}]}; rows one a line are application/x-ndjson: set Content-Type to what is sent'

function checkRows(rows: number, rowsMax: number): void {
  if (rows >= rowsMax) throw new SluiceError('too-large', `a request has at most ${rowsMax} rows`, { facts: { rowsMax } })
}
