/**
 * Which entries hold offsets from N on: at or above the base they are in the head, below it in the first index item whose end
 * is above the offset. A reader reads the head first (strongly); entries only move from there to the index, so it meets no hole.
 */
import type { Entry } from '../../format/items/entry.ts'
import { type Head, headKey } from '../../format/items/head.ts'
import { decodeIndexItem, indexSort, indexSorts } from '../../format/items/index-item.ts'
import { assert } from '../../kernel/assert.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { type Offset, offsetOf } from '../../kernel/ids.ts'
import { type BucketId, bucketKey } from '../../model/partition.ts'
import type { World } from '../../ports/world.ts'
import { readHead } from '../head/birth.ts'

export interface PlacedEntry {
  /** Offset of the entry's first row. */
  readonly offset: Offset
  readonly entry: Entry
}

/** An index item has eight entries; so many items are asked for at once. */
const itemsAtOnce = 16

/** Entries in offset order, the first one holding `from`, until the head's end. Reads the index lazily. */
export async function* entriesFrom(
  world: World,
  tableId: string,
  at: BucketId,
  head: Head,
  from: Offset,
): AsyncIterable<PlacedEntry> {
  let next: bigint = from
  while (next < head.base) {
    const items = await world.items.query({
      partition: headKey(tableId, at).partition,
      from: indexSort(next + 1n),
      to: indexSorts.after,
      limit: itemsAtOnce,
    })
    const before = next
    for (const item of items) {
      const index = decodeIndexItem(item)
      if (index.start > next) await explainHole(world, tableId, at, next)
      yield* placed(index.entries, index.start, next)
      next = index.end
      if (next >= head.base) break
    }
    if (next === before) await explainHole(world, tableId, at, next)
  }
  yield* placed(head.recent, head.base, next)
}

/** Rows below the start may leave while they are read; any other hole is a defect. Always throws. */
async function explainHole(world: World, tableId: string, at: BucketId, wanted: bigint): Promise<never> {
  const head = await readHead(world, tableId, at)
  const facts = { tableId, bucket: bucketKey(at), wanted: `${wanted}` }
  assert(head !== undefined && head.start > wanted, 'the index of a bucket has no hole', facts)
  throw new SluiceError('offset-out-of-range', `rows at offset ${wanted} left the log while they were read`, {
    action: 'refresh',
    facts: { ...facts, start: `${head.start}`, end: `${head.end}` },
  })
}

function* placed(entries: readonly Entry[], start: Offset, from: bigint): Iterable<PlacedEntry> {
  let offset: bigint = start
  for (const entry of entries) {
    const end = offset + BigInt(entry.count)
    if (end > from) yield { offset: offsetOf(offset), entry }
    offset = end
  }
}
