/**
 * A page of a table: the buckets of a selection as they are now, each from where its reader is. Partitions that are new since the
 * reader's last page join from their earliest row, those that were dropped leave, and those that the filter rules out by their values
 * are never opened. Buckets take turns from page to page, so that none starves however small the pages are.
 */
import { partitionNotFound } from '../../catalog/partitions.ts'
import type { Field } from '../../format/arrow/column.ts'
import { type ColumnBounds, verdictOf } from '../../format/arrow/prune.ts'
import { columnStatistics } from '../../format/arrow/statistics.ts'
import { readPartitionName } from '../../format/partition/name.ts'
import { present } from '../../kernel/assert.ts'
import { utf8 } from '../../kernel/bytes.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { limits } from '../../kernel/limits.ts'
import type { Filter } from '../../model/filter.ts'
import { type BucketRef, bucketKey, idOf, type Partition } from '../../model/partition.ts'
import { isOneBucket, type ReadPosition, type Selection } from '../../model/selection.ts'
import { partitionColumn } from '../../model/system-columns.ts'
import type { Table } from '../../model/table.ts'
import type { Partitions } from '../partitions.ts'
import type { FetchedRows } from './rows.ts'
import { type Shape, type ShapeReading, walkShaped } from './shape.ts'
import { type Position, positionsAfter, type Walk } from './walk.ts'

export interface PageRequest {
  readonly selection: Selection
  /** Of the first page; an offset only for one bucket. */
  readonly from: ReadPosition | { readonly first: Position }
  /** Of the table, in the order wanted. */
  readonly fields: readonly Field[]
  readonly filter?: Filter
  readonly rowsMax: number
  /** Of Arrow; at least one row comes whatever it says. */
  readonly bytesMax: number
  /** Makes other rows of those that were read. Then a filter only rules partitions out. */
  readonly shape?: Shape
}

export interface Page {
  readonly rows: readonly FetchedRows[]
  /** In the order of partitions' names and buckets. */
  readonly walk: Walk
  /** Where the reader is when it took the first `rows` rows. */
  readonly after: (rows: number) => ReadPosition
  /** There is no row, and there was none below the end of any bucket. */
  readonly isCaughtUp: boolean
  /** Lets the memory of its rows go: they are empty from then on. */
  readonly release: () => void
}

/** Errors: those of a walk · `bad-request` (too many buckets) · `not-found` (one bucket, of a partition that is not there). */
export async function readPage(reading: ShapeReading, partitions: Partitions, table: Table, request: PageRequest): Promise<Page> {
  const { selection, from, fields, filter, rowsMax, bytesMax, shape } = request
  const chosen = await choosePartitions(partitions, table, selection, from)
  const read = filter === undefined ? chosen : chosen.filter((partition) => maySelect(table, filter, partition))
  const all = read.flatMap((partition) => bucketsOf(table, selection, partition))
  if (all.length > limits.fetchBucketsMax) throw tooMany(table, all.length)
  const turn = 'first' in from || all.length === 0 ? 0 : from.turn % all.length
  const inTurn = [...all.slice(turn), ...all.slice(0, turn)]
  const buckets = inTurn.map((at) => ({ ...at, from: positionOf(at, from) }))
  const wanted = { buckets, fields, rowsMax, bytesMax, ...(filter && shape === undefined && { filter }) }
  const { walked, release } = await walkShaped(reading, table, wanted, shape)
  const gone = walked.buckets.find(({ isGone }) => isGone)
  if (gone !== undefined) {
    partitions.forget(table, gone.partition.name)
    if (isOneBucket(selection, table.partitionBy.length > 0))
      return readAgain(reading, partitions, table, request, gone.partition)
  }
  const rows = walked.steps.flatMap((step) => (step.rows === undefined ? [] : [step.rows]))
  return {
    rows,
    walk: walked,
    after: (taken) => positionAfter(walked, taken, turn),
    isCaughtUp: rows.length === 0 && isCaughtUp(walked),
    release,
  }
}

/** Another partition of the name may be there by now: it is another log, which begins where the one before ended. */
async function readAgain(
  reading: ShapeReading,
  partitions: Partitions,
  table: Table,
  request: PageRequest,
  gone: Partition,
): Promise<Page> {
  const found = await partitions.find(table, gone.name)
  if (found.id === gone.id) throw partitionNotFound(table, gone.name)
  return readPage(reading, partitions, table, request)
}

async function choosePartitions(
  partitions: Partitions,
  table: Table,
  selection: Selection,
  from: PageRequest['from'],
): Promise<readonly Partition[]> {
  const choice = selection.partitions
  if (isOneBucket(selection, table.partitionBy.length > 0))
    return [await partitions.find(table, choice.kind === 'name' ? choice.name : '')]
  const all = 'first' in from ? await partitions.list(table, 'fresh') : await listWith(partitions, table, from)
  return all.filter(({ name }) =>
    choice.kind === 'all' ? true : choice.kind === 'name' ? name === choice.name : name.startsWith(choice.prefix),
  )
}

