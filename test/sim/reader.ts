/**
 * An independent reader of a bucket: it walks the stored items and objects themselves, without core/log, and says what
 * is wrong with their shape. Used at the end of a run, when nothing moves any more.
 */
import type { Field } from '../../core/format/arrow/column.ts'
import { decodeFrame } from '../../core/format/arrow/frame.ts'
import { claimKey, decodeClaim } from '../../core/format/items/claim.ts'
import { type Entry, objectKey } from '../../core/format/items/entry.ts'
import { decodeHead, type Head, headKey } from '../../core/format/items/head.ts'
import { decodeIndexItem, type IndexItem, indexSorts } from '../../core/format/items/index-item.ts'
import { decodeKvItem, kvKey } from '../../core/format/items/kv.ts'
import { decodeSchema, schemaKey } from '../../core/format/items/schema.ts'
import { decodeTable, tableKey } from '../../core/format/items/table.ts'
import { decodeManifest } from '../../core/format/run/manifest.ts'
import { decodeBlock } from '../../core/format/segment/block.ts'
import { logSchemaOf } from '../../core/model/changelog.ts'
import type { BucketId } from '../../core/model/partition.ts'
import type { Schema } from '../../core/model/table.ts'
import type { ItemKey } from '../../core/ports/items.ts'
import type { Retired } from './history.ts'
import type { Stores } from './product.ts'
import { valuesIn } from './rows.ts'
import { databaseName, tableName } from './stage.ts'

export interface BucketLog {
  readonly bucket: number
  readonly head: Head
  readonly start: bigint
  readonly end: bigint
  /** From `start` on, dense; those that left the log were read before. */
  readonly values: readonly bigint[]
  /** The committer's clock, per row. */
  readonly times: readonly number[]
  /** Offsets at which an entry begins, and `end`: where a tier point may lie. */
  readonly boundaries: ReadonlySet<bigint>
  readonly references: ReadonlySet<string>
  readonly problems: readonly string[]
}

/** Undefined for a bucket without a head. */
export function readBucket(
  stores: Stores,
  tableId: string,
  bucket: number,
  schema: Schema,
  retired?: Retired,
  partition = '',
): BucketLog | undefined {
  const item = stores.items.get(headKey(tableId, { partition, bucket }), 'plain')
  if (item === undefined) return undefined
  const log = readFrom(stores, tableId, bucket, decodeHead(item), schema, partition)
  if (retired === undefined) return log
  const problems = [...log.problems]
  const left = retired.start + BigInt(retired.values.length)
  if (left !== log.start) problems.push(`rows up to ${left} left the log, which begins at ${log.start}`)
  return {
    ...log,
    start: retired.start,
    values: [...retired.values, ...log.values],
    times: [...retired.times, ...log.times],
    boundaries: new Set([...retired.boundaries, ...log.boundaries]),
    problems,
  }
}

/** What a reader meets who has read this head. */
export function readFrom(stores: Stores, tableId: string, bucket: number, head: Head, schema: Schema, partition = ''): BucketLog {
  const problems: string[] = []
  const index = indexItems(stores, tableId, { partition, bucket })
  const entries: Entry[] = []
  let cursor: bigint = head.start
  for (const spilled of index.filter(({ end }) => end > head.start && end <= head.base)) {
    if (spilled.start !== cursor) problems.push(`index item ${spilled.start} to ${spilled.end} follows offset ${cursor}`)
    cursor = spilled.end
    entries.push(...spilled.entries)
  }
  if (cursor !== head.base) problems.push(`the index ends at ${cursor}, the head begins at ${head.base}`)
  entries.push(...head.recent)
  const { values, times, boundaries } = entryRows(stores, tableId, entries, head.start, schema, problems)
  boundaries.add(head.end)
  const references = bucketReferences(stores, tableId, bucket, partition)
  return { bucket, head, start: head.start, end: head.end, values, times, boundaries, references, problems }
}

export interface Rows {
  readonly values: bigint[]
  readonly times: number[]
  readonly boundaries: Set<bigint>
}

/** Of entries that follow each other. Where the rows of several commits were joined, each of their frames may begin a batch. */
export function entryRows(
  stores: Stores,
  tableId: string,
  entries: readonly Entry[],
  start: bigint,
  schema: Schema,
  problems: string[],
): Rows {
  const rows: Rows = { values: [], times: [], boundaries: new Set() }
  let offset = start
  for (const entry of entries) {
    const found = entryFrames(stores, tableId, entry, offset, schema, problems)
    rows.boundaries.add(offset)
    let at = offset
    for (const { values, time } of found) {
      if (time !== undefined) rows.boundaries.add(at)
      for (const value of values) {
        rows.values.push(value)
        rows.times.push(time ?? entry.time)
      }
      at += BigInt(values.length)
    }
    offset += BigInt(entry.count)
  }
  return rows
}

export function headOf(stores: Stores, tableId: string, bucket: number): Head | undefined {
  const item = stores.items.get(headKey(tableId, { partition: '', bucket }), 'plain')
  return item === undefined ? undefined : decodeHead(item)
}

/** Every object that a reader can come to, whatever the shape of the items. */
export function bucketReferences(stores: Stores, tableId: string, bucket: number, partition = ''): ReadonlySet<string> {
  const references = new Set<string>()
  const item = stores.items.get(headKey(tableId, { partition, bucket }), 'plain')
  if (item === undefined) return references
  const { start, recent } = decodeHead(item)
  for (const entry of recent) references.add(objectKey(tableId, entry))
  for (const spilled of indexItems(stores, tableId, { partition, bucket })) {
    if (spilled.end <= start) continue
    for (const entry of spilled.entries) references.add(objectKey(tableId, entry))
  }
  const claim = stores.items.get(claimKey(tableId, { partition, bucket }), 'plain')
  if (claim !== undefined)
    for (const entry of decodeClaim(claim).pending?.entries ?? []) references.add(objectKey(tableId, entry))
  addSnapshots(stores, tableId, { partition, bucket }, references)
  return references
}

