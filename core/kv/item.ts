/** The snapshot item as it is read. */
import { decodeKvItem, type KvItem, kvKey } from '../format/items/kv.ts'
import type { BucketId } from '../model/partition.ts'
import type { World } from '../ports/world.ts'

/** Strongly read; undefined before the first fold or scan of the bucket. */
export async function readKvItem(world: World, tableId: string, at: BucketId): Promise<KvItem | undefined> {
  const item = await world.items.get(kvKey(tableId, at))
  return item === undefined ? undefined : decodeKvItem(item)
}
