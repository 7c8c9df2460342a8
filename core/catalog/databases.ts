/** Databases: items of one partition, so that a list is one ordered query. */
import { type Database, databaseKey, databasesPartition, decodeDatabase, encodeDatabase } from '../format/items/database.ts'
import { tablePartition } from '../format/items/table.ts'
import { SluiceError } from '../kernel/errors.ts'
import { limits } from '../kernel/limits.ts'
import type { Condition } from '../ports/items.ts'
import type { World } from '../ports/world.ts'

export interface Page {
  /** 1 to 1,000. */
  readonly limit: number
  /** Names after this one. */
  readonly after?: string
}

export interface NamePage {
  readonly names: readonly string[]
  /** Pass as `after` for the next page; null: no more. */
  readonly next: string | null
}

export async function listDatabases(world: World, page: Page): Promise<NamePage> {
  return listNames(world, databasesPartition, page)
}

export async function getDatabase(world: World, name: string): Promise<Database> {
  const item = await world.items.get(databaseKey(name))
  if (item === undefined) throw databaseNotFound(name)
  return decodeDatabase(item)
}

export async function createDatabase(
  world: World,
  name: string,
): Promise<{ readonly database: Database; readonly created: boolean }> {
  const database: Database = { name, state: 'alive', createdAt: world.clock.now() }
  const { done, item } = await world.items.create(encodeDatabase(database)) // COMMIT POINT
  if (done || item === undefined) return { database, created: true }
  const existing = decodeDatabase(item)
  if (existing.state === 'dropping') throw beingDropped(`database ${name}`)
  return { database: existing, created: false }
}

/** No table can be created in it from here on. Repeatable. */
export async function markDatabaseDropping(world: World, name: string): Promise<void> {
  const { done } = await world.items.update({
    key: databaseKey(name),
    set: { x: { value: 'dropping' } },
    condition: { is: 'exists', path: 'x' },
  }) // COMMIT POINT
  if (!done) throw databaseNotFound(name)
}

/** Takes the mark back: the database turned out not to be empty. */
export async function reviveDatabase(world: World, name: string): Promise<void> {
  await world.items.update({ key: databaseKey(name), set: { x: { value: 'alive' } }, condition: { is: 'exists', path: 'x' } })
}

/** Only of a database that is marked and empty. False: another caller took the mark back, it lives on. */
export async function removeDatabase(world: World, name: string): Promise<boolean> {
  const dropping: Condition = { is: 'equal', path: 'x', value: 'dropping' }
  const { done, item } = await world.items.delete(databaseKey(name), dropping) // COMMIT POINT
  return done || item === undefined
}

export async function isDatabaseEmpty(world: World, name: string): Promise<boolean> {
  return (await world.items.query({ partition: tablePartition(name), limit: 1 })).length === 0
}

export async function listNames(world: World, partition: string, page: Page): Promise<NamePage> {
  const from = page.after === undefined ? {} : { from: `${page.after}\u0000` }
  const items = await world.items.query({ partition, limit: Math.min(page.limit + 1, limits.listLimitMax), ...from })
  const names = items.slice(0, page.limit).map((item) => item.key.sort)
  return { names, next: items.length > page.limit || items.length === limits.listLimitMax ? (names.at(-1) ?? null) : null }
}

export const databaseNotFound = (name: string): SluiceError =>
  new SluiceError('not-found', `database ${name} does not exist: create it with PUT /v1/databases/${name}`, {
    facts: { database: name },
  })

export const beingDropped = (what: string): SluiceError =>
  new SluiceError('conflict', `${what} is being dropped: repeat the DELETE until it is gone, then create it`, { action: 'retry' })
