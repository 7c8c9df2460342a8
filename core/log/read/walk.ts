/**
 * Reading many buckets, or one: heads (strong), entries, frames, rows. Buckets take turns, so that none starves; inside one rows
 * come in order and without a hole. The walk ends at its rows, its bytes or its time, with at least one row if there is one that
 * it can reach in that time, and says for each bucket how far it came, past rows that a filter left out.
 * Entries only move from the head to the index, and from small objects to larger ones. Where the log moved under a walk it begins
 * again from the heads, unless it has rows already: those are whole.
 */
import { findPartition } from '../../catalog/partitions.ts'
import { findTable, tableNotFound } from '../../catalog/tables.ts'
import type { Field } from '../../format/arrow/column.ts'
import type { Head } from '../../format/items/head.ts'
import { isSluiceError, SluiceError } from '../../kernel/errors.ts'
import type { Offset } from '../../kernel/ids.ts'
import { mapAtOnce } from '../../kernel/parallel.ts'
import type { Filter } from '../../model/filter.ts'
import { type BucketRef, idOf, type Partition } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import type { World } from '../../ports/world.ts'
import { readHead } from '../head/birth.ts'
import { walkLake } from './lake-rows.ts'
import type { Reading, Step } from './reading.ts'
import { offsetAt } from './rows.ts'
import { offsetOfTime } from './time.ts'
import { Walker } from './walker.ts'

export type Position = Offset | 'earliest' | 'latest' | { readonly time: number }

export interface BucketPosition extends BucketRef {
  readonly from: Position
}

export interface WalkRequest {
  /** In the order of their turns. */
  readonly buckets: readonly BucketPosition[]
  /** Of the table, in the order wanted. */
  readonly fields: readonly Field[]
  readonly filter?: Filter
  readonly rowsMax: number
  /** Of Arrow; at least one row comes whatever it says. */
  readonly bytesMax: number
}

export interface Walk {
  /** As in the request. */
  readonly buckets: readonly WalkedBucket[]
  readonly steps: readonly Step[]
}

export interface WalkedBucket extends BucketRef {
  /** Where the walk began. */
  readonly start: Offset
  readonly logStart: Offset
  /** From a strong read. */
  readonly end: Offset
  /** Of its rows, ms since 1970; 0 where it never had any. */
  readonly latestTime: number
  /** Its partition was dropped: nothing was read. */
  readonly isGone: boolean
}

const headsAtOnce = 64
const attemptsMax = 4

/** Errors: `offset-out-of-range` (facts partition, bucket, start, end), `not-found` (the table was dropped), `changed`, `internal`. */
export async function walk(reading: Reading, table: Table, request: WalkRequest): Promise<Walk> {
  for (let attempt = 1; ; attempt++) {
    const presence = new Presence(reading.world, table)
    const buckets = await mapAtOnce(request.buckets, headsAtOnce, (at) => openBucket(reading, table, presence, at))
    const steps: Step[] = []
    try {
      await walkBuckets(reading, table, request, buckets, steps)
    } catch (error) {
      const hasMoved = isSluiceError(error, 'not-found') || isSluiceError(error, 'offset-out-of-range')
      if (!hasMoved) throw error
      if (!steps.some(({ rows }) => rows !== undefined)) {
        await assertTableAlive(reading.world, table)
        if (attempt < attemptsMax) continue
        throw new SluiceError('internal', error.message, { action: 'retry', facts: error.facts, cause: error })
      }
    }
    return { buckets, steps }
  }
}

/**
 * A walk reads from the log, or on from the lake where the bucket whose turn it is has left the log behind it: never from both, so that
 * one body has one bound.
 */
async function walkBuckets(
  reading: Reading,
  table: Table,
  request: WalkRequest,
  buckets: readonly OpenBucket[],
  steps: Step[],
): Promise<void> {
  const first = buckets.find(({ isGone, start, end }) => !isGone && start < end)
  if (first === undefined || first.start >= first.logStart) {
    const inLog = buckets.map((bucket) => (bucket.start < bucket.logStart ? { ...bucket, head: undefined } : bucket))
    return new Walker(reading, table, request, inLog, steps).run()
  }
  const { partition, bucket, start: from, logStart: to } = first
  await walkLake(reading, table, { partition, bucket, from, to, index: buckets.indexOf(first) }, request, steps)
}

