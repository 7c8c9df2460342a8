import { expect, test } from 'vitest'
import type { LakeItem } from '../../format/items/lake.ts'
import type { Point } from '../../format/items/points.ts'
import { present } from '../../kernel/assert.ts'
import { offsetOf } from '../../kernel/ids.ts'
import type { Table } from '../../model/table.ts'
import {
  type ExternalWorld,
  externalTestTable,
  externalWorld,
  foreignCommit,
  loaded,
  rowCommits,
  there,
  unknown,
} from '../../tier/external.case.ts'
import { type AvroRecordSchema, encodeAvroFile } from '../iceberg/avro.ts'
import { intBound, longBound } from '../iceberg/bounds.ts'
import { decodeForeignEntries } from '../iceberg/foreign-manifest.ts'
import { decodeManifests, type ManifestEntry, type ManifestFile } from '../iceberg/manifest.ts'
import { claimLake, nextLabel, readLakeItem } from '../item.ts'
import { dataKey } from '../layout.ts'
import { liveEntries } from '../upkeep/merge.ts'
import { limitsOf } from './merge.ts'
import { externalPlace } from './table.ts'
import { externalLake } from './target.ts'

interface Running {
  readonly world: ExternalWorld
  readonly table: Table
  lake: LakeItem
  offset: bigint
}

async function started(world: ExternalWorld, options: Readonly<Record<string, string>> = {}): Promise<Running> {
  const table = await externalTestTable(world, options)
  const seen = await readLakeItem(world.items, table.tableId)
  const claim = seen && (await claimLake(world, table.tableId, seen))
  if (claim?.is !== 'done') throw new Error('the lake was not claimed')
  return { world, table, lake: claim.lake, offset: 0n }
}

/** A commit of a file of one row that nobody wrote, by a run that knows nothing of those before. */
async function commit(running: Running): Promise<void> {
  const { world, table } = running
  world.time.now += 60_000
  const place = present(externalPlace(world.catalogs, table), 'a place')
  const open = await externalLake(world, table, place).open(running.lake, { points: new Map(), places: new Map() })
  const label = nextLabel(world.clock.now(), running.lake.gc)
  const { offset } = running
  running.offset += 1n
  const columns = [{ id: 3, nulls: 0, lower: longBound(offset), upper: longBound(offset) }]
  const uri = open.objects.uri(dataKey(table.tableId, label, world.random))
  const page = new Map<number, Point>([[0, { offset: offsetOf(offset + 1n), time: world.time.now }]])
  const done = await open.commit(running.lake, {
    files: [{ uri, bytes: 1_000, rows: 1, partition: [], bucket: 0, columns }],
    reached: new Map([['', page]]),
    gone: new Set(),
    label,
  })
  if (done.is !== 'done') throw new Error(`the commit is ${done.is}`)
  running.lake = done.lake
}

async function commits(running: Running, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await commit(running)
}

const setProperties = (world: ExternalWorld, updates: Readonly<Record<string, string>>) =>
  world.state.commit(there, { requirements: [], updates: [{ action: 'set-properties', updates }] })

const minCount = (count: number) => ({ 'commit.manifest.min-count-to-merge': String(count) })

async function manifestsOf(world: ExternalWorld): Promise<readonly ManifestFile[]> {
  const { location, main } = loaded(world)
  const store = world.catalog.objectsAt(location)
  return main === undefined ? [] : decodeManifests(await store.read(String(main.manifestList).slice(location.length + 1)))
}

/** Live ones, with all that they inherit, by the path of their file. */
async function entriesOf(world: ExternalWorld): Promise<ReadonlyMap<string, ManifestEntry>> {
  const { location, spec, schema } = loaded(world)
  const found = new Map<string, ManifestEntry>()
  for (const manifest of await manifestsOf(world)) {
    if (manifest.content !== 0) continue
    const bytes = await world.catalog.objectsAt(location).read(manifest.manifest_path.slice(location.length + 1))
    for (const entry of liveEntries(decodeForeignEntries(bytes, spec, schema), manifest, 'a manifest')) {
      expect(found.has(entry.data_file.file_path)).toBe(false)
      found.set(entry.data_file.file_path, entry)
    }
  }
  return found
}

/** As a catalog's upkeep does: all but the newest. */
function expire(world: ExternalWorld): void {
  const { snapshots, main } = loaded(world)
  const ids = [...snapshots.keys()].filter((id) => id !== main?.id)
  world.state.commit(there, { requirements: [], updates: [{ action: 'remove-snapshots', 'snapshot-ids': ids }] })
}

