/**
 * Fetch of one bucket: head (strong), entries, ranged reads, frames. Frames come as stored, their metadata patched with the
 * place that the commit gave them; the first and the last are cut to the rows asked for. At least one row comes if there is one.
 */
import { findPartition, partitionNotFound } from '../../catalog/partitions.ts'
import { findTable, tableNotFound } from '../../catalog/tables.ts'
import { patchInPlace, sliceFrame } from '../../format/arrow/frame.ts'
import { objectKey } from '../../format/items/entry.ts'
import { decodeBlock } from '../../format/segment/block.ts'
import { isSluiceError, SluiceError } from '../../kernel/errors.ts'
import { type Offset, offsetOf } from '../../kernel/ids.ts'
import { idOf, type Partition } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import type { World } from '../../ports/world.ts'
import { readHead } from '../head/birth.ts'
import type { Fetched, FetchedFrame, FetchRequest } from '../types.ts'
import { entriesFrom, type PlacedEntry } from './entries.ts'
import { schemaFields } from './fields.ts'

const readsAtOnce = 8
const damagedReadsMax = 3

/** Errors: `offset-out-of-range` (facts start, end), `not-found` (the table or the partition was dropped meanwhile), `internal` (damage). */
export async function fetchBucket(world: World, table: Table, request: FetchRequest): Promise<Fetched> {
  const head = await readHead(world, table.tableId, idOf(request))
  if (head === undefined || !head.open) await assertAlive(world, table, request.partition)
  const logStart = head?.start ?? request.partition.floor
  const end = head?.end ?? request.partition.floor
  const start = startOf(request, logStart, end)
  if (head === undefined || start >= end) return { frames: [], start, next: start, end, logStart }
  const chosen = await chooseEntries(entriesFrom(world, table.tableId, idOf(request), head, start), start, request)
  const frames = await readFrames(world, table, request, chosen, start)
  const last = frames.at(-1)
  const next = last === undefined ? start : offsetOf(last.offset + BigInt(last.rows))
  return { frames, start, next, end, logStart }
}

function startOf({ from, bucket }: FetchRequest, logStart: Offset, end: Offset): Offset {
  if (from === 'earliest') return logStart
  if (from === 'latest') return end
  if (from >= logStart && from <= end) return from
  throw new SluiceError('offset-out-of-range', `offset ${from} is not in bucket ${bucket}: it holds ${logStart} to ${end}`, {
    action: 'refresh',
    facts: { start: `${logStart}`, end: `${end}` },
  })
}

/** Each is a read of the store: the bound of a fetch's time where the rows came in crumbs. */
const entriesMax = 512

/** As many as the rows and bytes allow: the last one may overshoot, its frames are cut. */
async function chooseEntries(
  entries: AsyncIterable<PlacedEntry>,
  start: Offset,
  { rowsMax, bytesMax }: FetchRequest,
): Promise<readonly PlacedEntry[]> {
  const chosen: PlacedEntry[] = []
  const wanted = start + BigInt(rowsMax)
  let bytes = 0
  for await (const placed of entries) {
    if (chosen.length > 0 && (placed.offset >= wanted || bytes + placed.entry.length > bytesMax)) break
    chosen.push(placed)
    if (chosen.length === entriesMax) break
    bytes += placed.entry.length
  }
  return chosen
}

async function readFrames(
  world: World,
  table: Table,
  request: FetchRequest,
  chosen: readonly PlacedEntry[],
  start: Offset,
): Promise<readonly FetchedFrame[]> {
  const frames: FetchedFrame[] = []
  const stop = start + BigInt(request.rowsMax)
  let bytes = 0
  for (let at = 0; at < chosen.length; at += readsAtOnce) {
    const wave = await Promise.all(chosen.slice(at, at + readsAtOnce).map((placed) => readEntry(world, table, request, placed)))
    for (const frame of wave.flat()) {
      const cut = cutFrame(table, request, frame, start, stop)
      if (cut === undefined) continue
      if (frames.length > 0 && bytes + cut.bytes.length > request.bytesMax) return frames
      frames.push(cut)
      bytes += cut.bytes.length
    }
  }
  return frames
}

/** A short or damaged read is read again: the object is immutable, so another answer is the store's fault, not the log's. */
async function readEntry(
  world: World,
  table: Table,
  request: FetchRequest,
  placed: PlacedEntry,
): Promise<readonly FetchedFrame[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await readEntryOnce(world, table, request, placed)
    } catch (error) {
      if (isSluiceError(error, 'not-found')) await assertAlive(world, table, request.partition)
      if (attempt >= damagedReadsMax || !isSluiceError(error, 'internal')) throw error
    }
  }
}

async function readEntryOnce(
  world: World,
  table: Table,
  request: FetchRequest,
  { offset, entry }: PlacedEntry,
): Promise<readonly FetchedFrame[]> {
  const key = objectKey(table.tableId, entry)
  const range = await world.objects.read(key, { start: entry.start, end: entry.start + entry.length })
  if (range.length !== entry.length) throw new SluiceError('internal', `a read of ${key} came back short`, { action: 'retry' })
  const frames: FetchedFrame[] = []
  let next: bigint = offset
  for (let at = 0; at < range.length; ) {
    const block = decodeBlock(range, at, key, entry.start)
    for (const frame of block.frames) {
      frames.push({
        bytes: frame.bytes,
        schemaId: block.schemaId,
        rows: frame.rows,
        offset: offsetOf(next),
        timestamp: entry.time,
      })
      next += BigInt(frame.rows)
    }
    at = block.end
  }
  if (next !== offset + BigInt(entry.count)) {
    throw new SluiceError('internal', `${key} does not hold the rows that its entry counts`, {
      action: 'stop',
      facts: { bucket: request.bucket },
    })
  }
  return frames
}

function cutFrame(
  table: Table,
  { bucket }: FetchRequest,
  frame: FetchedFrame,
  start: Offset,
  stop: bigint,
): FetchedFrame | undefined {
  const end = frame.offset + BigInt(frame.rows)
  if (end <= start || frame.offset >= stop) return undefined
  const first = frame.offset < start ? Number(start - frame.offset) : 0
  const last = end > stop ? Number(stop - frame.offset) : frame.rows
  const whole = first === 0 && last === frame.rows
  const bytes = whole ? frame.bytes : sliceFrame(frame.bytes, schemaFields(table, frame.schemaId), first, last)
  const offset = offsetOf(frame.offset + BigInt(first))
  patchInPlace(bytes, { bucket, offset, timestamp: frame.timestamp })
  return { ...frame, bytes, rows: last - first, offset }
}

async function assertAlive(world: World, table: Table, partition: Partition): Promise<void> {
  const found = await findTable(world, table.database, table.name)
  if (found === undefined || found.tableId !== table.tableId || found.state !== 'alive')
    throw tableNotFound(table.database, table.name)
  if (partition.id === '') return
  const still = await findPartition(world, table, partition.name)
  if (still?.id !== partition.id || still.state !== 'alive') throw partitionNotFound(table, partition.name)
}
