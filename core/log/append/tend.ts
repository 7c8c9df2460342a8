/**
 * What a committer does for the head that it has just advanced, before it replies: spill at twelve entries, evict beyond
 * thirty-two producers, and ask for tiering when the bucket's share of `lake.bytes` was crossed. A failure here never fails
 * the ack: the next committer does it.
 */
import type { Head } from '../../format/items/head.ts'
import { limits } from '../../kernel/limits.ts'
import { type BucketRef, idOf } from '../../model/partition.ts'
import { evict } from '../head/evict.ts'
import { spill } from '../head/spill.ts'
import type { GroupContext } from './context.ts'
import { named } from './mark-keeper.ts'

export async function tend(
  { world, table, memos, marks }: GroupContext,
  at: BucketRef,
  { head, bytesBefore }: { readonly head: Head; readonly bytesBefore: bigint },
): Promise<void> {
  try {
    let seen = head
    if (seen.recent.length >= limits.spillAtEntries) {
      await marks.spills(table)
      seen = await spill(world, table, idOf(at), seen, limits.spillAtEntries)
    }
    if (seen.producers.size > limits.producersPerHeadMax) seen = await evict(world, table, idOf(at), seen)
    memos.learn(table.tableId, idOf(at), seen)
    if (table.options.lakeFormat === 'none') return
    const share = BigInt(Math.max(1, Math.floor(table.options.lakeBytes / table.buckets.count)))
    if (bytesBefore / share !== head.bytes / share) await world.queue.send({ kind: 'tier', ...named(table), marks: [] })
  } catch {
    // The rows are committed; the next committer or the mark does what was left.
  }
}
