/**
 * Spill: groups of exactly eight entries, aligned since the bucket began, become one index item under their end offset.
 * The item is a pure function of the log, so create-if-absent is safe however late it happens; the trim holds only while the
 * base is the one that was read. A crash between the two leaves an item that says what the head still says.
 */
import { decodeHead, type Head, headKey } from '../../format/items/head.ts'
import { decodeIndexItem, encodeIndexItem, type IndexItem } from '../../format/items/index-item.ts'
import { assert } from '../../kernel/assert.ts'
import { offsetOf } from '../../kernel/ids.ts'
import { limits } from '../../kernel/limits.ts'
import type { BucketId } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import type { World } from '../../ports/world.ts'

/** Spills while the head has at least `whenAtLeast` entries. Returns the head as last seen. */
export async function spill(world: World, table: Table, at: BucketId, head: Head, whenAtLeast: number): Promise<Head> {
  let seen = head
  for (let round = 0; round < limits.headEntriesMax / limits.spillEntries; round++) {
    if (seen.recent.length < Math.max(whenAtLeast, limits.spillEntries)) return seen
    seen = await spillOnce(world, table, at, seen)
  }
  return seen
}

async function spillOnce(world: World, table: Table, at: BucketId, head: Head): Promise<Head> {
  const index = planIndex(head)
  await writeIndex(world, table, at, index)
  const { item } = await world.items.update({
    key: headKey(table.tableId, at),
    set: { b: { value: index.end }, m: { value: BigInt(index.maxTime) } },
    removeLeading: { list: 'r', count: limits.spillEntries },
    condition: { is: 'equal', path: 'b', value: index.start },
  }) // COMMIT POINT
  return item === undefined ? head : decodeHead(item)
}

function planIndex(head: Head): IndexItem {
  const entries = head.recent.slice(0, limits.spillEntries)
  let end: bigint = head.base
  let maxTime = head.maxTime
  for (const entry of entries) {
    end += BigInt(entry.count)
    maxTime = Math.max(maxTime, entry.time)
  }
  return { start: head.base, end: offsetOf(end), entries, maxTime }
}

async function writeIndex(world: World, table: Table, at: BucketId, index: IndexItem): Promise<void> {
  const item = encodeIndexItem(table.tableId, at, index)
  const { done, item: existing } = await world.items.create(item)
  if (done || existing === undefined) return
  const found = decodeIndexItem(existing)
  assert(found.start === index.start && found.end === index.end, 'an index item is a pure function of the log', { key: item.key })
}
