/** What lookups and rows share: keys of a JSON body as columns, rows as an answer. */

import type { Batch, Field } from '../../core/format/arrow/column.ts'
import { encodeFramePieces } from '../../core/format/arrow/frame.ts'
import { encodeSchemaMessage, endOfStream } from '../../core/format/arrow/schema.ts'
import { splitBatch } from '../../core/format/arrow/take.ts'
import { decodeRows } from '../../core/format/json/decode.ts'
import { linesOf, type TakenLines, takeLines } from '../../core/format/json/lines.ts'
import { RowProblem } from '../../core/format/json/source.ts'
import { utf8 } from '../../core/kernel/bytes.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import { printExact } from '../../core/kernel/exact-json.ts'
import { limits } from '../../core/kernel/limits.ts'
import type { LookedUp } from '../../core/kv/lookup.ts'
import { batchOf, type Row } from '../../core/kv/values.ts'
import { isKeyed } from '../../core/model/changelog.ts'
import { quoted, suggestion } from '../../core/model/nearest.ts'
import type { Column, Table } from '../../core/model/table.ts'

/** Errors: `bad-request`. */
export function assertKeyed(table: Table): void {
  if (isKeyed(table)) return
  throw new SluiceError('bad-request', `${table.database}.${table.name} has no primary key: read its log`)
}

/** Columns `names` of the table, from JSON as the body's reader gives it. Errors: `invalid-rows`, `unknown-field`. */
export function keysOf(table: Table, names: readonly string[], keys: readonly unknown[]): Batch {
  const fields = columnsNamed(table, names).map((column): Field => ({ ...column, nullable: false }))
  // a line a key, so that the line of an error is the index of its key
  const text = utf8(keys.map((key) => (mayHaveLongs(key) ? printExact(key) : JSON.stringify(key))).join('\n'))
  const former = table.formerNames === undefined ? {} : { formerNames: table.formerNames }
  try {
    const [batch] = decodeRows(text, fields, 'ndjson', former)
    return batch ?? batchOf(fields, [])
  } catch (error) {
    throw inKeys(error, table, names)
  }
}

/** Places in the text that we made are nobody's: of the key and its column instead. */
function inKeys(error: unknown, table: Table, names: readonly string[]): unknown {
  if (!(error instanceof RowProblem)) return error
  const { what, place, field } = error
  const key = place.line - 1
  const isColumn = table.schema.columns.some(({ name }) => name === field)
  const wrong = error.code !== 'unknown-field' ? what : `${isColumn ? 'it is not of the key' : what}: give ${names.join(', ')}`
  return new SluiceError(error.code, `keys[${key}]${field === undefined ? '' : `.${field.slice(0, 64)}`}: ${wrong}`, {
    facts: { key, ...(field !== undefined && { field: field.slice(0, 256) }) },
  })
}

/** Whole numbers that a double cannot hold are bigints, of which `JSON.stringify` alone knows nothing. */
const mayHaveLongs = (key: unknown): boolean =>
  typeof key === 'object' && key !== null
    ? Object.values(key).some((value) => typeof value === 'bigint' || typeof value === 'object')
    : typeof key === 'bigint'

/** All where `names` is absent. Errors: `bad-request`. */
export function columnsNamed(table: Table, names: readonly string[] | undefined): readonly Column[] {
  const { columns } = table.schema
  if (names === undefined) return columns
  const known = columns.map(({ name }) => name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw bad(`${quoted(twice)} is named twice`)
  return names.map((name) => {
    const column = columns[known.indexOf(name)]
    if (column === undefined) throw bad(`there is no column ${quoted(name)}${suggestion(name, known)}`)
    return column
  })
}

const bad = (message: string): SluiceError =>
  new SluiceError('bad-request', `columns: ${message}`, { facts: { parameter: 'columns' } })

/** `columns`: of the table, in the order wanted. */
export function answerBatch(table: Table, columns: readonly Column[], rows: readonly Row[]): Batch {
  if (columns === table.schema.columns) return batchOf(columns, rows)
  const indices = columns.map(({ id }) => table.schema.columns.findIndex((column) => column.id === id))
  return batchOf(
    columns,
    rows.map((row) => indices.map((index) => row[index] ?? null)),
  )
}

/** As many of the rows as have so many bytes, but at least one: lines. */
export const rowLines = (batch: Batch, bytesMax: number): TakenLines => takeLines(linesOf([{ batch }]), bytesMax)

const keyIndexField: Field = { name: '__key', type: { kind: 'int' }, nullable: false, id: 0 }

export interface Answered {
  /** Of the key of each row. */
  readonly keyIndices: readonly number[]
  readonly buckets: LookedUp<unknown>['buckets']
}

/** Rows; of a lookup behind the index of their key, with the offsets in the metadata of the schema. */
export function arrowBody(batch: Batch, answered?: Answered): readonly Uint8Array[] {
  const whole = answered === undefined ? batch : withKeyIndices(batch, answered.keyIndices)
  const frames = whole.rows === 0 ? [] : splitBatch(whole, limits.frameBytesMax)
  const metadata = answered && { 'sluice.buckets': bucketsText(answered.buckets) }
  const schema = encodeSchemaMessage(whole.fields, metadata && { metadata })
  return [schema, ...frames.flatMap((frame) => encodeFramePieces(frame).pieces), endOfStream]
}

/** At which offset each bucket was looked at. */
export const bucketsText = (buckets: Answered['buckets']): string =>
  JSON.stringify(buckets.map(({ offset, ...at }) => ({ ...at, offset: `${offset}` })))

function withKeyIndices(batch: Batch, indices: readonly number[]): Batch {
  const keys = batchOf(
    [keyIndexField],
    indices.map((index) => [index]),
  )
  return { rows: batch.rows, fields: [...keys.fields, ...batch.fields], columns: [...keys.columns, ...batch.columns] }
}
