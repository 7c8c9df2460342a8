/**
 * Which index items are joined, pure: items that follow each other, each of eight small entries, as many as make one object. What
 * is joined once, or large enough as it is, is never moved again, so all moves together write every row once at most.
 */
import type { IndexItem } from '../../format/items/index-item.ts'
import type { Offset } from '../../kernel/ids.ts'
import { limits } from '../../kernel/limits.ts'

export interface RunLimits {
  /** Fewer, with fewer bytes, wait for more. */
  readonly itemsMin: number
  readonly bytesMin: number
  readonly itemsMax: number
  readonly bytesMax: number
  /** From here on the entries of an item are large enough as they are. */
  readonly itemBytesMax: number
}

const MiB = 1024 * 1024

export const runLimits: RunLimits = {
  itemsMin: 8,
  bytesMin: 4 * MiB,
  itemsMax: 64,
  bytesMax: 16 * MiB,
  itemBytesMax: (limits.spillEntries * MiB) / 2,
}

/** `join`: a run · `skip`: nothing to do before `to` · `wait`: items that are too few, and nothing follows them. */
export type NextRun =
  | { readonly is: 'join'; readonly items: readonly IndexItem[] }
  | { readonly is: 'skip'; readonly to: Offset }
  | { readonly is: 'wait' }

/** `items`: the next in order, at most one more than a run can take; fewer: there are no more. */
export function nextRun(items: readonly IndexItem[], of: RunLimits): NextRun {
  const small = items.findIndex((item) => isSmall(item, of))
  const first = items[small]
  const last = items.at(-1)
  if (last === undefined) return { is: 'wait' }
  if (first === undefined) return { is: 'skip', to: last.end }
  if (small > 0) return { is: 'skip', to: first.start }
  const run: IndexItem[] = []
  let bytes = 0
  for (const item of items) {
    if (!isSmall(item, of) || run.length === of.itemsMax || (run.length > 0 && bytes + bytesOf(item) > of.bytesMax)) break
    // Retention gives items up while they are read here; those on the two sides of a gap are not joined.
    if (item.start !== (run.at(-1)?.end ?? item.start)) break
    run.push(item)
    bytes += bytesOf(item)
  }
  const isOpen = run.length === items.length && run.length < of.itemsMax
  if (isOpen && run.length < of.itemsMin && bytes < of.bytesMin) return { is: 'wait' }
  return { is: 'join', items: run }
}

/** An item that was joined has one entry. */
const isSmall = (item: IndexItem, { itemBytesMax }: RunLimits): boolean =>
  item.entries.length === limits.spillEntries && bytesOf(item) < itemBytesMax

const bytesOf = ({ entries }: IndexItem): number => entries.reduce((bytes, { length }) => bytes + length, 0)
