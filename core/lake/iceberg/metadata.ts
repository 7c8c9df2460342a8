/**
 * Iceberg table metadata, format version 2 (spec, "Table Metadata"). Pure: the metadata of commit n + 1 from that of commit n.
 * Every integer is below 2^53, snapshot ids by choice, so that plain JSON readers see them exactly.
 */
import { assert } from '../../kernel/assert.ts'
import { hex, utf8, utf8Text } from '../../kernel/bytes.ts'
import { SluiceError } from '../../kernel/errors.ts'
import type { Random } from '../../kernel/random.ts'
import { sortOrderId } from './manifest.ts'
import { type PartitionSpec, partitionFieldId } from './partition-spec.ts'
import { type IcebergSchema, nameMapping, offsetColumn } from './schema.ts'

export interface TableMetadata {
  readonly 'format-version': 2
  readonly 'table-uuid': string
  readonly location: string
  readonly 'last-sequence-number': number
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
  readonly 'current-snapshot-id': number
  readonly snapshots: readonly Snapshot[]
  readonly 'snapshot-log': readonly { readonly 'timestamp-ms': number; readonly 'snapshot-id': number }[]
  readonly 'metadata-log': readonly { readonly 'timestamp-ms': number; readonly 'metadata-file': string }[]
  readonly refs: { readonly main: { readonly 'snapshot-id': number; readonly type: 'branch' } }
}

export interface Snapshot {
  readonly 'snapshot-id': number
  readonly 'parent-snapshot-id'?: number
  readonly 'sequence-number': number
  readonly 'timestamp-ms': number
  readonly 'manifest-list': string
  readonly summary: Readonly<Record<string, string>>
  readonly 'schema-id': number
}

export interface Appended {
  readonly snapshotId: bigint
  readonly sequence: bigint
  readonly manifestList: string
  readonly schema: IcebergSchema
  readonly lastColumnId: number
  readonly summary: Readonly<Record<string, string>>
  /** Also kept as table properties, which survive foreign commits and expiry. */
  readonly properties: Readonly<Record<string, string>>
  /** ms since 1970 */
  readonly now: number
}

/** A table before its first snapshot; never written. */
export function emptyMetadata(location: string, spec: PartitionSpec, random: Random): EmptyMetadata {
  return { location, spec, uuid: newUuid(random) }
}

export interface EmptyMetadata {
  readonly location: string
  readonly spec: PartitionSpec
  readonly uuid: string
}

/** `previous`: the base and where it is published. */
export function appendSnapshot(
  previous: { readonly metadata: TableMetadata; readonly uri: string } | EmptyMetadata,
  appended: Appended,
): TableMetadata {
  const base = 'metadata' in previous ? previous.metadata : undefined
  const { schema } = appended
  const timestamp = Math.max(appended.now, base === undefined ? 0 : base['last-updated-ms'] + 1)
  const snapshotId = Number(appended.snapshotId)
  assert(Number.isSafeInteger(snapshotId) && snapshotId > 0, 'a snapshot id is from 1 to 2^53 - 1')
  const snapshot: Snapshot = {
    'snapshot-id': snapshotId,
    ...(base && { 'parent-snapshot-id': base['current-snapshot-id'] }),
    'sequence-number': Number(appended.sequence),
    'timestamp-ms': timestamp,
    'manifest-list': appended.manifestList,
    summary: appended.summary,
    'schema-id': schema['schema-id'],
  }
  return {
    'format-version': 2,
    'table-uuid': 'metadata' in previous ? previous.metadata['table-uuid'] : previous.uuid,
    location: 'metadata' in previous ? previous.metadata.location : previous.location,
    'last-sequence-number': Number(appended.sequence),
    'last-updated-ms': timestamp,
    'last-column-id': appended.lastColumnId,
    'current-schema-id': schema['schema-id'],
    schemas: [...(base?.schemas.filter((each) => each['schema-id'] !== schema['schema-id']) ?? []), schema],
    'default-spec-id': 0,
    'partition-specs': 'metadata' in previous ? previous.metadata['partition-specs'] : [previous.spec],
    'last-partition-id': partitionFieldId,
    'default-sort-order-id': sortOrderId,
    'sort-orders': [sortOrder],
    properties: {
      ...fixedProperties,
      'schema.name-mapping.default': nameMapping(schema),
      ...base?.properties,
      ...appended.properties,
    },
    'current-snapshot-id': snapshotId,
    snapshots: [...(base?.snapshots ?? []), snapshot],
    'snapshot-log': [...(base?.['snapshot-log'] ?? []), { 'timestamp-ms': timestamp, 'snapshot-id': snapshotId }],
    'metadata-log': metadataLog(previous),
    refs: { main: { 'snapshot-id': snapshotId, type: 'branch' } },
  }
}

