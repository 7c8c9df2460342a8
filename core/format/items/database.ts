/** A database's item: partition `dbs`, sort `<name>`. x state · c created, ms. */
import { assert } from '../../kernel/assert.ts'
import type { Item, ItemKey } from '../../ports/items.ts'

export interface Database {
  readonly name: string
  readonly state: 'alive' | 'dropping'
  /** ms since 1970 */
  readonly createdAt: number
}

export const databasesPartition = 'dbs'
export const databaseKey = (name: string): ItemKey => ({ partition: databasesPartition, sort: name })

export function encodeDatabase(database: Database): Item {
  return { key: databaseKey(database.name), attributes: { x: database.state, c: BigInt(database.createdAt) } }
}

export function decodeDatabase(item: Item): Database {
  const { x, c } = item.attributes
  assert((x === 'alive' || x === 'dropping') && typeof c === 'bigint', 'a database item is whole', { key: item.key })
  return { name: item.key.sort, state: x, createdAt: Number(c) }
}
