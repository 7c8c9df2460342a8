/**
 * Fold: brings a bucket's changelog into its snapshot, and keeps the runs of the snapshot few. Claim → read the changelog from `upTo` to
 * the end of a commit → a run of it → its manifest → publish → merge runs while a level is full, each merge published by itself → release.
 * A crash before a publication leaves objects that nothing refers to, which collect removes; the next claimant begins where the last
 * publication ended. What a bucket has not yet in its snapshot has a mark.
 */
import { findTable } from '../../catalog/tables.ts'
import type { Head } from '../../format/items/head.ts'
import { type KvItem, nameOf } from '../../format/items/kv.ts'
import { briefManifest } from '../../format/run/brief.ts'
import type { RunRef } from '../../format/run/manifest.ts'
import { dropMarks, putMark } from '../../jobs/marks.ts'
import { isSluiceError } from '../../kernel/errors.ts'
import { labelOf, labelTime, type Offset, offsetOf } from '../../kernel/ids.ts'
import { limits } from '../../kernel/limits.ts'
import { mapAtOnce } from '../../kernel/parallel.ts'
import { bucketsIn, partitionsOf } from '../../log/buckets.ts'
import { readHead } from '../../log/head/birth.ts'
import type { Log } from '../../log/log.ts'
import { quietHeads, type SeenHead } from '../../log/quiet.ts'
import { entriesFrom } from '../../log/read/entries.ts'
import { isKeyed } from '../../model/changelog.ts'
import { type BucketRef, idOf } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import type { Job } from '../../ports/queue.ts'
import type { World } from '../../ports/world.ts'
import { putManifestCopy } from '../ahead.ts'
import { KvCache } from '../cache.ts'
import { readKvItem } from '../item.ts'
import { keyFormOf } from '../key.ts'
import { allRecordsOf, runsOf, type SnapshotReading } from '../snapshot.ts'
import { inLists, live } from '../sorted.ts'
import { readTail, Tail } from '../tail.ts'
import { isMove, type LevelLimits, levelLimits, planMerge, withMerged } from './levels.ts'
import { publish, releaseFold, takeFold } from './publish.ts'
import { type RunWriting, writeManifest, writeRuns } from './write.ts'

export interface FoldOptions {
  /** ms since 1970; what is left then is the next run's. */
  readonly deadlineMs: number
  readonly limits?: LevelLimits
  /** From this age on a commit is folded, however few there are; half of `foldAtMs` if absent. */
  readonly ageMs?: number
}

export interface Folded {
  readonly state: 'folded' | 'gone'
  readonly publications: number
  /** Of runs that were written. */
  readonly bytes: number
}

/** Each holds a slice of changes and a run that it writes. */
const bucketsAtOnce = 2
/** Of the log, in one run of level 0. */
const sliceBytesMax = limits.foldAtBytes
/** Of manifests and of the metas of what is merged. */
const mergeCacheBytes = 8 * 1024 * 1024

/** Repeatable: each bucket has one claimant at a time, however many run at once. */
export async function fold(world: World, log: Log, job: Job, options: FoldOptions): Promise<Folded> {
  const { database, table: name, tableId } = job.table
  const table = await findTable(world, database, name)
  if (table === undefined || table.tableId !== tableId || table.state !== 'alive' || !isKeyed(table)) {
    await dropMarks(world, tableId, job.marks)
    return { state: 'gone', publications: 0, bytes: 0 }
  }
  const run: FoldRun = { world, log, table, options, counts: { publications: 0, bytes: 0 } }
  const seen: SeenHead[] = []
  let isDone = true
  // A bucket that cannot be folded holds up no other.
  const failures: unknown[] = []
  const failed = (error: unknown): undefined => void failures.push(error)
  for await (const partition of partitionsOf(world, table)) {
    if (job.partition !== undefined && job.partition.id !== partition.id) continue
    const folded = await mapAtOnce(bucketsIn(table, partition), bucketsAtOnce, (at) => foldBucket(run, at).catch(failed))
    for (const each of folded) {
      if (each === undefined) continue
      seen.push(each)
      if (!each.isDone) isDone = false
    }
  }
  // The marks stay: the job comes again.
  if (failures.length > 0) throw failures[0]
  await settle(run, job, seen, isDone)
  return { state: 'folded', ...run.counts }
}

