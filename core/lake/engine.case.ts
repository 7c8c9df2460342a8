/**
 * An engine that maintains a lake, for tests: it merges the manifests into one and expires snapshots, and it writes as others do:
 * ids of 63 bits, fields of a manifest list in another order and with more of them, any codec.
 */
import { crc32, deflateRawSync, zstdCompressSync } from 'node:zlib'
import avro from 'avsc'
import { concat, hex, utf8Text } from '../kernel/bytes.ts'
import type { Random } from '../kernel/random.ts'
import type { ObjectStore } from '../ports/objects.ts'
import type { EngineCommit } from './commit.ts'
import { type AvroRecordSchema, bigLong, decodeAvroFile, encodeAvroFile } from './iceberg/avro.ts'
import { decodeManifests } from './iceberg/manifest.ts'
import { currentSnapshot, type Snapshot, type TableMetadata } from './iceberg/metadata.ts'
import { inheritRowIds } from './iceberg/row-lineage.ts'

export type Codec = 'null' | 'deflate' | 'zstandard' | 'snappy'

export interface Engine {
  readonly objects: ObjectStore
  readonly random: Random
}

interface Entry {
  readonly status: number
  readonly snapshot_id: bigint | null
  readonly sequence_number: bigint | null
  readonly file_sequence_number: bigint | null
  readonly data_file: { readonly record_count: bigint; readonly file_path: string; readonly first_row_id?: bigint | null }
}

/** Files with its names; the product gives none. */
export const isEngineKey = (key: string): boolean => /\/metadata\/(Engine_|snap-[0-9]+-1-)/.test(key)

/** A commit that replaces the manifests by one of the same files. `keep`: which files, `rename`: at which places; all files at their own change no row. */
export async function mergeManifests(
  { objects, random }: Engine,
  metadata: TableMetadata,
  how: {
    readonly now: number
    readonly codec?: Codec
    readonly keep?: (at: number) => boolean
    readonly rename?: (path: string, at: number) => string
  },
): Promise<EngineCommit & { readonly snapshot: Snapshot; readonly written: readonly string[] }> {
  const current = currentSnapshot(metadata)
  const id = (BigInt(`0x${hex(random.bytes(8))}`) % 2n ** 62n) | (2n ** 62n)
  const sequence = metadata['last-sequence-number'] + 1
  const entries: Entry[] = []
  let schema: AvroRecordSchema | undefined
  for (const manifest of decodeManifests(await objects.read(keyOf(metadata, current['manifest-list'])))) {
    const bytes = await objects.read(keyOf(metadata, manifest.manifest_path))
    schema = schemaOf(bytes)
    const live = (decodeAvroFile(schema, bytes) as Entry[]).filter(({ status }) => status !== 2)
    for (const entry of inheritRowIds(live, manifest)) {
      entries.push({
        ...entry,
        status: 0,
        snapshot_id: entry.snapshot_id ?? manifest.added_snapshot_id,
        sequence_number: entry.sequence_number ?? manifest.sequence_number,
        file_sequence_number: entry.file_sequence_number ?? manifest.sequence_number,
      })
    }
  }
  if (schema === undefined) throw new Error('a snapshot without manifests')
  const { keep = () => true, rename = (path: string) => path } = how
  const kept = entries
    .filter((_, at) => keep(at))
    .map((entry, at) => ({
      ...entry,
      data_file: { ...entry.data_file, file_path: rename(entry.data_file.file_path, at) },
    }))
  const unique = hex(random.bytes(8))
  const manifestUri = `${metadata.location}/metadata/Engine_${unique}-m0.avro`
  const listUri = `${metadata.location}/metadata/snap-${id}-1-${unique}.avro`
  const manifest = encodeAvroFile(schema, kept, { metadata: manifestMetadata(metadata), random })
  await objects.create(keyOf(metadata, manifestUri), manifest)
  const rows = kept.reduce((sum, entry) => sum + entry.data_file.record_count, 0n)
  const isThird = metadata['format-version'] === 3
  const firstRowId = metadata['next-row-id'] ?? 0n
  const listed = {
    deleted_rows_count: 0n,
    existing_rows_count: rows,
    added_rows_count: 0n,
    deleted_files_count: 0,
    existing_files_count: kept.length,
    added_files_count: 0,
    added_snapshot_id: id,
    sequence_number: BigInt(sequence),
    min_sequence_number: 1n,
    content: 0,
    partition_spec_id: metadata['default-spec-id'],
    manifest_length: BigInt(manifest.length),
    manifest_path: manifestUri,
    first_row_id: isThird ? firstRowId : null,
  }
  await objects.create(keyOf(metadata, listUri), foreignAvro(foreignList, [listed], how.codec ?? 'deflate', random))
  const snapshot: Snapshot = {
    'snapshot-id': id,
    'parent-snapshot-id': current['snapshot-id'],
    'sequence-number': sequence,
    'timestamp-ms': Math.max(how.now, metadata['last-updated-ms']),
    'manifest-list': listUri,
    summary: { operation: 'replace', 'total-records': String(rows), 'total-data-files': String(kept.length) },
    'schema-id': metadata['current-schema-id'],
    ...(isThird && { 'first-row-id': firstRowId, 'added-rows': rows }),
  }
  return {
    snapshot,
    written: [keyOf(metadata, manifestUri), keyOf(metadata, listUri)],
    requirements: [
      { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
      { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': current['snapshot-id'] },
    ],
    updates: [
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id },
    ],
  }
}

function manifestMetadata(metadata: TableMetadata): Record<string, string> {
  const schema = metadata.schemas.find((each) => each['schema-id'] === metadata['current-schema-id'])
  const [spec] = metadata['partition-specs']
  return {
    schema: JSON.stringify(schema),
    'partition-spec': JSON.stringify(spec?.fields),
    'partition-spec-id': String(metadata['default-spec-id']),
    'format-version': String(metadata['format-version']),
    content: 'data',
  }
}

/** A commit that lets go of snapshots that were superseded before then, ms since 1970, but those of refs. */
export function expireSnapshots(metadata: TableMetadata, before = Number.POSITIVE_INFINITY): EngineCommit {
  const kept = new Set(Object.values(metadata.refs).map((ref) => ref['snapshot-id']))
  const ids = metadata.snapshots
    .filter((_, at) => (metadata.snapshots[at + 1]?.['timestamp-ms'] ?? Number.POSITIVE_INFINITY) <= before)
    .map((snapshot) => snapshot['snapshot-id'])
    .filter((id) => !kept.has(id))
  return {
    requirements: [{ type: 'assert-table-uuid', uuid: metadata['table-uuid'] }],
    updates: [{ action: 'remove-snapshots', 'snapshot-ids': ids }],
  }
}

const keyOf = ({ location }: TableMetadata, uri: string): string =>
  `lake/${location.slice(location.lastIndexOf('/') + 1)}${uri.slice(location.length)}`

/** The schema in the header of a file: after its name comes its length, a zigzag varint. */
function schemaOf(bytes: Uint8Array): AvroRecordSchema {
  const name = 'avro.schema'
  let at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(name) + name.length
  let length = 0
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++] as number
    length += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) break
  }
  return JSON.parse(utf8Text(bytes.subarray(at, at + length / 2))) as AvroRecordSchema
}

