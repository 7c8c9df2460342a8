/** `sluice rows`: the current rows of a table with a primary key, page by page, or only how many there are. */
import { call, callJson, type Remote } from '../http.ts'
import { tableColumns } from './main.ts'
import { type FormatFlags, formatOf, limitOf, pageRowsMax, printerOf, stopping, write } from './output.ts'

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
  const headers = { Accept: format === 'arrow' ? 'application/vnd.apache.arrow.stream' : 'application/x-ndjson' }
  const chosen = { ...(columns !== undefined && { columns }), ...(where !== undefined && { where }) }
  const printer = await printerOf(format, flags, () => tableColumns(flags, tablePath))
  let cursor: string | undefined
  for (let left = limitOf(flags.limit); left > 0; ) {
    const limit = String(Math.min(left, pageRowsMax[format]))
    const query = new URLSearchParams({ ...chosen, limit, ...(cursor !== undefined && { cursor }) })
    const patience = cursor === undefined ? {} : { retryForMs }
    const { bytes, headers: said } = await call(flags, 'GET', `${tablePath}/rows?${query}`, { headers, signal, ...patience })
    if (!(await write(printer.page(bytes)))) return
    left -= Number(said.get('Sluice-Rows'))
    cursor = said.get('Sluice-Cursor') ?? undefined
    if (cursor === undefined) break
  }
  if (printer.end !== undefined) await write(printer.end)
}

export async function countRows(tablePath: string, flags: Remote & { readonly json?: boolean }): Promise<void> {
  const { count } = await callJson<{ readonly count: string }>(flags, 'GET', `${tablePath}/rows?count=true`)
  await write(flags.json ? `${JSON.stringify({ count })}\n` : `${count}\n`)
}
