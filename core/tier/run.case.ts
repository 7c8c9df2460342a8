/** What the tests of a tier run do to a table, and see of its lake. */
import { SluiceError } from '../kernel/errors.ts'
import { lakeFolder } from '../lake/layout.ts'
import { requestOf, type TestWorld, testLog } from '../log/world.case.ts'
import type { Table } from '../model/table.ts'
import type { ItemStore, Update } from '../ports/items.ts'
import type { World } from '../ports/world.ts'
import { folderRows } from './tier.case.ts'

export const minutes = 60_000

export async function produce(world: TestWorld, table: Table, values: readonly number[], bucket = 0): Promise<void> {
  world.time.now += 10
  const [appended] = await testLog(world).append(table, requestOf(values, undefined, bucket))
  if (appended?.outcome.done !== true) throw new Error('the append failed')
}

export async function lakeValues(world: World, table: Table): Promise<number[]> {
  return (await folderRows(world.objects, table)).map((row) => Number(row['v'])).sort((a, b) => a - b)
}

export async function keysOf(world: World, table: Table, folder: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of world.objects.list(`${lakeFolder(table.tableId)}/${folder}`)) keys.push(key)
  return keys
}

/** The same stores, seen by a process whose updates of the lake item, or those that are watched, pass through `around`. */
export function updatesThrough(
  world: TestWorld,
  around: (update: Update, go: ItemStore['update']) => ReturnType<ItemStore['update']>,
  isWatched = (update: Update): boolean => update.key.sort === 'lake',
): TestWorld {
  const { items } = world
  const go: ItemStore['update'] = (update) => items.update(update)
  const store = Object.create(items) as ItemStore
  for (const name of ['get', 'query', 'create', 'delete', 'transact'] as const) store[name] = items[name].bind(items) as never
  store.update = (update) => (isWatched(update) ? around(update, go) : go(update))
  return { ...world, items: store }
}

export const isCommit = (update: Update): boolean => update.set?.['metadata'] !== undefined

export const unknown = (): SluiceError => new SluiceError('unavailable', 'no answer', { effect: 'unknown' })

export const dueOf = (table: Table): string => `due#${Number.parseInt(table.tableId.slice(-2), 16) % 4}`
