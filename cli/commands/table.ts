/** `sluice table`: list, create, describe, alter, drop. What is asked for comes as JSON, as flags, or as both, and then flags win. */
import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { Failure } from '../failure.ts'
import { call, callList } from '../http.ts'
import { show } from '../show.ts'
import { databasePath, drop, each, eachPair, type Flags, remote, tablePath } from './remote.ts'

export function addTable(top: Command): void {
  const table = top.command('table').description('tables, as database.table')
  remote(table, 'list <database>', 'list tables').action(async (db: string, flags: Flags) =>
    show(await callList(flags, `${databasePath(db)}/tables`, 'tables'), flags),
  )
  addCreate(table)
  remote(table, 'describe <table>', 'describe a table').action(async (name: string, flags: Flags) =>
    show(await call(flags, 'GET', tablePath(name)), flags),
  )
  addAlter(table)
  remote(table, 'drop <table>', 'drop a table').action(async (name: string, flags: Flags) => drop(flags, tablePath(name)))
}

interface CreateFlags extends Flags {
  readonly from?: string
  readonly column?: readonly string[]
  readonly primaryKey?: string
  readonly partitionBy?: string
  readonly buckets?: number
  readonly bucketKey?: string
  readonly option?: Readonly<Record<string, string>>
}

function addCreate(table: Command): void {
  remote(table, 'create <table> [specification]', 'create a table, from flags or from JSON (text, or @file)')
    .option('--from <file>', 'a Parquet file whose columns the table gets')
    .option('--column <column>', 'name and type, as "id bigint not null"; repeat it', each)
    .option('--primary-key <names>', 'as a,b')
    .option('--partition-by <names>', 'as a,b')
    .option('--buckets <n>', 'how many, 1 if absent', Number)
    .option('--bucket-key <names>', 'as a,b')
    .option('--option <name=value>', 'of the table, as in docs/options.md; repeat it', eachPair)
    .action(async (name: string, specification: string | undefined, flags: CreateFlags) => {
      const path = tablePath(name)
      const asked = await tableSpecification(specification, flags)
      show(await call(flags, 'PUT', path, { body: JSON.stringify(asked) }), flags)
    })
}

interface TableSpecification {
  readonly columns?: readonly object[]
  readonly buckets?: object
  readonly options?: object
}

async function tableSpecification(specification: string | undefined, flags: CreateFlags): Promise<TableSpecification> {
  const { from, column = [], primaryKey, partitionBy, buckets, bucketKey, option } = flags
  const given: TableSpecification = specification === undefined ? {} : await json(specification)
  const inferred = from === undefined ? [] : await inferredColumns(from)
  const columns = [...(given.columns ?? []), ...inferred, ...column.map(readColumn)]
  if (columns.length === 0) throw new Failure('a table needs columns: --column "id bigint", --from file.parquet, or JSON', 2)
  return {
    ...given,
    columns,
    ...(primaryKey !== undefined && { primaryKey: primaryKey.split(',') }),
    ...(partitionBy !== undefined && { partitionBy: partitionBy.split(',') }),
    ...((buckets !== undefined || bucketKey !== undefined) && {
      buckets: {
        ...given.buckets,
        ...(buckets !== undefined && { count: buckets }),
        ...(bucketKey !== undefined && { key: bucketKey.split(',') }),
      },
    }),
    ...(option !== undefined && { options: { ...given.options, ...option } }),
  }
}

async function inferredColumns(file: string): Promise<readonly object[]> {
  const { parquetColumns } = await import('../parquet/columns.ts')
  return parquetColumns(file)
}

interface AlterFlags extends Flags {
  readonly addColumn?: readonly string[]
  readonly dropColumn?: readonly string[]
  readonly renameColumn?: Readonly<Record<string, string>>
  readonly widenColumn?: readonly string[]
  readonly set?: Readonly<Record<string, string>>
  readonly unset?: readonly string[]
  readonly ifMatch?: string
}

function addAlter(table: Command): void {
  remote(table, 'alter <table> [change]', 'alter a table, by flags or by JSON (text, or @file)')
    .option('--add-column <column>', 'name and type, as "price double"; repeat it', each)
    .option('--drop-column <name>', 'repeat it', each)
    .option('--rename-column <name=new>', 'repeat it', eachPair)
    .option('--widen-column <column>', 'name and new type, as "id bigint"; repeat it', each)
    .option('--set <name=value>', 'an option of the table; repeat it', eachPair)
    .option('--unset <name>', 'an option of the table, back to its default; repeat it', each)
    .option('--if-match <id>', 'only if this is still the schemaId of the table')
    .action(async (name: string, change: string | undefined, flags: AlterFlags) => {
      const path = tablePath(name)
      const asked = { ...(change === undefined ? {} : await json(change)), ...alteration(flags) }
      if (Object.keys(asked).length === 0) throw new Failure('nothing to alter: see sluice table alter --help', 2)
      const headers = flags.ifMatch === undefined ? {} : { 'If-Match': `"${flags.ifMatch.replaceAll('"', '')}"` }
      show(await call(flags, 'PATCH', path, { body: JSON.stringify(asked), headers }), flags)
    })
}

function alteration({ addColumn, dropColumn, renameColumn, widenColumn, set, unset }: AlterFlags): object {
  return {
    ...(addColumn && { addColumns: addColumn.map(readColumn) }),
    ...(dropColumn && { dropColumns: dropColumn }),
    ...(renameColumn && { renameColumns: renameColumn }),
    ...(widenColumn && { widenColumns: Object.fromEntries(widenColumn.map(readColumn).map(({ name, type }) => [name, type])) }),
    ...((set || unset) && { setOptions: { ...set, ...Object.fromEntries((unset ?? []).map((name) => [name, null])) } }),
  }
}

interface ColumnText {
  readonly name: string
  readonly type: string
  readonly nullable?: false
}

/** `id bigint`, `"a name" string`, and `not null` behind it. */
function readColumn(text: string): ColumnText {
  const [, quoted, plain, rest = ''] = /^\s*(?:"((?:[^"]|"")+)"|(\S+))\s+(.+?)\s*$/su.exec(text) ?? []
  const name = quoted?.replaceAll('""', '"') ?? plain
  if (name === undefined) throw new Failure(`a column is a name and a type, as "id bigint", not ${JSON.stringify(text)}`, 2)
  const type = rest.replace(/\s+not\s+null$/i, '')
  return { name, type, ...(type !== rest && { nullable: false }) }
}

async function json(argument: string): Promise<object> {
  const text = argument.startsWith('@') ? await readFile(argument.slice(1), 'utf8') : argument
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch {
    // said below
  }
  throw new Failure(`JSON is wanted, as '{"columns":[…]}', or @ and the name of a file, not ${JSON.stringify(argument)}`, 2)
}
