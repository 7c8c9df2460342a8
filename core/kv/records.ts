/**
 * Bodies of rows for a table with a primary key, hostile until read: what each row asks (`__op`, or `?op=`), and everything that can
 * be known to be wrong before a key is looked up, so that a bad row refuses the whole request. What comes out lies as the table's
 * columns and, where rows said it, `__op` as the log has it, so that rows are routed as those of any table.
 */
import type { Batch, ColumnData, Field } from '../format/arrow/column.ts'
import type { Zstd } from '../format/arrow/foreign-columns.ts'
import { bytesOf, int32s, isValid } from '../format/arrow/layout.ts'
import { readArrowStream, streamTypeOf } from '../format/arrow/read.ts'
import { gatherBatch, sliceColumn } from '../format/arrow/take.ts'
import { decodeRows } from '../format/json/decode.ts'
import { isSluiceError, SluiceError } from '../kernel/errors.ts'
import { changes as codes, opColumn } from '../model/changelog.ts'
import { deleteBehaviorOf } from '../model/keyed.ts'
import { quoted } from '../model/nearest.ts'
import type { Column, Table } from '../model/table.ts'
import { checkBitmap } from './merge/aggregates.ts'
import type { Operation, Targets } from './merge/operation.ts'
import { type Value, valuesOf } from './values.ts'

export interface RecordsRequest {
  readonly body: Uint8Array
  readonly form: 'ndjson' | 'json' | 'arrow'
  /** Of rows that do not say it. */
  readonly op: Operation['kind']
  /** Of `?columns=`. */
  readonly targets?: Targets
  readonly zstd?: Zstd
}

/** `__op` of the records that come out: an update or a delete, never null. */
export const opField: Field = opColumn

/**
 * Batches of the table's columns, then `opField` where a row said what it asks; `-U` and empty batches are left out. Errors: as of the
 * readers, and `invalid-rows` that name column and row, counted from 0 over the request.
 */
export function readRecords(table: Table, request: RecordsRequest): readonly Batch[] {
  const batches: Batch[] = []
  let firstRow = 0
  for (const batch of readBatches(table, request)) {
    const records = recordsOf(table, batch, { ...request, firstRow })
    if (records.rows > 0) batches.push(records)
    firstRow += batch.rows
  }
  return batches
}

function readBatches(table: Table, { body, form, zstd }: RecordsRequest): readonly Batch[] {
  const former = table.formerNames === undefined ? {} : { formerNames: table.formerNames }
  if (form !== 'arrow') return decodeRows(body, bodyFields(table).text, form, former)
  const fields = bodyFields(table)[streamTypeOf(body, opField.name)?.kind === 'int' ? 'code' : 'text']
  return readArrowStream(body, fields, { ...(zstd === undefined ? {} : { zstd }), ...former })
}

interface BodyFields {
  readonly text: readonly Field[]
  readonly code: readonly Field[]
}

/** Readers keep what they know of fields by their identity. */
const knownFields = new WeakMap<readonly Column[], BodyFields>()

/** Only the key has to be there in every row: a delete brings nothing else, and an auto-increment column nobody. */
function bodyFields({ schema: { columns }, primaryKey = [] }: Table): BodyFields {
  const before = knownFields.get(columns)
  if (before !== undefined) return before
  const own = columns.map((column): Field => ({ ...column, nullable: !primaryKey.includes(column.name) }))
  const made: BodyFields = {
    text: [...own, { ...opField, type: { kind: 'string' }, nullable: true }],
    code: [...own, { ...opField, type: { kind: 'bigint' }, nullable: true }],
  }
  knownFields.set(columns, made)
  return made
}

interface Checking {
  readonly op: Operation['kind']
  readonly targets?: Targets
  readonly firstRow: number
}

function recordsOf(table: Table, batch: Batch, checking: Checking): Batch {
  const { columns } = table.schema
  const op = batch.columns[columns.length] as ColumnData
  const rows: Batch = { rows: batch.rows, fields: columns, columns: batch.columns.slice(0, columns.length) }
  const kinds = op.nullCount === op.length ? undefined : kindsOf(op, checking)
  checkRows(table, rows, checking, kinds ?? new Int8Array(batch.rows).fill(codeOf(checking.op)))
  if (kinds === undefined) return rows
  const values: ColumnData = {
    type: opField.type,
    length: batch.rows,
    nullCount: 0,
    validity: undefined,
    offsets: undefined,
    values: bytesOf(kinds),
    children: [],
  }
  const whole: Batch = { rows: batch.rows, fields: [...columns, opField], columns: [...rows.columns, values] }
  if (!kinds.includes(codes.updateBefore)) return whole
  const kept: number[] = []
  for (let row = 0; row < kinds.length; row++) if (kinds[row] !== codes.updateBefore) kept.push(row)
  return gatherBatch(whole, Uint32Array.from(kept))
}

