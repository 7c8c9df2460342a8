/**
 * The changelog of a bucket from a snapshot's `upTo` to an end, as the newest state of each key, in memory. It grows record by record
 * and forgets what a newer snapshot has. Pure but for the walk that reads it.
 */
import type { ColumnData } from '../format/arrow/column.ts'
import { gatherBatch } from '../format/arrow/take.ts'
import type { Head } from '../format/items/head.ts'
import { assert } from '../kernel/assert.ts'
import type { Span } from '../kernel/bytes.ts'
import { SluiceError } from '../kernel/errors.ts'
import { type Offset, offsetOf } from '../kernel/ids.ts'
import type { Random } from '../kernel/random.ts'
import { decodeBuffers } from '../log/read/conform.ts'
import type { Reading, Step } from '../log/read/reading.ts'
import type { FetchedRows } from '../log/read/rows.ts'
import { Walker } from '../log/read/walker.ts'
import { changes, opColumn, prevColumn } from '../model/changelog.ts'
import type { BucketRef } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import { type KeyForm, keysOf } from './key.ts'
import { encodeRows } from './row-columns.ts'
import { KeyStates, secretOf } from './states.ts'
import { valuesOf } from './values.ts'

/** What changed some keys; an index is that of a record of the commit. */
export interface Effects {
  readonly keys: readonly {
    readonly key: string
    readonly index: number
    readonly schemaId: number
    /** Undefined: deleted. */
    readonly row: Span | undefined
  }[]
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

export class Tail {
  /** The newest state of each key that changed in [from, end). */
  readonly states: KeyStates
  from: Offset
  end: Offset
  /** Commits, and their bytes in the log, about: what a fold would bring into a snapshot. */
  references = 0
  logBytes = 0
  /** Since the snapshot that it begins with, for its size in memory. */
  isFoldAsked = false
  /** Live rows at `end` that were not there at `from`; below zero where more went than came. */
  rows = 0n

  constructor(from: Offset, random: Random) {
    this.from = from
    this.end = from
    this.states = new KeyStates(secretOf(random))
  }

  /** In memory. */
  get bytes(): number {
    return this.states.bytes
  }

  /** A commit that begins at `end`. */
  apply({ base, end, keys, rows, bytes }: Committed): void {
    assert(base === this.end, 'the changelog has no hole', { at: `${this.end}`, found: `${base}` })
    for (const { key, index, schemaId, row } of keys) this.states.put(key, base + BigInt(index), schemaId, row)
    this.end = end
    this.rows += rows
    this.references += 1
    this.logBytes += bytes
  }

  /** A snapshot has what is below `upTo`, with `rows` more than the one before. */
  forget(upTo: Offset, rows: bigint): void {
    assert(upTo >= this.from && upTo <= this.end, 'a snapshot lies between the ends of the tail it shortens')
    this.states.retain((offset) => offset >= upTo)
    this.from = upTo
    this.rows -= rows
    this.references = 0
    this.logBytes = 0
    this.isFoldAsked = false
  }
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
  const { columns } = table.schema
  const batch = decodeBuffers([...columns, opColumn, prevColumn], fetched.rows, fetched.columns())
  const [ops, prevs] = batch.columns.slice(columns.length) as [ColumnData, ColumnData]
  const codes = valuesOf(ops) as readonly number[]
  // What a key was is said again by what it is then.
  const news = Uint32Array.from(codes.keys().filter((i) => codes[i] !== changes.updateBefore))
  const changed = gatherBatch({ rows: batch.rows, fields: columns, columns: batch.columns.slice(0, columns.length) }, news)
  const keys = keysOf(form, changed.columns, changed.rows)
  let upserts = 0
  for (const [i, row] of encodeRows(changed.columns, changed.rows).entries()) {
    const at = news[i] as number
    const isUpsert = codes[at] !== changes.delete
    if (isUpsert) upserts += 1
    const offset = fetched.offset + BigInt(at)
    tail.states.put(keys[i] as string, offset, table.schema.schemaId, isUpsert ? row : undefined)
  }
  const taken = prevs.length - prevs.nullCount
  tail.rows += BigInt(upserts - taken)
  tail.end = offsetOf(fetched.offset + BigInt(batch.rows))
  tail.references += 1
  tail.logBytes += fetched.bytes
}