test('after 2,000 commits the list is short, and one commit has read and written bounded bytes', async () => {
  const world = externalWorld()
  const running = await started(world)
  let moved = 0
  const { objects } = world
  const [read, create] = [objects.read.bind(objects), objects.create.bind(objects)]
  objects.read = async (key, range) => {
    const bytes = await read(key, range)
    moved += key.startsWith('warehouse/') ? bytes.length : 0
    return bytes
  }
  objects.create = (key, bytes) => {
    if (key.startsWith('warehouse/') && bytes instanceof Uint8Array) moved += bytes.length
    return create(key, bytes)
  }
  let [listed, most, all] = [0, 0, 0]
  for (let i = 0; i < 2_000; i++) {
    const before = moved
    await commit(running)
    most = Math.max(most, moved - before)
    all += moved - before
    if (i % 25 > 0) continue
    expire(world)
    listed = Math.max(listed, (await manifestsOf(world)).length)
  }
  // 99 of single commits, as many of a hundred each at most, and the newest.
  expect(listed).toBeLessThanOrEqual(120)
  expect(most).toBeLessThan(2 ** 20)
  expect(all / 2_000).toBeLessThan(50_000)
  const entries = [...(await entriesOf(world)).values()]
  expect(entries.map((entry) => entry.sequence_number)).toEqual(Array.from({ length: 2_000 }, (_, i) => BigInt(i + 1)))
  for (const entry of entries) expect(entry.file_sequence_number).toBe(entry.sequence_number)
}, 60_000)

test('a summary counts the manifests that a commit made, kept and replaced', async () => {
  const world = externalWorld()
  const running = await started(world)
  await commits(running, 1)
  setProperties(world, minCount(3))
  await commits(running, 2)
  expect(loaded(world).main?.summary).toMatchObject({
    'manifests-created': '1',
    'manifests-kept': '2',
    'manifests-replaced': '0',
  })
  await commits(running, 1)
  expect(loaded(world).main?.summary).toMatchObject({
    operation: 'append',
    'added-data-files': '1',
    'total-data-files': '4',
    'manifests-created': '2',
    'manifests-kept': '0',
    'manifests-replaced': '3',
  })
  const [merged, added] = await manifestsOf(world)
  expect(merged).toMatchObject({
    existing_files_count: 3,
    added_files_count: 0,
    deleted_files_count: 0,
    existing_rows_count: 3n,
    sequence_number: 4n,
    min_sequence_number: 1n,
    added_snapshot_id: loaded(world).main?.id,
  })
  expect(added).toMatchObject({ added_files_count: 1, existing_files_count: 0, sequence_number: 4n })
})

test.each<[string, Readonly<Record<string, string>>, ReturnType<typeof limitsOf>]>([
  ['nothing said', {}, { levelManifests: 100, bytesMax: 4 << 20 }],
  ['merging forbidden', { 'commit.manifest-merge.enabled': 'false' }, undefined],
  ['merging allowed in capitals', { 'commit.manifest-merge.enabled': 'TRUE' }, { levelManifests: 100, bytesMax: 4 << 20 }],
  ['what is neither yes nor no', { 'commit.manifest-merge.enabled': 'perhaps' }, undefined],
  ['own numbers', { ...minCount(7), 'commit.manifest.target-size-bytes': '1000' }, { levelManifests: 7, bytesMax: 1_000 }],
  ['a count of one', minCount(1), { levelManifests: 2, bytesMax: 4 << 20 }],
  [
    'more than a commit may read',
    { ...minCount(999_999_999), 'commit.manifest.target-size-bytes': '8388608' },
    { levelManifests: 1_000, bytesMax: 4 << 20 },
  ],
  [
    'numbers that are none',
    { 'commit.manifest.min-count-to-merge': '-5', 'commit.manifest.target-size-bytes': `1${'0'.repeat(40)}` },
    { levelManifests: 100, bytesMax: 4 << 20 },
  ],
])('the properties of the table say when manifests merge: %s', (_name, properties, limits) => {
  expect(limitsOf(properties)).toEqual(limits)
})

