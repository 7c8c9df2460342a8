/**
 * The parameters of a fetch as what is to be read: which part of the table, from where, which columns and rows, how much. A cursor
 * brings the part of the table and the place; it beats `offset`, and `bucket` and `partition` beside it may only repeat it.
 */
import { media } from '../../contract/media.ts'
import { partitionNotFound } from '../../core/catalog/partitions.ts'
import { type Cursor, decodeCursor, encodeCursor, nameCrcOf } from '../../core/format/cursor.ts'
import { utf8 } from '../../core/kernel/bytes.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import { offsetOf } from '../../core/kernel/ids.ts'
import { limits } from '../../core/kernel/limits.ts'
import { binlogColumns, binlogPage } from '../../core/kv/binlog.ts'
import type { Log } from '../../core/log/log.ts'
import type { Page, PageRequest } from '../../core/log/read/page.ts'
import { isSystemColumn } from '../../core/log/read/system.ts'
import type { Position } from '../../core/log/read/walk.ts'
import { isKeyed, opColumn } from '../../core/model/changelog.ts'
import type { Filter } from '../../core/model/filter.ts'
import { parseFilter } from '../../core/model/filter-text.ts'
import { isOneBucket, type Selection } from '../../core/model/selection.ts'
import { systemColumns } from '../../core/model/system-columns.ts'
import type { Table } from '../../core/model/table.ts'
import { parseTimestamp } from '../../core/model/values/moments.ts'
import type { Handler } from '../call.ts'
import { type AnswerColumn, answerColumns, storedColumns } from './columns.ts'
import { selectionOf } from './selection.ts'

export type FetchQuery = Parameters<Handler<'fetch'>>[0]['query']

export interface ReadQuery {
  readonly selection: Selection
  /** One ordered log: answers have its offsets. */
  readonly isOneBucket: boolean
  readonly from: PageRequest['from']
  readonly columns: readonly AnswerColumn[]
  readonly filter?: Filter
  /** Changes of the columns of the table that are asked for, and not records. */
  readonly changesOf?: readonly AnswerColumn[]
  readonly rowsMax: number
  /** Of the body. */
  readonly bytesMax: number
}

/** Errors: `bad-request`, `bad-cursor`, `gone`, `invalid-filter`, `not-supported`, `not-found`. */
export async function readQueryOf(log: Log, table: Table, query: FetchQuery, wants: string): Promise<ReadQuery> {
  const { limit, maxBytes, where, form } = query
  const isArrow = wants === media.arrow
  const rowsDefault = isArrow ? limits.fetchRowsDefaultArrow : limits.fetchRowsDefaultJson
  const filter =
    where === undefined
      ? undefined
      : parseFilter(where, [...table.schema.columns, ...systemColumns, ...(isKeyed(table) ? [opColumn] : [])])
  return {
    ...(await placeOf(log, table, query)),
    ...(form === undefined
      ? { columns: columnsOf(table, query.columns, isArrow && filter !== undefined) }
      : changeColumns(table, query.columns, isArrow)),
    ...(filter && { filter }),
    rowsMax: atMost(limit, rowsDefault, limits.fetchRowsMax),
    bytesMax: atMost(maxBytes, limits.fetchBodyBytesMax, limits.fetchBodyBytesMax),
  }
}

export function readPage(log: Log, table: Table, asked: ReadQuery): Promise<Page> {
  const { selection, from, columns, filter, changesOf, rowsMax, bytesMax } = asked
  const common = { selection, from, bytesMax }
  if (changesOf === undefined)
    return log.readPage(table, { ...common, fields: storedColumns(columns), rowsMax, ...(filter && { filter }) })
  return log.readPage(table, {
    ...common,
    ...binlogPage({ columns: changesOf, changesMax: rowsMax, ...(filter && { filter }) }),
  })
}

/** Changes are not in a row, so as Arrow their places are always said. */
function changeColumns(table: Table, text: string | undefined, isArrow: boolean): Pick<ReadQuery, 'columns' | 'changesOf'> {
  if (!isKeyed(table)) throw bad('form', `${table.database}.${table.name} has no primary key and so no changes: leave out form`)
  const named = answerColumns(table, text)
  const changesOf = storedColumns(named).filter((column) => column !== opColumn)
  if (changesOf.length === 0) throw bad('columns', 'columns: form=binlog needs a column of the table')
  const places = isArrow ? systemColumns : named.filter(isSystemColumn)
  return { changesOf, columns: [...binlogColumns(changesOf), ...places] }
}

/** Where the reader is when it took the first `rows` rows. */
export function cursorAfter(table: Table, { selection }: ReadQuery, page: Page, rows: number): string {
  const { tableId, database, name } = table
  return encodeCursor({ tableId, nameCrc: nameCrcOf(database, name), selection, position: page.after(rows) })
}

/** A cursor of a table that had this name: 410 whether or not another one has it now. */
export function refuseDropped(params: { readonly db: string; readonly table: string }, cursor: string | undefined): void {
  if (cursor !== undefined && decodeCursor(cursor).nameCrc === nameCrcOf(params.db, params.table))
    throw gone(params.db, params.table)
}

