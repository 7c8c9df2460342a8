/**
 * A live tail as server-sent events: rows as they come, each event with the cursor behind its last row, so that a reader who lost
 * the connection goes on exactly there. A page is read, written as one chunk of events and let go, so a reader who does not read
 * holds that chunk and nothing else. The stream ends by itself, in time, and says why; a stream that fails is cut, and the reader
 * comes back with its last cursor.
 */
import { errorBody } from '../../contract/errors.ts'
import { utf8, utf8Text } from '../../core/kernel/bytes.ts'
import { isSluiceError } from '../../core/kernel/errors.ts'
import type { Page } from '../../core/log/read/page.ts'
import type { Table } from '../../core/model/table.ts'
import type { FunctionWorld } from '../world.ts'
import { jsonWriter } from './json-rows.ts'
import { cursorAfter, type ReadQuery } from './read-query.ts'
import { awaitPage, type Patience } from './waiting.ts'

const eventBytesMax = 64 * 1024
/** Of a page, and of its rows as JSON, so that a reader who is slow holds little; one row comes whatever its size. */
const pageBytesMax = 256 * 1024
const pageRowsMax = 1_000
const aliveMs = 10_000

export interface Tail extends Patience {
  /** One page with rows is enough: whoever answers cannot send before the end. */
  readonly isBuffered: boolean
  /** The table as it is now, with the query at the cursor. */
  readonly reopen: (cursor: string) => Promise<At>
}

/** As much as a reader of events takes at once. */
export const tailQuery = (asked: ReadQuery): ReadQuery => ({
  ...asked,
  rowsMax: Math.min(asked.rowsMax, pageRowsMax),
  bytesMax: Math.min(asked.bytesMax, pageBytesMax),
})

/** `first`: the page that opened the stream, read from `asked`. */
export async function* events(
  world: FunctionWorld,
  table: Table,
  asked: ReadQuery,
  first: Page,
  tail: Tail,
): AsyncGenerator<Uint8Array> {
  yield utf8('retry: 1000\n\n')
  let at: At = { table, asked }
  let page = first
  let cursor = cursorAfter(table, asked, page, 0)
  for (;;) {
    const isOver = tail.until <= world.clock.now() || (tail.isBuffered && page.rows.length > 0)
    const { text, rows } = recordsOf(page, at)
    const after = cursorAfter(at.table, at.asked, page, rows)
    page.release()
    world.meter.add('rows.fetched', rows)
    // past what a filter left out: an id without data moves the reader's last one
    yield utf8(rows > 0 ? text : after === cursor ? ': alive\n\n' : `id: ${after}\n\n`)
    cursor = after
    if (tail.signal.aborted) return yield end('drain')
    if (isOver) return yield end('time')
    const patience = { until: Math.min(tail.until, world.clock.now() + aliveMs), signal: tail.signal }
    try {
      const next = await nextPage(
        world,
        { table: at.table, asked: { ...at.asked, from: page.after(rows) } },
        patience,
        tail,
        cursor,
      )
      at = next.at
      page = next.page
    } catch (error) {
      return yield ended(error)
    }
  }
}

interface At {
  readonly table: Table
  readonly asked: ReadQuery
}

/** Where the table has other columns by now, it is opened again at the cursor. */
async function nextPage(
  world: FunctionWorld,
  at: At,
  patience: Patience,
  tail: Tail,
  cursor: string,
): Promise<{ readonly at: At; readonly page: Page }> {
  for (let now = at, attempt = 1; ; attempt++) {
    try {
      const { page, asked } = await awaitPage(world, now.table, now.asked, patience)
      return { at: { table: now.table, asked }, page }
    } catch (error) {
      if (attempt === attemptsMax || !isSluiceError(error, 'changed')) throw error
      now = await tail.reopen(cursor)
    }
  }
}

const attemptsMax = 3

const end = (reason: 'time' | 'drain' | 'dropped'): Uint8Array => utf8(`event: end\ndata: {"reason":"${reason}"}\n\n`)

/** What the reader cannot mend by coming back is said; anything else cuts the stream. */
function ended(error: unknown): Uint8Array {
  if (isSluiceError(error, 'not-found') || isSluiceError(error, 'gone')) return end('dropped')
  if (isSluiceError(error) && error.code !== 'internal' && error.code !== 'unavailable')
    return utf8(`event: failed\ndata: ${JSON.stringify({ error: errorBody(error) })}\n\n`)
  throw error
}

interface Records {
  readonly text: string
  readonly rows: number
}

/** The first rows of the page, in events of at most 64 KiB or of one row. */
function recordsOf(page: Page, { table, asked }: At): Records {
  const writer = jsonWriter(asked.columns, { wrapping: 'lines', isTable: !asked.isOneBucket })
  const { pieces } = writer.write(page.rows, pageBytesMax)
  const events: string[] = []
  let lines: string[] = []
  let bytes = 0
  let rows = 0
  const close = (): void => {
    events.push(`event: records\nid: ${cursorAfter(table, asked, page, rows)}\ndata: [${lines.join(',')}]\n\n`)
    lines = []
    bytes = 0
  }
  for (const piece of pieces) {
    for (const line of utf8Text(piece).split('\n')) {
      if (line === '') continue
      const length = utf8(line).length + 1
      if (lines.length > 0 && bytes + length > eventBytesMax) close()
      lines.push(line)
      bytes += length
      rows += 1
    }
  }
  if (lines.length > 0) close()
  return { text: events.join(''), rows }
}
