/** What a lake's item refers to, directly and through its files. */
import { decodeLakeItem, lakeItemKey } from '../../../core/format/items/lake.ts'
import type { Stores } from '../product.ts'

export function lakeReferences(stores: Stores, tableId: string): ReadonlySet<string> {
  const item = stores.items.get(lakeItemKey(tableId), 'plain')
  const committed = item === undefined ? undefined : decodeLakeItem(item.attributes).committed
  return new Set(committed === undefined ? [] : [committed.metadata.key, committed.points.key])
}
