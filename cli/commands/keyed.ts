/** Tables with a primary key: `sluice lookup`, `sluice delete`, `sluice rows`. */
import { randomUUID } from 'node:crypto'
import { Argument, type Command, Option } from 'commander'
import { columnsText } from '../../client/paths.ts'
import { Failure } from '../failure.ts'
import { tableColumns } from '../fetch/main.ts'
import { formats, type TableColumn, tablePrinter } from '../fetch/output.ts'
import { countRows, type RowsFlags, readRows } from '../fetch/rows.ts'
import { quoted } from '../fix.ts'
import { callJson } from '../http.ts'
import { eachPair, type Flags, remote, tablePath } from './remote.ts'

interface KeyFlags extends Flags {
  readonly columns?: string
}

interface LookupFlags extends KeyFlags {
  readonly prefix?: boolean
  readonly stale?: boolean
  readonly insert?: boolean
  readonly limit?: string
}

type Pairs = Readonly<Record<string, string>>

const pairs = (description: string): Argument => new Argument('<pairs...>', description).argParser(eachPair)

export function addKeyed(top: Command): void {
  remote(top, 'lookup <table>', 'look up the row of a primary key')
    .addArgument(pairs('columns of the key, as city=oslo day=2026-11-21'))
    .option('--prefix', 'all rows with this bucket key, in key order')
    .option('--columns <names>', 'these columns, in this order, as a,b')
    .option('--limit <n>', 'rows of --prefix at most')
    .option('--stale', 'do not ask how far the log is: cheaper, and perhaps a moment old')
    .addOption(new Option('--insert', 'make the row where there is none, of its key alone').conflicts('prefix'))
    .action(lookup)
  remote(top, 'delete <table>', 'delete the row of a primary key')
    .addArgument(pairs('columns of the key, as city=oslo day=2026-11-21'))
    .option('--columns <names>', 'empty these columns instead, as a,b; those of the key may be left out')
    .action(deleteRow)
  remote(top, 'rows <table>', 'current rows of a table with a primary key')
    .option('--columns <names>', 'these columns, in this order, as a,b')
    .option('--where <filter>', `rows that it is true of, as "price > 10 and city = 'Bern'"`)
    .option('--limit <n>', 'rows at most')
    .addOption(
      new Option('--count', 'how many there are, without reading them').conflicts(['columns', 'where', 'limit', 'format']),
    )
    .addOption(new Option('--format <format>', 'default: table on a terminal, else ndjson').choices(formats))
    .action((table: string, flags: RowsFlags & { count?: boolean }) =>
      flags.count ? countRows(tablePath(table), flags) : readRows(tablePath(table), flags),
    )
}

async function lookup(table: string, given: Pairs, flags: LookupFlags): Promise<void> {
  const path = tablePath(table)
  const columns = await tableColumns(flags, path)
  const body = JSON.stringify({
    keys: [keyOf(columns, given)],
    ...(flags.columns !== undefined && { columns: flags.columns.split(',') }),
    ...(flags.limit !== undefined && { limit: Number(flags.limit) }),
    ...(flags.stale && { stale: true }),
    ...(flags.insert && { insert: true }),
  })
  const asked = callJson<Found>(flags, 'POST', `${path}/lookup${flags.prefix ? '/prefix' : ''}`, { body, retryForMs: 10_000 })
  const found = (await asked).rows[0]
  const rows = Array.isArray(found) ? found : found ? [found] : []
  if (rows.length === 0) throw noRow(table, flags.prefix ? 'no row has this bucket key' : 'no row has this key')
  const isTable = process.stdout.isTTY && !flags.json
  process.stdout.write(isTable ? tablePrinter(columns, flags)(rows) : rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
}

interface Found {
  readonly rows: readonly (Row | readonly Row[] | null)[]
}

type Row = Readonly<Record<string, unknown>>

/** One request of a producer of its own: if an answer is lost, the same again is not done twice. */
async function deleteRow(table: string, given: Pairs, flags: KeyFlags): Promise<void> {
  const path = tablePath(table)
  const { columns, primaryKey } = await callJson<Described>(flags, 'GET', path)
  const named = flags.columns?.split(',')
  const withKey = named && [
    ...primaryKey.filter((name) => !named.includes(columnsText([name]))).map((name) => columnsText([name])),
    ...named,
  ]
  const query = new URLSearchParams({ op: 'delete', ...(withKey && { columns: withKey.join(',') }) })
  const { buckets } = await callJson<Deleted>(flags, 'POST', `${path}/records?${query}`, {
    body: JSON.stringify(keyOf(columns, given)),
    headers: { 'Content-Type': 'application/x-ndjson', 'Producer-Id': randomUUID(), 'Producer-Seq': '0' },
    retryForMs: 10_000,
  })
  const changes = buckets.reduce((sum, { baseOffset, endOffset }) => sum + BigInt(endOffset) - BigInt(baseOffset), 0n)
  if (changes === 0n) throw noRow(table, 'nothing changed: no row has this key, or the table ignores deletes')
  const said = named === undefined ? 'deleted' : 'emptied, or deleted where nothing was left'
  process.stdout.write(flags.json ? `${JSON.stringify({ buckets })}\n` : `${said}\n`)
}

interface Described {
  readonly columns: readonly TableColumn[]
  readonly primaryKey: readonly string[]
}

interface Deleted {
  readonly buckets: readonly { readonly baseOffset: string; readonly endOffset: string }[]
}

const noRow = (table: string, message: string): Failure =>
  new Failure(message, 1, { fix: `sluice fetch ${quoted(table)} --limit 10` })

const keyOf = (columns: readonly TableColumn[], given: Pairs): Row =>
  Object.fromEntries(Object.entries(given).map(([name, text]) => [name, jsonValueOf(columns, name, text)]))

/** Numbers that JSON has as numbers; everything else is text there. */
function jsonValueOf(columns: readonly TableColumn[], name: string, text: string): unknown {
  const type = columns.find((column) => column.name === name)?.type ?? ''
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  const isNumber = ['tinyint', 'smallint', 'int'].includes(type) && text.trim() !== '' && Number.isFinite(Number(text))
  return isNumber ? Number(text) : text
}
