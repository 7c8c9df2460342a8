import { inflateRawSync } from 'node:zlib'
import avro from 'avsc'
import { expect, test } from 'vitest'
import { intBound, longBound } from './bounds.ts'
import { type DataFile, decodeManifestList, encodeManifest, encodeManifestList, manifestFile } from './manifest.ts'
import { partitionSpec } from './partition-spec.ts'
import { icebergSchema } from './schema.ts'

const table = {
  schema: { schemaId: 1, columns: [{ id: 4, name: 'v', type: { kind: 'double' as const }, nullable: true }] },
  partitionBy: [],
  buckets: { count: 4 },
}
const under = { spec: partitionSpec(table), schema: icebergSchema(table.schema) }
let drawn = 0
const random = { bytes: (count: number) => new Uint8Array(count).fill(++drawn) }
const big = 2n ** 53n - 1n
const files: readonly DataFile[] = [
  {
    uri: 's3://b/lake/x/data/1.parquet',
    bytes: 2 ** 33,
    rows: 2 ** 31 - 1,
    partition: [],
    bucket: 3,
    columns: [
      { id: 4, nulls: 5, nans: 6 },
      { id: 2, nulls: 0, lower: longBound(2n ** 53n + 1n), upper: longBound(2n ** 63n - 1n) },
    ],
  },
  { uri: 's3://b/lake/x/data/2.parquet', bytes: 10, rows: 1, partition: [], bucket: 1, columns: [] },
]
const manifest = encodeManifest(files, {
  schema: icebergSchema(table.schema),
  spec: partitionSpec(table),
  snapshotId: big,
  random,
  formatVersion: 2,
})

interface Read {
  readonly schema: unknown
  readonly metadata: Readonly<Record<string, string>>
  readonly records: readonly Record<string, never>[]
}

/** By avsc's own container decoder, which knows nothing of ours but what the file says; longs as bigints. */
async function readContainer(bytes: Uint8Array): Promise<Read> {
  const longs = avro.types.LongType.__with({
    fromBuffer: (each: Buffer) => each.readBigInt64LE(),
    toBuffer: () => Buffer.alloc(8),
    fromJSON: BigInt,
    toJSON: String,
    isValid: (value: unknown) => typeof value === 'bigint',
    compare: () => 0,
  })
  return new Promise((resolve, reject) => {
    const records: Record<string, never>[] = []
    let header: { meta: Record<string, Buffer> } | undefined
    const decoder = new avro.streams.BlockDecoder({
      codecs: {
        deflate: (block: Buffer, done: (error: Error | null, inflated?: Buffer) => void) => done(null, inflateRawSync(block)),
      } as never,
      parseHook: (schema) => avro.Type.forSchema(schema, { registry: { long: longs }, wrapUnions: false }),
    })
    decoder.on('metadata', (_type: unknown, _codec: unknown, found: { meta: Record<string, Buffer> }) => (header = found))
    decoder.on('data', (record: Record<string, never>) => records.push(record))
    decoder.on('error', reject)
    decoder.on('end', () => {
      const metadata = Object.fromEntries(Object.entries(header?.meta ?? {}).map(([name, value]) => [name, value.toString()]))
      resolve({ schema: JSON.parse(metadata['avro.schema'] ?? ''), metadata, records })
    })
    decoder.end(Buffer.from(bytes))
  })
}

/** name → field id of every record field, however deep. */
function fieldIds(schema: unknown, found: Record<string, number> = {}): Record<string, number> {
  if (Array.isArray(schema)) for (const branch of schema) fieldIds(branch, found)
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return found
  const node = schema as Record<string, unknown>
  if (typeof node['name'] === 'string' && typeof node['field-id'] === 'number') found[node['name']] = node['field-id']
  for (const name of ['fields', 'type', 'items']) {
    const below = node[name]
    if (Array.isArray(below)) for (const each of below) fieldIds(each, found)
    else fieldIds(below, found)
  }
  return found
}

