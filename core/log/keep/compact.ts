/**
 * Compaction: the small objects of spilled index items become larger ones. Claim the bucket → finish what is pending → join a run
 * of items into a new object → make it pending, which is the commit point → repoint the items in place, each by compare-and-set
 * → clear. No index item is ever deleted or made here, so a reader meets no hole; the old objects are garbage that collect
 * removes, and a reader that held them begins again from the head. A crash before the commit point leaves an orphan, one after it
 * a pending that the next claimant finishes.
 */
import { findTable } from '../../catalog/tables.ts'
import type { Claim } from '../../format/items/claim.ts'
import { type Entry, encodeEntry } from '../../format/items/entry.ts'
import { headKey } from '../../format/items/head.ts'
import { decodeIndexItem, type IndexItem, indexKey, indexSort } from '../../format/items/index-item.ts'
import { dropMarks, putMark } from '../../jobs/marks.ts'
import { assert } from '../../kernel/assert.ts'
import { equalBytes } from '../../kernel/bytes.ts'
import { isSluiceError } from '../../kernel/errors.ts'
import { labelOf, labelTime, type Offset, offsetOf } from '../../kernel/ids.ts'
import { limits } from '../../kernel/limits.ts'
import { mapAtOnce } from '../../kernel/parallel.ts'
import { type BucketRef, idOf } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import type { Job } from '../../ports/queue.ts'
import type { World } from '../../ports/world.ts'
import { bucketsOf } from '../buckets.ts'
import { readHead } from '../head/birth.ts'
import { clearPending, commitPending, readClaim, releaseClaim, takeClaim } from './claim.ts'
import { join } from './join.ts'
import { nextRun, type RunLimits, runLimits } from './runs.ts'

export interface CompactOptions {
  /** ms since 1970: no run begins after it. */
  readonly deadlineMs: number
  readonly limits?: RunLimits
}

export interface Compacted {
  readonly state: 'compacted' | 'gone'
  /** Index items that were repointed, and the bytes of the objects that were written. */
  readonly items: number
  readonly bytes: number
}

const repointsAtOnce = 8
/** Objects that this run replaces are old by then. */
const collectSlackMs = 3_600_000

/** Repeatable, and safe however many run at once. */
export async function compact(world: World, job: Job, options: CompactOptions): Promise<Compacted> {
  const { database, table: name, tableId } = job.table
  const table = await findTable(world, database, name)
  if (table === undefined || table.tableId !== tableId || table.state !== 'alive') {
    await dropMarks(world, tableId, job.marks)
    return { state: 'gone', items: 0, bytes: 0 }
  }
  const moved = { items: 0, bytes: 0 }
  let isDone = true
  for await (const at of bucketsOf(world, table)) {
    const isLate = world.clock.now() >= options.deadlineMs
    if (isLate || !(await compactBucket({ world, table, at, options, moved }))) isDone = false
    if (isLate) break
  }
  // Marks that stay bring another run, which finds what this one has done.
  if (isDone) await dropMarks(world, tableId, job.marks)
  return { state: 'compacted', ...moved }
}

interface Bucket {
  readonly world: World
  readonly table: Table
  readonly at: BucketRef
  readonly options: CompactOptions
  readonly moved: { items: number; bytes: number }
}

/** False where something is left, or another is at work. */
async function compactBucket(bucket: Bucket): Promise<boolean> {
  const { world, table, at, options } = bucket
  const head = await readHead(world, table.tableId, idOf(at))
  if (head === undefined || !head.open || head.start === head.base) return true
  let mine = await takeClaim(world, table, at)
  if (mine?.pending !== undefined) mine = await finish(bucket, mine)
  if (mine === undefined) return false
  let next = offsetOf(mine.done > head.start ? mine.done : head.start)
  let isDone = false
  while (!isDone && world.clock.now() < options.deadlineMs) {
    const items = await itemsFrom(bucket, next, head.base)
    const run = nextRun(items, options.limits ?? runLimits)
    if (run.is === 'skip') next = run.to
    else if (run.is === 'wait') isDone = true
    else {
      const claim = await joinRun(bucket, mine, run.items)
      if (claim === undefined) return false
      next = claim.done
      mine = claim
    }
  }
  await releaseClaim(world, table, idOf(at), mine, next)
  return isDone
}