const codeOf = (op: Operation['kind']): number => (op === 'delete' ? codes.delete : codes.updateAfter)

/** As text, or as the code that Arrow bodies of a changelog have. */
function kindsOf(column: ColumnData, { op, firstRow }: Checking): Int8Array {
  const { length, values = new Uint8Array(0), offsets } = column
  const kinds = new Int8Array(length)
  const longs = offsets === undefined ? int32s(values, 2 * length) : undefined
  for (let row = 0; row < length; row++) {
    const kind = !isValid(column, row)
      ? codeOf(op)
      : longs === undefined
        ? kindOfText(values, offsets?.[row] as number, offsets?.[row + 1] as number)
        : kindOfCode(longs[2 * row] as number, longs[2 * row + 1] as number)
    if (kind === unknownKind)
      throw wrong(
        '__op',
        firstRow + row,
        `${printed(valuesOf(sliceColumn(column, row, row + 1))[0])} is not known: use U, +U, +I, +A, D, -D or -U, or their codes 0 to 4 in Arrow`,
      )
    kinds[row] = kind
  }
  return kinds
}

const unknownKind = -1

/** Of the words of a long. */
function kindOfCode(low: number, high: number): number {
  if (high !== 0 || low < codes.append || low > codes.delete) return unknownKind
  return low === codes.append || low === codes.insert ? codes.updateAfter : low
}

function kindOfText(bytes: Uint8Array, start: number, end: number): number {
  const [first, second] = [bytes[start], bytes[start + 1]]
  if (end - start === 1) return first === letter.U ? codes.updateAfter : first === letter.D ? codes.delete : unknownKind
  if (end - start !== 2) return unknownKind
  if (first === letter.plus && (second === letter.U || second === letter.I || second === letter.A)) return codes.updateAfter
  if (first !== letter.minus) return unknownKind
  return second === letter.D ? codes.delete : second === letter.U ? codes.updateBefore : unknownKind
}

const letter = { plus: 0x2b, minus: 0x2d, A: 0x41, D: 0x44, I: 0x49, U: 0x55 } as const

const printed = (value: Value | undefined): string =>
  value instanceof Uint8Array ? quoted(new TextDecoder().decode(value.subarray(0, 64))) : String(value)

function checkRows(table: Table, batch: Batch, { targets, firstRow }: Checking, kinds: Int8Array): void {
  const { schema, primaryKey = [], options } = table
  const isUpsert = (row: number): boolean => kinds[row] === codes.updateAfter
  if (options.keyed !== undefined && deleteBehaviorOf(options.keyed) === 'disable' && kinds.includes(codes.delete))
    throw new SluiceError(
      'invalid-rows',
      `row ${firstRow + kinds.indexOf(codes.delete)}: this table takes no deletes (delete.behavior=disable)`,
      {
        facts: { row: firstRow + kinds.indexOf(codes.delete), option: 'delete.behavior' },
      },
    )
  for (const [i, { name, nullable, autoIncrement }] of schema.columns.entries()) {
    const column = batch.columns[i] as ColumnData
    if (targets === undefined && autoIncrement === true && column.nullCount < batch.rows) {
      const row = rowWhere(kinds, (at) => isUpsert(at) && isValid(column, at))
      if (row >= 0) throw wrong(name, firstRow + row, 'it is autoIncrement and its values are drawn: leave it out')
    } else if (
      targets === undefined &&
      !nullable &&
      autoIncrement !== true &&
      column.nullCount > 0 &&
      !primaryKey.includes(name)
    ) {
      const row = rowWhere(kinds, (at) => isUpsert(at) && !isValid(column, at))
      if (row >= 0) throw wrong(name, firstRow + row, 'it is null, and the column is not nullable')
    }
    checkBitmaps(table, name, column, (row) => isUpsert(row) && targets?.isTarget[i] !== false, firstRow)
  }
}

/** A bitmap of another layout would be found only when another comes to the same key. */
function checkBitmaps(table: Table, name: string, column: ColumnData, counts: (row: number) => boolean, firstRow: number): void {
  const fields = table.options.keyed?.fields ?? {}
  const agg = Object.hasOwn(fields, name) ? fields[name]?.agg : undefined
  if (agg !== 'rbm32' && agg !== 'rbm64') return
  for (const [row, value] of valuesOf(column).entries()) {
    if (!(value instanceof Uint8Array) || !counts(row)) continue
    try {
      checkBitmap(agg, value)
    } catch (error) {
      throw isSluiceError(error, 'invalid-rows') ? wrong(name, firstRow + row, error.message) : error
    }
  }
}

function rowWhere(kinds: Int8Array, test: (row: number) => boolean): number {
  for (let row = 0; row < kinds.length; row++) if (test(row)) return row
  return -1
}

const wrong = (column: string, row: number, what: string): SluiceError =>
  new SluiceError('invalid-rows', `column ${quoted(column)}, row ${row}: ${what}`, { facts: { column, row } })
