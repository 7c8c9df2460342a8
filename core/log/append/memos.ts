/**
 * What this process remembers of heads, so that a warm append is one write and no read. A memo may be stale: every update
 * carries what it relies on as a condition, and a refusal brings the head as it is. `marked`: a mark was put after the memo's
 * `quiet` was learned, so that a commit may rely on it.
 */
import type { Head } from '../../format/items/head.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { type BucketId, bucketKey } from '../../model/partition.ts'

export interface Memo {
  head: Head
  marked: boolean
}

/** Beyond so many heads the memory starts anew: it costs reads, nothing else. */
const memosMax = 20_000
const marksMax = 16

export class Memos {
  readonly #memos = new Map<string, Memo>()

  get(tableId: string, at: BucketId): Memo | undefined {
    return this.#memos.get(`${tableId}#${bucketKey(at)}`)
  }

  learn(tableId: string, at: BucketId, head: Head): Memo {
    const key = `${tableId}#${bucketKey(at)}`
    const known = this.#memos.get(key)
    if (known !== undefined) {
      update(known, head)
      return known
    }
    if (this.#memos.size >= memosMax) this.#memos.clear()
    const memo = { head, marked: false }
    this.#memos.set(key, memo)
    return memo
  }

  forget(tableId: string, at: BucketId): void {
    this.#memos.delete(`${tableId}#${bucketKey(at)}`)
  }
}

/** A newer head replaces an older one; a head with another `quiet` is not marked any more. */
export function update(memo: Memo, head: Head): void {
  const { head: known } = memo
  if (head.end < known.end || head.base < known.base || head.quiet < known.quiet || head.evictions < known.evictions) return
  if (head.quiet !== known.quiet) memo.marked = false
  memo.head = head
}

/** Puts a mark unless one stands that was put after the memo's `quiet` was learned. */
export async function rely(memos: readonly Memo[], mark: () => Promise<void>): Promise<void> {
  for (let attempt = 0; attempt < marksMax; attempt++) {
    const unmarked = memos.filter((memo) => !memo.marked).map((memo) => ({ memo, quiet: memo.head.quiet }))
    if (unmarked.length === 0) return
    await mark()
    for (const { memo, quiet } of unmarked) if (memo.head.quiet === quiet) memo.marked = true
  }
  throw new SluiceError('unavailable', 'the marks of this table keep being taken: try again', { effect: 'none' })
}
