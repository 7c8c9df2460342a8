/**
 * Tables that an engine made with format version 1 and upgraded since: their snapshots have no sequence numbers, their manifests and lists
 * are of version 1 until the next commit, and the oldest have no list.
 */
import { expect, test } from 'vitest'
import { type AvroRecordSchema, encodeAvroFile } from '../lake/iceberg/avro.ts'
import { decodeForeignEntries } from '../lake/iceberg/foreign-manifest.ts'
import { decodeManifests, type ManifestEntry, type ManifestFile } from '../lake/iceberg/manifest.ts'
import { liveEntries } from '../lake/upkeep/merge.ts'
import { dropPartition } from '../log/drop.ts'
import { testLog } from '../log/world.case.ts'
import type { Table } from '../model/table.ts'
import { type ExternalWorld, externalWorld, foreignTable, loaded, partitioned, put, there } from './external.case.ts'
import { tierState } from './state.ts'
import { tier } from './tier.case.ts'

const field = (id: number, name: string, type: unknown) => ({ name, type, 'field-id': id })
const optional = (id: number, name: string, type: unknown) => ({ ...field(id, name, ['null', type]), default: null })
const array = (id: number, items: unknown) => ({ type: 'array', items, 'element-id': id })
const pairs = (key: number, value: number, type: string) => ({
  type: 'array',
  logicalType: 'map',
  items: { type: 'record', name: `k${key}_v${value}`, fields: [field(key, 'key', 'int'), field(value, 'value', type)] },
})

const entry1: AvroRecordSchema = {
  type: 'record',
  name: 'manifest_entry',
  fields: [
    field(0, 'status', 'int'),
    field(1, 'snapshot_id', 'long'),
    field(2, 'data_file', {
      type: 'record',
      name: 'r2',
      fields: [
        field(100, 'file_path', 'string'),
        field(101, 'file_format', 'string'),
        field(102, 'partition', {
          type: 'record',
          name: 'r102',
          fields: [optional(1000, 'k', 'string'), optional(1001, 'shard', 'int')],
        }),
        field(103, 'record_count', 'long'),
        field(104, 'file_size_in_bytes', 'long'),
        field(105, 'block_size_in_bytes', 'long'),
        optional(106, 'file_ordinal', 'int'),
        optional(107, 'sort_columns', array(112, 'int')),
        optional(108, 'column_sizes', pairs(117, 118, 'long')),
        optional(109, 'value_counts', pairs(119, 120, 'long')),
        optional(110, 'null_value_counts', pairs(121, 122, 'long')),
        optional(111, 'distinct_counts', pairs(123, 124, 'long')),
        optional(125, 'lower_bounds', pairs(126, 127, 'bytes')),
        optional(128, 'upper_bounds', pairs(129, 130, 'bytes')),
        optional(131, 'key_metadata', 'bytes'),
        optional(132, 'split_offsets', array(133, 'long')),
      ],
    }),
  ],
}

const list1: AvroRecordSchema = {
  type: 'record',
  name: 'manifest_file',
  fields: [
    field(500, 'manifest_path', 'string'),
    field(501, 'manifest_length', 'long'),
    field(502, 'partition_spec_id', 'int'),
    optional(503, 'added_snapshot_id', 'long'),
    optional(504, 'added_data_files_count', 'int'),
    optional(505, 'existing_data_files_count', 'int'),
    optional(506, 'deleted_data_files_count', 'int'),
    optional(507, 'partitions', array(508, { type: 'record', name: 'r508', fields: [field(509, 'contains_null', 'boolean')] })),
    optional(512, 'added_rows_count', 'long'),
    optional(513, 'existing_rows_count', 'long'),
    optional(514, 'deleted_rows_count', 'long'),
  ],
}

const counts = {
  added_snapshot_id: 11n,
  added_data_files_count: 1,
  existing_data_files_count: 1,
  deleted_data_files_count: 1,
  added_rows_count: 2n,
  existing_rows_count: 2n,
  deleted_rows_count: 2n,
}

type List = 'with counts' | 'without counts' | 'absent'

