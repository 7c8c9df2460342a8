/**
 * An independent reader of a bucket: it walks the stored items and objects themselves, without core/log, and says what
 * is wrong with their shape. Used at the end of a run, when nothing moves any more.
 */
import type { Field } from '../../core/format/arrow/column.ts'
import { decodeFrame } from '../../core/format/arrow/frame.ts'
import { type Entry, objectKey } from '../../core/format/items/entry.ts'
import { decodeHead, type Head, headKey } from '../../core/format/items/head.ts'
import { decodeIndexItem, type IndexItem, indexSorts } from '../../core/format/items/index-item.ts'
import { decodeBlock } from '../../core/format/segment/block.ts'
import type { Schema } from '../../core/model/table.ts'
import type { ItemKey } from '../../core/ports/items.ts'
import type { Stores } from './product.ts'
import { valuesIn } from './rows.ts'

export interface BucketLog {
  readonly bucket: number
  readonly head: Head
  readonly start: bigint
  readonly end: bigint
  /** From `start` on, dense. */
  readonly values: readonly bigint[]
  /** The committer's clock, per row. */
  readonly times: readonly number[]
  /** Offsets at which an entry begins, and `end`: where a tier point may lie. */
  readonly boundaries: ReadonlySet<bigint>
  readonly references: ReadonlySet<string>
  readonly problems: readonly string[]
}

/** Undefined for a bucket without a head. */
export function readBucket(stores: Stores, tableId: string, bucket: number, schema: Schema): BucketLog | undefined {
  const item = stores.items.get(headKey(tableId, { partition: '', bucket }), 'plain')
  if (item === undefined) return undefined
  const problems: string[] = []
  const head = decodeHead(item)
  const index = indexItems(stores, tableId, bucket)
  const entries: { readonly entry: Entry; readonly offset: bigint }[] = []
  let cursor: bigint = head.start
  const take = (entry: Entry): void => {
    entries.push({ entry, offset: cursor })
    cursor += BigInt(entry.count)
  }
  for (const spilled of index.filter(({ end }) => end <= head.base)) {
    if (spilled.start !== cursor) problems.push(`index item ${spilled.start} to ${spilled.end} follows offset ${cursor}`)
    cursor = spilled.start
    spilled.entries.forEach(take)
  }
  if (cursor !== head.base) problems.push(`the index ends at ${cursor}, the head begins at ${head.base}`)
  cursor = head.base
  head.recent.forEach(take)
  const boundaries = new Set<bigint>([head.end])
  const references = new Set<string>()
  const values: bigint[] = []
  const times: number[] = []
  for (const { entry, offset } of entries) {
    for (let i = 0; i < entry.count; i++) times.push(entry.time)
    boundaries.add(offset)
    references.add(objectKey(tableId, entry))
    values.push(...entryValues(stores, tableId, entry, offset, schema, problems))
  }
  for (const spilled of index) for (const entry of spilled.entries) references.add(objectKey(tableId, entry))
  return { bucket, head, start: head.start, end: head.end, values, times, boundaries, references, problems }
}

/** Every object that a bucket's items name, whatever their shape. */
export function bucketReferences(stores: Stores, tableId: string, bucket: number): ReadonlySet<string> {
  const references = new Set<string>()
  const item = stores.items.get(headKey(tableId, { partition: '', bucket }), 'plain')
  if (item === undefined) return references
  for (const entry of decodeHead(item).recent) references.add(objectKey(tableId, entry))
  for (const spilled of indexItems(stores, tableId, bucket)) {
    for (const entry of spilled.entries) references.add(objectKey(tableId, entry))
  }
  return references
}

function indexItems(stores: Stores, tableId: string, bucket: number): readonly IndexItem[] {
  const query = {
    partition: headKey(tableId, { partition: '', bucket }).partition,
    from: indexSorts.first,
    to: indexSorts.after,
    limit: Number.POSITIVE_INFINITY,
  }
  return stores.items.query(query, 'plain').map(decodeIndexItem)
}

function entryValues(
  stores: Stores,
  tableId: string,
  entry: Entry,
  offset: bigint,
  schema: Schema,
  problems: string[],
): readonly bigint[] {
  const key = objectKey(tableId, entry)
  const fields = schema.columns.map(({ id, name, type, nullable }) => ({ id, name, type, nullable }))
  const values: bigint[] = []
  try {
    values.push(...rangeValues(storedObject(stores, key), entry, key, fields))
  } catch (error) {
    problems.push(`offset ${offset}: ${key}: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (values.length !== entry.count)
    problems.push(`offset ${offset}: ${values.length} rows in ${key} where the entry counts ${entry.count}`)
  return Array.from({ length: entry.count }, (_, i) => values[i] ?? -1n)
}

/** Objects are immutable, and runs of the small world share those of their prelude: each range is decoded once. */
const decoded = new WeakMap<Uint8Array, Map<number, readonly bigint[]>>()

function rangeValues(object: Uint8Array, { start, length }: Entry, key: string, fields: readonly Field[]): readonly bigint[] {
  const place = start * 2 ** 32 + length
  const known = decoded.get(object)?.get(place)
  if (known !== undefined) return known
  const range = object.subarray(start, start + length)
  if (range.length !== length) throw new Error('the range is not in the object')
  const values: bigint[] = []
  for (let at = 0; at < range.length; ) {
    const block = decodeBlock(range, at, key, start)
    for (const frame of block.frames) values.push(...valuesIn(decodeFrame(frame.bytes, fields)))
    at = block.end
  }
  decoded.set(object, (decoded.get(object) ?? new Map()).set(place, values))
  return values
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