interface FoldRun {
  readonly world: World
  readonly log: Log
  readonly table: Table
  readonly options: FoldOptions
  readonly counts: { publications: number; bytes: number }
}

/** A new mark before the old ones go, where anything is left; else the heads are told that old marks count no more. */
async function settle({ world, table }: FoldRun, job: Job, seen: readonly SeenHead[], isDone: boolean): Promise<void> {
  if (job.marks.length === 0) return
  const due = world.clock.now() + limits.foldAtMs
  if (!isDone || !(await quietHeads(world, table, seen)))
    await putMark(world, { kind: 'fold', table: job.table, buckets: table.buckets.count, due })
  await dropMarks(world, job.table.tableId, job.marks)
}

/** `isDone`: nothing of the bucket below `end` is left. */
async function foldBucket(run: FoldRun, at: BucketRef): Promise<SeenHead & { readonly isDone: boolean }> {
  const { world, table, options } = run
  const head = await readHead(world, table.tableId, idOf(at))
  const end = head?.end ?? offsetOf(0)
  const of = { ...at, end }
  if (head === undefined || !head.open) return { ...of, isDone: true }
  const item = await readKvItem(world, table.tableId, idOf(at))
  const upTo = item?.upTo ?? head.start
  if (upTo >= end) return { ...of, isDone: true }
  if (world.clock.now() >= options.deadlineMs || !(await isDue(run, at, head, upTo))) return { ...of, isDone: false }
  await run.log.marks.renew(table)
  const mine = await takeFold(world, table, at, head.start)
  if (mine === undefined) return { ...of, isDone: false }
  const last = await foldClaimed(run, at, head, mine)
  if (last !== undefined) await releaseFold(world, table, idOf(at), last)
  return { ...of, isDone: last !== undefined && last.upTo >= end }
}

/** Enough references or bytes, or some that are old. */
async function isDue({ world, table, options }: FoldRun, at: BucketRef, head: Head, upTo: Offset): Promise<boolean> {
  const old = world.clock.now() - (options.ageMs ?? limits.foldAtMs / 2)
  let references = 0
  let bytes = 0
  try {
    for await (const { entry } of entriesFrom(world, table.tableId, idOf(at), head, upTo)) {
      references += 1
      bytes += entry.length
      if (references >= limits.foldAtReferences || bytes >= limits.foldAtBytes || entry.time <= old) return true
    }
    return false
  } catch (error) {
    // It was folded, and the log cut, since we looked.
    if (isSluiceError(error, 'offset-out-of-range')) return false
    throw error
  }
}

/** Undefined: superseded, collected, or the log moved; what is left is for another run. */
async function foldClaimed(run: FoldRun, at: BucketRef, head: Head, claimed: KvItem): Promise<KvItem | undefined> {
  const { world, table, options } = run
  const cache = new KvCache(mergeCacheBytes)
  const reading: SnapshotReading = { objects: world.objects, cache, tableId: table.tableId }
  let mine: KvItem | undefined = claimed
  try {
    while (mine !== undefined && mine.upTo < head.end && world.clock.now() < options.deadlineMs) {
      mine = await foldSlice(run, at, head, mine, reading)
      while (mine !== undefined && world.clock.now() < options.deadlineMs) {
        const merged: KvItem | undefined | 'none' = await mergeOnce(run, at, mine, reading)
        if (merged === 'none') break
        mine = merged
      }
    }
    if (mine !== undefined && mine.version > claimed.version) await copyManifest(run, at, mine, reading)
  } catch (error) {
    // Rows of newer columns came since we read the table: they are for a run that knows these, as soon as it comes.
    if (isSluiceError(error, 'changed')) return mine
    if (isSluiceError(error, 'not-found') || isSluiceError(error, 'offset-out-of-range')) return undefined
    throw error
  }
  return mine
}