test('a table that forbids merges keeps one manifest a commit', async () => {
  const world = externalWorld()
  const running = await started(world)
  await commits(running, 1)
  setProperties(world, { ...minCount(2), 'commit.manifest-merge.enabled': 'false' })
  await commits(running, 11)
  expect(await manifestsOf(world)).toHaveLength(12)
})

/** What engines write beside what we do, under names and in an order of their own. */
const engineSchema = (more: readonly object[] = []): AvroRecordSchema => {
  const field = (id: number, name: string, type: unknown) => ({ name, type, 'field-id': id })
  const optional = (id: number, name: string, type: unknown) => ({ ...field(id, name, ['null', type]), default: null })
  const pairs = (key: number, value: number, type: string) => ({
    type: 'array',
    logicalType: 'map',
    items: { type: 'record', name: `k${key}_v${value}`, fields: [field(key, 'key', 'int'), field(value, 'value', type)] },
  })
  const file = [
    field(134, 'content', 'int'),
    field(100, 'path', 'string'),
    field(101, 'format', 'string'),
    field(102, 'partition', { type: 'record', name: 'r102', fields: [optional(1000, 'the_bucket', 'int')] }),
    field(103, 'rows', 'long'),
    field(104, 'size', 'long'),
    optional(108, 'column_sizes', pairs(117, 118, 'long')),
    optional(109, 'value_counts', pairs(119, 120, 'long')),
    optional(125, 'lower_bounds', pairs(126, 127, 'bytes')),
    optional(131, 'key_metadata', 'bytes'),
    optional(132, 'split_offsets', { type: 'array', items: 'long', 'element-id': 133 }),
    // Longs, as PyIceberg has them, and not the ints of the specification.
    optional(135, 'equality_ids', { type: 'array', items: 'long', 'element-id': 136 }),
    optional(140, 'sort_order_id', 'int'),
    ...more,
  ]
  return {
    type: 'record',
    name: 'manifest_entry',
    fields: [
      field(0, 'status', 'int'),
      optional(3, 'sequence_number', 'long'),
      optional(1, 'snapshot_id', 'long'),
      optional(4, 'file_sequence_number', 'long'),
      field(2, 'file', { type: 'record', name: 'r2', fields: file }),
    ] as never,
  }
}

interface Engine {
  readonly number: number
  readonly schema?: AvroRecordSchema
  readonly statuses?: readonly number[]
  readonly file?: object
  readonly list?: Partial<ManifestFile>
  readonly damage?: (bytes: Uint8Array) => Uint8Array
}

/** A manifest of files of 10 rows each, in the table's folder, and what its list says of it. */
async function engineManifest(
  world: ExternalWorld,
  { number, schema = engineSchema(), statuses = [1], file, list, damage = (bytes) => bytes }: Engine,
): Promise<ManifestFile> {
  const { location, lastSequence } = loaded(world)
  const store = world.catalog.objectsAt(location)
  const entries = statuses.map((status, i) => ({
    status,
    sequence_number: status === 1 ? null : BigInt(number),
    snapshot_id: status === 1 ? null : 77n,
    file_sequence_number: status === 1 ? null : BigInt(number),
    file: {
      content: 0,
      path: `${location}/data/engine-${number}-${i}.parquet`,
      format: 'ORC',
      partition: { the_bucket: number },
      rows: 10n,
      size: 2n ** 40n,
      column_sizes: [{ key: 1, value: 2n ** 33n }],
      value_counts: [{ key: 1, value: 10n }],
      lower_bounds: [{ key: 1, value: Buffer.from(longBound(5n)) }],
      key_metadata: Buffer.from('key'),
      split_offsets: [4n, 2n ** 35n],
      equality_ids: null,
      sort_order_id: 3,
      ...file,
    },
  }))
  const bytes = damage(encodeAvroFile(schema, entries, { random: world.random, metadata: { 'format-version': '2' } }))
  const key = `metadata/engine-${number}-m0.avro`
  await store.create(key, bytes)
  const count = (status: number): number => statuses.filter((each) => each === status).length
  const bound = Buffer.from(intBound(number))
  return {
    manifest_path: store.uri(key),
    manifest_length: BigInt(bytes.length),
    partition_spec_id: 0,
    content: 0,
    sequence_number: lastSequence + 1n,
    min_sequence_number: 1n,
    added_snapshot_id: 78n,
    added_files_count: count(1),
    existing_files_count: count(0),
    deleted_files_count: count(2),
    added_rows_count: 10n * BigInt(count(1)),
    existing_rows_count: 10n * BigInt(count(0)),
    deleted_rows_count: 10n * BigInt(count(2)),
    partitions: [{ contains_null: false, contains_nan: null, lower_bound: bound, upper_bound: bound }],
    key_metadata: null,
    ...list,
  }
}

