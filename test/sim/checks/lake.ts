/**
 * An independent reader of a lake: lake item → metadata → manifest list → manifests → data files, each found by its URI
 * and decoded by others' code (icebird's Avro, apache-arrow). What the item reaches must exist; its rows must be those
 * of the log up to the tier points, once each.
 */
import { crc32, inflateRawSync } from 'node:zlib'
import { avroMetadata, readZigZag } from 'icebird/src/avro/avro.metadata.js'
import { avroRead } from 'icebird/src/avro/avro.read.js'
import { decodeLakeItem, lakeItemKey, type ObjectRef } from '../../../core/format/items/lake.ts'
import { decodePoints, type Page, type Points, type PointsObject, pointAt } from '../../../core/format/items/points.ts'
import { concat, viewOf } from '../../../core/kernel/bytes.ts'
import type { History } from '../history.ts'
import { type FieldIds, type LakeRow, rowsOfFile } from '../parquet.ts'
import type { Stores } from '../product.ts'
import type { BucketLog } from '../reader.ts'

export const uriPrefix = 'sim://store/'
const deletedEntry = 2

export interface Lake {
  readonly points: Points
  readonly rows: readonly LakeRow[]
  readonly references: ReadonlySet<string>
}

/** Undefined before the first commit. Throws where something that is named is not there or is not what it was. */
export function readLake(stores: Stores, tableId: string): Lake | undefined {
  const item = stores.items.get(lakeItemKey(tableId), 'plain')
  const committed = item === undefined ? undefined : decodeLakeItem(item.attributes).committed
  if (committed === undefined) return undefined
  const references = new Set<string>()
  const read = (key: string): Uint8Array => {
    references.add(key)
    const bytes = stores.objects.objects.get(key)
    if (bytes === undefined) throw new Error(`${key} is absent`)
    return bytes
  }
  const checked = (ref: { readonly key: string; readonly crc32: number }): Uint8Array => {
    const bytes = read(ref.key)
    if (crc32(bytes) !== ref.crc32) throw new Error(`${ref.key} has other bytes than were committed`)
    return bytes
  }
  const metadata = metadataIn(checked(committed.metadata))
  const points = pointsOf(decodePoints(checked(committed.points), committed.points.crc32), checked)
  const snapshot = metadata.snapshots.find((each) => each['snapshot-id'] === metadata['current-snapshot-id'])
  if (snapshot === undefined) throw new Error('the current snapshot is not in the metadata')
  if (snapshot['snapshot-id'] !== committed.snapshotId) throw new Error('the item names another snapshot than its metadata')
  // An engine's snapshot has no points of its own: the table's are those of the last of ours.
  const own = snapshot.summary['operation'] === 'replace' ? [] : [snapshot.summary['sluice.points']]
  for (const named of [...own, metadata.properties['sluice.points']]) {
    if (named !== committed.points.key)
      throw new Error(`the metadata names the points ${named}, the item ${committed.points.key}`)
  }
  const schemas = new Set(metadata.schemas.map((schema) => schema['schema-id']))
  const lost = metadata.snapshots.find((each) => !schemas.has(each['schema-id']))
  if (lost !== undefined)
    throw new Error(`snapshot ${lost['snapshot-id']} has schema ${lost['schema-id']}, which is not in the metadata`)
  const rows = filesOf(stores, snapshot['manifest-list'], references)
  if (metadata['format-version'] === 3) checkRowIds(stores, tableId, rows, metadata['next-row-id'] ?? -1n)
  if (snapshot.summary['total-records'] !== String(rows.length))
    throw new Error(`total-records is ${snapshot.summary['total-records']} of ${rows.length}`)
  return { points, rows, references }
}

