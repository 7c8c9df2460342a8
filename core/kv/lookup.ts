/**
 * Lookup by primary key. Read committed, bucket by bucket: the head says where the bucket ends when the lookup begins, and the row is
 * that of this end or of a later one. `stale` asks no head where the bucket is known: the row may then be an older one. A partition
 * that is not there has no rows.
 */
import { findPartition } from '../catalog/partitions.ts'
import { findTable, tableNotFound } from '../catalog/tables.ts'
import { bucketRows } from '../format/arrow/bucket.ts'
import type { Batch } from '../format/arrow/column.ts'
import { partitionRows } from '../format/partition/rows.ts'
import { present } from '../kernel/assert.ts'
import { isSluiceError, SluiceError } from '../kernel/errors.ts'
import type { Offset } from '../kernel/ids.ts'
import { mapAtOnce } from '../kernel/parallel.ts'
import { readHead } from '../log/head/birth.ts'
import type { Log } from '../log/log.ts'
import { type BucketRef, idOf, type Partition, unpartitioned } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import type { World } from '../ports/world.ts'
import type { KvBucket } from './bucket.ts'
import type { KvBuckets } from './buckets.ts'
import { type Keep, keepAnswers } from './keep.ts'
import { keyFormOf, keyOf, keyPrefixOf } from './key.ts'
import { Room } from './room.ts'
import { type Row, rowsOf, type Value } from './values.ts'

export interface LookupContext {
  readonly world: World
  readonly log: Log
  readonly buckets: KvBuckets
}

const bucketsAtOnce = 16

export interface LookupOptions {
  readonly stale: boolean
  /** Names of the columns that rows are answered in; absent: all of the table, in its order. */
  readonly columns?: readonly string[]
  /** Of what is answered. */
  readonly bytesMax: number
}

export interface LookedUp<T> {
  /** In the order of the keys. */
  readonly rows: readonly T[]
  /** Each bucket that was looked at, and the one offset at which all its keys were. */
  readonly buckets: readonly { readonly partition: string; readonly bucket: number; readonly offset: Offset }[]
}

/**
 * The row of each of `keys`, whose columns are at least those of the key; undefined: there is none. Errors: `not-found` (the table),
 * `changed`, `invalid-rows` (a null in a key), `too-large`.
 */
export async function lookup(
  context: LookupContext,
  table: Table,
  keys: Batch,
  options: LookupOptions,
): Promise<LookedUp<Row | undefined>> {
  const form = keyFormOf(table, keys.fields)
  const texts = rowsOf(keys).map((row) => keyOf(form, row))
  return inBuckets(context, table, { keys, texts, areWhole: true, missing: undefined }, options, (bucket, own, keep) =>
    bucket.find(table, own, keep),
  )
}

/**
 * Of each of `keys`, whose columns are the bucket key and those of the partition: the rows that have its values, in key order, at most
 * `rowsMax` each. The bucket key is the beginning of the primary key. Errors: as `lookup`.
 */
export async function lookupPrefix(
  context: LookupContext,
  table: Table,
  keys: Batch,
  options: LookupOptions & { readonly rowsMax: number },
): Promise<LookedUp<readonly Row[]>> {
  const names = table.buckets.key ?? []
  const form = keyFormOf(table)
  const indices = names.map((name) => keys.fields.findIndex((field) => field.name === name))
  const texts = rowsOf(keys).map((row) =>
    keyPrefixOf(
      form,
      indices.map((index) => row[index] as Value),
    ),
  )
  const { rows, buckets } = await inBuckets<readonly (Row | undefined)[]>(
    context,
    table,
    { keys, texts, areWhole: false, missing: [] },
    options,
    (bucket, own, keep) => bucket.findPrefixes(table, own, options.rowsMax, keep),
  )
  return { rows: rows.map((own) => own.map((row) => present(row, 'a live row'))), buckets }
}

interface Sought<T> {
  readonly keys: Batch
  /** Key or prefix of each. */
  readonly texts: readonly string[]
  /** They are keys. */
  readonly areWhole: boolean
  /** What is answered where nothing is. */
  readonly missing: T
}

type Find<T> = (
  bucket: KvBucket,
  own: readonly string[],
  keep: Keep<Row | undefined>,
) => Promise<{ readonly end: Offset; readonly kept: readonly (T | undefined)[] }>

