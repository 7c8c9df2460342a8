/** What rows are printed as: a table for eyes, NDJSON or one Arrow stream for pipes. Changes have the colour of what they do. */
import { styleText } from 'node:util'
import { Failure } from '../failure.ts'
import { arrowJoiner, endOfStream } from './arrow-stream.ts'
import { type TextColumn, textTable } from './text-table.ts'

export const formats = ['table', 'ndjson', 'arrow'] as const
export type Format = (typeof formats)[number]

export interface FormatFlags {
  readonly format?: Format
  readonly json?: boolean
  readonly columns?: string
  readonly form?: 'binlog'
}

export interface TableColumn {
  readonly name: string
  readonly type: string
}

export interface Printer {
  /** Undefined: nothing to print. */
  readonly page: (bytes: Uint8Array) => Uint8Array | string
  readonly end?: Uint8Array
}

/** Of a page: few for eyes, as many as a body holds for pipes. */
export const pageRowsMax: Readonly<Record<Format, number>> = { table: 1_000, ndjson: 10_000, arrow: 100_000 }

/** What a page is asked for as. */
export const pageFormat = { table: 'ndjson', ndjson: 'ndjson', arrow: 'arrow' } as const

export function formatOf({ format, json }: FormatFlags): Format {
  return format ?? (process.stdout.isTTY && !json ? 'table' : 'ndjson')
}

/** Rows at most. */
export function limitOf(text: string | undefined): number {
  const limit = text === undefined ? Number.POSITIVE_INFINITY : Number(text)
  if (text !== undefined && !(/^[0-9]{1,15}$/.test(text) && limit > 0))
    throw new Failure(`--limit must be a whole number from 1, not ${JSON.stringify(text)}`, 2)
  return limit
}

/** `describe`: the columns of the table, asked for where they are needed. */
export async function printerOf(
  format: Format,
  flags: FormatFlags,
  describe: () => Promise<readonly TableColumn[]>,
): Promise<Printer> {
  if (format === 'ndjson') return { page: (bytes) => bytes }
  if (format === 'arrow') return { page: arrowJoiner(), end: endOfStream }
  const print = tablePrinter(await describe(), flags)
  const shape = flags.form === 'binlog' ? shownChange : (row: JsonRow) => row
  return { page: (bytes) => print(rowsOf(bytes).map(shape)) }
}

/** A whole change as one row: what changed as `before → after`. */
function shownChange({ before, after, ...place }: JsonRow): JsonRow {
  const [was, is] = [before, after] as [JsonRow | null, JsonRow | null]
  const cells = Object.keys(was ?? is ?? {}).map((name) => {
    const [from, to] = [was?.[name], is?.[name]]
    const isSame = was === null || is === null || JSON.stringify(from) === JSON.stringify(to)
    return [name, isSame ? (is ?? was)?.[name] : `${shownCell(from)} → ${shownCell(to)}`]
  })
  return { ...Object.fromEntries(cells), ...place }
}

const shownCell = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? 'null'))

type JsonRow = Readonly<Record<string, unknown>>

/** The head comes with the first rows. */
export function tablePrinter(columns: readonly TableColumn[], flags: FormatFlags): (rows: readonly JsonRow[]) => string {
  const types = new Map(columns.map(({ name, type }) => [name, type]))
  const asked = new Set(flags.columns?.split(','))
  let table: ReturnType<typeof textTable> | undefined
  return (rows) => {
    const [first] = rows
    if (first === undefined) return ''
    table ??= textTable(shownColumns(Object.keys(first), types, asked), terminalWidth(), colourOf)
    return table(rows)
  }
}

const changeColours = { '+I': 'green', '-U': 'gray', '+U': 'yellow', '-D': 'red' } as const

/** None where nobody watches, or where NO_COLOR is set. */
function colourOf(line: string, { __op }: JsonRow): string {
  const colour = changeColours[__op as keyof typeof changeColours]
  return colour === undefined ? line : styleText(colour, line)
}

const numberType = /^(tinyint|smallint|int|bigint|float|double|decimal)\b|^$/

/** Columns of the system only where they were asked for, and before all `__op`, without which a changelog says nothing. */
function shownColumns(
  names: readonly string[],
  types: ReadonlyMap<string, string>,
  asked: ReadonlySet<string>,
): readonly TextColumn[] {
  const shown = names.filter((name) => !name.startsWith('__') || (asked.has(name) && name !== '__op'))
  return [...names.filter((name) => name === '__op'), ...shown].map((name) => ({
    name,
    isNumber: numberType.test(types.get(name) ?? (/^__(offset|bucket)$/.test(name) ? '' : 'string')),
  }))
}

const rowsOf = (bytes: Uint8Array): readonly JsonRow[] =>
  Buffer.from(bytes)
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as JsonRow)

const terminalWidth = (): number => process.stdout.columns ?? (Number(process.env.COLUMNS) || 120)

/** False when nobody reads any more. */
export function write(text: Uint8Array | string): Promise<boolean> {
  if (text.length === 0) return Promise.resolve(!process.stdout.destroyed)
  return new Promise((resolve) => process.stdout.write(text, (error) => resolve(!error)))
}

/** Who reads our output may close it: then there is nothing to read for. */
export function stopping(): AbortController {
  const stop = new AbortController()
  process.stdout.once('close', () => stop.abort())
  process.stdout.once('error', () => stop.abort())
  return stop
}
