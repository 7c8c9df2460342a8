/**
 * The log of a table, batch by batch, from wherever a cursor says. The cursor moves only with a whole answer that was handed out, so a
 * lost connection, a cut body or a server that restarts costs a repeat and never a row.
 */
import { columnsText, queryText, tablePath } from '../paths.ts'
import { pause } from '../pause.ts'
import { type Ask, type Connection, RequestError } from '../request.ts'
import type { RowReader } from '../schema.ts'
import type { Row } from '../values.ts'
import { askPage, linesOf, type Page, type PageFormat } from './page.ts'

export interface FetchOptions {
  /** Where to begin without a cursor; a number is of one bucket. `earliest` if absent. */
  readonly from?: Start
  /** Of a batch that came before: goes on behind it, in the part of the table that it was of. */
  readonly cursor?: string
  readonly columns?: readonly string[]
  readonly where?: string
  /** One, or several such as `0-7,12`. */
  readonly bucket?: number | string
  /** A name, or the beginning of the names of several. */
  readonly partition?: string
  /** Rows of a batch at most. */
  readonly limit?: number
  readonly maxBytes?: number
  /** Waits for new rows at the end; otherwise ends there. True if absent. */
  readonly follow?: boolean
  /** How long the server may hold a request that has nothing to say; 20 s if absent. */
  readonly waitMs?: number
  /** How long a batch is tried for; 2 min if absent. */
  readonly retryForMs?: number
  readonly signal?: AbortSignal
}

/** `binlog`: a row for each change, with the row before and after it. */
export type LogForm = FetchOptions & { readonly form?: 'binlog' }

/** Rows as they came as what they are. */
export type Reader = Pick<RowReader, 'read'>

export type Start = 'earliest' | 'latest' | `@${string}` | Date | bigint | number

export interface RowBatch {
  /** In order of offset within a bucket; `__offset` is a bigint. */
  readonly rows: readonly Row[]
  /** Behind its last row. */
  readonly cursor: string
}

export interface BytesBatch {
  /** A whole Arrow stream, or lines of NDJSON. */
  readonly bytes: Uint8Array
  readonly rows: number
  readonly cursor: string
}

export interface Source {
  readonly connection: Connection
  readonly db: string
  readonly table: string
}

export async function* fetchRows(source: Source, options: LogForm, reader: Reader): AsyncGenerator<RowBatch> {
  for await (const { answer, cursor } of pages(source, options, 'ndjson'))
    yield { rows: await reader.read(linesOf(answer.bytes)), cursor }
}

/** The bytes as they come. */
export async function* fetchBytes(source: Source, options: FetchOptions, format: PageFormat): AsyncGenerator<BytesBatch> {
  for await (const { answer, cursor, rows } of pages(source, options, format)) yield { bytes: answer.bytes, rows, cursor }
}

type LogPage = Page & { readonly cursor: string }

/** Only pages with rows. */
async function* pages({ connection, db, table }: Source, options: LogForm, format: PageFormat): AsyncGenerator<LogPage> {
  const { follow = true, waitMs = 20_000, retryForMs = 120_000, signal } = options
  const patient = { ...connection, retryForMs }
  let { cursor } = options
  while (!signal?.aborted) {
    const startedAt = Date.now()
    const path = `${tablePath(db, table)}/log${logQuery(options, cursor, follow ? waitMs : undefined)}`
    const request = { method: 'GET', path, timeoutMs: waitMs + 30_000, signal } as const
    const page = await askLogPage(patient, request, format).catch((error: unknown) => {
      if (signal?.aborted) return undefined
      throw error
    })
    if (page === undefined) return
    if (page.rows > 0) yield page
    const isAtEnd = page.rows === 0 && page.cursor === cursor
    cursor = page.cursor
    if (isAtEnd && !follow) return
    const pollAfterMs = Number(page.answer.headers.get('Sluice-Poll-After') ?? 0)
    // a wait that was not kept is kept here
    const idleMs = isAtEnd && Date.now() - startedAt < Math.min(waitMs, emptyMsMin) ? emptyMsMin : 0
    if (follow) await pause(Math.max(pollAfterMs, idleMs), signal)
  }
}

const emptyMsMin = 250

async function askLogPage(connection: Connection, request: Ask, format: PageFormat): Promise<LogPage> {
  const { cursor, ...page } = await askPage(connection, request, format)
  if (cursor !== undefined) return { ...page, cursor }
  throw new RequestError('internal', `${connection.url} does not answer as Sluice does: no Sluice-Cursor`)
}

/** `cursor` beats the rest: it brings the place and the part of the table. */
export function logQuery(options: LogForm, cursor: string | undefined, waitMs: number | undefined): string {
  const { from = 'earliest', bucket, partition, columns, where, limit, maxBytes, form } = options
  return queryText({
    ...(cursor === undefined ? { offset: startText(from), bucket, partition } : { cursor }),
    columns: columns === undefined ? undefined : columnsText(columns),
    where,
    limit,
    maxBytes,
    form,
    wait: waitMs === undefined || waitMs === 0 ? undefined : `${Math.min(20_000, Math.round(waitMs))}ms`,
  })
}

const startText = (from: Start): string => (from instanceof Date ? `@${from.toISOString()}` : String(from))
