/** The snapshot item as it is read, and how it comes to be. */
import { decodeKvItem, type KvItem, kvKey, newKvItem } from '../format/items/kv.ts'
import type { Offset } from '../kernel/ids.ts'
import { bear } from '../log/claim.ts'
import { type BucketId, type BucketRef, idOf } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import type { World } from '../ports/world.ts'

/** Strongly read; undefined before the first fold or scan of the bucket. */
export async function readKvItem(world: World, tableId: string, at: BucketId): Promise<KvItem | undefined> {
  const item = await world.items.get(kvKey(tableId, at))
  return item === undefined ? undefined : decodeKvItem(item)
}

/** Whoever is first. `start`: of the log. Undefined: there is no such item, because the table or the partition is gone. */
export async function bearKvItem(world: World, table: Table, at: BucketRef, start: Offset): Promise<KvItem | undefined> {
  await bear(world, table, at, newKvItem(table.tableId, idOf(at), { gc: table.gc, floor: start }))
  return readKvItem(world, table.tableId, idOf(at))
}