/** A snapshot of two files of a partition each, two rows a file, and a third file that is gone. */
async function snapshot1(world: ExternalWorld, number: number, partition: string, before: readonly string[], list: List) {
  const location = world.objects.uri('warehouse/d/t')
  const store = world.catalog.objectsAt(location)
  const metadata = { 'partition-spec-id': '0' }
  const file = (at: number) => ({
    file_path: `${location}/data/${number}-${at}.parquet`,
    file_format: 'PARQUET',
    partition: { k: partition, shard: 0 },
    record_count: 2n,
    file_size_in_bytes: 100n,
    block_size_in_bytes: 67_108_864n,
    sort_columns: [1],
    distinct_counts: [{ key: 1, value: 2n }],
    split_offsets: [4n],
  })
  const entries = [1, 0, 2].map((status, at) => ({ status, snapshot_id: 11n, data_file: file(at) }))
  const key = `metadata/m${number}.avro`
  await store.create(key, encodeAvroFile(entry1, entries, { random: world.random, metadata }))
  const paths = [...before, store.uri(key)]
  const listed = await Promise.all(
    paths.map(async (path) => ({
      manifest_path: path,
      manifest_length: BigInt((await store.read(path.slice(location.length + 1))).length),
      partition_spec_id: 0,
      ...(list === 'with counts' && counts),
    })),
  )
  const listKey = `metadata/snap-${number}.avro`
  await store.create(listKey, encodeAvroFile(list1, listed, { random: world.random, metadata: {} }))
  const snapshot = {
    'snapshot-id': BigInt(number),
    ...(number > 1 && { 'parent-snapshot-id': BigInt(number - 1) }),
    'timestamp-ms': world.time.now,
    ...(list === 'absent' ? { manifests: paths } : { 'manifest-list': store.uri(listKey) }),
    summary: { operation: 'append', 'total-records': String(4 * number) },
    'schema-id': 0,
  }
  const committed = world.state.commit(there, {
    requirements: [],
    updates: [
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': BigInt(number) },
    ],
  })
  expect(committed).toBeTypeOf('object')
  return paths
}

/** Three snapshots of version 1, of which each adds a manifest, then the upgrade. */
async function upgraded(list: List, version = 2): Promise<{ readonly world: ExternalWorld; readonly table: Table }> {
  const world = externalWorld()
  const by = (source: number, name: string) => ({ 'source-id': source, name, transform: 'identity' })
  foreignTable(world, [by(2, 'k'), by(3, 'shard')], 'string', 1)
  let paths: readonly string[] = []
  for (const [at, k] of ['a', 'b', 'a'].entries()) paths = await snapshot1(world, at + 1, k, paths, list)
  world.state.commit(there, { requirements: [], updates: [{ action: 'upgrade-format-version', 'format-version': version }] })
  return { world, table: await partitioned(world, 'string', { 'lake.table': 't' }) }
}

async function listOf(world: ExternalWorld): Promise<readonly ManifestFile[]> {
  const { location, main } = loaded(world)
  return decodeManifests(await world.catalog.objectsAt(location).read(String(main?.manifestList).slice(location.length + 1)))
}

const isOf1 = (path: string): boolean => /^\d-\d\.parquet$/.test(path)

/** By their paths below `data/`. */
async function entriesOf(world: ExternalWorld): Promise<ReadonlyMap<string, ManifestEntry>> {
  const { location, spec, schema } = loaded(world)
  const found = new Map<string, ManifestEntry>()
  for (const manifest of await listOf(world)) {
    const bytes = await world.catalog.objectsAt(location).read(manifest.manifest_path.slice(location.length + 1))
    for (const entry of liveEntries(decodeForeignEntries(bytes, spec, schema), manifest, 'a manifest')) {
      found.set(entry.data_file.file_path.slice(location.length + 6), entry)
    }
  }
  return found
}

const versions = [2, 3] as const
const lists: readonly List[] = ['with counts', 'without counts', 'absent']