/** The rows of a manifest list; what it needs goes into `references`. */
export function filesOf(stores: Stores, manifestList: string, references: Set<string>, ids?: FieldIds): readonly LakeRow[] {
  const read = (key: string): Uint8Array => {
    references.add(key)
    const bytes = stores.objects.objects.get(key)
    if (bytes === undefined) throw new Error(`${key} is absent`)
    return bytes
  }
  const rows: LakeRow[] = []
  for (const manifest of records(read(keyOf(manifestList)))) {
    let next = (manifest['first_row_id'] as bigint | null | undefined) ?? undefined
    for (const entry of records(read(keyOf(textIn(manifest, 'manifest_path'))))) {
      if (entry['status'] === deletedEntry) continue
      const file = entry['data_file'] as Record<string, unknown>
      const found = rowsIn(read(keyOf(textIn(file, 'file_path'))), ids)
      if (BigInt(found.length) !== BigInt(file['record_count'] as bigint))
        throw new Error('a data file has other rows than its manifest says')
      const { p: partition = '' } = file['partition'] as { readonly p?: string }
      if (found.some((row) => row.partition !== partition))
        throw new Error(`a data file of partition ${partition} has rows of another`)
      const own = file['first_row_id'] as bigint | null | undefined
      const first = own ?? next
      if ((own ?? undefined) === undefined && next !== undefined) next += BigInt(found.length)
      rows.push(
        ...(first === undefined ? found : found.map((row, at) => ({ ...row, rowId: row.rowId ?? BigInt(first) + BigInt(at) }))),
      )
    }
  }
  return rows
}

/** Of format version 3: each row has an id of its own, below the next, and keeps it in every file that it is ever in. */
export function checkRowIds(stores: Stores, tableId: string, rows: readonly LakeRow[], next: bigint): void {
  const seen = seenIds.get(stores) ?? new Map<string, bigint>()
  seenIds.set(stores, seen)
  const taken = new Set<bigint>()
  for (const { partition, bucket, offset, rowId } of rows) {
    if (rowId === undefined || rowId < 0n || rowId >= next) throw new Error(`a row has the id ${rowId}, the next is ${next}`)
    if (taken.has(rowId)) throw new Error(`two rows have the id ${rowId}`)
    taken.add(rowId)
    const row = `${tableId}#${partition}#${bucket}#${offset}`
    const before = seen.get(row) ?? rowId
    if (before !== rowId) throw new Error(`row ${row} had the id ${before} and has ${rowId}`)
    seen.set(row, rowId)
  }
}

const seenIds = new WeakMap<Stores, Map<string, bigint>>()

/** All pages that a points object has, and those that it leaves to others. */
export function pointsOf(root: PointsObject, read: (place: ObjectRef) => Uint8Array): Points {
  const points = new Map<string, Page>(root.pages)
  for (const { partitions, ...place } of root.elsewhere) {
    const { pages } = decodePoints(read(place), place.crc32)
    for (const partition of partitions) {
      const page = pages.get(partition)
      if (page === undefined) throw new Error(`${place.key} lacks the page of ${partition} that a later one leaves to it`)
      points.set(partition, page)
    }
  }
  return points
}

export function lakeReferences(stores: Stores, tableId: string): ReadonlySet<string> {
  return readLake(stores, tableId)?.references ?? new Set()
}

/** What the folder's own readers begin with. */
export const isPublished = (key: string): boolean => /\/metadata\/(v[0-9]+\.metadata\.json|version-hint\.text)$/.test(key)

/** What any snapshot that the metadata keeps needs, and the metadata and points of its commit. Throws as readLake does. */
export function keptReferences(stores: Stores, tableId: string): ReadonlySet<string> {
  const item = stores.items.get(lakeItemKey(tableId), 'plain')
  const committed = item === undefined ? undefined : decodeLakeItem(item.attributes).committed
  if (committed === undefined)
    return new Set(
      [...stores.objects.objects.keys()].filter(
        (key) => key.includes(tableId) && /-empty(-v3)?-[0-9]+\.metadata\.json$/.test(key),
      ),
    )
  const kept = new Set([committed.metadata.key, committed.points.key])
  const points = stores.objects.objects.get(committed.points.key)
  if (points === undefined) throw new Error(`${committed.points.key} is absent`)
  for (const { key } of decodePoints(points, committed.points.crc32).elsewhere) kept.add(key)
  const read = (key: string): Uint8Array => {
    kept.add(key)
    const bytes = stores.objects.objects.get(key)
    if (bytes === undefined) throw new Error(`${key} is absent`)
    return bytes
  }
  const metadata = metadataIn(read(committed.metadata.key))
  for (const snapshot of metadata.snapshots) {
    const [, label] = /-([0-9a-f]{12})-[0-9a-f]{16}\.avro$/.exec(snapshot['manifest-list']) ?? []
    for (const key of stores.objects.objects.keys())
      if (key.includes(`${tableId}/staged/${label}-`) || key.includes(`${tableId}/points/${label}-`)) kept.add(key)
    for (const manifest of records(read(keyOf(snapshot['manifest-list'])))) {
      for (const entry of records(read(keyOf(textIn(manifest, 'manifest_path'))))) {
        if (entry['status'] === deletedEntry) continue
        const file = entry['data_file'] as Record<string, unknown>
        read(keyOf(textIn(file, 'file_path')))
      }
    }
  }
  return kept
}

