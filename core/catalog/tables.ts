/**
 * Tables: one item each, found by name, decided by id. A drop is marked here; core/log/drop.ts closes the heads. The item holds
 * the specification, so that creation is one transaction and a birth can check "alive, same id, same gc" in one condition.
 */
import { databaseKey } from '../format/items/database.ts'
import { newLakeItem } from '../format/items/lake.ts'
import { encodeMark, newMark } from '../format/items/mark.ts'
import { newPartitionCount } from '../format/items/partition.ts'
import { decodeSchema, encodeSchema, schemaKey } from '../format/items/schema.ts'
import { decodeTable, encodeDefinition, encodeTable, tableKey, tablePartition } from '../format/items/table.ts'
import { SluiceError } from '../kernel/errors.ts'
import { labelOf, newTableId } from '../kernel/ids.ts'
import { limits } from '../kernel/limits.ts'
import { checkAutoPartition, periodsOf, settled } from '../model/auto-partition.ts'
import { evolve, isSchemaChange, type SchemaChange } from '../model/evolve.ts'
import { checkKeyed, checkKeyedStay, settledKeyed } from '../model/keyed.ts'
import { parseOptions, printOptions } from '../model/options.ts'
import { assignIds, sameSpec, specOf } from '../model/spec.ts'
import type { Column, Schema, Table, TableSpec } from '../model/table.ts'
import type { Condition, Item, TransactAction, Update } from '../ports/items.ts'
import type { World } from '../ports/world.ts'
import { beingDropped, databaseNotFound, getDatabase, listNames, type NamePage, type Page } from './databases.ts'

export async function listTables(world: World, database: string, page: Page): Promise<NamePage> {
  await getDatabase(world, database)
  return listNames(world, tablePartition(database), page)
}

/** Those that have an iceberg lake in our catalog and are not being dropped. */
export async function listLakeTables(world: World, database: string, { limit, after }: Page): Promise<NamePage> {
  const names: string[] = []
  for (let last = after; ; ) {
    const from = last === undefined ? {} : { from: `${last}\u0000` }
    const items = await world.items.query({ partition: tablePartition(database), limit: limits.listLimitMax, ...from })
    for (const item of items) {
      const { name, state, options } = decodeTable(item)
      if (state !== 'alive' || options.lakeFormat !== 'iceberg' || options.lakeCatalog !== undefined) continue
      if (names.length === limit) return { names, next: names.at(-1) ?? null }
      names.push(name)
    }
    if (items.length < limits.listLimitMax) return { names, next: null }
    last = items.at(-1)?.key.sort
  }
}

/** Strongly read. A table whose drop has begun is not found. */
export async function getTable(world: World, database: string, name: string): Promise<Table> {
  const table = await findTable(world, database, name)
  if (table === undefined || table.state === 'dropping') throw tableNotFound(database, name)
  return table
}

/** Also one that is being dropped. */
export async function findTable(world: World, database: string, name: string): Promise<Table | undefined> {
  const item = await world.items.get(tableKey(database, name))
  return item === undefined ? undefined : decodeTable(item)
}

/**
 * `created: false`: a table of the same specification was there. Errors: `exists` (another specification), `not-found` (the
 * database), `conflict` (being dropped). An ambiguous attempt is resolved by the table id that this call drew.
 */
export async function createTable(
  world: World,
  database: string,
  name: string,
  spec: TableSpec,
): Promise<{ readonly table: Table; readonly created: boolean }> {
  const table = newTable(world, database, name, spec)
  const actions: TransactAction[] = [
    { check: databaseKey(database), condition: { is: 'equal', path: 'x', value: 'alive' } },
    { create: encodeTable(table) },
  ]
  if (table.options.lakeFormat !== 'none') actions.push({ create: newLakeItem(table.tableId, table.gc) })
  if (table.partitionBy.length > 0) actions.push({ create: newPartitionCount(table.tableId) })
  if (periodsOf(table) !== undefined) actions.push(autoPartitionMark(world, table))
  const existing = await findTable(world, database, name)
  if (existing === undefined) {
    const result = await world.items.transact(actions) // COMMIT POINT
    if (result.done) return { table, created: true }
  }
  const found = existing ?? (await findTable(world, database, name))
  if (found === undefined) throw await absentDatabase(world, database, name)
  if (found.tableId === table.tableId) return { table: found, created: true }
  if (found.state === 'dropping') throw beingDropped(`table ${database}.${name}`)
  if (!sameSpec(specOf(found), spec)) {
    throw new SluiceError(
      'exists',
      `table ${database}.${name} exists with another specification: describe it, or choose another name`,
      {
        facts: { database, table: name, tableId: found.tableId },
      },
    )
  }
  return { table: found, created: false }
}

