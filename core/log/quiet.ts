/**
 * Quiet: a worker that found nothing left takes back the trust that committers put in old marks, head by head, and only while
 * the head's end is the one that it saw. A committer that relied on an old mark is then refused, marks again and retries.
 */
import { headKey } from '../format/items/head.ts'
import { type BucketRef, idOf } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import type { World } from '../ports/world.ts'

export interface SeenHead extends BucketRef {
  readonly end: bigint
}

/** False when some head has moved on: there is work left, the marks must stay. Heads that are not born need no bump. */
export async function quietHeads(world: World, table: Table, heads: readonly SeenHead[]): Promise<boolean> {
  for (const { partition, bucket, end } of heads) {
    const { done, item } = await world.items.update({
      key: headKey(table.tableId, idOf({ partition, bucket })),
      set: { u: { plus: 'u', by: 1n } },
      condition: { is: 'equal', path: 'e', value: end },
    })
    if (!done && (item !== undefined || end > partition.floor)) return false
  }
  return true
}
