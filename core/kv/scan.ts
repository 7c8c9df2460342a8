/**
 * Scanning a bucket: its live rows in key order, at one offset, a part at a time. The first part leases the snapshot that it reads, so
 * that neither its runs nor the changelog behind it go away (lease.ts); where that part fails nobody knows of the lease, so it is given
 * back. Once the lease has run out there are no more rows (`gone`), never other ones.
 */
import type { Snapshot } from '../format/items/kv.ts'
import type { RunRecord } from '../format/run/block.ts'
import { lengthOfSpan } from '../kernel/bytes.ts'
import { isSluiceError, SluiceError } from '../kernel/errors.ts'
import { type Offset, randomId } from '../kernel/ids.ts'
import { limits } from '../kernel/limits.ts'
import { readHead } from '../log/head/birth.ts'
import { type BucketRef, bucketKey, idOf } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import type { KvCache } from './cache.ts'
import { readKvItem } from './item.ts'
import { heldBytes, ownState, RowDecoder } from './keep.ts'
import { keyFormOf } from './key.ts'
import { dropLease, runsOut, takeLease } from './lease.ts'
import { isThere, type LookupContext } from './lookup.ts'
import { recordsOf, runsOf } from './snapshot.ts'
import { inLists, live, merged, type Sorted } from './sorted.ts'
import { readTail, Tail } from './tail.ts'
import type { Row } from './values.ts'

export interface ScanContext extends LookupContext {
  readonly cache: KvCache
}

/** Where a scan of a bucket is. */
export interface ScanPlace {
  /** Id of the lease. */
  readonly lease: string
  /** The rows are those at this offset. */
  readonly at: Offset
  /** Keys above it are left; undefined before the first. */
  readonly after: string | undefined
}

export interface ScanPart {
  /** With their keys: a reader that takes fewer goes on after the key of its last. */
  readonly rows: readonly { readonly key: string; readonly row: Row }[]
  /** Where the scan is with all of them; undefined: there was nothing of the bucket. */
  readonly place: ScanPlace | undefined
  /** Of the rows in memory, about. */
  readonly bytes: number
  /** Nothing of the bucket is left. */
  readonly isDone: boolean
}

export interface ScanRequest {
  /** Of rows that are selected. */
  readonly rowsMax: number
  /** Of the rows in memory, about; at least one comes whatever it says. */
  readonly bytesMax: number
  /** Which of these rows are wanted; absent: all. */
  readonly select?: (rows: readonly Row[]) => (index: number) => boolean
}

/** Looked at in one part, selected or not. */
const lookedAtMax = 200_000
/** Rows that are held until it is known which of them are wanted. */
const decodedAtOnce = { rows: 1_000, bytes: 1024 * 1024 }

/** Undefined `place`: from the first row. Errors: `gone`, `throttled` (too many scans of the bucket), those of lookups. */
export async function scanBucket(
  context: ScanContext,
  table: Table,
  at: BucketRef,
  place: ScanPlace | undefined,
  request: ScanRequest,
): Promise<ScanPart> {
  if (place !== undefined) return readPart(context, table, await resumeScan(context, table, at, place), request)
  const scan = await beginScan(context, table, at)
  if (scan === undefined) return { rows: [], place: undefined, bytes: 0, isDone: true }
  try {
    return await readPart(context, table, scan, request)
  } catch (error) {
    await dropLease(context.world, table, at, scan.place.lease).catch(runsOut)
    throw error
  }
}

