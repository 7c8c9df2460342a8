/**
 * The changelog of a bucket from a snapshot's `upTo` to an end, as the newest state of each key, in memory. It grows record by record
 * and forgets what a newer snapshot has. Pure but for the walk that reads it.
 */
import type { Head } from '../format/items/head.ts'
import type { KeyState, RunRecord } from '../format/run/block.ts'
import { assert } from '../kernel/assert.ts'
import { SluiceError } from '../kernel/errors.ts'
import { type Offset, offsetOf } from '../kernel/ids.ts'
import { decodeBuffers } from '../log/read/conform.ts'
import type { Reading, Step } from '../log/read/reading.ts'
import type { FetchedRows } from '../log/read/rows.ts'
import { Walker } from '../log/read/walker.ts'
import { changes, opColumn, prevColumn } from '../model/changelog.ts'
import type { BucketRef } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import { type KeyForm, keyOf } from './key.ts'
import { encodeRow } from './row.ts'
import { type Row, rowsOf } from './values.ts'

/** What changed some keys; offsets count from the base of the commit. */
export interface Effects {
  readonly keys: ReadonlyMap<string, KeyState>
  /** Live rows more than before. */
  readonly rows: bigint
}

/** Of a commit of this process, at [base, end). */
export interface Committed extends Effects {
  readonly base: Offset
  readonly end: Offset
  /** In the log. */
  readonly bytes: number
}

/** What a key costs besides its text and its row, as measured: its entry, its state, and the objects of its offset and of its row. */
const perKeyBytes = 352

export class Tail {
  /** The newest state of each key that changed in [from, end). */
  readonly keys = new Map<string, KeyState>()
  from: Offset
  end: Offset
  /** In memory, about. */
  bytes = 0
  /** Commits, and their bytes in the log, about: what a fold would bring into a snapshot. */
  references = 0
  logBytes = 0
  /** Since the snapshot that it begins with, for its size in memory. */
  isFoldAsked = false
  /** Live rows at `end` that were not there at `from`; below zero where more went than came. */
  rows = 0n

  constructor(from: Offset) {
    this.from = from
    this.end = from
  }

  put(key: string, state: KeyState): void {
    const before = this.keys.get(key)
    if (before !== undefined) this.bytes -= before.row?.length ?? 0
    else this.bytes += key.length + perKeyBytes
    this.bytes += state.row?.length ?? 0
    this.keys.set(key, state)
  }

  /** A commit that begins at `end`. */
  apply({ base, end, keys, rows, bytes }: Committed): void {
    assert(base === this.end, 'the changelog has no hole', { at: `${this.end}`, found: `${base}` })
    for (const [key, state] of keys) this.put(key, { ...state, offset: offsetOf(base + state.offset) })
    this.end = end
    this.rows += rows
    this.references += 1
    this.logBytes += bytes
  }

  /** By prefix, in key order. `sorted`: prefixes of which none begins with another. */
  beginningWith(sorted: readonly string[]): ReadonlyMap<string, readonly RunRecord[]> {
    const found = new Map(sorted.map((prefix): [string, RunRecord[]] => [prefix, []]))
    for (const [key, state] of this.keys) {
      const prefix = greatestUpTo(sorted, key)
      if (prefix !== undefined && key.startsWith(prefix)) found.get(prefix)?.push({ key, ...state })
    }
    for (const own of found.values()) own.sort((a, b) => (a.key < b.key ? -1 : 1))
    return found
  }

  /** A snapshot has what is below `upTo`, with `rows` more than the one before. */
  forget(upTo: Offset, rows: bigint): void {
    assert(upTo >= this.from && upTo <= this.end, 'a snapshot lies between the ends of the tail it shortens')
    for (const [key, { offset, row }] of this.keys) {
      if (offset >= upTo) continue
      this.keys.delete(key)
      this.bytes -= key.length + perKeyBytes + (row?.length ?? 0)
    }
    this.from = upTo
    this.rows -= rows
    this.references = 0
    this.logBytes = 0
    this.isFoldAsked = false
  }
}

function greatestUpTo(sorted: readonly string[], key: string): string | undefined {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] as string) <= key) low = middle + 1
    else high = middle
  }
  return sorted[low - 1]
}

export interface TailReading {
  readonly reading: Reading
  readonly table: Table
  readonly at: BucketRef
  readonly form: KeyForm
  /** Of one read of the log. */
  readonly bytesMax?: number
}

export interface TailEvents {
  /** The tail has grown by one read of the log. */
  readonly onRead?: () => void
}

/** Of one read of the log. */
const readRowsMax = 100_000
const readBytesMax = 8 * 1024 * 1024
const idleWalksMax = 4

/**
 * Brings the tail to `end`, which the head has reached. Errors: `not-found` and `offset-out-of-range` where the log moved meanwhile
 * (what was read stands), `changed`: the table at hand is older than the rows.
 */
export async function readTail(
  { reading, table, at, form, bytesMax = readBytesMax }: TailReading,
  tail: Tail,
  { head, end }: { readonly head: Head; readonly end: Offset },
  { onRead }: TailEvents = {},
): Promise<void> {
  const fields = [...table.schema.columns, opColumn, prevColumn]
  for (let idle = 0; tail.end < end; ) {
    const steps: Step[] = []
    const bucket = { ...at, head, start: tail.end, end, isGone: false }
    // The log may go on behind the end.
    const rowsMax = Math.min(readRowsMax, Number(end - tail.end))
    await new Walker(reading, table, { fields, rowsMax, bytesMax }, [bucket], steps).run()
    const before = tail.end
    for (const { rows } of steps) if (rows !== undefined) applyRows(table, form, tail, rows)
    onRead?.()
    // A walk ends at its time, which may pass before it has a row.
    idle = tail.end > before ? 0 : idle + 1
    if (idle > idleWalksMax)
      throw new SluiceError('unavailable', `the changelog of bucket ${at.bucket} cannot be read in time: try again`)
  }
}

function applyRows(table: Table, form: KeyForm, tail: Tail, fetched: FetchedRows): void {
  assert(fetched.offset === tail.end, 'the changelog has no hole', { at: `${tail.end}`, found: `${fetched.offset}` })
  const fields = [...table.schema.columns, opColumn, prevColumn]
  const rows = rowsOf(decodeBuffers(fields, fetched.rows, fetched.columns()))
  const types = table.schema.columns.map(({ type }) => type)
  for (const [i, row] of rows.entries()) {
    const op = row[types.length] as number
    const hasPrev = row[types.length + 1] !== null
    const isUpsert = op === changes.insert || op === changes.updateAfter
    tail.rows += BigInt(Number(isUpsert) - Number(hasPrev))
    if (op === changes.updateBefore) continue
    const key = keyOf(form, row)
    tail.put(key, {
      offset: offsetOf(fetched.offset + BigInt(i)),
      schemaId: table.schema.schemaId,
      row: isUpsert ? encodeRow(types, row as Row) : undefined,
    })
  }
  tail.end = offsetOf(fetched.offset + BigInt(rows.length))
  tail.references += 1
  tail.logBytes += fetched.bytes
}
