/**
 * GET …/rows: the current rows of a keyed table, bucket by bucket, in key order. Each bucket is read at one offset, that of its first
 * page, under a lease that the cursor names. Without Sluice-Cursor in the answer no rows are left.
 */
import { media } from '../../contract/media.ts'
import { selectRows } from '../../core/format/arrow/filter.ts'
import { joinedByCommas } from '../../core/format/json/lines.ts'
import { present } from '../../core/kernel/assert.ts'
import { utf8 } from '../../core/kernel/bytes.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import { limits } from '../../core/kernel/limits.ts'
import { mapAtOnce } from '../../core/kernel/parallel.ts'
import { runsOut } from '../../core/kv/lease.ts'
import type { ScanPlace, ScanRequest } from '../../core/kv/scan.ts'
import { batchOf, type Row } from '../../core/kv/values.ts'
import { bucketsIn } from '../../core/log/buckets.ts'
import { columnsOf } from '../../core/model/filter.ts'
import { parseFilter } from '../../core/model/filter-text.ts'
import { type BucketRef, unpartitioned } from '../../core/model/partition.ts'
import type { Column, Table } from '../../core/model/table.ts'
import type { Handler, Reply } from '../call.ts'
import { columnNames } from '../columns.ts'
import { jsonReply } from '../http/reply.ts'
import { withTable } from '../tables.ts'
import type { FunctionWorld } from '../world.ts'
import { answerBatch, arrowBody, assertKeyed, columnsNamed, rowLines } from './answer.ts'
import { decodeScanCursor, encodeScanCursor } from './scan-cursor.ts'

export const rows: Handler<'rows'> = ({ params, query, wants }, world) =>
  withTable(world.tables, params, async (table) => {
    assertKeyed(table)
    if (query.count === true) return countReply(world, table, query)
    return query.end === true ? endReply(world, table, query, wants) : pageReply(world, table, query, wants)
  })

type Query = Parameters<Handler<'rows'>>[0]['query']

const bucketsAtOnce = 16

async function countReply(world: FunctionWorld, table: Table, { count: _, ...query }: Query): Promise<Reply> {
  assertAlone(query, 'count=true counts all rows')
  const counts = await mapAtOnce(await bucketsOf(world, table), bucketsAtOnce, (at) => world.kv.count(table, at))
  return jsonReply(200, { count: counts.reduce((sum, count) => sum + count, 0n).toString() })
}

/** Of a reader who wants no more. As often as one likes: a scan that is not there any more has ended. */
async function endReply(
  world: FunctionWorld,
  table: Table,
  { end: _, cursor: text, ...query }: Query,
  wants: string,
): Promise<Reply> {
  assertAlone(query, 'end=true ends a scan')
  if (text === undefined)
    throw new SluiceError('bad-request', 'end=true wants the scan that it ends: pass its cursor=', {
      facts: { parameter: 'cursor' },
    })
  const cursor = cursorOf(table, text)
  const at = (await bucketsOf(world, table)).find((each) => isAt(each, cursor))
  if (at !== undefined && cursor.place !== undefined) await world.kv.dropScan(table, at, cursor.place.lease) // COMMIT POINT
  return answer(table, table.schema.columns, [], { cursor: undefined, lease: undefined }, wants).reply
}

function assertAlone(query: object, what: string): void {
  const other = Object.entries(query).find(([, value]) => value !== undefined)?.[0]
  if (other !== undefined) throw new SluiceError('bad-request', `${what}: leave out ${other}`, { facts: { parameter: other } })
}

interface Taken {
  readonly at: BucketRef
  readonly place: ScanPlace
  readonly key: string
  readonly row: Row
}

/** Of the rows in memory, about, as a scan counts them: JSON may be larger. */
const pageBytesMax = 2 * 1024 * 1024
/** Then no further bucket is begun, whatever was found. */
const pageMsMax = 10_000

/** A scan that a page has read of. */
interface Used {
  readonly at: BucketRef
  readonly lease: string
  /** It began in this page. */
  readonly isNew: boolean
}

/**
 * What began in the page and no cursor names, nobody can go on with; that of an older cursor is there for whoever repeats the request,
 * and while rows are left of it gives way to nobody.
 */
async function pageReply(world: FunctionWorld, table: Table, query: Query, wants: string): Promise<Reply> {
  const used: Used[] = []
  const giveBack = (ended: readonly Used[]) =>
    mapAtOnce(ended, bucketsAtOnce, ({ at, lease, isNew }) =>
      (isNew ? world.kv.dropScan(table, at, lease) : world.kv.endScan(table, at, lease)).catch(runsOut),
    )
  const page = await readPage(world, table, { query, wants, used }).catch(async (error) => {
    await giveBack(used.filter(({ isNew }) => isNew))
    throw error
  })
  await giveBack(used.filter(({ lease }) => lease !== page.lease))
  const held = used.find(({ lease, isNew }) => lease === page.lease && !isNew)
  if (held !== undefined) await world.kv.holdScan(table, held.at, held.lease).catch(runsOut)
  return page.reply
}

interface PageRequest {
  readonly query: Query
  readonly wants: string
  /** The scans are added to it, also where the page fails. */
  readonly used: Used[]
}