/** Of the snapshot as it is, and of those that are leased without a doubt. */
function addSnapshots(stores: Stores, tableId: string, at: BucketId, references: Set<string>): void {
  const item = stores.items.get(kvKey(tableId, at), 'plain')
  if (item === undefined) return
  const { manifest } = decodeKvItem(item)
  if (manifest === undefined) return
  const key = objectKey(tableId, manifest.object)
  references.add(key)
  for (const run of decodeManifest(storedObject(stores, key), key)) references.add(objectKey(tableId, run.object))
}

function indexItems(stores: Stores, tableId: string, at: BucketId): readonly IndexItem[] {
  const query = {
    partition: headKey(tableId, at).partition,
    from: indexSorts.first,
    to: indexSorts.after,
    limit: Number.POSITIVE_INFINITY,
  }
  return stores.items.query(query, 'plain').map(decodeIndexItem)
}

interface FrameRows {
  readonly values: readonly bigint[]
  /** Of a joined frame. */
  readonly time: number | undefined
}

function entryFrames(
  stores: Stores,
  tableId: string,
  entry: Entry,
  offset: bigint,
  schema: Schema,
  problems: string[],
): readonly FrameRows[] {
  const key = objectKey(tableId, entry)
  const fieldsOf = (schemaId: number): readonly Field[] => columnsOf(stores, tableId, schemaId) ?? schema.columns
  let frames: readonly FrameRows[] = []
  try {
    frames = rangeFrames(storedObject(stores, key), entry, key, fieldsOf)
  } catch (error) {
    problems.push(`offset ${offset}: ${key}: ${error instanceof Error ? error.message : String(error)}`)
  }
  const count = frames.reduce((sum, { values }) => sum + values.length, 0)
  if (count === entry.count) return frames
  problems.push(`offset ${offset}: ${count} rows in ${key} where the entry counts ${entry.count}`)
  const values = frames.flatMap((frame) => frame.values)
  return [{ values: Array.from({ length: entry.count }, (_, i) => values[i] ?? -1n), time: undefined }]
}

/** Under which rows were written: of before, or of now. */
function columnsOf(stores: Stores, tableId: string, schemaId: number): Schema['columns'] | undefined {
  const now = stores.items.get(tableKey(databaseName, tableName), 'plain')
  const table = now === undefined ? undefined : decodeTable(now)
  if (table?.tableId === tableId && table.schema.schemaId === schemaId) return logSchemaOf(table, table.schema).columns
  const before = stores.items.get(schemaKey(tableId, schemaId), 'plain')
  return before === undefined ? undefined : decodeSchema(before).columns
}

/** Objects are immutable, and runs of the small world share those of their prelude: each range is decoded once. */
const decoded = new WeakMap<Uint8Array, Map<number, readonly FrameRows[]>>()

function rangeFrames(
  object: Uint8Array,
  { start, length }: Entry,
  key: string,
  fieldsOf: (schemaId: number) => readonly Field[],
): readonly FrameRows[] {
  const place = start * 2 ** 32 + length
  const known = decoded.get(object)?.get(place)
  if (known !== undefined) return known
  const range = object.subarray(start, start + length)
  if (range.length !== length) throw new Error('the range is not in the object')
  const frames: FrameRows[] = []
  for (let at = 0; at < range.length; ) {
    const block = decodeBlock(range.subarray(at), key, start + at)
    const fields = fieldsOf(block.schemaId)
    for (const { message, time } of block.frames) frames.push({ values: valuesIn(decodeFrame(message, fields)), time })
    at += block.bytes
  }
  decoded.set(object, (decoded.get(object) ?? new Map()).set(place, frames))
  return frames
}

const inlineKey = /^t\/([0-9a-f]{16})\/([0-9a-f]{2})\/(([0-9a-f]{12})-[0-9a-f]{16}i)$/
const inlinePartition = /^([0-9a-f]{16})#inline#([0-9a-f]{2})#/

/** An object wherever it lies: small ones of the log may be items, in a partition of their hour. */
export function storedObject(stores: Stores, key: string): Uint8Array {
  const object = stores.objects.objects.get(key) ?? inlineObject(stores, key)
  if (object === undefined) throw new Error('the object is absent')
  return object
}

/** The object that an item is, if it is one. */
export function inlineName(item: ItemKey): string | undefined {
  const [, table, folder] = inlinePartition.exec(item.partition) ?? []
  return table === undefined ? undefined : `t/${table}/${folder}/${item.sort}`
}

function inlineObject(stores: Stores, key: string): Uint8Array | undefined {
  const [, table, folder, sort, label] = inlineKey.exec(key) ?? []
  if (table === undefined || sort === undefined || label === undefined) return undefined
  const hour = Math.floor(Number.parseInt(label, 16) / 3_600_000)
  const body = stores.items.get({ partition: `${table}#inline#${folder}#${hour}`, sort }, 'plain')?.attributes['b']
  return body instanceof Uint8Array ? body : undefined
}

/** Every object that there is, wherever it lies. */
export function storedKeys(stores: Stores): readonly string[] {
  const keys = [...stores.objects.objects.keys()]
  for (const { key } of stores.items.all()) {
    const inline = inlineName(key)
    if (inline !== undefined) keys.push(inline)
  }
  return keys
}