test("engines' manifests become one, whose entries say all that theirs said", async () => {
  const world = externalWorld()
  const running = await started(world)
  await commits(running, 1)
  setProperties(world, minCount(3))
  const added: ManifestFile[] = []
  for (const number of [1, 2, 3]) added.push(await engineManifest(world, { number, statuses: [0, 1, 2] }))
  await foreignCommit(world, [], added)
  const before = await entriesOf(world)
  expect(before.size).toBe(7)
  expect([...before.values()].at(-1)).toMatchObject({
    snapshot_id: 78n,
    data_file: {
      file_format: 'ORC',
      column_sizes: [{ key: 1, value: 2n ** 33n }],
      split_offsets: [4n, 2n ** 35n],
      sort_order_id: 3,
    },
  })
  await commits(running, 1)
  expect(loaded(world).main?.summary).toMatchObject({ 'manifests-replaced': '3', 'manifests-kept': '1' })
  const after = await entriesOf(world)
  expect(after.size).toBe(8)
  for (const [path, entry] of before) expect(after.get(path)).toEqual(entry)
  const [, merged] = await manifestsOf(world)
  expect(merged).toMatchObject({
    existing_files_count: 6,
    deleted_files_count: 0,
    min_sequence_number: 1n,
    partitions: [
      { contains_null: false, contains_nan: null, lower_bound: Buffer.from(intBound(1)), upper_bound: Buffer.from(intBound(3)) },
    ],
  })
  // What became one of ours merges on as such.
  await commits(running, 12)
  for (const [path, entry] of before) expect((await entriesOf(world)).get(path)).toEqual(entry)
})

const cut = (bytes: Uint8Array): Uint8Array => bytes.subarray(0, -1)

test.each<[string, Omit<Engine, 'number'>]>([
  [
    'a field that we do not know',
    { schema: engineSchema([{ name: 'x', type: ['null', 'int'], default: null, 'field-id': 999 }]) },
  ],
  [
    'row ids in a table of version 2',
    { schema: engineSchema([{ name: 'x', type: ['null', 'long'], default: null, 'field-id': 142 }]) },
  ],
  ['delete files', { list: { content: 1 } }],
  ['delete files among rows', { file: { content: 1 } }],
  ['another spec', { list: { partition_spec_id: 7 } }],
  ['a key', { list: { key_metadata: Buffer.from('k') } }],
  ['damage', { damage: cut }],
  ['a length that is too short', { list: { manifest_length: 100n } }],
  ['a length that is too long', { list: { manifest_length: 10_000n } }],
  ['a length below zero', { list: { manifest_length: -1n } }],
  ['other rows than its list says', { list: { added_rows_count: 11n } }],
  ['a place outside of the table', { list: { manifest_path: 'memory:///t/secret.avro' } }],
  [
    'more fields in its summary than the spec has',
    {
      list: { partitions: new Array(3).fill({ contains_null: false, contains_nan: null, lower_bound: null, upper_bound: null }) },
    },
  ],
  [
    'bounds that are no numbers',
    { list: { partitions: [{ contains_null: false, contains_nan: null, lower_bound: Buffer.of(1), upper_bound: Buffer.of() }] } },
  ],
  [
    'existing files without a number',
    {
      statuses: [0],
      schema: { ...engineSchema(), fields: engineSchema().fields.filter((each) => each.name !== 'sequence_number') },
    },
  ],
])("engines' manifests with %s stay as they are, and rows come in", async (_name, engine) => {
  const world = externalWorld()
  const running = await started(world)
  await commits(running, 1)
  setProperties(world, minCount(2))
  const added: ManifestFile[] = []
  for (const number of [1, 2, 3]) added.push(await engineManifest(world, { ...engine, number }))
  await foreignCommit(world, [], added)
  const before = (await manifestsOf(world)).slice(1)
  await commits(running, 5)
  const after = await manifestsOf(world)
  expect(after.slice(0, 3)).toEqual(before)
  const ours = after.slice(3).reduce((sum, each) => sum + each.added_files_count + each.existing_files_count, 0)
  expect(ours).toBe(6)
  expect(after.length).toBeLessThan(7)
})