/** Another process may know partitions that this one's list is too old for: what a reader has come past must not begin again. */
async function listWith(partitions: Partitions, table: Table, { offsets }: ReadPosition): Promise<readonly Partition[]> {
  const kept = await partitions.list(table, 'kept')
  const ids = new Set(kept.map(({ id }) => id))
  return offsets.every(({ partition }) => ids.has(partition)) ? kept : partitions.list(table, 'fresh')
}

function bucketsOf(table: Table, { buckets }: Selection, partition: Partition): readonly BucketRef[] {
  const spans = buckets.length === 0 ? [{ first: 0, last: table.buckets.count - 1 }] : buckets
  return spans.flatMap(({ first, last }) =>
    Array.from({ length: last - first + 1 }, (_, i): BucketRef => ({ partition, bucket: first + i })),
  )
}

const offsetsByBucket = new WeakMap<ReadPosition, ReadonlyMap<string, Position>>()

function positionOf(at: BucketRef, from: PageRequest['from']): Position {
  if ('first' in from) return from.first
  const known = offsetsByBucket.get(from) ?? new Map(from.offsets.map((each) => [bucketKey(each), each.offset] as const))
  offsetsByBucket.set(from, known)
  return known.get(bucketKey(idOf(at))) ?? 'earliest'
}

function positionAfter(walked: Walk, rows: number, turn: number): ReadPosition {
  const next = positionsAfter(walked, rows)
  const offsets = walked.buckets
    .map(({ partition, bucket, isGone }, i) => ({ partition, bucket, isGone, offset: present(next[i], 'a position') }))
    .filter(({ isGone }) => !isGone)
    .sort((a, b) => compareText(a.partition.name, b.partition.name) || a.bucket - b.bucket)
    .map(({ partition, bucket, offset }) => ({ partition: partition.id, bucket, offset }))
  return { offsets, turn: offsets.length === 0 ? 0 : (turn + turnsTaken(walked, rows)) % offsets.length }
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** The bucket that gave the last row has had its turn. */
function turnsTaken({ steps }: Walk, rows: number): number {
  let left = rows
  let last = -1
  for (const step of steps) {
    if (left <= 0) break
    if (step.rows === undefined) continue
    last = step.bucket
    left -= step.rows.rows
  }
  return last + 1
}

function isCaughtUp(walked: Walk): boolean {
  const next = positionsAfter(walked, 0)
  return walked.buckets.every(({ end, isGone }, i) => isGone || next[i] === end)
}

/** Whether rows with a partition's values may be selected: nothing is known of their other columns. */
function maySelect(table: Table, filter: Filter, { name }: Partition): boolean {
  const bounds = boundsOf(table, name)
  return verdictOf(filter, ({ id }) => bounds.get(id)) !== 'none'
}

type Bounds = ReadonlyMap<number, ColumnBounds>

/** Every page of a reader asks again for all partitions. */
const boundsByTable = new WeakMap<Table, Map<string, Bounds>>()

function boundsOf(table: Table, name: string): Bounds {
  const known = boundsByTable.get(table) ?? new Map<string, Bounds>()
  if (known.size > 2 * limits.partitionsMax) known.clear()
  boundsByTable.set(table, known)
  const bounds = known.get(name) ?? boundsOfName(table, name)
  known.set(name, bounds)
  return bounds
}

function boundsOfName(table: Table, name: string): Bounds {
  const keys = table.partitionBy.map((key) =>
    present(
      table.schema.columns.find((column) => column.name === key),
      'a key column',
    ),
  )
  const bounds = new Map<number, ColumnBounds>([[partitionColumn.id, valueBounds(utf8(name))]])
  if (keys.length === 0) return bounds
  const { columns } = readPartitionName(keys, name)
  for (const [i, { id }] of keys.entries()) {
    const { nulls, nans, min, max } = columnStatistics(present(columns[i], 'a column of a name'))
    bounds.set(id, { rows: 1, nulls, mayHaveNan: nans > 0, ...(min && { min }), ...(max && { max }) })
  }
  return bounds
}

const valueBounds = (value: Uint8Array): ColumnBounds => ({ rows: 1, nulls: 0, min: value, max: value })

const tooMany = ({ database, name }: Table, count: number): SluiceError =>
  new SluiceError(
    'bad-request',
    `${count} buckets of ${database}.${name} are more than the ${limits.fetchBucketsMax} that are read at once: narrow it with partition=, bucket= or where=`,
    { facts: { buckets: count, bucketsMax: limits.fetchBucketsMax } },
  )