/** tier: the lake's rows are the log's in [start, tier point), once each, and points are batch boundaries. */
export function checkLake(history: History, stores: Stores, tableId: string, logs: readonly BucketLog[]): void {
  let lake: Lake | undefined
  try {
    lake = readLake(stores, tableId)
  } catch (error) {
    return history.break('G10', 'reach', `the lake of ${tableId}: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (lake !== undefined) checkRows(history, tableId, logs, lake)
}

export function checkRows(history: History, tableId: string, logs: readonly BucketLog[], lake: Lake): void {
  const byBucket = new Map<number, Map<bigint, LakeRow>>()
  for (const row of lake.rows) {
    const rows = byBucket.get(row.bucket) ?? new Map<bigint, LakeRow>()
    byBucket.set(row.bucket, rows)
    if (rows.has(row.offset)) history.break('G8', 'tier', `offset ${row.offset} of ${tableId}#${row.bucket} is twice in the lake`)
    rows.set(row.offset, row)
  }
  for (const log of logs)
    checkBucket(history, `${tableId}#${log.bucket}`, log, byBucket.get(log.bucket) ?? new Map(), lake.points)
}

function checkBucket(history: History, name: string, log: BucketLog, rows: ReadonlyMap<bigint, LakeRow>, points: Points): void {
  const point: bigint = pointAt(points, { partition: '', bucket: log.bucket })?.offset ?? log.start
  if (point > log.end) return history.break('G8', 'tier', `the tier point ${point} of ${name} is past its end ${log.end}`)
  if (!log.boundaries.has(point)) history.break('G8', 'tier', `the tier point ${point} of ${name} is inside a batch`)
  for (let offset = log.start; offset < point; offset++) {
    const row = rows.get(offset)
    const at = Number(offset - log.start)
    if (row === undefined)
      return history.break('G8', 'tier', `offset ${offset} of ${name} is below its tier point ${point} and not in the lake`)
    if (row.value !== log.values[at])
      return history.break(
        'G8',
        'tier',
        `offset ${offset} of ${name} is ${log.values[at]} in the log and ${row.value} in the lake`,
      )
    if (row.timestamp !== log.times[at])
      return history.break(
        'G8',
        'tier',
        `offset ${offset} of ${name} has the time ${log.times[at]} in the log and ${row.timestamp} in the lake`,
      )
  }
  if (BigInt(rows.size) !== point - log.start)
    history.break('G8', 'tier', `the lake has ${rows.size} rows of ${name}, its tier point is ${point}`)
}

/** The buckets whose lake is behind their log. */
export function lagging(stores: Stores, tableId: string, ends: ReadonlyMap<number, bigint>): readonly number[] {
  const points = readLake(stores, tableId)?.points ?? new Map()
  return [...ends].filter(([bucket, end]) => (points.get('')?.get(bucket)?.offset ?? -1n) < end).map(([bucket]) => bucket)
}

/** Of the lake's columns; undefined before its first commit. */
export function lakeSchemaId(stores: Stores, tableId: string): number | undefined {
  const item = stores.items.get(lakeItemKey(tableId), 'plain')
  const committed = item === undefined ? undefined : decodeLakeItem(item.attributes).committed
  const bytes = committed === undefined ? undefined : stores.objects.objects.get(committed.metadata.key)
  return bytes === undefined ? undefined : metadataIn(bytes)['current-schema-id']
}

interface IcebergMetadata {
  readonly 'current-schema-id': number
  readonly 'current-snapshot-id': bigint
  readonly 'format-version': number
  readonly 'next-row-id'?: bigint
  readonly schemas: readonly { readonly 'schema-id': number }[]
  readonly properties: Readonly<Record<string, string>>
  readonly snapshots: readonly {
    readonly 'snapshot-id': bigint
    readonly 'manifest-list': string
    readonly 'schema-id': number
    readonly summary: Readonly<Record<string, string>>
  }[]
}

/** Snapshot ids of engines have 63 bits. */
function metadataIn(bytes: Uint8Array): IcebergMetadata {
  const parse = JSON.parse as (text: string, reviver: typeof revive) => IcebergMetadata
  return parse(Buffer.from(bytes).toString('utf8'), revive)
}

const revive = (key: string, value: unknown, { source }: { readonly source?: string }): unknown =>
  /(snapshot|row)-id$/.test(key) && source !== undefined ? BigInt(source) : value

/** Of a lake's metadata; none before its first commit. */
export function propertiesOf(stores: Stores, tableId: string): Readonly<Record<string, string>> {
  const item = stores.items.get(lakeItemKey(tableId), 'plain')
  const committed = item === undefined ? undefined : decodeLakeItem(item.attributes).committed
  const bytes = committed === undefined ? undefined : stores.objects.objects.get(committed.metadata.key)
  return bytes === undefined ? {} : metadataIn(bytes).properties
}

/** Objects are immutable, so each is decoded once. */
const decoded = new WeakMap<Uint8Array, readonly Record<string, unknown>[]>()
const decodedRows = new WeakMap<Uint8Array, readonly LakeRow[]>()

function records(bytes: Uint8Array): readonly Record<string, unknown>[] {
  const known = decoded.get(bytes)
  if (known !== undefined) return known
  const reader = { view: viewOf(bytes), offset: 0 }
  const { metadata, syncMarker } = avroMetadata(reader)
  const plain = inflatedBlocks(bytes, reader.offset)
  const made = avroRead({
    reader: { view: viewOf(plain), offset: 0 },
    metadata: { ...metadata, 'avro.codec': 'null' },
    syncMarker,
  })
  decoded.set(bytes, made)
  return made
}

function rowsIn(bytes: Uint8Array, ids: FieldIds | undefined): readonly LakeRow[] {
  const known = decodedRows.get(bytes) ?? rowsOfFile(bytes, ids)
  decodedRows.set(bytes, known)
  return known
}

/** The blocks of an Avro file, inflated by zlib: icebird's own inflate takes a millisecond for each. */
function inflatedBlocks(bytes: Uint8Array, from: number): Uint8Array {
  const reader = { view: viewOf(bytes), offset: from }
  const parts: Uint8Array[] = []
  while (reader.offset < bytes.length) {
    const count = readZigZag(reader)
    const size = readZigZag(reader)
    const block = inflateRawSync(bytes.subarray(reader.offset, reader.offset + size))
    parts.push(zigZag(count), zigZag(block.length), block, bytes.subarray(reader.offset + size, reader.offset + size + 16))
    reader.offset += size + 16
  }
  return concat(parts)
}

function zigZag(value: number): Uint8Array {
  const out: number[] = []
  let rest = 2 * value
  while (rest > 127) {
    out.push((rest & 127) | 128)
    rest = Math.floor(rest / 128)
  }
  return Uint8Array.from([...out, rest])
}

function textIn(record: Readonly<Record<string, unknown>>, name: string): string {
  const value = record[name]
  if (typeof value !== 'string') throw new Error(`a manifest without ${name}`)
  return value
}

function keyOf(uri: string): string {
  if (!uri.startsWith(uriPrefix)) throw new Error(`a foreign URI: ${uri}`)
  return uri.slice(uriPrefix.length)
}