/** Once for all that a fold publishes: an older copy is no copy of the newest manifest, and nobody takes it for that. None is no failure. */
async function copyManifest({ world, table }: FoldRun, at: BucketRef, mine: KvItem, reading: SnapshotReading): Promise<void> {
  const { manifest, version } = mine
  try {
    const bytes = briefManifest(await runsOf(reading, mine))
    if (manifest !== undefined && bytes !== undefined)
      await putManifestCopy(world, table, at, { name: nameOf(manifest.object), version, bytes })
  } catch (error) {
    if (!isSluiceError(error)) throw error
  }
}

async function foldSlice(
  run: FoldRun,
  at: BucketRef,
  head: Head,
  mine: KvItem,
  reading: SnapshotReading,
): Promise<KvItem | undefined> {
  const { world, log, table } = run
  const tail = new Tail(mine.upTo, world.random)
  const end = await sliceEnd(run, at, head, mine.upTo)
  await readTail({ reading: log.reading, table, at, form: keyFormOf(table) }, tail, { head, end })
  const runs = await runsOf(reading, mine)
  // Where nothing lies below, what is gone was never there.
  const records = inLists(tail.states.sorted())
  const writing = writingOf(run, at, mine)
  const added = await writeRuns(writing, 0, runs.length === 0 ? live(records) : records)
  return publishRuns(run, writing, mine, { runs: [...added, ...runs], added, upTo: end, rows: mine.rows + tail.rows })
}

/** The end of a commit: as many as one run may hold. */
async function sliceEnd({ world, table }: FoldRun, at: BucketRef, head: Head, upTo: Offset): Promise<Offset> {
  let bytes = 0
  for await (const { entry, offset } of entriesFrom(world, table.tableId, idOf(at), head, upTo)) {
    bytes += entry.length
    if (bytes >= sliceBytesMax) return offsetOf(offset + BigInt(entry.count))
  }
  return head.end
}

async function mergeOnce(
  run: FoldRun,
  at: BucketRef,
  mine: KvItem,
  reading: SnapshotReading,
): Promise<KvItem | undefined | 'none'> {
  const runs = await runsOf(reading, mine)
  const merge = planMerge(runs, run.options.limits ?? levelLimits)
  if (merge === undefined) return 'none'
  const writing = writingOf(run, at, mine)
  const { upTo, rows } = mine
  if (isMove(merge)) {
    const moved = merge.inputs.map((input) => ({ ...input, level: merge.level }))
    return publishRuns(run, writing, mine, { runs: withMerged(runs, merge, moved), added: [], upTo, rows })
  }
  const records = allRecordsOf(reading, merge.inputs)
  const merged = await writeRuns(writing, merge.level, merge.isLowest ? live(records) : records)
  return publishRuns(run, writing, mine, { runs: withMerged(runs, merge, merged), added: merged, upTo, rows })
}

/** A slow clock does not make a fold be refused for ever. */
const writingOf = ({ world, table, options }: FoldRun, at: BucketRef, { gc }: KvItem): RunWriting => ({
  world,
  tableId: table.tableId,
  at,
  label: labelOf(Math.max(world.clock.now(), labelTime(gc) + 1)),
  runBytesMax: (options.limits ?? levelLimits).runBytesMax,
})

async function publishRuns(
  { world, table, counts }: FoldRun,
  writing: RunWriting,
  mine: KvItem,
  next: { readonly runs: readonly RunRef[]; readonly added: readonly RunRef[]; readonly upTo: Offset; readonly rows: bigint },
): Promise<KvItem | undefined> {
  const manifest = await writeManifest(writing, next.runs)
  const snapshot = { manifest, upTo: next.upTo, rows: next.rows }
  const published = await publish(world, table, idOf(writing.at), mine, snapshot, writing.label)
  if (published === undefined) return undefined
  counts.publications += 1
  counts.bytes += next.added.reduce((sum, { bytes }) => sum + bytes, 0)
  return published
}
