/** `sluice rows`: the current rows of a table with a primary key, page by page, or only how many there are. */
import { call, callJson, callPage, type Remote } from '../http.ts'
import { tableColumns } from './main.ts'
import { type FormatFlags, formatOf, limitOf, pageFormat, pageRowsMax, printerOf, stopping, write } from './output.ts'

export interface RowsFlags extends Remote, FormatFlags {
  readonly where?: string
  readonly limit?: string
}

/** Of a page behind the first: a server that restarts is waited for. */
const retryForMs = 30_000

export async function readRows(tablePath: string, flags: RowsFlags): Promise<void> {
  const { columns, where } = flags
  const format = formatOf(flags)
  const { signal } = stopping()
  const chosen = { ...(columns !== undefined && { columns }), ...(where !== undefined && { where }) }
  const printer = await printerOf(format, flags, () => tableColumns(flags, tablePath))
  let cursor: string | undefined
  for (let left = limitOf(flags.limit); left > 0; ) {
    const limit = String(Math.min(left, pageRowsMax[format]))
    const query = new URLSearchParams({ ...chosen, limit, ...(cursor !== undefined && { cursor }) })
    const patience = cursor === undefined ? {} : { retryForMs }
    const page = await callPage(flags, `${tablePath}/rows?${query}`, pageFormat[format], { signal, ...patience })
    const isRead = await write(printer.page(page.answer.bytes))
    left -= page.rows
    cursor = page.cursor
    if (cursor === undefined) break
    if (left <= 0 || !isRead) await endScan(flags, tablePath, cursor)
    if (!isRead) return
  }
  if (printer.end !== undefined) await write(printer.end)
}

/** So that the bucket has its place again; else that runs out. */
async function endScan(flags: RowsFlags, tablePath: string, cursor: string): Promise<void> {
  await call(flags, 'GET', `${tablePath}/rows?${new URLSearchParams({ cursor, end: 'true' })}`).catch(() => undefined)
}

export async function countRows(tablePath: string, flags: Remote & { readonly json?: boolean }): Promise<void> {
  const { count } = await callJson<{ readonly count: string }>(flags, 'GET', `${tablePath}/rows?count=true`)
  await write(flags.json ? `${JSON.stringify({ count })}\n` : `${count}\n`)
}
