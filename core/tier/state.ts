/** Where a table's lake is, for people and for the offsets of the log: read only, strong, never blocks a worker. */
import type { LakeItem } from '../format/items/lake.ts'
import { type Points, pointAt } from '../format/items/points.ts'
import { isSluiceError } from '../kernel/errors.ts'
import { limits } from '../kernel/limits.ts'
import { readLakeItem } from '../lake/item.ts'
import { currentPoints } from '../lake/points.ts'
import { tieredHeads } from '../log/buckets.ts'
import { bytesFrom } from '../log/read/offsets.ts'
import type { FetchedRows } from '../log/read/rows.ts'
import type { BucketOffsets } from '../log/types.ts'
import { idOf } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import type { World } from '../ports/world.ts'
import { nextAttemptAt } from './back-off.ts'
import { type BucketRange, isDroppedPartition, type LogReader } from './frames.ts'
import { planRanges, rowsIn } from './plan.ts'

/** The body of GET …/tier (contract): offsets and snapshot ids as decimal text. */
export interface TierState {
  /** `failing`: the last run ended in `lastError` · `running`: a worker holds the lease. */
  readonly state: 'none' | 'idle' | 'running' | 'failing'
  /** Claims so far. */
  readonly epoch: number
  readonly snapshot: string | null
  /** Age of the oldest row that is not in the lake; 0 where all are. Of all rows of the log where the lake cannot be read. */
  readonly lagMs: number
  readonly lagRows: number
  /** Of the log, of those rows: exact for the latest commits of a bucket, by the average for older ones. */
  readonly lagBytes: number
  readonly lastError: { readonly message: string; readonly at: number } | null
  /** Runs that failed since the last success. */
  readonly failures: number
  /** ms since 1970: when a run is tried that a mark asks for; null where the last run did not fail. */
  readonly nextAttemptAt: number | null
  /** Who compacts the lake, expires its snapshots and removes orphans: we, or an external catalog and its engines. */
  readonly maintenance: 'sluice' | 'catalog' | null
  /** The first 1,024 of them. */
  readonly buckets: readonly TierBucket[]
}

export interface TierBucket {
  readonly partition: string
  readonly bucket: number
  readonly start: string
  readonly end: string
  readonly tierPoint: string | null
  readonly snapshot: string | null
}

export interface LakePoints {
  readonly snapshot: string | null
  readonly points: Points
}

export async function tierState(world: World, log: LogReader, table: Table): Promise<TierState> {
  const { lake, points } = await readLake(world, table)
  const heads = await tieredHeads(world, table)
  const snapshot = lake?.committed?.snapshotId.toString() ?? null
  // The lake was read first, so a point is never past an end.
  const ranges = lake === undefined ? [] : planRanges(heads, points)
  return {
    state: stateOf(lake, world.clock.now()),
    epoch: Number(lake?.epoch ?? 0n),
    snapshot,
    lagMs: await lagMs(world, log, table, ranges),
    lagRows: Number(rowsIn(ranges)),
    lagBytes: lake === undefined ? 0 : bytesBehind(heads, points),
    ...failureOf(lake),
    maintenance: maintainedBy(lake, table),
    buckets: heads.slice(0, limits.bucketsMax).map(({ partition, bucket, start, end }) => {
      const point = pointAt(points, idOf({ partition, bucket }))
      return {
        partition: partition.name,
        bucket,
        start: start.toString(),
        end: end.toString(),
        tierPoint: point?.offset.toString() ?? null,
        snapshot: point === undefined ? null : snapshot,
      }
    }),
  }
}

const maintainedBy = (lake: LakeItem | undefined, { options }: Table): TierState['maintenance'] =>
  lake === undefined ? null : options.lakeCatalog === undefined ? 'sluice' : 'catalog'

const bytesBehind = (heads: readonly BucketOffsets[], points: Points): number =>
  heads.reduce((sum, head) => sum + Number(bytesFrom(head, pointAt(points, idOf(head))?.offset ?? head.start)), 0)

function failureOf(lake: LakeItem | undefined): Pick<TierState, 'lastError' | 'failures' | 'nextAttemptAt'> {
  if (lake?.lastError === undefined) return { lastError: null, failures: 0, nextAttemptAt: null }
  const { message, at, count } = lake.lastError
  return { lastError: { message, at }, failures: count, nextAttemptAt: (count > 0 ? nextAttemptAt(lake) : undefined) ?? null }
}

/** The part of the state that takes no look at the log, for GET …/offsets. */
export async function lakePoints(world: World, table: Table): Promise<LakePoints> {
  const { lake, points } = await readLake(world, table)
  return { snapshot: lake?.committed?.snapshotId.toString() ?? null, points }
}

async function readLake(world: World, table: Table): Promise<{ readonly lake: LakeItem | undefined; readonly points: Points }> {
  if (table.options.lakeFormat === 'none') return { lake: undefined, points: new Map() }
  const found = await currentPoints(world, table.tableId).catch((error: unknown) => failing(world, table, error))
  return found ?? { lake: undefined, points: new Map() }
}

/**
 * Where points are gone, damaged, or runs fail of them, the failure is the answer: no row is known to be in the lake. A store that does not
 * answer is its caller's error, as elsewhere.
 */
async function failing(world: World, { tableId }: Table, error: unknown) {
  const lake = await readLakeItem(world.items, tableId)
  const points: Points = new Map()
  if (lake?.lastError !== undefined) return { lake, points }
  if (lake === undefined || !(isSluiceError(error, 'not-found') || isSluiceError(error, 'internal'))) throw error
  return { lake: { ...lake, lastError: { message: error.message, at: world.clock.now(), count: 0 } }, points }
}

function stateOf(lake: LakeItem | undefined, now: number): TierState['state'] {
  if (lake === undefined) return 'none'
  if (lake.lease > now) return 'running'
  return lake.lastError === undefined ? 'idle' : 'failing'
}

/** Reads the oldest row of the buckets that have waited longest; of more buckets than that, these decide. */
async function lagMs(world: World, log: LogReader, table: Table, ranges: readonly BucketRange[]): Promise<number> {
  const oldest = await Promise.all(
    ranges.slice(0, bucketsReadMax).map(async ({ partition, bucket, from }) => {
      const fetched = log.fetch(table, { partition, bucket, from, fields: [], rowsMax: 1, bytesMax: 1 })
      const { rows } = await fetched.catch(orNone)
      return rows[0]?.timestamp
    }),
  )
  const now = world.clock.now()
  return oldest.reduce<number>((lag, time) => (time === undefined ? lag : Math.max(lag, now - time)), 0)
}

const bucketsReadMax = 16

/** A partition that was dropped meanwhile lags no more. */
function orNone(error: unknown): { readonly rows: readonly FetchedRows[] } {
  if (isDroppedPartition(error)) return { rows: [] }
  throw error
}