test('a manifest has the field ids of the specification', async () => {
  const { schema, metadata } = await readContainer(manifest)
  expect(fieldIds(schema)).toMatchObject({
    status: 0,
    snapshot_id: 1,
    data_file: 2,
    sequence_number: 3,
    file_sequence_number: 4,
    file_path: 100,
    file_format: 101,
    partition: 102,
    record_count: 103,
    file_size_in_bytes: 104,
    value_counts: 109,
    null_value_counts: 110,
    lower_bounds: 125,
    upper_bounds: 128,
    content: 134,
    nan_value_counts: 137,
    sort_order_id: 140,
    __bucket: 1000,
  })
  const mapIds = [
    ...JSON.stringify(schema).matchAll(
      /"name":"k([0-9]+)_v([0-9]+)","fields":\[\{"name":"key","type":"int","field-id":([0-9]+)\},\{"name":"value","type":"(?:long|bytes)","field-id":([0-9]+)\}/g,
    ),
  ]
  expect(mapIds.map(([, ...ids]) => ids.map(Number))).toEqual(
    [
      [119, 120],
      [121, 122],
      [138, 139],
      [126, 127],
      [129, 130],
    ].map(([k, v]) => [k, v, k, v]),
  )
  expect(metadata).toMatchObject({ 'format-version': '2', content: 'data', 'schema-id': '1', 'partition-spec-id': '0' })
  expect(JSON.parse(metadata['schema'] ?? '')).toEqual(icebergSchema(table.schema))
  expect(JSON.parse(metadata['partition-spec'] ?? '')).toEqual(partitionSpec(table).fields)
})

test('a manifest says exactly what its files are', async () => {
  const { records } = await readContainer(manifest)
  expect(records).toHaveLength(2)
  expect(records[0]).toMatchObject({
    status: 1,
    snapshot_id: big,
    sequence_number: null,
    file_sequence_number: null,
    data_file: {
      content: 0,
      file_path: 's3://b/lake/x/data/1.parquet',
      file_format: 'PARQUET',
      partition: { __bucket: 3 },
      record_count: 2n ** 31n - 1n,
      file_size_in_bytes: 2n ** 33n,
      value_counts: [
        { key: 4, value: 2n ** 31n - 1n },
        { key: 2, value: 2n ** 31n - 1n },
      ],
      null_value_counts: [
        { key: 4, value: 5n },
        { key: 2, value: 0n },
      ],
      nan_value_counts: [{ key: 4, value: 6n }],
      lower_bounds: [{ key: 2, value: Buffer.from(longBound(2n ** 53n + 1n)) }],
      upper_bounds: [{ key: 2, value: Buffer.from(longBound(2n ** 63n - 1n)) }],
      sort_order_id: 1,
    },
  })
})

test('a manifest list has the field ids of the specification, and comes back as it was', async () => {
  const entry = manifestFile(files, { uri: 's3://b/m0.avro', bytes: 2 ** 32, ...under, snapshotId: big, sequence: 9n })
  const older = manifestFile(files.slice(1), { uri: 's3://b/m1.avro', bytes: 5, ...under, snapshotId: 1n, sequence: 8n })
  const list = encodeManifestList([older, entry], { snapshotId: big, parentId: 1n, sequence: 9n, random, formatVersion: 2 })
  const { schema, metadata, records } = await readContainer(list)
  expect(fieldIds(schema)).toEqual({
    manifest_path: 500,
    manifest_length: 501,
    partition_spec_id: 502,
    content: 517,
    sequence_number: 515,
    min_sequence_number: 516,
    added_snapshot_id: 503,
    added_files_count: 504,
    existing_files_count: 505,
    deleted_files_count: 506,
    added_rows_count: 512,
    existing_rows_count: 513,
    deleted_rows_count: 514,
    partitions: 507,
    contains_null: 509,
    contains_nan: 518,
    lower_bound: 510,
    upper_bound: 511,
    key_metadata: 519,
  })
  expect(metadata).toMatchObject({
    'snapshot-id': String(big),
    'parent-snapshot-id': '1',
    'sequence-number': '9',
    'format-version': '2',
  })
  expect(records[1]).toMatchObject({
    manifest_path: 's3://b/m0.avro',
    manifest_length: 2n ** 32n,
    added_snapshot_id: big,
    added_files_count: 2,
    added_rows_count: 2n ** 31n,
    partitions: [{ contains_null: false, lower_bound: Buffer.from(intBound(1)), upper_bound: Buffer.from(intBound(3)) }],
  })
  const decoded = decodeManifestList(list, 2n ** 31n + 1n)
  expect(
    encodeManifestList(decoded, {
      snapshotId: big,
      parentId: 1n,
      sequence: 9n,
      random: { bytes: () => list.subarray(-16) },
      formatVersion: 2,
    }),
  ).toEqual(list)
})

test('a manifest list that is cut off, or counts other rows than its snapshot, is refused', () => {
  const entry = manifestFile(files, { uri: 's3://b/m0.avro', bytes: 1, ...under, snapshotId: 1n, sequence: 1n })
  const list = encodeManifestList([entry], { snapshotId: 1n, parentId: undefined, sequence: 1n, random, formatVersion: 2 })
  expect(() => decodeManifestList(list, 7n)).toThrow(/has the rows/)
  expect(() => decodeManifestList(list.subarray(0, -1), 2n ** 31n)).toThrow(/a block is cut/)
})