async function readPage(world: FunctionWorld, table: Table, { query, wants, used }: PageRequest): Promise<Page> {
  const columns = columnsNamed(table, query.columns === undefined ? undefined : columnNames(query.columns))
  const request = requestOf(table, query, wants)
  const buckets = await bucketsOf(world, table)
  const cursor = query.cursor === undefined ? undefined : cursorOf(table, query.cursor)
  let index = cursor === undefined ? 0 : indexOf(buckets, cursor)
  let place = cursor !== undefined && index >= 0 && isAt(buckets[index], cursor) ? cursor.place : undefined
  const taken: Taken[] = []
  let bytes = 0
  const until = world.clock.now() + pageMsMax
  const isFull = (): boolean => taken.length >= request.rowsMax || bytes >= pageBytesMax || world.clock.now() >= until
  for (; index < buckets.length && !isFull(); index++) {
    const at = present(buckets[index], 'a bucket of the table')
    const part = await world.kv.scan(table, at, place, {
      ...request,
      rowsMax: request.rowsMax - taken.length,
      bytesMax: pageBytesMax - bytes,
    })
    if (part.place !== undefined) used.push({ at, lease: part.place.lease, isNew: place === undefined })
    place = part.place
    for (const { key, row } of part.rows) taken.push({ at, place: present(place, 'the place of a scan'), key, row })
    bytes += part.bytes
    if (!part.isDone) break
    place = undefined
  }
  const next = buckets[index]
  const rest = next === undefined ? undefined : encodeScanCursor({ ...placeOf(table, next), place })
  return answer(table, columns, taken, { cursor: rest, lease: place?.lease }, wants)
}

interface Page {
  readonly reply: Reply
  /** That its cursor names. */
  readonly lease: string | undefined
}

interface Rest {
  readonly cursor: string | undefined
  /** That the cursor names. */
  readonly lease: string | undefined
}

function answer(table: Table, columns: readonly Column[], taken: readonly Taken[], rest: Rest, wants: string): Page {
  const batch = answerBatch(
    table,
    columns,
    taken.map(({ row }) => row),
  )
  const headers = (count: number, cursor: string | undefined): Reply['headers'] => ({
    'Content-Type': wants,
    'Sluice-Rows': `${count}`,
    ...(cursor === undefined ? {} : { 'Sluice-Cursor': cursor }),
  })
  if (wants === media.arrow)
    return { reply: { status: 200, headers: headers(taken.length, rest.cursor), body: arrowBody(batch) }, lease: rest.lease }
  const { pieces, rows: count } = rowLines(batch, limits.fetchBodyBytesMax)
  const last = taken[count - 1]
  const isWhole = count === taken.length || last === undefined
  const cursor = isWhole
    ? rest.cursor
    : encodeScanCursor({ ...placeOf(table, last.at), place: { ...last.place, after: last.key } })
  const body = wants === media.ndjson ? pieces : [utf8('{"rows":['), ...joinedByCommas(pieces), utf8(']}')]
  return { reply: { status: 200, headers: headers(count, cursor), body }, lease: isWhole ? rest.lease : last.place.lease }
}

function requestOf(table: Table, { limit, where }: Query, wants: string): Omit<ScanRequest, 'bytesMax'> {
  const rowsDefault = wants === media.arrow ? limits.fetchRowsDefaultArrow : limits.fetchRowsDefaultJson
  const rowsMax = limit === undefined ? rowsDefault : Number(limit < limits.fetchRowsMax ? limit : limits.fetchRowsMax)
  if (where === undefined) return { rowsMax }
  const { columns } = table.schema
  const filter = parseFilter(where, columns)
  const indices = new Map(columnsOf(filter).map((column) => [column, columns.findIndex(({ id }) => id === column.id)]))
  const select: ScanRequest['select'] = (all) => {
    const batch = batchOf(columns, all)
    const selected = selectRows(filter, batch.rows, (column) =>
      present(batch.columns[indices.get(column) ?? -1], 'a column of the filter'),
    )
    if (typeof selected === 'string') return () => selected === 'all'
    const chosen = new Set(selected)
    return (index) => chosen.has(index)
  }
  return { rowsMax, select }
}

function cursorOf(table: Table, text: string): ReturnType<typeof decodeScanCursor> {
  const cursor = decodeScanCursor(text)
  if (cursor.tableId === table.tableId) return cursor
  throw new SluiceError('gone', 'the cursor is of another table, or of one that was dropped: begin again')
}

async function bucketsOf(world: FunctionWorld, table: Table): Promise<readonly BucketRef[]> {
  if (table.partitionBy.length === 0) return bucketsIn(table, unpartitioned)
  return (await world.log.partitions(table)).flatMap((partition) => bucketsIn(table, partition))
}

type At = Pick<ReturnType<typeof decodeScanCursor>, 'partition' | 'bucket'>

const isAt = (at: BucketRef | undefined, { partition, bucket }: At): boolean =>
  at?.partition.name === partition && at.bucket === bucket

/** Where the partition is gone, the first one behind it, in the order of UTF-8, as they are listed; past the end where there is none. */
function indexOf(buckets: readonly BucketRef[], cursor: At): number {
  const exact = buckets.findIndex((at) => isAt(at, cursor))
  if (exact >= 0) return exact
  const index = buckets.findIndex(
    ({ partition }) => Buffer.compare(Buffer.from(partition.name), Buffer.from(cursor.partition)) > 0,
  )
  return index < 0 ? buckets.length : index
}

const placeOf = ({ tableId }: Table, { partition, bucket }: BucketRef) => ({ tableId, partition: partition.name, bucket })
