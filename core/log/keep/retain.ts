/**
 * Retention: rows that are older than `log.ttl` leave the log, whole index items at a time, and never before the lake has them, nor the
 * snapshots of a table with a primary key.
 * Read how far the lake is → find the first item that must stay → raise the head's `start` to it, which is the one moment at
 * which rows go → delete the items below. Their objects are then garbage, which collect removes. A crash after the raise leaves
 * items that nobody reads; the next run deletes whatever lies below the start, also what a stalled spiller wrote again.
 */
import { findTable, noteLakeBehind } from '../../catalog/tables.ts'
import { decodeHead, type Head, headKey } from '../../format/items/head.ts'
import { decodeIndexItem, type IndexItem, indexSort, indexSorts } from '../../format/items/index-item.ts'
import { decodeKvItem, keptFrom, kvKey } from '../../format/items/kv.ts'
import { type Points, pointAt } from '../../format/items/points.ts'
import { dropMarks, putMark } from '../../jobs/marks.ts'
import type { Offset } from '../../kernel/ids.ts'
import { mapAtOnce } from '../../kernel/parallel.ts'
import { currentPoints } from '../../lake/points.ts'
import { isKeyed } from '../../model/changelog.ts'
import { type BucketId, type BucketRef, idOf } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import type { Job } from '../../ports/queue.ts'
import type { World } from '../../ports/world.ts'
import { bucketsIn, partitionsOf } from '../buckets.ts'
import { readHead } from '../head/birth.ts'
import { keepMs, retainDue } from './pace.ts'

export interface Retained {
  readonly state: 'retained' | 'gone'
  /** Index items that were given up. */
  readonly items: number
}

const bucketsAtOnce = 16
const deletesAtOnce = 16
const pageItems = 200

/** Repeatable, and by any number of workers at once: a start only rises, to where each of them may raise it. */
export async function retain(world: World, job: Job, deadlineMs: number): Promise<Retained> {
  const { database, table: name, tableId } = job.table
  const table = await findTable(world, database, name)
  if (table === undefined || table.tableId !== tableId || table.state !== 'alive') {
    await dropMarks(world, tableId, job.marks)
    return { state: 'gone', items: 0 }
  }
  const points = table.options.lakeFormat === 'none' ? undefined : ((await currentPoints(world, tableId))?.points ?? new Map())
  const run: Run = { world, table, points, now: world.clock.now() }
  const buckets: Kept[] = []
  let isLate = false
  for await (const partition of partitionsOf(world, table)) {
    isLate = world.clock.now() >= deadlineMs
    if (isLate) break
    buckets.push(...(await mapAtOnce(bucketsIn(table, partition), bucketsAtOnce, (at) => retainBucket(run, at))))
  }
  if (!isLate)
    await noteLakeBehind(
      world,
      table,
      buckets.some(({ waitsForLake }) => waitsForLake),
    )
  await markNext(run, job, isLate ? [...buckets, { items: 0, waitsForLake: false, dueMs: run.now }] : buckets)
  return { state: 'retained', items: buckets.reduce((sum, { items }) => sum + items, 0) }
}

interface Run {
  readonly world: World
  readonly table: Table
  /** How far the lake is; it never goes back. Undefined: the table has none, and never will. */
  readonly points: Points | undefined
  /** ms since 1970 */
  readonly now: number
}

interface BucketRun extends Run {
  readonly folded: Offset
}

interface Kept {
  readonly items: number
  /** Rows are kept only because they are not in the lake yet. */
  readonly waitsForLake: boolean
  /** When the first item that stayed may go, ms since 1970; undefined: none stayed. */
  readonly dueMs: number | undefined
}

async function retainBucket(run: Run, at: BucketRef): Promise<Kept> {
  const { world, table } = run
  const head = await readHead(world, table.tableId, idOf(at))
  if (head === undefined || !head.open) return { items: 0, waitsForLake: false, dueMs: undefined }
  const folded = await foldedOf(run, at, head)
  const { start, first } = await firstThatStays({ ...run, folded }, at, head)
  const raised = start > head.start ? await raiseStart(world, table, idOf(at), start) : head.start
  const items = raised > at.partition.floor ? await deleteBelow(world, table, idOf(at), raised) : 0
  return { items, ...(first === undefined ? { waitsForLake: false, dueMs: undefined } : whenOf(run, at, first)) }
}

