/** An evicted producer, kept beside the head for the horizon of deduplication and a day: e s n c q as in the head, x expiry in ms. */
import { assert } from '../../kernel/assert.ts'
import { offsetOf } from '../../kernel/ids.ts'
import type { BucketId } from '../../model/partition.ts'
import type { Item, ItemKey } from '../../ports/items.ts'
import { headKey, type ProducerState } from './head.ts'

export const evictedSorts = { first: 'P/', after: 'P0' } as const

export const evictedKey = (tableId: string, at: BucketId, producer: string): ItemKey => ({
  partition: headKey(tableId, at).partition,
  sort: `P/${producer}`,
})

export function encodeEvicted(key: ItemKey, state: ProducerState, expiresAt: number): Item {
  return {
    key,
    attributes: { e: state.epoch, s: state.sequence, n: state.count, c: BigInt(state.crc), q: state.base, x: BigInt(expiresAt) },
  }
}

export function decodeEvicted(item: Item): ProducerState & { readonly expiresAt: number } {
  const { e, s, n, c, q, x } = item.attributes
  assert(
    typeof e === 'bigint' &&
      typeof s === 'bigint' &&
      typeof n === 'bigint' &&
      typeof c === 'bigint' &&
      typeof q === 'bigint' &&
      typeof x === 'bigint',
    'an evicted producer is whole',
    { key: item.key },
  )
  return { epoch: e, sequence: s, count: n, crc: Number(c), base: offsetOf(q), expiresAt: Number(x) }
}
