/**
 * Resolving an outcome that is not known: look for our own entry, in the head first, then among the index items that appeared
 * since. Entries only move from the head to the index, so this order misses none. What was joined with others, or given up, tells
 * nothing any more: `hidden`, which is neither there nor absent.
 */
import { encodeEntry } from '../../format/items/entry.ts'
import { type Head, headKey } from '../../format/items/head.ts'
import { decodeIndexItem, indexSort } from '../../format/items/index-item.ts'
import { equalBytes } from '../../kernel/bytes.ts'
import { type Offset, offsetOf } from '../../kernel/ids.ts'
import { limits } from '../../kernel/limits.ts'
import type { BucketId } from '../../model/partition.ts'
import type { World } from '../../ports/world.ts'

const pageItems = 100

export interface Sought {
  readonly tableId: string
  readonly at: BucketId
  readonly entry: Uint8Array
  /** The end of the bucket before the first attempt: our entry is not below it. */
  readonly endBefore: Offset
}

export type Found = Offset | 'absent' | 'hidden'

/** The offset of our entry's first row, if it is there now. */
export async function findEntry(world: World, head: Head, sought: Sought): Promise<Found> {
  let offset: bigint = head.base
  for (const [index, bytes] of head.recentBytes.entries()) {
    if (equalBytes(bytes, sought.entry)) return offsetOf(offset)
    offset += BigInt(head.recent[index]?.count ?? 0)
  }
  return findInIndex(world, head, sought)
}

async function findInIndex(world: World, head: Head, { tableId, at, entry, endBefore }: Sought): Promise<Found> {
  let notThere: Found = head.start > endBefore ? 'hidden' : 'absent'
  let from: bigint = endBefore + 1n
  while (from <= head.base) {
    const items = await world.items.query({
      partition: headKey(tableId, at).partition,
      from: indexSort(from),
      to: indexSort(head.base + 1n),
      limit: pageItems,
    })
    for (const item of items) {
      const index = decodeIndexItem(item)
      let offset: bigint = index.start
      for (const candidate of index.entries) {
        if (equalBytes(encodeEntry(candidate), entry)) return offsetOf(offset)
        offset += BigInt(candidate.count)
      }
      if (index.entries.length !== limits.spillEntries) notThere = 'hidden'
      from = index.end + 1n
    }
    if (items.length < pageItems) return notThere
  }
  return notThere
}