test('a manifest of ours that is damaged stays, and those beside it merge', async () => {
  const world = externalWorld()
  const running = await started(world)
  await commits(running, 10)
  const { location } = loaded(world)
  const [damaged] = await manifestsOf(world)
  const key = `warehouse/d/t/${damaged?.manifest_path.slice(location.length + 1)}`
  const bytes = await world.objects.read(key)
  bytes[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) ^ 1
  await world.objects.delete([key])
  await world.objects.create(key, bytes)
  setProperties(world, minCount(10))
  await commits(running, 1)
  const after = await manifestsOf(world)
  expect(after).toHaveLength(3)
  expect(after[0]).toEqual(damaged)
  expect(after[1]).toMatchObject({ existing_files_count: 9 })
})

test('a manifest that expands without end is left alone, and takes no more than its part', async () => {
  const world = externalWorld()
  const running = await started(world)
  await commits(running, 1)
  setProperties(world, minCount(2))
  const many = new Array(60_000).fill({ key: 1, value: 0n })
  const statuses = new Array(200).fill(1)
  const added = [
    await engineManifest(world, { number: 1 }),
    await engineManifest(world, { number: 2, statuses, file: { value_counts: many } }),
  ]
  await foreignCommit(world, [], [...added, await engineManifest(world, { number: 3 })])
  await commits(running, 1)
  const paths = (await manifestsOf(world)).map(({ manifest_path }) => manifest_path)
  expect(paths).toContain(added[1]?.manifest_path)
})

test('an engine that rewrote the manifests meanwhile is built upon, with no file lost or listed twice', async () => {
  let isMeddling = false
  const world = externalWorld(
    rowCommits(async (go) => {
      if (!isMeddling) return go()
      isMeddling = false
      await foreignCommit(world, [], [await engineManifest(world, { number: 9 })])
      return go()
    }),
  )
  const running = await started(world)
  await commits(running, 1)
  setProperties(world, minCount(2))
  for (let i = 0; i < 6; i++) {
    isMeddling = i === 3
    await commits(running, 1)
  }
  const entries = await entriesOf(world)
  expect(entries.size).toBe(8)
  expect((await manifestsOf(world)).length).toBeLessThan(6)
})

test('answers that are lost after a merge bring in no file twice', async () => {
  const world = externalWorld(
    rowCommits(async (go, number) => {
      const answer = await go()
      if (number % 2 === 0) throw unknown()
      return answer
    }),
  )
  const running = await started(world)
  await commits(running, 1)
  setProperties(world, minCount(2))
  await commits(running, 9)
  expect((await entriesOf(world)).size).toBe(10)
})

test('files of a table of version 3 keep the row ids that they have, and those of before an upgrade get theirs once', async () => {
  const world = externalWorld()
  const running = await started(world)
  await commits(running, 3)
  world.state.commit(there, { requirements: [], updates: [{ action: 'upgrade-format-version', 'format-version': 3 }] })
  await commits(running, 1)
  setProperties(world, minCount(2))
  const seen = new Map([...(await entriesOf(world))].map(([path, { data_file }]) => [path, data_file.first_row_id]))
  expect(new Set(seen.values()).size).toBe(4)
  for (let i = 0; i < 12; i++) {
    await commits(running, 1)
    const now = await entriesOf(world)
    for (const [path, id] of seen) expect([path, now.get(path)?.data_file.first_row_id]).toEqual([path, id])
    for (const [path, { data_file }] of now) seen.set(path, data_file.first_row_id)
    const next = loaded(world).nextRowId
    for (const id of seen.values()) expect(typeof id === 'bigint' && id < next).toBe(true)
  }
  expect(new Set(seen.values()).size).toBe(16)
  expect((await manifestsOf(world)).length).toBeLessThan(6)
})

test('the first commit after an upgrade that merges too gives every file an id', async () => {
  const world = externalWorld()
  const running = await started(world)
  await commits(running, 4)
  world.state.commit(there, { requirements: [], updates: [{ action: 'upgrade-format-version', 'format-version': 3 }] })
  setProperties(world, minCount(4))
  await commits(running, 1)
  expect(await manifestsOf(world)).toHaveLength(2)
  const ids = [...(await entriesOf(world)).values()].map(({ data_file }) => data_file.first_row_id)
  expect(ids).toEqual([0n, 1n, 2n, 3n, 4n])
})
