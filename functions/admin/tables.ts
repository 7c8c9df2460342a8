/** Tables over HTTP. The meaning of a specification is checked in core/model/spec.ts; the shape was checked by the contract. */
import { alterTable, createTable, findTable, getTable, listTables, newTable } from '../../core/catalog/tables.ts'
import { putMark } from '../../core/jobs/marks.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import { checkExternal, externalPlace } from '../../core/lake/external/table.ts'
import { dropTable } from '../../core/log/drop.ts'
import { createFirst } from '../../core/log/keep/auto-partition.ts'
import { printSpec, tableSpecOf } from '../../core/model/spec.ts'
import type { Table, TableSpec } from '../../core/model/table.ts'
import type { World } from '../../core/ports/world.ts'
import type { Handler, Reply } from '../call.ts'
import { jsonReply } from '../http/reply.ts'
import { tableKeptMs } from '../tables.ts'
import { droppedReply, pageOf } from './databases.ts'

export const list: Handler<'listTables'> = async ({ params, query }, world) => {
  const { names, next } = await listTables(world, params.db, pageOf(query))
  return jsonReply(200, { tables: names, next })
}

export const describe: Handler<'getTable'> = async ({ params }, world) =>
  tableReply(200, await getTable(world, params.db, params.table))

export const create: Handler<'createTable'> = async ({ params, value }, world) => {
  const spec = tableSpecOf(value)
  await checkLakeCatalog(world, params.db, params.table, spec)
  const { table, created } = await createTable(world, params.db, params.table, spec)
  await createFirst(world, table)
  return tableReply(created ? 201 : 200, table)
}

/** A table that is there has its external table, and is not compared with it again. */
async function checkLakeCatalog(world: World, database: string, name: string, spec: TableSpec): Promise<void> {
  if (spec.options.lakeCatalog === undefined || (await findTable(world, database, name)) !== undefined) return
  const table = newTable(world, database, name, spec)
  const place = externalPlace(world.catalogs, table)
  if (place !== undefined) await checkExternal(place, table)
}

export const alter: Handler<'alterTable'> = async ({ params, headers, value }, world) => {
  const before = await getTable(world, params.db, params.table)
  const table = await alterTable(world, params.db, params.table, value, schemaIdOf(headers['if-match']))
  if (value.setOptions?.['lake.freshness'] !== undefined) await markSooner(world, table)
  if (ttlOptions.some((name) => value.setOptions?.[name] !== undefined)) await markRetention(world, table)
  await createFirst(world, table)
  world.tables.forget(params.db, params.table)
  // For so long another process may put what comes under the name into the column that had it.
  if (givesNameAway(before, table)) await world.clock.sleep(tableKeptMs)
  return tableReply(200, table)
}

/** A name is that of another column now. */
function givesNameAway({ schema, formerNames = {} }: Table, after: Table): boolean {
  const ids = new Map([...Object.entries(formerNames), ...schema.columns.map(({ name, id }) => [name, id] as const)])
  return after.schema.columns.some(({ name, id }) => (ids.get(name) ?? id) !== id)
}

/**
 * Committers rely on marks that are due after the old freshness. One that is due after the new makes a tier job look, which ends
 * that trust; by then no process knows the old options. A crash before leaves the old pace until the PATCH is repeated.
 */
async function markSooner(world: World, { database, name, tableId, buckets, options }: Table): Promise<void> {
  if (options.lakeFormat === 'none') return
  const due = world.clock.now() + Math.max(options.lakeFreshnessMs, 2 * tableKeptMs)
  await putMark(world, { kind: 'tier', table: { database, table: name, tableId }, buckets: buckets.count, due })
}

const ttlOptions = ['log.ttl', 'log.ttl-after-tier'] as const

/** Rows may have to go sooner than the marks that stand say; what stays is marked again by the new options. */
async function markRetention(world: World, { database, name, tableId, buckets }: Table): Promise<void> {
  const due = world.clock.now() + 2 * tableKeptMs
  await putMark(world, { kind: 'retain', table: { database, table: name, tableId }, buckets: buckets.count, due })
}

export const drop: Handler<'dropTable'> = async ({ params, query }, world) => {
  const reply = await droppedReply(query.ifExists ?? false, () => dropTable(world, params.db, params.table))
  world.tables.forget(params.db, params.table)
  return reply
}

/** `"<schemaId>"`; absent or `*`: whatever is there. */
function schemaIdOf(ifMatch: string | undefined): number | undefined {
  if (ifMatch === undefined || ifMatch.trim() === '*') return undefined
  const id = Number(/^\s*"([0-9]{1,15})"\s*$/.exec(ifMatch)?.[1])
  if (Number.isNaN(id)) throw new SluiceError('bad-request', 'If-Match must be the schemaId in quotes, such as "1"')
  return id
}

function tableReply(status: number, table: Table): Reply {
  return jsonReply(status, printSpec(table), { ETag: `"${table.schema.schemaId}"` })
}