/** How far each bucket is done with when only the first `rows` rows are taken. */
export function positionsAfter({ buckets, steps }: Walk, rows: number): readonly Offset[] {
  const positions = buckets.map(({ start }) => start)
  let left = rows
  for (const step of steps) {
    const count = step.rows?.rows ?? 0
    if (step.rows !== undefined && count > left) {
      positions[step.bucket] = offsetAt(step.rows, left)
      break
    }
    positions[step.bucket] = step.next
    left -= count
  }
  return positions
}

interface OpenBucket extends WalkedBucket {
  readonly head: Head | undefined
}

/** A search for a time reads objects, which may move under it. */
async function openBucket(reading: Reading, table: Table, presence: Presence, at: BucketPosition): Promise<OpenBucket> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await openBucketOnce(reading, table, presence, at)
    } catch (error) {
      if (typeof at.from !== 'object' || attempt === attemptsMax || !isSluiceError(error, 'not-found')) throw error
      await assertTableAlive(reading.world, table)
    }
  }
}

async function openBucketOnce(reading: Reading, table: Table, presence: Presence, at: BucketPosition): Promise<OpenBucket> {
  const { partition, bucket } = at
  const head = await readHead(reading.world, table.tableId, idOf(at))
  const isGone = head?.open !== true && !(await presence.has(partition))
  const logStart = head?.start ?? partition.floor
  const end = head?.end ?? partition.floor
  const start = isGone ? logStart : await startOf(reading, table, at, { head, logStart, end })
  return { partition, bucket, head, logStart, end, isGone, start, latestTime: latestTimeOf(head) }
}

const latestTimeOf = (head: Head | undefined): number =>
  head === undefined ? 0 : head.recent.reduce((most, { time }) => Math.max(most, time), head.maxTime)

interface Extent {
  readonly head: Head | undefined
  readonly logStart: Offset
  readonly end: Offset
}

async function startOf(reading: Reading, table: Table, at: BucketPosition, { head, logStart, end }: Extent): Promise<Offset> {
  const { from, bucket, partition } = at
  if (from === 'earliest') return logStart
  if (from === 'latest') return end
  if (typeof from === 'object') {
    const shape = { tableId: table.tableId, columns: table.schema.columns.length }
    return head === undefined ? end : offsetOfTime({ ...reading, shape }, idOf(at), head, from.time)
  }
  if (from >= logStart && from <= end) return from
  if (from < logStart && (await isInLake(reading, table, at, from))) return from
  const where = partition.name === '' ? `bucket ${bucket}` : `bucket ${bucket} of ${partition.name}`
  throw new SluiceError('offset-out-of-range', `offset ${from} is not in ${where}: it holds ${logStart} to ${end}`, {
    action: 'refresh',
    facts: { partition: partition.name, bucket, start: `${logStart}`, end: `${end}` },
  })
}

async function isInLake({ world, lake }: Reading, table: Table, at: BucketRef, from: Offset): Promise<boolean> {
  if (world.lakeReader === undefined || from < at.partition.floor) return false
  return (await lake.filesAt(table, at, from)).length > 0
}

/** What is asked where a bucket has no open head: once for the table and once for a partition, however many buckets they have. */
class Presence {
  readonly #world: World
  readonly #table: Table
  readonly #partitions = new Map<string, Promise<boolean>>()
  #isTableAlive: Promise<void> | undefined

  constructor(world: World, table: Table) {
    this.#world = world
    this.#table = table
  }

  /** Errors: `not-found`, the table. */
  async has(partition: Partition): Promise<boolean> {
    this.#isTableAlive ??= assertTableAlive(this.#world, this.#table)
    await this.#isTableAlive
    if (partition.id === '') return true
    const asked = this.#partitions.get(partition.id) ?? this.#find(partition)
    this.#partitions.set(partition.id, asked)
    return asked
  }

  async #find({ id, name }: Partition): Promise<boolean> {
    const found = await findPartition(this.#world, this.#table, name)
    return found?.id === id && found.state === 'alive'
  }
}

async function assertTableAlive(world: World, { database, name, tableId }: Table): Promise<void> {
  const found = await findTable(world, database, name)
  if (found?.tableId !== tableId || found.state !== 'alive') throw tableNotFound(database, name)
}