/** The totals that every summary carries (spec, "Optional Snapshot Summary Fields"): some engines refuse a table without them. */
export function appendSummary(
  base: TableMetadata | undefined,
  added: { readonly files: number; readonly rows: bigint; readonly bytes: bigint; readonly partitions: number },
): Record<string, string> {
  const before = (name: string): bigint => BigInt((base && currentSnapshot(base).summary[name]) ?? '0')
  return {
    operation: 'append',
    'added-data-files': String(added.files),
    'added-records': String(added.rows),
    'added-files-size': String(added.bytes),
    'changed-partition-count': String(added.partitions),
    'total-records': String(before('total-records') + added.rows),
    'total-files-size': String(before('total-files-size') + added.bytes),
    'total-data-files': String(before('total-data-files') + BigInt(added.files)),
    'total-delete-files': '0',
    'total-position-deletes': '0',
    'total-equality-deletes': '0',
  }
}

export function currentSnapshot(metadata: TableMetadata): Snapshot {
  const id = metadata['current-snapshot-id']
  const snapshot = metadata.snapshots.findLast((each) => each['snapshot-id'] === id)
  if (snapshot === undefined) throw new SluiceError('internal', `the table metadata has no snapshot ${id}`)
  return snapshot
}

/** From 1 to 2^53 − 1, and not one of the table's. */
export function newSnapshotId(base: TableMetadata | undefined, random: Random): bigint {
  const taken = new Set(base?.snapshots.map((snapshot) => snapshot['snapshot-id']))
  for (let draw = 0; draw < drawsMax; draw++) {
    const id = BigInt.asUintN(53, BigInt(`0x${hex(random.bytes(8))}`))
    if (id !== 0n && !taken.has(Number(id))) return id
  }
  throw new SluiceError('internal', `${drawsMax} random snapshot ids were all taken: the random source is broken`)
}

const drawsMax = 16

export const encodeMetadata = (metadata: TableMetadata): Uint8Array => utf8(JSON.stringify(metadata))

/** Of bytes whose checksum has been verified: only what a newer version may change is looked at. */
export function decodeMetadata(bytes: Uint8Array): TableMetadata {
  const metadata = JSON.parse(utf8Text(bytes)) as TableMetadata
  if (metadata['format-version'] !== 2) {
    throw new SluiceError(
      'internal',
      `the table metadata has format version ${String(metadata['format-version'])}, this build writes 2`,
    )
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

function metadataLog(
  previous: { readonly metadata: TableMetadata; readonly uri: string } | EmptyMetadata,
): TableMetadata['metadata-log'] {
  if (!('metadata' in previous)) return []
  const { metadata, uri } = previous
  const log = [...metadata['metadata-log'], { 'timestamp-ms': metadata['last-updated-ms'], 'metadata-file': uri }]
  return log.slice(-metadataLogMax)
}

/** Version 4, variant 1 (RFC 9562). */
function newUuid(random: Random): string {
  const bytes = random.bytes(16).slice()
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
  const text = hex(bytes)
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join('-')
}
