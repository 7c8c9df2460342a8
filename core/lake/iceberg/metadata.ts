/**
 * Iceberg table metadata, format versions 2 and 3 (spec, "Table Metadata"). Pure: the metadata of commit n + 1 from that of commit n.
 * A commit of version 3 over version 2 is the upgrade; nothing goes back.
 * Our own snapshot ids are below 2^53 by choice, so that plain JSON readers see them exactly; an engine's have 63 bits, so here
 * all of them are bigints (json.ts). Whatever an engine has put beside what we know is carried on.
 */
import { createHash } from 'node:crypto'
import { assert } from '../../kernel/assert.ts'
import { hex, utf8, utf8Text } from '../../kernel/bytes.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { printExact } from '../../kernel/exact-json.ts'
import type { Random } from '../../kernel/random.ts'
import { parseExact } from './json.ts'
import { sortOrderId } from './manifest.ts'
import { lastPartitionFieldId, type PartitionSpec } from './partition-spec.ts'
import type { FormatVersion, RowIds } from './row-lineage.ts'
import { type IcebergSchema, nameMapping, offsetColumn } from './schema.ts'

/** Of a table with a snapshot. */
export interface TableMetadata extends EmptyMetadata {
  readonly 'current-snapshot-id': bigint
}

export interface EmptyMetadata {
  readonly 'format-version': FormatVersion
  readonly 'table-uuid': string
  readonly location: string
  readonly 'last-sequence-number': number
  /** Of version 3. */
  readonly 'next-row-id'?: bigint
  readonly 'last-updated-ms': number
  readonly 'last-column-id': number
  readonly 'current-schema-id': number
  readonly schemas: readonly IcebergSchema[]
  readonly 'default-spec-id': number
  readonly 'partition-specs': readonly PartitionSpec[]
  readonly 'last-partition-id': number
  readonly 'default-sort-order-id': number
  readonly 'sort-orders': readonly object[]
  readonly properties: Readonly<Record<string, string>>
  readonly snapshots: readonly Snapshot[]
  readonly 'snapshot-log': readonly { readonly 'timestamp-ms': number; readonly 'snapshot-id': bigint }[]
  readonly 'metadata-log': readonly { readonly 'timestamp-ms': number; readonly 'metadata-file': string }[]
  /** `main` is the branch that we write; others are engines' branches and tags. */
  readonly refs: Readonly<Record<string, SnapshotRef>>
  readonly statistics?: readonly StatisticsFile[]
  readonly 'partition-statistics'?: readonly StatisticsFile[]
}

export interface SnapshotRef {
  readonly 'snapshot-id': bigint
  readonly type: 'branch' | 'tag'
  readonly 'max-ref-age-ms'?: number | undefined
  readonly 'max-snapshot-age-ms'?: number | undefined
  readonly 'min-snapshots-to-keep'?: number | undefined
}

export interface StatisticsFile {
  readonly 'snapshot-id': bigint
  readonly 'statistics-path': string
}

export interface Snapshot {
  readonly 'snapshot-id': bigint
  readonly 'parent-snapshot-id'?: bigint | undefined
  readonly 'sequence-number': number
  readonly 'timestamp-ms': number
  readonly 'manifest-list': string
  readonly summary: Readonly<Record<string, string>>
  readonly 'schema-id': number
  /** Of version 3, with `added-rows`: the row ids that it gives. Snapshots of before an upgrade have none. */
  readonly 'first-row-id'?: bigint | undefined
  readonly 'added-rows'?: bigint | undefined
}

/** In a snapshot's summary: the CRC-32 of its manifest list. */
export const listCrcProperty = 'sluice.manifest-list-crc32'

export interface Appended {
  readonly snapshotId: bigint
  readonly sequence: bigint
  readonly manifestList: string
  readonly schema: IcebergSchema
  readonly lastColumnId: number
  /** Of a commit of version 3. */
  readonly rowIds?: RowIds | undefined
  readonly summary: Readonly<Record<string, string>>
  /** Also kept as table properties, which survive foreign commits and expiry. */
  readonly properties: Readonly<Record<string, string>>
  /** ms since 1970 */
  readonly now: number
}

/** A table before its first snapshot. The same table gives the same metadata, whoever asks and when. */
export function emptyMetadata(table: {
  readonly tableId: string
  readonly location: string
  readonly spec: PartitionSpec
  readonly schema: IcebergSchema
  readonly lastColumnId: number
  /** ms since 1970 */
  readonly createdAt: number
  readonly formatVersion: FormatVersion
}): EmptyMetadata {
  const { schema, formatVersion } = table
  return {
    'format-version': formatVersion,
    'table-uuid': uuidOf(table.tableId),
    location: table.location,
    'last-sequence-number': 0,
    ...(formatVersion === 3 && { 'next-row-id': 0n }),
    'last-updated-ms': table.createdAt,
    'last-column-id': table.lastColumnId,
    'current-schema-id': schema['schema-id'],
    schemas: [schema],
    'default-spec-id': 0,
    'partition-specs': [table.spec],
    'last-partition-id': lastPartitionFieldId(table.spec),
    'default-sort-order-id': sortOrderId,
    'sort-orders': [sortOrder],
    properties: { ...fixedProperties, 'schema.name-mapping.default': nameMapping(schema) },
    snapshots: [],
    'snapshot-log': [],
    'metadata-log': [],
    refs: {},
  }
}