export interface TableChange extends SchemaChange {
  readonly setOptions?: Readonly<Record<string, string | null>> | undefined
}

/**
 * Columns and options in one step. `ifMatch`: the schema id that the caller saw. A schema that is superseded is kept beside, in
 * the same transaction, for the rows that were written under it. Errors: `changed`, `not-found`, those of evolve and of options.
 */
export async function alterTable(
  world: World,
  database: string,
  name: string,
  change: TableChange,
  ifMatch?: number,
): Promise<Table> {
  for (let attempt = 0; attempt < alterAttemptsMax; attempt++) {
    const table = await getTable(world, database, name)
    if (ifMatch !== undefined && ifMatch !== table.schema.schemaId) {
      throw new SluiceError(
        'changed',
        `the schema id of ${database}.${name} is ${table.schema.schemaId}, not ${ifMatch}: describe it again`,
        {
          facts: { schemaId: table.schema.schemaId },
        },
      )
    }
    const options = { ...table, options: alteredOptions(table, change.setOptions ?? {}) }
    const altered = isSchemaChange(change) ? evolve(options, change) : options
    if (await replaceDefinition(world, table, altered, change)) return altered
    if (encodeDefinition(await getTable(world, database, name)) === encodeDefinition(altered)) return altered
  }
  throw new SluiceError('conflict', `table ${database}.${name} is being altered by others: try again`, { action: 'retry' })
}

async function replaceDefinition(world: World, table: Table, altered: Table, { setOptions = {} }: TableChange): Promise<boolean> {
  const update: Update = {
    key: tableKey(table.database, table.name),
    set: { d: { value: encodeDefinition(altered) } },
    condition: { is: 'and', all: [isAlive(table), { is: 'equal', path: 'd', value: encodeDefinition(table) }] },
  }
  const more: TransactAction[] = []
  if (altered.schema.schemaId !== table.schema.schemaId) more.push({ create: encodeSchema(table.tableId, table.schema) })
  if (isLakeBehind(table, altered)) more.push(tierMark(world, altered))
  const isTurned = Object.keys(setOptions).some((name) => name.startsWith('auto-partition.'))
  if (isTurned && periodsOf(altered) !== undefined) more.push(autoPartitionMark(world, altered))
  if (more.length === 0) return (await world.items.update(update)).done // COMMIT POINT
  return (await world.items.transact([{ update }, ...more])).done // COMMIT POINT
}

/** What the lake shows of a table has changed, and no row may come to bring it there. */
const isLakeBehind = (table: Table, altered: Table): boolean =>
  altered.options.lakeFormat !== 'none' &&
  (altered.schema.schemaId !== table.schema.schemaId || altered.options.lakeFormatVersion !== table.options.lakeFormatVersion)

function tierMark(world: World, { database, name, tableId, buckets, options }: Table): TransactAction {
  const table = { database, table: name, tableId }
  const due = { kind: 'tier', table, buckets: buckets.count, due: world.clock.now() + options.lakeFreshnessMs } as const
  return { create: encodeMark(newMark(world.random, due)) }
}

/** Due at once: whoever created or altered the table may die before the first partitions stand. */
function autoPartitionMark(world: World, { database, name, tableId, buckets }: Table): TransactAction {
  const table = { database, table: name, tableId }
  const due = { kind: 'auto-partition', table, buckets: buckets.count, due: world.clock.now() } as const
  return { create: encodeMark(newMark(world.random, due)) }
}

/** A schema that the table had, or has. Undefined: it is newer than this copy of the table. */
export async function readSchema(world: World, table: Table, schemaId: number): Promise<Schema | undefined> {
  if (schemaId === table.schema.schemaId) return table.schema
  const item = await world.items.get(schemaKey(table.tableId, schemaId))
  return item === undefined ? undefined : decodeSchema(item)
}

/** For whoever describes the table: since when its rows wait for the lake. Written where it changes. */
export async function noteLakeBehind(world: World, table: Table, isBehind: boolean): Promise<void> {
  if (isBehind === (table.lakeBehindSince !== undefined)) return
  const same: Condition = { is: 'equal', path: 'i', value: table.tableId }
  const change = isBehind ? { set: { b: { ifAbsent: BigInt(world.clock.now()) } } } : { remove: ['b'] }
  await world.items.update({ key: tableKey(table.database, table.name), ...change, condition: same })
}

/** From here on no head is born. Repeatable. */
export async function markTableDropping(world: World, table: Table): Promise<boolean> {
  const { done } = await world.items.update({
    key: tableKey(table.database, table.name),
    set: { x: { value: 'dropping' } },
    condition: { is: 'equal', path: 'i', value: table.tableId },
  }) // COMMIT POINT
  return done
}