const field = (id: number, name: string, type: unknown) => ({ name, type, 'field-id': id })

/** The fields of a manifest list in another order, some optional that ours are not, and one that is not known to us. */
const foreignList: AvroRecordSchema = {
  type: 'record',
  name: 'Manifest_entry_of_another',
  fields: [
    field(514, 'deleted_rows_count', 'long'),
    field(513, 'existing_rows_count', ['null', 'long']),
    field(512, 'added_rows_count', 'long'),
    field(506, 'deleted_files_count', 'int'),
    field(505, 'existing_files_count', 'int'),
    field(504, 'added_files_count', ['null', 'int']),
    field(503, 'added_snapshot_id', 'long'),
    field(515, 'sequence_number', 'long'),
    field(516, 'min_sequence_number', 'long'),
    field(517, 'content', 'int'),
    field(502, 'partition_spec_id', 'int'),
    field(501, 'manifest_length', 'long'),
    field(500, 'manifest_path', 'string'),
    { ...field(520, 'first_row_id', ['null', 'long']), default: null },
    { ...field(9_999, 'unheard_of', ['null', { type: 'map', values: 'bytes' }]), default: null },
  ],
}

/** An Avro file of two blocks where there are two records or more. */
export function foreignAvro(schema: AvroRecordSchema, records: readonly object[], codec: Codec, random: Random): Uint8Array {
  const type = avro.Type.forSchema(schema as never, { registry: { long: bigLong }, wrapUnions: false })
  const sync = Buffer.from(random.bytes(16))
  const head = headerType.toBuffer({
    magic: Buffer.from('Obj\x01', 'latin1'),
    meta: { 'avro.codec': Buffer.from(codec), 'avro.schema': Buffer.from(JSON.stringify(schema)) },
    sync,
  })
  const parts: Uint8Array[] = [head]
  const half = Math.ceil(records.length / 2)
  for (const some of [records.slice(0, half), records.slice(half)]) {
    if (some.length === 0) continue
    const block = compressed(codec, Buffer.concat(some.map((record) => type.toBuffer({ unheard_of: null, ...record }))))
    parts.push(plainLong.toBuffer(some.length), plainLong.toBuffer(block.length), block, sync)
  }
  return concat(parts)
}

function compressed(codec: Codec, block: Uint8Array): Uint8Array {
  if (codec === 'deflate') return deflateRawSync(block)
  if (codec === 'zstandard') return zstdCompressSync(block)
  if (codec === 'null') return block
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32BE(crc32(block))
  const parts: Uint8Array[] = [varint(block.length)]
  for (let at = 0; at < block.length; at += 60) {
    const literal = block.subarray(at, at + 60)
    parts.push(Uint8Array.of((literal.length - 1) << 2), literal)
  }
  return concat([...parts, checksum])
}

function varint(value: number): Uint8Array {
  const out: number[] = []
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) out.push((rest & 127) | 128)
  return Uint8Array.from([...out, rest])
}

const headerType = avro.Type.forSchema({
  type: 'record',
  name: 'header',
  fields: [
    { name: 'magic', type: { type: 'fixed', name: 'magic', size: 4 } },
    { name: 'meta', type: { type: 'map', values: 'bytes' } },
    { name: 'sync', type: { type: 'fixed', name: 'sync', size: 16 } },
  ],
})
const plainLong = avro.Type.forSchema('long')