/** All keys of a bucket at once, so that they are answered at one offset. */
async function inBuckets<T>(
  context: LookupContext,
  table: Table,
  { keys, texts, areWhole, missing }: Sought<T>,
  { stale, columns, bytesMax }: LookupOptions,
  find: Find<T>,
): Promise<LookedUp<T>> {
  const rows = new Array<T>(keys.rows).fill(missing)
  const buckets: LookedUp<T>['buckets'][number][] = []
  const room = new Room(bytesMax, () => tooLarge(bytesMax))
  const asked = columns?.map((name) => table.schema.columns.findIndex((column) => column.name === name))
  await mapAtOnce(placesOf(table, keys), bucketsAtOnce, async (place) => {
    const own = Map.groupBy(place.rows, (row) => present(texts[row], 'the key of a row'))
    const sought = [...own.keys()]
    const timesOf = (i: number): number => own.get(sought[i] as string)?.length ?? 1
    const keep = keepAnswers(context.log, table, { room, timesOf, ...(asked && { asked }) })
    const found = await inBucket(context, table, place, { stale, ahead: areWhole ? sought : [] }, (bucket) =>
      find(bucket, sought, keep),
    )
    if (found === undefined) return
    for (const [i, text] of sought.entries()) for (const row of own.get(text) ?? []) rows[row] = found.kept[i] ?? missing
    buckets.push({ partition: place.partition, bucket: place.bucket, offset: found.end })
  })
  return { rows, buckets }
}

const tooLarge = (bytesMax: number): SluiceError =>
  new SluiceError('too-large', `the rows have more than ${bytesMax} bytes: ask for fewer keys or columns at once`)

interface Place {
  readonly partition: string
  readonly bucket: number
  /** Of the batch. */
  readonly rows: number[]
}

export function placesOf(table: Table, keys: Batch): readonly Place[] {
  if (keys.rows === 0) return []
  const { count, key } = table.buckets
  const buckets = key === undefined ? new Uint16Array(keys.rows) : bucketRows(keys, key, count)
  const { names, codes } =
    table.partitionBy.length === 0 ? { names: [''], codes: new Uint16Array(keys.rows) } : partitionRows(keys, table.partitionBy)
  const places = new Map<number, Place>()
  for (let row = 0; row < keys.rows; row++) {
    const [code, bucket] = [codes[row] as number, buckets[row] as number]
    const id = code * count + bucket
    const place = places.get(id)
    if (place !== undefined) place.rows.push(row)
    else places.set(id, { partition: present(names[code], 'the name of a partition'), bucket, rows: [row] })
  }
  return [...places.values()]
}

async function partitionNamed(log: Log, table: Table, name: string): Promise<Partition | undefined> {
  if (name === '') return unpartitioned
  try {
    return await log.partition(table, name)
  } catch (error) {
    if (isSluiceError(error, 'not-found')) return undefined
    throw error
  }
}

/** Undefined: the partition is not there. */
async function inBucket<T>(
  context: LookupContext,
  table: Table,
  place: { readonly partition: string; readonly bucket: number },
  { stale, ahead }: { readonly stale: boolean; readonly ahead: readonly string[] },
  work: (bucket: KvBucket) => Promise<T>,
): Promise<T | undefined> {
  const partition = await partitionNamed(context.log, table, place.partition)
  if (partition === undefined) return undefined
  const at = { partition, bucket: place.bucket }
  return context.buckets.use(table, at, async (bucket) => {
    const isKnown = stale && bucket.end !== undefined
    if (!isKnown && (await bringToEnd(context, table, at, bucket, ahead)) === 'gone') return undefined
    return work(bucket)
  })
}

/** Of its head as it is now. `sought`: keys that are looked for then. `gone`: the partition was dropped. Errors: `not-found`: the table was. */
export async function bringToEnd(
  { world, log }: LookupContext,
  table: Table,
  at: BucketRef,
  bucket: KvBucket,
  sought: readonly string[] = [],
): Promise<'there' | 'gone'> {
  const [head, ahead] = await Promise.all([readHead(world, table.tableId, idOf(at)), bucket.readAhead(table)])
  if (head?.open !== true && !(await isThere(world, table, at.partition))) {
    if (at.partition.id !== '') log.partitionsKnown.forget(table, at.partition.name)
    return 'gone'
  }
  if (head !== undefined) log.memos.learn(table.tableId, idOf(at), head)
  await bucket.catchUp(table, head, ahead, sought)
  return 'there'
}

export async function isThere(world: World, table: Table, partition: Partition): Promise<boolean> {
  const { database, name, tableId } = table
  const found = await findTable(world, database, name)
  if (found?.tableId !== tableId || found.state !== 'alive') throw tableNotFound(database, name)
  if (partition.id === '') return true
  const own = await findPartition(world, table, partition.name)
  return own?.id === partition.id && own.state === 'alive'
}
