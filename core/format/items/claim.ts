/**
 * The claim of a bucket's compactor, beside the head (sort `c`): e epoch · l lease, ms · h holder · g gc · d done · f, p pending:
 * its first offset, and one entry for each index item that is to have it, concatenated. Pending is the commit point of a
 * compaction: from then on its object can be reached, by way of whoever finishes it.
 */
import { assert } from '../../kernel/assert.ts'
import { concat } from '../../kernel/bytes.ts'
import { type Label, labelPattern, type Offset, offsetOf } from '../../kernel/ids.ts'
import type { BucketId } from '../../model/partition.ts'
import type { Item, ItemKey } from '../../ports/items.ts'
import { decodeEntry, type Entry, encodeEntry, entryBytes } from './entry.ts'
import { headKey } from './head.ts'

export interface Claim {
  /** Claims so far. */
  readonly epoch: bigint
  /** ms since 1970: until then the claimant is believed to be at work. */
  readonly lease: number
  /** Random id of the last claim, so that a claimant recognises its own. */
  readonly holder: string
  /** What is labelled at or below it cannot become pending. */
  readonly gc: Label
  /** Index items that end at or below it are not looked at again. */
  readonly done: Offset
  readonly pending: Pending | undefined
}

export interface Pending {
  /** Of the first row. */
  readonly from: Offset
  /** Of one object; each takes the place of the entries of one index item. The items follow each other. */
  readonly entries: readonly Entry[]
}

export const claimKey = (tableId: string, at: BucketId): ItemKey => ({ partition: headKey(tableId, at).partition, sort: 'c' })

export const newClaim = (tableId: string, at: BucketId, gc: Label): Item => ({
  key: claimKey(tableId, at),
  attributes: { e: 0n, l: 0n, h: '', g: gc, d: 0n },
})

export const encodePending = ({ from, entries }: Pending): { readonly f: bigint; readonly p: Uint8Array } => ({
  f: from,
  p: concat(entries.map(encodeEntry)),
})

export function decodeClaim(item: Item): Claim {
  const { e, l, h, g, d, f, p } = item.attributes
  assert(
    typeof e === 'bigint' && typeof l === 'bigint' && typeof h === 'string' && typeof d === 'bigint',
    'the claim of a compactor is whole',
    { key: item.key },
  )
  assert(typeof g === 'string' && labelPattern.test(g), 'the gc of a claim is a label', { key: item.key })
  const pending = typeof f === 'bigint' && p instanceof Uint8Array ? { from: offsetOf(f), entries: decodeEntries(p) } : undefined
  assert(pending !== undefined || (f === undefined && p === undefined), 'what is pending is whole', { key: item.key })
  return { epoch: e, lease: Number(l), holder: h, gc: g as Label, done: offsetOf(d), pending }
}

function decodeEntries(bytes: Uint8Array): readonly Entry[] {
  assert(bytes.length > 0 && bytes.length % entryBytes === 0, 'what is pending holds whole entries', { length: bytes.length })
  return Array.from({ length: bytes.length / entryBytes }, (_, i) =>
    decodeEntry(bytes.subarray(i * entryBytes, (i + 1) * entryBytes)),
  )
}
