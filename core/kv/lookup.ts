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
import type { KeyState } from '../format/run/block.ts'
import { present } from '../kernel/assert.ts'
import { isSluiceError, SluiceError } from '../kernel/errors.ts'
import { mapAtOnce } from '../kernel/parallel.ts'
import { readHead } from '../log/head/birth.ts'
import type { Log } from '../log/log.ts'
import { type BucketRef, idOf, type Partition, unpartitioned } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import type { World } from '../ports/world.ts'
import type { KvBucket } from './bucket.ts'
import type { KvBuckets } from './buckets.ts'
import { type Conform, conformOf } from './conform.ts'
import { keyFormOf, keyOf, keyPrefixOf } from './key.ts'
import { decodeRow } from './row.ts'
import { type Row, rowsOf, type Value } from './values.ts'

export interface LookupContext {
  readonly world: World
  readonly log: Log
  readonly buckets: KvBuckets
}

const bucketsAtOnce = 16

export interface LookupOptions {
  readonly stale: boolean
  /** Of the rows as they are stored. */
  readonly bytesMax: number
}

/**
 * Rows in the order of `keys`, whose columns are at least those of the key; undefined: there is none. Errors: `not-found` (the table),
 * `changed`, `invalid-rows` (a null in a key), `too-large`.
 */
export async function lookup(
  context: LookupContext,
  table: Table,
  keys: Batch,
  { stale, bytesMax }: LookupOptions,
): Promise<readonly (Row | undefined)[]> {
  const form = keyFormOf(table, keys.fields)
  const texts = rowsOf(keys).map((row) => keyOf(form, row))
  const found = new Array<Row | undefined>(keys.rows)
  let bytes = 0
  await mapAtOnce(placesOf(table, keys), bucketsAtOnce, async ({ partition, bucket, rows }) => {
    const own = rows.map((row) => present(texts[row], 'the key of a row'))
    const states = await inBucket(context, table, { partition, bucket }, stale, async (known) => {
      return (await known.find(table, own)).states
    })
    if (states === undefined) return
    const decode = await rowDecoder(context, table, states.values())
    for (const [i, row] of rows.entries()) {
      const state = states.get(own[i] as string)
      if (state?.row === undefined) continue
      bytes += state.row.length
      if (bytes > bytesMax) throw tooLarge(bytesMax)
      found[row] = decode(state)
    }
  })
  return found
}

/**
 * Of each of `keys`, whose columns are the bucket key and those of the partition: the rows that have its values, in key order, at most
 * `rowsMax` each. The bucket key is the beginning of the primary key. Errors: as `lookup`.
 */
export async function lookupPrefix(
  context: LookupContext,
  table: Table,
  keys: Batch,
  { rowsMax, bytesMax, stale }: LookupOptions & { readonly rowsMax: number },
): Promise<readonly (readonly Row[])[]> {
  const names = table.buckets.key ?? []
  const form = keyFormOf(table)
  const indices = names.map((name) => keys.fields.findIndex((field) => field.name === name))
  const prefixes = rowsOf(keys).map((row) =>
    keyPrefixOf(
      form,
      indices.map((index) => row[index] as Value),
    ),
  )
  const found = prefixes.map((): readonly Row[] => [])
  let bytes = 0
  await mapAtOnce(placesOf(table, keys), bucketsAtOnce, async ({ partition, bucket, rows }) => {
    await inBucket(context, table, { partition, bucket }, stale, async (known) => {
      for (const row of rows) {
        const records = await known.findPrefix(table, present(prefixes[row], 'the prefix of a key'), rowsMax)
        const decode = await rowDecoder(context, table, records)
        bytes += records.reduce((sum, record) => sum + (record.row?.length ?? 0), 0)
        if (bytes > bytesMax) throw tooLarge(bytesMax)
        found[row] = records.map(decode)
      }
    })
  })
  return found
}

const tooLarge = (bytesMax: number): SluiceError =>
  new SluiceError('too-large', `the rows have more than ${bytesMax} bytes: ask for fewer keys at once`)

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
  stale: boolean,
  work: (bucket: KvBucket) => Promise<T>,
): Promise<T | undefined> {
  const partition = await partitionNamed(context.log, table, place.partition)
  if (partition === undefined) return undefined
  const at = { partition, bucket: place.bucket }
  return context.buckets.use(table, at, async (bucket) => {
    const isKnown = stale && bucket.end !== undefined
    if (!isKnown && (await bringToEnd(context, table, at, bucket)) === 'gone') return undefined
    return work(bucket)
  })
}

/** Of its head as it is now. `gone`: the partition was dropped. Errors: `not-found`: the table was. */
export async function bringToEnd(
  { world, log }: LookupContext,
  table: Table,
  at: BucketRef,
  bucket: KvBucket,
): Promise<'there' | 'gone'> {
  const head = await readHead(world, table.tableId, idOf(at))
  if (head?.open !== true && !(await isThere(world, table, at.partition))) {
    if (at.partition.id !== '') log.partitionsKnown.forget(table, at.partition.name)
    return 'gone'
  }
  if (head !== undefined) log.memos.learn(table.tableId, idOf(at), head)
  await bucket.catchUp(table, head)
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

/** Rows of the schemas of these states in the columns of the table at hand. Errors: `changed`. */
export async function rowDecoder(
  { log }: Pick<LookupContext, 'log'>,
  table: Table,
  states: Iterable<KeyState>,
): Promise<(state: KeyState) => Row> {
  const forms = new Map<
    number,
    { readonly types: readonly Table['schema']['columns'][number]['type'][]; readonly conform: Conform }
  >()
  for (const { schemaId } of states) {
    if (forms.has(schemaId)) continue
    const schema = await log.reading.schemas.ofTable(table, schemaId)
    forms.set(schemaId, { types: schema.columns.map(({ type }) => type), conform: conformOf(schema, table.schema) })
  }
  return ({ schemaId, row }) => {
    const { types, conform } = present(forms.get(schemaId), 'the schema of a row')
    return conform(decodeRow(types, present(row, 'a row that is there')))
  }
}
