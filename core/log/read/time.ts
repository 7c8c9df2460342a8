/**
 * Where in a bucket a time is (protocol section 7): the first row at or after it in the first index item whose running greatest time
 * reaches it, or in the head. Items are found by halving, because running times never go back.
 */
import type { Entry } from '../../format/items/entry.ts'
import { type Head, headKey } from '../../format/items/head.ts'
import { decodeIndexItem, type IndexItem, indexSort, indexSorts } from '../../format/items/index-item.ts'
import { present } from '../../kernel/assert.ts'
import { type Offset, offsetOf } from '../../kernel/ids.ts'
import type { BucketId } from '../../model/partition.ts'
import type { World } from '../../ports/world.ts'
import { type EntryRead, openEntries, type Shape } from './frames.ts'
import type { RangeReader } from './ranges.ts'

export interface TimeSearch {
  readonly world: World
  readonly ranges: RangeReader
  readonly shape: Shape
}

/** Of the first row at or after `time` (ms since 1970); the end if there is none. */
export async function offsetOfTime(search: TimeSearch, at: BucketId, head: Head, time: number): Promise<Offset> {
  const item = head.start < head.base && head.maxTime >= time ? await itemOfTime(search, at, head, time) : undefined
  const found = item === undefined ? undefined : await rowOfTime(search, item.entries, item.start, time)
  const offset = found ?? (await rowOfTime(search, head.recent, head.base, time)) ?? head.end
  return offset < head.start ? head.start : offset
}

async function itemOfTime({ world, shape }: TimeSearch, at: BucketId, head: Head, time: number): Promise<IndexItem | undefined> {
  let found: IndexItem | undefined
  let low: bigint = head.start
  let high: bigint = head.base
  while (low < high) {
    const item = await itemAt(world, shape.tableId, at, (low + high) / 2n)
    if (item === undefined) break
    if (item.maxTime >= time) {
      found = item
      high = item.start
    } else low = item.end
  }
  return found
}

async function itemAt(world: World, tableId: string, at: BucketId, offset: bigint): Promise<IndexItem | undefined> {
  const { partition } = headKey(tableId, at)
  const [item] = await world.items.query({ partition, from: indexSort(offset + 1n), to: indexSorts.after, limit: 1 })
  return item === undefined ? undefined : decodeIndexItem(item)
}

/** An entry of joined requests has the greatest of their times, so its frames are looked at. */
async function rowOfTime(
  { ranges, shape }: TimeSearch,
  entries: readonly Entry[],
  start: Offset,
  time: number,
): Promise<Offset | undefined> {
  let offset: bigint = start
  for (const entry of entries) {
    if (entry.time >= time) {
      const read: EntryRead = { offset: offsetOf(offset), entry, whole: false }
      const [frames] = await openEntries(ranges, shape, [read])
      for await (const frame of present(frames, 'the frames of an entry')) if (frame.time >= time) return frame.offset
    }
    offset += BigInt(entry.count)
  }
  return undefined
}
