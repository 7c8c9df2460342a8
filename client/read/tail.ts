/**
 * A live tail over server-sent events, for as long as somebody reads. The server ends a stream after a while, or dies: the next one goes
 * on behind the last row that was handed out. Where a server or something between does not stream, it becomes a long poll.
 */
import { media } from '../../contract/media.ts'
import { tablePath } from '../paths.ts'
import { backOffMs, pause } from '../pause.ts'
import { ask, open, RequestError, refusalOf } from '../request.ts'
import type { Row } from '../values.ts'
import { type FetchOptions, fetchRows, type LogForm, logQuery, type Reader, type RowBatch, type Source } from './log.ts'
import { type ServerEvent, serverEvents } from './sse.ts'

export type TailOptions = Omit<FetchOptions, 'follow' | 'waitMs'>
type TailForm = Omit<LogForm, 'follow' | 'waitMs'>

/** Nothing for this long, not even `: alive`, is a connection that is dead. */
const silenceMsMax = 30_000

export async function* tailRows(source: Source, asked: TailForm, reader: Reader): AsyncGenerator<RowBatch> {
  const options = { from: 'latest', ...asked } as const
  const { retryForMs = 120_000, signal } = options
  // where `latest` is must be known before the stream: a stream that is lost before its first row would skip rows
  let cursor = options.cursor ?? (await latestCursor(source, options))
  let failedSince: number | undefined
  for (let attempt = 0; !signal?.aborted; ) {
    try {
      for await (const event of streamOf(source, options, cursor)) {
        failedSince = undefined
        attempt = 0
        cursor = event.id ?? cursor
        if (event.event === 'records' && event.data !== undefined)
          yield { rows: await reader.read(JSON.parse(event.data) as Row[]), cursor: cursor ?? '' }
        else raiseEnd(event, source)
      }
      await pause(0, signal)
    } catch (error) {
      if (signal?.aborted) return
      if (error instanceof NoStream)
        return yield* fetchRows(source, cursor === undefined ? options : { ...options, cursor }, reader)
      if (!(error instanceof RequestError) || error.action !== 'retry') throw error
      failedSince ??= Date.now()
      const waitMs = Math.max(error.retryAfterMs, backOffMs(attempt++))
      if (Date.now() + waitMs - failedSince > retryForMs) throw error
      await pause(waitMs, signal)
    }
  }
}

class NoStream extends Error {}

async function latestCursor(source: Source, options: TailForm): Promise<string | undefined> {
  if (options.from !== 'latest') return undefined
  const path = `${tablePath(source.db, source.table)}/log${logQuery({ ...options, limit: 1 }, undefined, undefined)}`
  const request = { method: 'GET', path, signal: options.signal } as const
  const answer = await ask({ ...source.connection, retryForMs: options.retryForMs ?? 120_000 }, request)
  return answer.headers.get('Sluice-Cursor') ?? undefined
}

/** One connection's events. */
async function* streamOf(source: Source, options: TailForm, cursor: string | undefined): AsyncGenerator<ServerEvent> {
  const path = `${tablePath(source.db, source.table)}/log${logQuery(options, cursor, undefined)}`
  const silence = new AbortController()
  const abort = () => silence.abort()
  options.signal?.addEventListener('abort', abort)
  let timer = setTimeout(abort, silenceMsMax)
  const heard = () => {
    clearTimeout(timer)
    timer = setTimeout(abort, silenceMsMax)
  }
  try {
    const headers = { Accept: media.sse, ...(cursor === undefined ? {} : { 'Last-Event-ID': cursor }) }
    const request = { method: 'GET', path, headers, timeoutMs: 2 ** 31 - 1, signal: silence.signal } as const
    const response = await open(source.connection, request, async (response) => {
      if (response.ok) return response
      const bytes = new Uint8Array(await response.arrayBuffer())
      const refusal = refusalOf(response.status, response.headers, bytes)
      if (refusal.code === 'not-acceptable' || refusal.code === 'not-supported') return undefined
      throw refusal
    })
    if (response === undefined || response.body === null || !response.headers.get('Content-Type')?.startsWith(media.sse))
      throw new NoStream()
    yield* serverEvents(chunksOf(response.body, { heard, signal: silence.signal, url: source.connection.url }))
  } finally {
    clearTimeout(timer)
    options.signal?.removeEventListener('abort', abort)
    silence.abort()
  }
}

interface Hearing {
  readonly heard: () => void
  /** Ends the stream. */
  readonly signal: AbortSignal
  readonly url: string
}

/** A reader rather than `for await`: not every browser can iterate a stream. */
async function* chunksOf(body: ReadableStream<Uint8Array>, { heard, signal, url }: Hearing): AsyncGenerator<Uint8Array> {
  const reader = body.getReader()
  const cancel = () => void reader.cancel().catch(() => {})
  signal.addEventListener('abort', cancel)
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw new RequestError('unavailable', `the stream of ${url} was cut`, { action: 'retry', cause: error })
      })
      if (done) return
      heard()
      yield value
    }
  } finally {
    signal.removeEventListener('abort', cancel)
    cancel()
  }
}

/** `end` for a time, or because the server stops, only means: come back. */
function raiseEnd({ event, data = '{}' }: ServerEvent, { db, table }: Source): void {
  if (event === 'end' && (JSON.parse(data) as { reason?: string }).reason === 'dropped')
    throw new RequestError('gone', `the table ${db}.${table} was dropped`)
  if (event === 'failed') throw refusalOf(400, new Headers(), new TextEncoder().encode(data))
}
