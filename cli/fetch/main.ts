/** `sluice fetch`: rows of a table or a bucket on the standard output, as a table, NDJSON or one Arrow stream. */
import { Failure } from '../failure.ts'
import { call, type Remote } from '../http.ts'
import { arrowJoiner, endOfStream } from './arrow-stream.ts'
import { pagesOf, type Reading } from './pages.ts'
import { type TextColumn, textTable } from './text-table.ts'

export interface FetchFlags extends Remote {
  readonly bucket?: string
  readonly partition?: string
  readonly from: string
  readonly follow?: boolean
  readonly columns?: string
  readonly where?: string
  readonly limit?: string
  readonly format?: string
  readonly json?: boolean
}

const formats = ['table', 'ndjson', 'arrow'] as const
type Format = (typeof formats)[number]

/** Of a page: few for eyes, as many as a body holds for pipes. */
const pageRowsMax: Readonly<Record<Format, number>> = { table: 1_000, ndjson: 10_000, arrow: 100_000 }

interface Printer {
  /** Undefined: nothing to print. */
  readonly page: (bytes: Uint8Array) => Uint8Array | string
  readonly end?: Uint8Array
}

export async function fetchRows(tablePath: string, flags: FetchFlags): Promise<void> {
  const format = formatOf(flags)
  const stop = stopping()
  const reading: Reading = {
    path: `${tablePath}/log`,
    accept: format === 'arrow' ? 'application/vnd.apache.arrow.stream' : 'application/x-ndjson',
    query: queryOf(flags),
    rowsMax: limitOf(flags.limit),
    pageRowsMax: pageRowsMax[format],
    follow: flags.follow ?? false,
    signal: stop.signal,
    say: (text) => process.stderr.write(`${text}\n`),
  }
  const printer = await printerOf(format, tablePath, flags)
  if (reading.follow) for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort())
  for await (const { bytes } of pagesOf(flags, reading)) {
    if (!(await write(printer.page(bytes)))) return
  }
  if (printer.end !== undefined) await write(printer.end)
}

/** Who reads our output may close it: then there is nothing to follow for. */
function stopping(): AbortController {
  const stop = new AbortController()
  process.stdout.once('close', () => stop.abort())
  process.stdout.once('error', () => stop.abort())
  return stop
}

/** False when nobody reads any more. */
function write(text: Uint8Array | string): Promise<boolean> {
  if (text.length === 0) return Promise.resolve(!process.stdout.destroyed)
  return new Promise((resolve) => process.stdout.write(text, (error) => resolve(!error)))
}

function formatOf({ format, json }: FetchFlags): Format {
  if (format === undefined) return process.stdout.isTTY && !json ? 'table' : 'ndjson'
  const found = formats.find((each) => each === format)
  if (found === undefined) throw new Failure(`--format must be one of ${formats.join(', ')}, not ${JSON.stringify(format)}`, 2)
  return found
}

function limitOf(text: string | undefined): number {
  const limit = text === undefined ? Number.POSITIVE_INFINITY : Number(text)
  if (text !== undefined && !(/^[0-9]{1,15}$/.test(text) && limit > 0))
    throw new Failure(`--limit must be a whole number from 1, not ${JSON.stringify(text)}`, 2)
  return limit
}

function queryOf({ bucket, partition, from, columns, where }: FetchFlags): Readonly<Record<string, string>> {
  if (/^[0-9]+$/.test(from) && bucket === undefined)
    throw new Failure(`--from ${from} is an offset in one bucket: say which with --bucket, or begin with --from earliest`, 2)
  const given = { bucket, partition, columns, where, offset: from }
  return Object.fromEntries(Object.entries(given).filter((each): each is [string, string] => each[1] !== undefined))
}

async function printerOf(format: Format, tablePath: string, flags: FetchFlags): Promise<Printer> {
  if (format === 'ndjson') return { page: (bytes) => bytes }
  if (format === 'arrow') return { page: arrowJoiner(), end: endOfStream }
  const answer = await call(flags, 'GET', tablePath)
  const { columns } = JSON.parse(Buffer.from(answer.bytes).toString()) as { columns: readonly TableColumn[] }
  const types = new Map(columns.map(({ name, type }) => [name, type]))
  const asked = new Set(flags.columns?.split(','))
  let table: ReturnType<typeof textTable> | undefined
  return {
    page: (bytes) => {
      const rows = rowsOf(bytes)
      const [first] = rows
      if (first === undefined) return ''
      table ??= textTable(shownColumns(Object.keys(first), types, asked), terminalWidth())
      return table(rows)
    },
  }
}

interface TableColumn {
  readonly name: string
  readonly type: string
}

const numberType = /^(tinyint|smallint|int|bigint|float|double|decimal)\b|^$/

/** Columns of the system only where they were asked for, and `__op`, without which a changelog says nothing. */
function shownColumns(
  names: readonly string[],
  types: ReadonlyMap<string, string>,
  asked: ReadonlySet<string>,
): readonly TextColumn[] {
  return names
    .filter((name) => !name.startsWith('__') || name === '__op' || asked.has(name))
    .map((name) => ({ name, isNumber: numberType.test(types.get(name) ?? (/^__(offset|bucket)$/.test(name) ? '' : 'string')) }))
}

const rowsOf = (bytes: Uint8Array): readonly Record<string, unknown>[] =>
  Buffer.from(bytes)
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

const terminalWidth = (): number => process.stdout.columns ?? (Number(process.env.COLUMNS) || 120)
