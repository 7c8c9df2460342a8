/**
 * The pages of a table, by cursor, to its end; with `follow` on and on, until the signal. Every page is whole, so that a server that
 * dies costs a follower nothing but a wait: it asks again with the cursor that it has.
 */
import { pause } from '../../client/pause.ts'
import type { Page, PageFormat } from '../../client/read/page.ts'
import { Failure, isPassing } from '../failure.ts'
import { callPage, type Remote } from '../http.ts'

export interface Reading {
  /** Of the log: `/v1/databases/d/tables/t/log`. */
  readonly path: string
  readonly format: PageFormat
  /** `bucket`, `partition`, `columns`, `where`, `form` and `offset`. */
  readonly query: Readonly<Record<string, string>>
  /** In all. */
  readonly rowsMax: number
  readonly pageRowsMax: number
  readonly follow: boolean
  readonly signal: AbortSignal
  /** For people who wait. */
  readonly say: (text: string) => void
}

export interface RowsPage {
  readonly rows: number
  readonly bytes: Uint8Array
}

/** At least one page, if an empty one. Ends without an error when the signal comes. */
export async function* pagesOf(remote: Remote, reading: Reading): AsyncGenerator<RowsPage> {
  const { rowsMax, pageRowsMax, follow, query, signal } = reading
  const { offset, ...narrowing } = query
  let cursor: string | undefined
  for (let left = rowsMax; left > 0 && !signal.aborted; ) {
    const parameters = new URLSearchParams({
      ...narrowing,
      ...(cursor === undefined ? { offset: offset ?? 'earliest' } : { cursor }),
      limit: String(Math.min(left, pageRowsMax)),
      ...(follow && { wait: '20s' }),
    })
    const page = await pageAt(remote, reading, `${reading.path}?${parameters}`, cursor !== undefined)
    if (page === undefined) return
    const { answer, rows, cursor: next } = page
    yield { rows, bytes: answer.bytes }
    left -= rows
    // a page of a filter or of whole changes may be empty and yet have come on
    const isEnd = rows === 0 && ((query.where ?? query.form) === undefined || next === cursor)
    if (isEnd && !follow) return
    if (next === undefined) throw new Failure('the server sent no cursor: its version is another')
    cursor = next
    await pause(Number(answer.headers.get('Sluice-Poll-After') ?? 0), signal)
  }
}

const retryMsMin = 500
const retryMsMax = 5_000
/** Of a reader that wants to end: about half a minute. */
const retriesMax = 8

/** Nothing when the signal came. A reader that has begun waits for a server that went away, a follower for ever. */
async function pageAt(remote: Remote, reading: Reading, path: string, hasBegun: boolean): Promise<Page | undefined> {
  const { format, follow, signal, say } = reading
  for (let retries = 0; ; retries++) {
    try {
      const page = await callPage(remote, path, format, { signal })
      if (retries > 0) say('the server is back: going on where it stopped')
      return page
    } catch (error) {
      if (signal.aborted) return undefined
      if (!hasBegun || !isPassing(error) || (!follow && retries === retriesMax)) throw error
      if (retries === 0) say(`${error.message}\nwaiting for it; Ctrl-C ends`)
      await pause(Math.min(retryMsMax, retryMsMin * 2 ** retries), signal)
      if (signal.aborted) return undefined
    }
  }
}
