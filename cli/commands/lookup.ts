/** `sluice lookup db.table key=value …`: the row of a key, or with --prefix the rows whose keys begin so. */
import { Argument, type Command } from 'commander'
import { Failure } from '../failure.ts'
import { call } from '../http.ts'
import { eachPair, type Flags, remote, tablePath } from './remote.ts'

interface LookupFlags extends Flags {
  readonly prefix?: boolean
  readonly columns?: string
  readonly limit?: string
}

export function addLookup(top: Command): void {
  remote(top, 'lookup <table>', 'look up the row of a primary key')
    .addArgument(new Argument('<pairs...>', 'columns of the key, as city=oslo day=2026-11-21').argParser(eachPair))
    .option('--prefix', 'all rows with this bucket key, in key order')
    .option('--columns <names>', 'these columns, in this order, as a,b')
    .option('--limit <n>', 'rows of --prefix at most')
    .action((table: string, pairs: Readonly<Record<string, string>>, flags: LookupFlags) =>
      lookup(tablePath(table), pairs, flags),
    )
}

async function lookup(path: string, pairs: Readonly<Record<string, string>>, flags: LookupFlags): Promise<void> {
  const { columns } = await jsonOf<Described>(call(flags, 'GET', path))
  const key = Object.fromEntries(Object.entries(pairs).map(([name, text]) => [name, jsonValueOf(columns, name, text)]))
  const body = JSON.stringify({
    keys: [key],
    ...(flags.columns !== undefined && { columns: flags.columns.split(',') }),
    ...(flags.limit !== undefined && { limit: Number(flags.limit) }),
  })
  const answer = call(flags, 'POST', `${path}/lookup${flags.prefix ? '/prefix' : ''}`, { body, retryForMs: 10_000 })
  const [found] = (await jsonOf<{ readonly rows: readonly unknown[] }>(answer)).rows
  if (found === null) throw new Failure('no row has this key')
  for (const row of Array.isArray(found) ? found : [found]) print(row, flags)
}

interface Described {
  readonly columns: readonly { readonly name: string; readonly type: string }[]
}

/** Numbers that JSON has as numbers; everything else is text there. */
function jsonValueOf(columns: Described['columns'], name: string, text: string): unknown {
  const type = columns.find((column) => column.name === name)?.type ?? ''
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  const isNumber = ['tinyint', 'smallint', 'int'].includes(type) && text.trim() !== '' && Number.isFinite(Number(text))
  return isNumber ? Number(text) : text
}

const jsonOf = async <T>(answer: ReturnType<typeof call>): Promise<T> =>
  JSON.parse(Buffer.from((await answer).bytes).toString()) as T

const print = (row: unknown, { json }: LookupFlags): void =>
  void process.stdout.write(`${json ? JSON.stringify(row) : JSON.stringify(row, null, 2)}\n`)
