/** GET …/offsets: a page of buckets, with what the log and the lake say of each. */
import { SluiceError } from '../../core/kernel/errors.ts'
import { limits } from '../../core/kernel/limits.ts'
import type { BucketOffsets } from '../../core/log/types.ts'
import type { TierState } from '../../core/tier/run.ts'
import { tierState } from '../../core/tier/run.ts'
import type { Handler } from '../call.ts'
import { jsonReply } from '../http/reply.ts'
import { withTable } from '../tables.ts'

export const offsets: Handler<'offsets'> = async ({ params, query }, world) =>
  withTable(world.tables, params, async (table) => {
    const limit = query.limit ?? limits.listLimitDefault
    const from = query.after === undefined ? 0 : afterBucket(query.after)
    const count = Math.max(0, Math.min(limit, table.buckets.count - from))
    const [found, lake] = await Promise.all([world.log.offsets(table, { from, count }), tierState(world, world.log, table)])
    const next = from + count < table.buckets.count ? String(from + count - 1) : null
    return jsonReply(200, { buckets: found.map((bucket) => bucketBody(bucket, lake)), next })
  })

/** Offsets and tier point of a bucket, as every answer shows them. */
export function bucketBody({ partition, bucket, start, end }: BucketOffsets, lake: TierState): object {
  return { partition, bucket, start, end, tierPoint: lake.points.get(bucket) ?? null, snapshot: lake.snapshot ?? null }
}

function afterBucket(text: string): number {
  if (!/^[0-9]{1,6}$/.test(text)) throw new SluiceError('bad-request', 'after must be the last bucket of the page before')
  return Number(text) + 1
}