/** Frees the name. Only after every head is closed. */
export async function removeTable(world: World, table: Table): Promise<void> {
  await world.items.delete(tableKey(table.database, table.name), { is: 'equal', path: 'i', value: table.tableId }) // COMMIT POINT
}

/** Holds while the very table, not only its name, is alive. */
export const isAlive = (table: Table): Condition => ({
  is: 'and',
  all: [
    { is: 'equal', path: 'i', value: table.tableId },
    { is: 'equal', path: 'x', value: 'alive' },
  ],
})

export const tableNotFound = (database: string, name: string): SluiceError =>
  new SluiceError(
    'not-found',
    `table ${database}.${name} does not exist: create it with PUT /v1/databases/${database}/tables/${name}`,
    {
      facts: { database, table: name },
    },
  )

const alterAttemptsMax = 8

/** Not there yet; its id is its own. */
export function newTable(world: World, database: string, name: string, spec: TableSpec): Table {
  const { columns, lastColumnId } = assignIds(spec)
  return {
    database,
    name,
    tableId: newTableId(world.random),
    schema: { schemaId: 1, columns },
    ...(spec.primaryKey === undefined ? {} : { primaryKey: spec.primaryKey }),
    partitionBy: spec.partitionBy,
    buckets: spec.buckets,
    options: spec.options,
    gc: labelOf(0),
    state: 'alive',
    createdAt: world.clock.now(),
    lastColumnId,
  }
}

function alteredOptions(table: Table, setOptions: Readonly<Record<string, string | null>>): Table['options'] {
  const wanted: Record<string, string> = { ...printOptions(table.options) }
  const { 'lake.format': format } = setOptions
  if (format !== undefined && parseOptions({ 'lake.format': format }).lakeFormat !== table.options.lakeFormat)
    throw fixedAtCreate(['lake.format'], `it is ${table.options.lakeFormat} here`)
  for (const [name, value] of Object.entries(setOptions)) {
    if (value === null) delete wanted[name]
    else wanted[name] = value
  }
  if (
    lakeCatalogOptions.some(
      (name) => Object.hasOwn(setOptions, name) && (setOptions[name] ?? undefined) !== printOptions(table.options)[name],
    )
  ) {
    throw fixedAtCreate(lakeCatalogOptions, 'they say where the lake is')
  }
  if (table.options.lakeFormatVersion === 3 && wanted['lake.format-version'] !== '3')
    throw new SluiceError('bad-request', 'lake.format-version goes from 2 to 3 and never back: create a table with 2', {
      facts: { option: 'lake.format-version' },
    })
  const kinds = { isKeyed: table.primaryKey !== undefined, isCounted: table.schema.columns.some(isCounted) }
  const options = settledKeyed(settled(parseOptions(wanted), table.partitionBy.length), kinds)
  const spec = { ...specOf(table), options }
  checkKeyedStay(Object.keys(setOptions), table.options.keyed, options.keyed)
  checkAutoPartition(spec)
  checkPeriodsStay(table.options, options)
  checkKeyed(spec)
  return options
}

const isCounted = ({ autoIncrement }: Column): boolean => autoIncrement === true

const fixedAtCreate = (options: readonly string[], why: string): SluiceError =>
  new SluiceError(
    'bad-request',
    `${options.join(', ')} cannot be changed after a table is created, and ${why}: create another table with what you want`,
    { facts: { option: options[0] } },
  )

const lakeCatalogOptions = ['lake.catalog', 'lake.namespace', 'lake.table']

/** Partitions that are there would fit their periods no more. */
function checkPeriodsStay({ autoPartition: now }: Table['options'], { autoPartition: wanted }: Table['options']): void {
  if (now?.enabled !== true || wanted?.enabled !== true) return
  for (const [name, option] of fixedWhileEnabled) {
    if (now[name] === wanted[name]) continue
    throw new SluiceError(
      'bad-request',
      `option ${option} cannot be changed while auto-partition.enabled is true: set that to false first`,
      {
        facts: { option },
      },
    )
  }
}

const fixedWhileEnabled = [
  ['timeUnit', 'auto-partition.time-unit'],
  ['timeZone', 'auto-partition.time-zone'],
  ['key', 'auto-partition.key'],
] as const

async function absentDatabase(world: World, database: string, name: string): Promise<SluiceError> {
  const found: Item | undefined = await world.items.get(databaseKey(database))
  if (found === undefined) return databaseNotFound(database)
  return beingDropped(`database ${database} or table ${database}.${name}`)
}
