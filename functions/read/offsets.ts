/**
 * GET …/offsets: a page of buckets, partition by partition, with what the log, the lake and the snapshots of keyed tables say of each.
 * The log is read last, so that no tier point and no snapshot is past an end.
 */
import { listPartitions } from '../../core/catalog/partitions.ts'
import { pointAt } from '../../core/format/items/points.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import { limits } from '../../core/kernel/limits.ts'
import { mapAtOnce } from '../../core/kernel/parallel.ts'
import { readKvItem } from '../../core/kv/item.ts'
import { bucketsIn } from '../../core/log/buckets.ts'
import { isKeyed } from '../../core/model/changelog.ts'
import { type BucketRef, idOf, type Partition, unpartitioned } from '../../core/model/partition.ts'
import type { Table } from '../../core/model/table.ts'
import type { World } from '../../core/ports/world.ts'
import { lakePoints } from '../../core/tier/state.ts'
import type { Handler } from '../call.ts'
import { jsonReply } from '../http/reply.ts'
import { withTable } from '../tables.ts'

export const offsets: Handler<'offsets'> = ({ params, query }, world) =>
  withTable(world.tables, params, async (table) => {
    const limit = query.limit ?? limits.listLimitDefault
    const after = query.after === undefined ? { partition: '', bucket: -1 } : readAfter(table, query.after)
    // One more than the page says whether there is a next.
    const wanted = await bucketsAfter(world, table, after, limit + 1)
    const page = wanted.slice(0, limit)
    const lake = await lakePoints(world, table)
    const snapshots = isKeyed(table) ? await mapAtOnce(page, bucketsAtOnce, (at) => snapshotAt(world, table, at)) : []
    const found = await world.log.offsets(table, page)
    const buckets = found.map(({ partition, bucket, start, end }, i) => {
      const tierPoint = pointAt(lake.points, idOf({ partition, bucket }))?.offset.toString() ?? null
      return {
        partition: partition.name,
        bucket,
        start: start.toString(),
        end: end.toString(),
        tierPoint,
        snapshot: snapshots[i] ?? (tierPoint === null ? null : lake.snapshot),
      }
    })
    const last = wanted.length > limit ? page.at(-1) : undefined
    return jsonReply(200, { buckets, next: last === undefined ? null : afterText(last) })
  })

const bucketsAtOnce = 16

/** The offset that the snapshot of the bucket has all below of; null: there is none yet. */
async function snapshotAt(world: World, table: Table, at: BucketRef): Promise<string | null> {
  const item = await readKvItem(world, table.tableId, idOf(at))
  return item === undefined || item.version === 0n ? null : `${item.upTo}`
}

interface After {
  readonly partition: string
  readonly bucket: number
}

/** `3`, or `dt=2026-11-21#3`: no name has a `#` that is not escaped. */
const afterText = ({ partition, bucket }: BucketRef): string =>
  partition.name === '' ? `${bucket}` : `${partition.name}#${bucket}`

function readAfter(table: Table, text: string): After {
  const [, partition = '', bucket] = /^(?:(.*)#)?([0-9]{1,6})$/.exec(text) ?? []
  if (bucket === undefined || (partition === '') !== (table.partitionBy.length === 0))
    throw new SluiceError('bad-request', 'after must be `next` of the page before', { facts: { parameter: 'after' } })
  return { partition, bucket: Number(bucket) }
}

async function bucketsAfter(world: World, table: Table, after: After, count: number): Promise<readonly BucketRef[]> {
  const found: BucketRef[] = []
  const take = (partition: Partition): void => {
    const first = partition.name === after.partition ? after.bucket + 1 : 0
    found.push(...bucketsIn(table, partition).slice(first, first + count - found.length))
  }
  if (table.partitionBy.length === 0) take(unpartitioned)
  for (let from = after.partition; table.partitionBy.length > 0 && found.length < count; ) {
    const page = await listPartitions(world, table, { from, limit: pagePartitions })
    for (const partition of page) if (partition.state === 'alive' && found.length < count) take(partition)
    const last = page.at(-1)
    if (last === undefined || page.length < pagePartitions) break
    from = `${last.name}\u0000`
  }
  return found
}

const pagePartitions = 100