test.each(lists.flatMap((list) => versions.map((version) => [list, version] as const)))(
  'with a list %s, rows come into a table that is of version %d now, and manifests of version 1 are listed whole',
  async (list, version) => {
    const { world, table } = await upgraded(list, version)
    await put(world, table, [1, 'a'], [2, 'b'])
    expect(await tier(world, table)).toMatchObject({ state: 'committed', rows: 2n, remaining: 0n })
    const listed = await listOf(world)
    expect(listed).toHaveLength(4)
    for (const [at, manifest] of listed.slice(0, 3).entries()) {
      const bytes = await world.objects.read(`warehouse/d/t/metadata/m${at + 1}.avro`)
      expect(manifest).toMatchObject({
        manifest_length: BigInt(bytes.length),
        partition_spec_id: 0,
        content: 0,
        sequence_number: 0n,
        min_sequence_number: 0n,
        added_snapshot_id: 11n,
        added_files_count: 1,
        existing_files_count: 1,
        deleted_files_count: 1,
        added_rows_count: 2n,
        existing_rows_count: 2n,
        deleted_rows_count: 2n,
        ...(version === 3 && { first_row_id: BigInt(4 * at) }),
      })
    }
    expect(loaded(world).lastSequence).toBe(1n)
    expect(loaded(world).main?.summary['total-records']).toBe('14')
    const entries = await entriesOf(world)
    expect(entries.get('1-1.parquet')).toMatchObject({ snapshot_id: 11n, sequence_number: 0n, file_sequence_number: 0n })
    await put(world, table, [3, 'a'])
    expect(await tier(world, table)).toMatchObject({ state: 'committed', rows: 1n })
    expect((await listOf(world)).slice(0, 3)).toEqual(listed.slice(0, 3))
  },
)

test.each(lists)('with a list %s, a partition that is dropped takes its files of version 1 out too', async (list) => {
  const { world, table } = await upgraded(list)
  await put(world, table, [1, 'a'], [2, 'b'])
  await tier(world, table)
  expect(await dropPartition(world, table, 'k=a')).toBe('gone')
  const entries = await entriesOf(world)
  expect([...entries.keys()].filter(isOf1)).toEqual(['2-0.parquet', '2-1.parquet'])
  expect(entries.size).toBe(3)
  expect(loaded(world).main?.summary).toMatchObject({ 'deleted-data-files': '5', 'deleted-records': '9', 'total-records': '5' })
  const [rewritten] = await listOf(world)
  expect(rewritten).toMatchObject({ deleted_files_count: 2, existing_files_count: 0, added_files_count: 0, sequence_number: 2n })
})

test.each(versions)('manifests of version 1 merge in a table of version %d, and files keep what they had', async (version) => {
  const { world, table } = await upgraded('without counts', version)
  const updates = { 'commit.manifest.min-count-to-merge': '2' }
  world.state.commit(there, { requirements: [], updates: [{ action: 'set-properties', updates }] })
  await put(world, table, [1, 'c'])
  await tier(world, table)
  const [kept, merged] = await listOf(world)
  expect(kept?.manifest_path).toContain('/m1.avro')
  expect(merged).toMatchObject({ min_sequence_number: 0n, sequence_number: 1n, existing_files_count: 4, existing_rows_count: 8n })
  const entries = [...(await entriesOf(world))].filter(([path]) => isOf1(path))
  expect(entries).toHaveLength(6)
  for (const [, entry] of entries) {
    expect(entry).toMatchObject({ snapshot_id: 11n, sequence_number: 0n, file_sequence_number: 0n })
    expect(entry.data_file).toMatchObject({ content: 0, record_count: 2n, split_offsets: [4n] })
  }
})

test('what cannot be counted is said, with the way out, and rows come in once an engine has written it again', async () => {
  const { world, table } = await upgraded('without counts')
  const key = 'warehouse/d/t/metadata/m2.avro'
  const bytes = await world.objects.read(key)
  await world.objects.delete([key])
  await world.objects.create(key, bytes.subarray(0, -1))
  await put(world, table, [1, 'a'])
  await expect(tier(world, table)).rejects.toMatchObject({ code: 'not-supported', message: expect.stringContaining('m2.avro') })
  expect(await tierState(world, testLog(world), table)).toMatchObject({
    state: 'failing',
    lagRows: 1,
    lastError: { message: expect.stringContaining('rewrite_manifests') },
  })
  expect(loaded(world).snapshots.size).toBe(3)
  await world.objects.delete([key])
  await world.objects.create(key, bytes)
  world.time.now += 3_600_000
  expect(await tier(world, table)).toMatchObject({ state: 'committed', rows: 1n })
})
