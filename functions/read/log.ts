/**
 * GET …/log: rows of one bucket from exactly an offset, or of a whole table by cursor. The body is planned, complete and bounded.
 * Nothing new: an empty stream.
 */
import { media } from '../../contract/media.ts'
import { present } from '../../core/kernel/assert.ts'
import { isSluiceError } from '../../core/kernel/errors.ts'
import type { Page } from '../../core/log/read/page.ts'
import { positionsAfter } from '../../core/log/read/walk.ts'
import type { Table } from '../../core/model/table.ts'
import type { Handler, Reply } from '../call.ts'
import { withTable } from '../tables.ts'
import type { FunctionWorld } from '../world.ts'
import { arrowWriter } from './arrow-rows.ts'
import { events, tailQuery } from './events.ts'
import { jsonWriter } from './json-rows.ts'
import { cursorAfter, type ReadQuery, readPage, readQueryOf, refuseDropped } from './read-query.ts'
import type { RowsWriter } from './rows-writer.ts'
import { awaitPage } from './waiting.ts'

export const fetchLog: Handler<'fetch'> = async (call, world) => {
  const { params, query, wants } = call
  const until = world.clock.now() + Math.min(query.wait ?? 0, world.waits.fetchMsMax)
  try {
    return await withTable(world.tables, params, (table) =>
      wants === media.sse ? tailReply(call, world, table) : fetchReply(call, world, table, until),
    )
  } catch (error) {
    if (isSluiceError(error, 'not-found')) refuseDropped(params, query.cursor)
    throw error
  }
}

type FetchCall = Parameters<Handler<'fetch'>>[0]

async function fetchReply(
  { query, wants, signal }: FetchCall,
  world: FunctionWorld,
  table: Table,
  until: number,
): Promise<Reply> {
  const wanted = await readQueryOf(world.log, table, query, wants)
  const writer = writerOf(wanted, wants)
  const bytesMax = Math.max(0, wanted.bytesMax - writer.wrappingBytes)
  const { page, asked } = await awaitPage(world, table, { ...wanted, bytesMax }, { until, signal })
  const { pieces, rows, release } = writer.write(page.rows, bytesMax)
  world.meter.add('rows.fetched', rows)
  const headers = { 'Content-Type': wants, ...headersOf(world, table, asked, page, rows) }
  return {
    status: 200,
    headers,
    body: pieces,
    release: () => {
      page.release()
      release?.()
    },
  }
}

/** The first page is read before the stream begins, so that what is wrong with the call is a status. */
async function tailReply({ params, query, headers, signal }: FetchCall, world: FunctionWorld, table: Table): Promise<Reply> {
  const cursor = headers['last-event-id'] || query.cursor
  const queryAt = (from: string | undefined): FetchCall['query'] =>
    from === undefined ? { ...query, offset: query.offset ?? 'latest' } : { ...query, cursor: from }
  const open = async (now: Table, from: string | undefined): Promise<ReadQuery> =>
    tailQuery(await readQueryOf(world.log, now, queryAt(from), media.sse))
  const asked = await open(table, cursor)
  const first = await readPage(world.log, table, asked)
  const tail = {
    until: world.clock.now() + Math.min(query.wait ?? Number.POSITIVE_INFINITY, world.waits.tailMsMax),
    signal,
    isBuffered: world.waits.isBuffered,
    reopen: async (from: string) => {
      world.tables.forget(params.db, params.table)
      const now = await world.tables.get(params.db, params.table)
      return { table: now, asked: await open(now, from) }
    },
  }
  return {
    status: 200,
    headers: { 'Content-Type': media.sse, 'Cache-Control': 'no-store' },
    body: [],
    stream: events(world, table, asked, first, tail),
  }
}

function writerOf({ columns, isOneBucket }: ReadQuery, wants: string): RowsWriter {
  if (wants === media.arrow) return arrowWriter(columns)
  return jsonWriter(columns, { wrapping: wants === media.json ? 'object' : 'lines', isTable: !isOneBucket })
}

function headersOf(world: FunctionWorld, table: Table, asked: ReadQuery, page: Page, rows: number): Reply['headers'] {
  const common = {
    'Sluice-Rows': String(rows),
    'Sluice-Cursor': cursorAfter(table, asked, page, rows),
    ...(world.waits.isBuffered && page.isCaughtUp && { 'Sluice-Poll-After': pollAfterMs(page, world.clock.now()).toString() }),
  }
  if (!asked.isOneBucket) return common
  const { start, end } = present(page.walk.buckets[0], 'the bucket of a walk')
  const [next] = positionsAfter(page.walk, rows)
  return {
    ...common,
    'Sluice-Start-Offset': start.toString(),
    'Sluice-Next-Offset': present(next, 'the position of the bucket').toString(),
    'Sluice-End-Offset': end.toString(),
  }
}

const pollMsMin = 250
const pollMsMax = 5_000

/** The longer nothing came, the longer nothing is likely to come: a tenth of that. */
function pollAfterMs({ walk }: Page, now: number): number {
  const latest = walk.buckets.reduce((most, { latestTime }) => Math.max(most, latestTime), 0)
  return Math.round(Math.min(pollMsMax, Math.max(pollMsMin, (now - latest) / 10)))
}
