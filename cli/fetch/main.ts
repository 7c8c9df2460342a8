/** `sluice fetch`: rows of a table or a bucket on the standard output, as a table, NDJSON or one Arrow stream. */
import { Failure } from '../failure.ts'
import { callJson, type Remote } from '../http.ts'
import {
  type FormatFlags,
  formatOf,
  limitOf,
  pageFormat,
  pageRowsMax,
  printerOf,
  stopping,
  type TableColumn,
  write,
} from './output.ts'
import { pagesOf, type Reading } from './pages.ts'

export interface FetchFlags extends Remote, FormatFlags {
  readonly bucket?: string
  readonly partition?: string
  readonly from: string
  readonly follow?: boolean
  readonly where?: string
  readonly limit?: string
}

export async function fetchRows(tablePath: string, flags: FetchFlags): Promise<void> {
  const format = formatOf(flags)
  const stop = stopping()
  const reading: Reading = {
    path: `${tablePath}/log`,
    format: pageFormat[format],
    query: queryOf(flags),
    rowsMax: limitOf(flags.limit),
    pageRowsMax: pageRowsMax[format],
    follow: flags.follow ?? false,
    signal: stop.signal,
    say: (text) => process.stderr.write(`${text}\n`),
  }
  const printer = await printerOf(format, flags, () => tableColumns(flags, tablePath))
  if (reading.follow) for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort())
  for await (const { bytes } of pagesOf(flags, reading)) {
    if (!(await write(printer.page(bytes)))) return
  }
  if (printer.end !== undefined) await write(printer.end)
}

export const tableColumns = async (remote: Remote, tablePath: string): Promise<readonly TableColumn[]> =>
  (await callJson<{ readonly columns: readonly TableColumn[] }>(remote, 'GET', tablePath)).columns

function queryOf({ bucket, partition, from, columns, where, form }: FetchFlags): Readonly<Record<string, string>> {
  if (/^[0-9]+$/.test(from) && bucket === undefined)
    throw new Failure(`--from ${from} is an offset in one bucket: say which with --bucket, or begin with --from earliest`, 2)
  const given = { bucket, partition, columns, where, form, offset: from }
  return Object.fromEntries(Object.entries(given).filter((each): each is [string, string] => each[1] !== undefined))
}
