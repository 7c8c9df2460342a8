/**
 * The current rows of a table with a primary key, page by page: bucket by bucket in key order, each bucket as it was at its first page.
 * The cursor names the lease that keeps it so: a lost connection or a server that restarts costs a repeat, and a reader that is not
 * through a bucket ten minutes after its first page gets `gone`, never other rows.
 */

import { isSluiceError } from '../../core/kernel/errors.ts'
import { columnsText, queryText, tablePath } from '../paths.ts'
import { ask } from '../request.ts'
import type { RowReader } from '../schema.ts'
import type { Row } from '../values.ts'
import type { Source } from './log.ts'
import { askPage, linesOf, type Page, type PageFormat } from './page.ts'

export interface RowsOptions {
  readonly columns?: readonly string[] | undefined
  readonly where?: string | undefined
  /** Rows of a page at most. */
  readonly limit?: number | undefined
  /** Of a page that came before: goes on behind it. */
  readonly cursor?: string | undefined
  /** How long a page is tried for; 2 min if absent. */
  readonly retryForMs?: number
  readonly signal?: AbortSignal | undefined
}

export interface RowsPage {
  readonly rows: readonly Row[]
  /** Behind its last row; absent: there are no more. */
  readonly cursor: string | undefined
}

export interface BytesPage {
  /** A whole Arrow stream, or lines of NDJSON. */
  readonly bytes: Uint8Array
  readonly rows: number
  readonly cursor: string | undefined
}

export async function* currentRows(source: Source, options: RowsOptions, reader: RowReader): AsyncGenerator<RowsPage> {
  for await (const { answer, rows, cursor } of pages(source, options, 'ndjson'))
    if (rows > 0) yield { rows: await reader.read(linesOf(answer.bytes)), cursor }
}

/** At least one page, if an empty one: an Arrow stream has a schema without rows too. */
export async function* currentBytes(source: Source, options: RowsOptions, format: PageFormat): AsyncGenerator<BytesPage> {
  for await (const { answer, rows, cursor } of pages(source, options, format)) yield { bytes: answer.bytes, rows, cursor }
}

async function* pages({ connection, db, table }: Source, options: RowsOptions, format: PageFormat): AsyncGenerator<Page> {
  const { columns, where, limit, retryForMs = 120_000, signal } = options
  const query = { columns: columns && columnsText(columns), where, limit }
  let { cursor } = options
  do {
    const path = `${tablePath(db, table)}/rows${queryText({ ...query, cursor })}`
    const page = await askPage({ ...connection, retryForMs }, { method: 'GET', path, signal }, format).catch((error: unknown) => {
      if (signal?.aborted) return undefined
      throw error
    })
    if (page === undefined) return
    yield page
    cursor = page.cursor
  } while (cursor !== undefined && !signal?.aborted)
}

/** A server that does not know the call lets the scan's place run out. */
export async function endScan({ connection, db, table }: Source, cursor: string): Promise<void> {
  const path = `${tablePath(db, table)}/rows${queryText({ cursor, end: 'true' })}`
  await ask(connection, { method: 'GET', path }).catch((error: unknown) => {
    if (!isSluiceError(error, 'unknown-field')) throw error
  })
}