/** `start`: where the bucket may begin. `first`: the spilled item there, if there is one. */
async function firstThatStays(
  run: BucketRun,
  at: BucketRef,
  head: Head,
): Promise<{ readonly start: Offset; readonly first: IndexItem | undefined }> {
  const { partition } = headKey(run.table.tableId, idOf(at))
  let { start } = head
  for (;;) {
    const query = { partition, from: indexSort(start + 1n), to: indexSort(head.base + 1n), limit: pageItems }
    const items = (await run.world.items.query(query)).map(decodeIndexItem)
    for (const item of items) {
      // Another worker was faster than our look at the head.
      if (item.start !== start || !mayGo(run, at, item)) return { start, first: item }
      start = item.end
    }
    if (items.length < pageItems) return { start, first: undefined }
  }
}

const mayGo = (run: BucketRun, at: BucketRef, item: IndexItem): boolean =>
  item.maxTime < run.now - keepMs(run.table.options) && isInLake(run, at, item) && item.end <= run.folded

/** Of a table with a primary key: what every snapshot that may be read has. The item only moves on, or is leased as it is. */
async function foldedOf({ world, table, now }: Run, at: BucketRef, head: Head): Promise<Offset> {
  if (!isKeyed(table)) return head.end
  const item = await world.items.get(kvKey(table.tableId, idOf(at)))
  return item === undefined ? head.start : keptFrom(decodeKvItem(item), now)
}

/** With a lake: its tier point, read before, has passed the item. */
const isInLake = ({ points }: Run, at: BucketRef, { end }: IndexItem): boolean =>
  points === undefined || (pointAt(points, idOf(at))?.offset ?? 0n) >= end

/** Below the start nothing is read: from here on the rows are gone. */
async function raiseStart(world: World, table: Table, at: BucketId, start: Offset): Promise<Offset> {
  const { item } = await world.items.update({
    key: headKey(table.tableId, at),
    set: { s: { value: start } },
    condition: {
      is: 'and',
      all: [
        { is: 'equal', path: 'o', value: 1n },
        { is: 'less', path: 's', value: start },
      ],
    },
  }) // COMMIT POINT
  return item === undefined ? start : decodeHead(item).start
}

async function deleteBelow(world: World, table: Table, at: BucketId, start: Offset): Promise<number> {
  const { partition } = headKey(table.tableId, at)
  let count = 0
  for (;;) {
    const items = await world.items.query({ partition, from: indexSorts.first, to: indexSort(start + 1n), limit: pageItems })
    await mapAtOnce(items, deletesAtOnce, ({ key }) => world.items.delete(key))
    count += items.length
    if (items.length < pageItems) return count
  }
}

function whenOf(run: Run, at: BucketRef, first: IndexItem): { readonly waitsForLake: boolean; readonly dueMs: number } {
  const { now, table } = run
  const waitsForLake = first.maxTime < now - table.options.logTtlMs && !isInLake(run, at, first)
  return { waitsForLake, dueMs: Math.max(now, first.maxTime + keepMs(table.options)) + 1 }
}

/** The next look is marked before the marks that asked for this one go. */
async function markNext({ world, table, now }: Run, job: Job, buckets: readonly Kept[]): Promise<void> {
  if (job.marks.length === 0) return
  const next = buckets.reduce<number | undefined>((least, { dueMs = Number.POSITIVE_INFINITY }) => {
    return dueMs === Number.POSITIVE_INFINITY ? least : Math.min(least ?? dueMs, dueMs)
  }, undefined)
  if (next !== undefined) {
    const due = retainDue(table.options, Math.max(next, now + 1))
    await putMark(world, { kind: 'retain', table: job.table, buckets: table.buckets.count, due })
  }
  await dropMarks(world, job.table.tableId, job.marks)
}