/** `uri`: where the base is published; absent where it is the empty one. */
export function appendSnapshot(
  { metadata: base, uri }: { readonly metadata: TableMetadata | EmptyMetadata; readonly uri?: string },
  appended: Appended,
): TableMetadata {
  const { schema, snapshotId, rowIds } = appended
  const parent = 'current-snapshot-id' in base ? base['current-snapshot-id'] : undefined
  const timestamp = Math.max(appended.now, base['last-updated-ms'] + 1)
  assert(snapshotId > 0n && snapshotId < 2n ** 53n, 'a snapshot id of ours is from 1 to 2^53 - 1')
  const snapshot: Snapshot = {
    'snapshot-id': snapshotId,
    ...(parent !== undefined && { 'parent-snapshot-id': parent }),
    'sequence-number': Number(appended.sequence),
    'timestamp-ms': timestamp,
    'manifest-list': appended.manifestList,
    summary: appended.summary,
    'schema-id': schema['schema-id'],
    ...(rowIds && { 'first-row-id': rowIds.first, 'added-rows': rowIds.added }),
  }
  return {
    ...base,
    ...(rowIds && { 'format-version': 3, 'next-row-id': rowIds.first + rowIds.added }),
    'last-sequence-number': Number(appended.sequence),
    'last-updated-ms': timestamp,
    ...withSchema(base, schema, appended.lastColumnId, appended.properties),
    'current-snapshot-id': snapshotId,
    snapshots: [...base.snapshots, snapshot],
    'snapshot-log': [...base['snapshot-log'], { 'timestamp-ms': timestamp, 'snapshot-id': snapshotId }],
    'metadata-log': metadataLog(base, uri),
    refs: { ...base.refs, main: { ...base.refs['main'], 'snapshot-id': snapshotId, type: 'branch' } },
  }
}

/** Of other schemas only those of the snapshots that are there: however often columns change, the metadata has no more. */
export function withSchema(
  { schemas, snapshots, properties }: EmptyMetadata,
  schema: IcebergSchema,
  lastColumnId: number,
  more: Readonly<Record<string, string>> = {},
) {
  const id = schema['schema-id']
  const used = new Set(snapshots.map((snapshot) => snapshot['schema-id']))
  return {
    'last-column-id': lastColumnId,
    'current-schema-id': id,
    schemas: [...schemas.filter((each) => each['schema-id'] !== id && used.has(each['schema-id'])), schema],
    properties: { ...properties, 'schema.name-mapping.default': nameMapping(schema), ...more },
  }
}

export function currentSnapshot(metadata: TableMetadata): Snapshot {
  const id = metadata['current-snapshot-id']
  const snapshot = metadata.snapshots.findLast((each) => each['snapshot-id'] === id)
  if (snapshot === undefined) throw new SluiceError('internal', `the table metadata has no snapshot ${id}`)
  return snapshot
}

/** From 1 to 2^53 − 1, and not one of the table's. */
export const newSnapshotId = (base: TableMetadata | undefined, random: Random): bigint =>
  randomSnapshotId(new Set(base?.snapshots.map((snapshot) => snapshot['snapshot-id'])), random)

/** The same for a table that has `taken`. */
export function randomSnapshotId(taken: { has(id: bigint): boolean }, random: Random): bigint {
  for (let draw = 0; draw < drawsMax; draw++) {
    const id = BigInt.asUintN(53, BigInt(`0x${hex(random.bytes(8))}`))
    if (id !== 0n && !taken.has(id)) return id
  }
  throw new SluiceError('internal', `${drawsMax} random snapshot ids were all taken: the random source is broken`)
}

const drawsMax = 16

export const encodeMetadata = (metadata: EmptyMetadata): Uint8Array => utf8(printExact(metadata))

/** Of bytes whose checksum has been verified: only what a newer version may change is looked at. */
export function decodeMetadata(bytes: Uint8Array): TableMetadata {
  const metadata = parseExact(utf8Text(bytes)) as unknown as TableMetadata
  const version: number = metadata['format-version']
  if (version !== 2 && version !== 3) {
    throw new SluiceError('internal', `the table metadata has format version ${String(version)}, this build writes 2 and 3`)
  }
  return metadata
}

const metadataLogMax = 100

const fixedProperties = {
  'write.format.default': 'parquet',
  'write.parquet.compression-codec': 'zstd',
  'write.metadata.previous-versions-max': String(metadataLogMax),
  'write.metadata.delete-after-commit.enabled': 'false',
  'write.metadata.metrics.default': 'full',
}

const sortOrder = {
  'order-id': sortOrderId,
  fields: [{ transform: 'identity', 'source-id': offsetColumn.id, direction: 'asc', 'null-order': 'nulls-first' }],
}

/** As it is after a commit over `base`, which is published at `uri`. */
export function metadataLog(base: EmptyMetadata, uri: string | undefined): EmptyMetadata['metadata-log'] {
  if (uri === undefined) return base['metadata-log']
  return [...base['metadata-log'], { 'timestamp-ms': base['last-updated-ms'], 'metadata-file': uri }].slice(-metadataLogMax)
}

/** Version 8 (RFC 9562) by the table's id, so that an engine that saw the table empty knows it again. */
function uuidOf(tableId: string): string {
  const bytes = createHash('sha256').update(`sluice ${tableId}`).digest().subarray(0, 16)
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x80
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
  const text = hex(bytes)
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join('-')
}