async function itemsFrom({ world, table, at, options }: Bucket, from: Offset, base: Offset): Promise<readonly IndexItem[]> {
  if (from >= base) return []
  const { itemsMax } = options.limits ?? runLimits
  const { partition } = headKey(table.tableId, idOf(at))
  const query = { partition, from: indexSort(from + 1n), to: indexSort(base + 1n), limit: itemsMax + 1 }
  return (await world.items.query(query)).map(decodeIndexItem)
}

/** Undefined: superseded, collected, or the rows left meanwhile; what is left is for another run. */
async function joinRun(bucket: Bucket, mine: Claim, items: readonly IndexItem[]): Promise<Claim | undefined> {
  const { world, table, at, moved } = bucket
  const [first] = items
  assert(first !== undefined, 'a run has items')
  const label = labelOf(Math.max(world.clock.now(), labelTime(mine.gc) + 1))
  const due = world.clock.now() + limits.orphanAgeMs + collectSlackMs
  await putMark(world, { kind: 'collect', table: named(table), buckets: table.buckets.count, due })
  const joined = await join(world, table, idOf(at), items, label).catch(async (error: unknown) => {
    if (isSluiceError(error, 'not-found') && (await hasMoved(bucket, mine, first))) return undefined
    throw error
  })
  if (joined === undefined) return undefined
  const pending = { from: first.start, entries: joined.entries }
  const claim = await commitPending(world, table, idOf(at), mine, pending, label)
  if (claim === undefined) return undefined
  moved.items += items.length
  moved.bytes += joined.bytes
  return finish(bucket, claim)
}

const named = ({ database, name, tableId }: Table) => ({ database, table: name, tableId })

/** Objects leave only where retention gave their rows up, or another compactor moved them. */
async function hasMoved({ world, table, at }: Bucket, mine: Claim, item: IndexItem): Promise<boolean> {
  const head = await readHead(world, table.tableId, idOf(at))
  if (head === undefined || !head.open || head.start > item.start) return true
  return (await readClaim(world, table.tableId, idOf(at)))?.epoch !== mine.epoch
}

/** Repeatable by anyone: each item has either the entries that it was spilled with, or the pending one. */
async function finish(bucket: Bucket, claim: Claim): Promise<Claim | undefined> {
  const { world, table, at } = bucket
  const { pending } = claim
  assert(pending !== undefined, 'what is finished is pending')
  let offset: bigint = pending.from
  const repoints = pending.entries.map((entry) => {
    const start = offset
    offset += BigInt(entry.count)
    return { start, end: offset, entry }
  })
  await mapAtOnce(repoints, repointsAtOnce, (repoint) => repointItem(bucket, repoint))
  return clearPending(world, table, idOf(at), { ...claim, pending }, offsetOf(offset))
}

interface Repoint {
  readonly start: bigint
  readonly end: bigint
  readonly entry: Entry
}

/** Same offsets, same time, one entry in the place of eight. An item that retention has deleted stays away. */
async function repointItem({ world, table, at }: Bucket, { start, end, entry }: Repoint): Promise<void> {
  const key = indexKey(table.tableId, idOf(at), end)
  const found = await world.items.get(key)
  if (found === undefined) return
  const index = decodeIndexItem(found)
  assert(index.start === start, 'an index item keeps its offsets', { key, start: `${start}`, found: `${index.start}` })
  const before = found.attributes['r']
  const after = encodeEntry(entry)
  if (!(before instanceof Uint8Array) || equalBytes(before, after)) return
  assert(index.entries.length === limits.spillEntries, 'an index item is joined once', { key })
  await world.items.update({ key, set: { r: { value: after } }, condition: { is: 'equal', path: 'r', value: before } })
}