/** Rows that a filter picked are not in a row: only columns can say where they lie. */
function columnsOf(table: Table, text: string | undefined, isPlaceNeeded: boolean): readonly AnswerColumn[] {
  const columns = answerColumns(table, text)
  return isPlaceNeeded ? [...columns, ...systemColumns.filter((column) => !columns.includes(column))] : columns
}

type Place = Pick<ReadQuery, 'selection' | 'isOneBucket' | 'from'>

async function placeOf(log: Log, table: Table, query: FetchQuery): Promise<Place> {
  const isPartitioned = table.partitionBy.length > 0
  const { cursor, bucket, partition } = query
  if (cursor !== undefined) {
    const { selection, position } = cursorOf(table, cursor)
    if (bucket !== undefined || partition !== undefined) await assertSame(log, table, selection, query)
    return { selection, isOneBucket: isOneBucket(selection, isPartitioned), from: position }
  }
  const selection = await selectionOf(log, table, query)
  const isOne = isOneBucket(selection, isPartitioned)
  const first = positionOf(query.offset)
  if (typeof first === 'bigint' && !isOne) throw notOne(table, query)
  return { selection, isOneBucket: isOne, from: { first } }
}

function cursorOf(table: Table, text: string): Cursor {
  const cursor = decodeCursor(text)
  const last = cursor.selection.buckets.at(-1)?.last ?? 0
  if (cursor.tableId === table.tableId && last < table.buckets.count) return cursor
  if (cursor.nameCrc === nameCrcOf(table.database, table.name)) throw gone(table.database, table.name)
  throw new SluiceError('bad-cursor', `the cursor is of another table than ${table.database}.${table.name}`, {
    facts: { parameter: 'cursor' },
  })
}

async function assertSame(log: Log, table: Table, selection: Selection, query: FetchQuery): Promise<void> {
  const { bucket, partition } = query
  const asked = await selectionOf(log, table, { bucket, partition })
  if (bucket !== undefined && JSON.stringify(asked.buckets) !== JSON.stringify(selection.buckets)) throw other('bucket')
  if (partition === undefined) return
  const { partitions } = selection
  const isSame =
    (partitions.kind === 'name' && partitions.name === partition) ||
    (partitions.kind === 'prefix' && (partitions.prefix === partition || partitions.prefix === `${partition}/`)) ||
    (partitions.kind === 'all' && asked.partitions.kind === 'all')
  if (!isSame) throw other('partition')
}

const other = (parameter: string): SluiceError =>
  bad(parameter, `${parameter} is not what the cursor was made for: leave it out, or leave out the cursor`)

const gone = (database: string, name: string): SluiceError =>
  new SluiceError('gone', `the table ${database}.${name} of this cursor was dropped`, { facts: { parameter: 'cursor' } })

function notOne(table: Table, { bucket, partition, offset = '' }: FetchQuery): SluiceError {
  if (bucket !== undefined && /^[0-9]+$/.test(bucket) && partition !== undefined) return partitionNotFound(table, partition)
  const wanted = table.partitionBy.length > 0 ? 'bucket= and partition=' : 'bucket='
  return bad('offset', `offset ${offset} is of one bucket: say which with ${wanted}, or begin with offset=earliest`)
}

function positionOf(text: string | undefined): Position {
  if (text === undefined)
    throw bad(
      'offset',
      'say where to begin with offset= (earliest, latest, @ and a time, or a number), or where to go on with cursor=',
    )
  if (text === 'earliest' || text === 'latest') return text
  if (text.startsWith('@')) return { time: timeOf(text.slice(1)) }
  const value = /^[0-9]{1,40}$/.test(text) ? BigInt(text) : -1n
  if (value < 0n || value > limits.offsetMax)
    throw bad('offset', `offset must be earliest, latest, @ and a time, or a whole number from 0 to ${limits.offsetMax}`)
  return offsetOf(value)
}

/** ms since 1970; finer times are rounded up, so that a row before the time is never among those after it. */
function timeOf(text: string): number {
  const bytes = utf8(text)
  const into = { seconds: 0, groups: [0, 0, 0] as [number, number, number] }
  const wrong = bytes.length > 64 ? 'it is too long' : parseTimestamp(bytes, 0, bytes.length, 9, true, into)
  if (wrong !== undefined) throw bad('offset', `offset=@time: a time is written @2026-11-21T09:30:00.123Z (${wrong})`)
  const [ms, micros, nanos] = into.groups
  return into.seconds * 1000 + ms + (micros > 0 || nanos > 0 ? 1 : 0)
}

/** Larger wishes are bounded, not refused: the answer says how far it came. */
function atMost(value: bigint | undefined, otherwise: number, max: number): number {
  if (value === undefined) return otherwise
  return value > BigInt(max) ? max : Number(value)
}

const bad = (parameter: string, message: string): SluiceError => new SluiceError('bad-request', message, { facts: { parameter } })