async function readPart(
  context: ScanContext,
  table: Table,
  scan: Scan,
  { rowsMax, bytesMax, select }: ScanRequest,
): Promise<ScanPart> {
  const tail = await tailOf(context, table, scan)
  const rows: { key: string; row: Row }[] = []
  let looked = 0
  let last = ''
  let bytes = 0
  const decoder = new RowDecoder(context.log, table)
  const width = table.schema.columns.length
  try {
    for await (const records of inChunks(liveRecords(context, table, scan, tail))) {
      await decoder.learn(records)
      const decoded = records.map((record) => decoder.decode(record))
      const isWanted = select?.(decoded)
      for (const [i, { key, row }] of records.entries()) {
        if (rows.length >= rowsMax || bytes >= bytesMax || looked >= lookedAtMax)
          return { rows, place: { ...scan.place, after: last }, bytes, isDone: false }
        looked += 1
        last = key
        if (isWanted?.(i) !== false) {
          rows.push({ key, row: decoded[i] as Row })
          bytes += heldBytes(lengthOfSpan(row), width)
        }
      }
    }
  } catch (error) {
    if (isSluiceError(error, 'not-found') || isSluiceError(error, 'offset-out-of-range')) throw expired(error)
    throw error
  }
  return { rows, place: scan.place, bytes, isDone: true }
}

interface Scan {
  readonly at: BucketRef
  readonly place: ScanPlace
  readonly snapshot: Snapshot
}

/** Undefined: the bucket has no rows, or its partition is gone. */
async function beginScan(context: ScanContext, table: Table, at: BucketRef): Promise<Scan | undefined> {
  const { world } = context
  const head = await readHead(world, table.tableId, idOf(at))
  if (head?.open !== true && !(await isThere(world, table, at.partition))) return undefined
  if (head === undefined) return undefined
  const lease = randomId(world.random)
  const item = await takeLease(world, table, at, lease, head.start)
  // Folded since we read the head, the snapshot is of a later offset: then of that one.
  const end = item.upTo > head.end ? item.upTo : head.end
  return { at, place: { lease, at: end, after: undefined }, snapshot: item }
}

async function resumeScan(context: ScanContext, table: Table, at: BucketRef, place: ScanPlace): Promise<Scan> {
  const item = await readKvItem(context.world, table.tableId, idOf(at))
  const lease = item?.leases.get(place.lease)
  if (lease === undefined || lease.until < context.world.clock.now()) throw expired()
  return { at, place, snapshot: lease }
}

/** Of the changelog between the snapshot and the scan's offset, in order; kept, because every part of every such scan needs it. */
function tailOf({ world, log, cache }: ScanContext, table: Table, { at, place, snapshot }: Scan): Promise<Tail> {
  const span = `${bucketKey(idOf(at))}#${snapshot.upTo}-${place.at}`
  return cache.get(`scan#${table.tableId}#${span}#${table.schema.schemaId}`, async () => {
    const tail = new Tail(snapshot.upTo, world.random)
    const head = await readHead(world, table.tableId, idOf(at))
    if (head === undefined || head.start > snapshot.upTo) throw expired()
    await readTail({ reading: log.reading, table, at, form: keyFormOf(table) }, tail, { head, end: place.at })
    tail.states.sort()
    return { value: tail, bytes: tail.bytes }
  })
}

async function* liveRecords({ world, cache }: ScanContext, table: Table, { place, snapshot }: Scan, tail: Tail): Sorted {
  const reading = { objects: world.objects, cache, tableId: table.tableId }
  const from = place.after === undefined ? '' : `${place.after}\u0000`
  const stored = recordsOf(reading, await runsOf(reading, snapshot), { from, to: undefined })
  yield* live(merged([inLists(tail.states.sorted(from)), stored]))
}

/** Copies: a row that is wanted would hold the whole block in which it lies. */
async function* inChunks(lists: Sorted): Sorted {
  let chunk: RunRecord[] = []
  let bytes = 0
  for await (const list of lists)
    for (const record of list) {
      chunk.push(ownState(record))
      bytes += lengthOfSpan(record.row)
      if (chunk.length < decodedAtOnce.rows && bytes < decodedAtOnce.bytes) continue
      yield chunk
      chunk = []
      bytes = 0
    }
  if (chunk.length > 0) yield chunk
}

const expired = (cause?: unknown): SluiceError =>
  new SluiceError(
    'gone',
    `the cursor has expired: the rows of a bucket are there for ${limits.scanLeaseMs / 60_000} minutes from its first page; begin again`,
    {
      action: 'refresh',
      cause,
    },
  )
