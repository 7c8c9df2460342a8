/**
 * An index item: exactly eight spilled entries under their end offset, beside the head. A pure function of the log:
 * whoever writes it writes the same, so create-if-absent is enough. s start · r the entries, concatenated · m running maxTime.
 */
import { assert } from '../../kernel/assert.ts'
import { concat } from '../../kernel/bytes.ts'
import { type Offset, offsetOf, sortable } from '../../kernel/ids.ts'
import type { BucketId } from '../../model/partition.ts'
import type { Item, ItemKey } from '../../ports/items.ts'
import { decodeEntry, type Entry, encodeEntry, entryBytes } from './entry.ts'
import { headKey } from './head.ts'

export interface IndexItem {
  readonly start: Offset
  readonly end: Offset
  readonly entries: readonly Entry[]
  /** ms */
  readonly maxTime: number
}

const prefix = 'i/'
/** Sort keys of all index items lie in [first, after). */
export const indexSorts = { first: prefix, after: 'i0' } as const

export const indexSort = (end: bigint): string => prefix + sortable(end)
export const indexKey = (tableId: string, at: BucketId, end: bigint): ItemKey => ({
  partition: headKey(tableId, at).partition,
  sort: indexSort(end),
})

export function encodeIndexItem(tableId: string, at: BucketId, index: IndexItem): Item {
  return {
    key: indexKey(tableId, at, index.end),
    attributes: { s: index.start, r: concat(index.entries.map(encodeEntry)), m: BigInt(index.maxTime) },
  }
}

export function decodeIndexItem(item: Item): IndexItem {
  const { s, r, m } = item.attributes
  assert(typeof s === 'bigint' && r instanceof Uint8Array && typeof m === 'bigint', 'an index item is whole', { key: item.key })
  assert(r.length % entryBytes === 0, 'an index item holds whole entries', { key: item.key })
  const entries: Entry[] = []
  for (let at = 0; at < r.length; at += entryBytes) entries.push(decodeEntry(r.subarray(at, at + entryBytes)))
  const end = BigInt(item.key.sort.slice(prefix.length))
  let counted = s
  for (const entry of entries) counted += BigInt(entry.count)
  assert(counted === end, 'the counts of an index item span its offsets', { key: item.key, start: `${s}`, counted: `${counted}` })
  return { start: offsetOf(s), end: offsetOf(end), entries, maxTime: Number(m) }
}
