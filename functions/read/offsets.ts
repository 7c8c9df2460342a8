/** GET …/offsets: a page of buckets, with what the log and the lake say of each. The lake is read first, so that a tier point is never past an end. */
import { SluiceError } from '../../core/kernel/errors.ts'
import { limits } from '../../core/kernel/limits.ts'
import { lakePoints } from '../../core/tier/state.ts'
import type { Handler } from '../call.ts'
import { jsonReply } from '../http/reply.ts'
import { withTable } from '../tables.ts'

export const offsets: Handler<'offsets'> = ({ params, query }, world) =>
  withTable(world.tables, params, async (table) => {
    const limit = query.limit ?? limits.listLimitDefault
    const from = query.after === undefined ? 0 : afterBucket(query.after)
    const count = Math.max(0, Math.min(limit, table.buckets.count - from))
    const lake = await lakePoints(world, table)
    const found = await world.log.offsets(table, { from, count })
    const buckets = found.map(({ partition, bucket, start, end }) => {
      const tierPoint = lake.points.get(bucket)?.toString() ?? null
      return {
        partition,
        bucket,
        start: start.toString(),
        end: end.toString(),
        tierPoint,
        snapshot: tierPoint === null ? null : lake.snapshot,
      }
    })
    const next = from + count < table.buckets.count ? String(from + count - 1) : null
    return jsonReply(200, { buckets, next })
  })

function afterBucket(text: string): number {
  if (!/^[0-9]{1,6}$/.test(text)) throw new SluiceError('bad-request', 'after must be the last bucket of the page before')
  return Number(text) + 1
}
