/** Lakes of Iceberg's format version 3: every row has an id that it keeps wherever it goes, and nanoseconds are what they were. */
import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { expect, test } from 'vitest'
import { alterTable, createTable } from '../catalog/tables.ts'
import { batchOf, type Plain } from '../format/arrow/batch.case.ts'
import { viewOf } from '../kernel/bytes.ts'
import { isSluiceError } from '../kernel/errors.ts'
import { hasFiles } from '../lake/append.ts'
import { loadLake } from '../lake/catalog.ts'
import { commitToLake } from '../lake/commit.ts'
import { mergeManifests } from '../lake/engine.case.ts'
import { decodeManifests, type ManifestDataFile, type ManifestFile } from '../lake/iceberg/manifest.ts'
import { currentSnapshot, decodeMetadata, type TableMetadata } from '../lake/iceberg/metadata.ts'
import { keyOfUri } from '../lake/layout.ts'
import { readEntries } from '../lake/upkeep/merge.ts'
import { dropPartition } from '../log/drop.ts'
import { markCollect } from '../log/keep/lake-mark.ts'
import { routeRows } from '../log/route.ts'
import { partitionedTable, requestOf, specOfBuckets, type TestWorld, testLog, testTable, testWorld } from '../log/world.case.ts'
import { parseOptions } from '../model/options.ts'
import type { Table } from '../model/table.ts'
import { parseType } from '../model/type-text.ts'
import { externalRows, externalTestTable, externalWorld, foreignCommit, loaded } from './external.case.ts'
import { folderRows, tier, tierJobOf } from './tier.case.ts'

const third = parseOptions({ 'lake.format': 'iceberg', 'lake.format-version': '3' })

async function thirdTable(world: TestWorld, buckets = 1): Promise<Table> {
  await testTable(world)
  return (await createTable(world, 'd', 'third', { ...specOfBuckets(buckets, 'iceberg'), options: third })).table
}

async function produce(world: TestWorld, table: Table, values: readonly number[], bucket = 0): Promise<void> {
  world.time.now += 60_000
  const [appended] = await testLog(world).append(table, requestOf(values, undefined, bucket))
  if (appended?.outcome.done !== true) throw new Error('the append failed')
}

const metadataOf = async (world: TestWorld, table: Table): Promise<TableMetadata> =>
  decodeMetadata((await loadLake(world, table)).metadata)

async function manifestsOf(world: TestWorld, table: Table): Promise<readonly ManifestFile[]> {
  const uri = currentSnapshot(await metadataOf(world, table))['manifest-list']
  return decodeManifests(await world.objects.read(keyOfUri(world.objects, table.tableId, uri)))
}

async function filesOf(world: TestWorld, table: Table): Promise<readonly ManifestDataFile[]> {
  const [spec] = (await metadataOf(world, table))['partition-specs']
  const found: ManifestDataFile[] = []
  for (const manifest of (await manifestsOf(world, table)).filter(hasFiles)) {
    const entries = spec && (await readEntries(world.objects, table.tableId, spec, manifest))
    found.push(...(entries ?? []).map(({ data_file }) => data_file))
  }
  return found
}

/** Each row's id, and the sequence number of the commit that brought it, by bucket and offset: what is in the file, else by its place. */
async function lineageOf(world: TestWorld, table: Table): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  for (const file of await filesOf(world, table)) {
    const bytes = await world.objects.read(keyOfUri(world.objects, table.tableId, file.file_path))
    const rows = await parquetReadObjects({ file: bytes.slice().buffer as ArrayBuffer, compressors })
    for (const [at, row] of rows.entries()) {
      const id = row['_row_id'] ?? (file.first_row_id ?? -1_000_000n) + BigInt(at)
      found.set(`${row['__bucket']}#${row['__offset']}`, String(id))
    }
  }
  return found
}

const numbers = (row: Record<string, unknown>): number => Number(row['v'])

test('every row has an id of its own, and keeps it when manifests merge and files are joined', async () => {
  const world = testWorld()
  const table = await thirdTable(world, 2)
  const seen = new Map<string, string>()
  for (let i = 0; i < 45; i++) {
    await produce(world, table, [i, 100 + i], i % 2)
    await tier(world, table)
    if (i % 7 > 0) continue
    const now = await lineageOf(world, table)
    for (const [row, id] of seen) expect([row, now.get(row)]).toEqual([row, id])
    for (const [row, id] of now) seen.set(row, id)
  }
  const lineage = await lineageOf(world, table)
  expect([lineage.size, new Set(lineage.values()).size]).toEqual([90, 90])
  const metadata = await metadataOf(world, table)
  const { summary } = currentSnapshot(metadata)
  expect(Number(summary['total-data-files'])).toBeLessThan(20)
  expect(metadata).toMatchObject({ 'format-version': 3 })
  let next: bigint | undefined
  for (const { 'first-row-id': first, 'added-rows': added } of metadata.snapshots) {
    expect(first).toBe(next ?? first)
    next = (first ?? 0n) + (added ?? 0n)
  }
  expect(metadata['next-row-id']).toBe(next)
  for (const id of lineage.values()) expect(BigInt(id) < (next ?? 0n)).toBe(true)
  expect((await folderRows(world.objects, table)).length).toBe(90)
})

test('a joined row says which commit brought it in', async () => {
  const world = testWorld()
  const table = await thirdTable(world)
  for (let i = 0; i < 45; i++) {
    await produce(world, table, [i])
    await tier(world, table)
  }
  const joined = (await filesOf(world, table)).filter((file) => file.record_count > 1n)
  const rows: Record<string, unknown>[] = []
  for (const { file_path } of joined) {
    const bytes = await world.objects.read(keyOfUri(world.objects, table.tableId, file_path))
    rows.push(...(await parquetReadObjects({ file: bytes.slice().buffer as ArrayBuffer, compressors })))
  }
  expect(rows.length).toBeGreaterThan(5)
  const appends = (await metadataOf(world, table)).snapshots.filter(({ summary }) => summary['operation'] === 'append')
  const sequences = appends.map((snapshot) => snapshot['sequence-number'])
  for (const row of rows) {
    const at = appends.length - 45 + numbers(row)
    if (at >= 0) expect(Number(row['_last_updated_sequence_number'])).toBe(sequences[at])
  }
})

test('nanoseconds are in the lake as they were, with exact bounds, and version 2 refuses them at create', async () => {
  const world = testWorld()
  await testTable(world)
  const columns = ['timestamp(9)', 'timestamp_ltz(7)', 'array<timestamp(8)>'].map((type, i) => ({
    name: `c${i}`,
    type: parseType(type),
    nullable: true,
  }))
  const spec = { columns, partitionBy: [], buckets: { count: 1 }, options: third }
  const { table } = await createTable(world, 'd', 'fine', spec)
  const at = 1_700_000_000_123_456_789n
  const rows: readonly (readonly Plain[])[] = [
    [at, at - 1n, [at]],
    [at + 1n, -1n, []],
    [null, null, null],
  ]
  const part = { partition: '', bucket: 0, batches: [batchOf(table.schema.columns, rows)] }
  await testLog(world).append(table, { parts: [part] })
  expect(await tier(world, table)).toMatchObject({ state: 'committed', rows: 3n })
  const metadata = await metadataOf(world, table)
  expect(metadata.schemas[0]?.fields.slice(0, 2).map(({ type }) => type)).toEqual(['timestamp_ns', 'timestamptz_ns'])
  const [file] = await filesOf(world, table)
  const bounds = (side: 'lower_bounds' | 'upper_bounds') =>
    [4, 5].map((id) => {
      const bytes = file?.[side]?.find(({ key }) => key === id)?.value
      return bytes && viewOf(bytes).getBigInt64(0, true)
    })
  expect([bounds('lower_bounds'), bounds('upper_bounds')]).toEqual([
    [at, -1n],
    [at + 1n, at - 1n],
  ])
})

test('a table of version 2 becomes one of version 3 with its next commit, old snapshots and all, and never goes back', async () => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  for (let i = 0; i < 12; i++) {
    await produce(world, table, [i])
    await tier(world, table)
  }
  expect(await metadataOf(world, table)).not.toHaveProperty('next-row-id')
  const altered = await alterTable(world, 'd', 't', { setOptions: { 'lake.format-version': '3' } })
  await produce(world, altered, [12])
  await tier(world, altered)
  const upgraded = await metadataOf(world, altered)
  expect(upgraded).toMatchObject({ 'format-version': 3 })
  expect(upgraded.snapshots[0]).not.toHaveProperty('first-row-id')
  const before = await lineageOf(world, altered)
  expect(new Set(before.values()).size).toBe(13)
  for (let i = 13; i < 50; i++) {
    await produce(world, altered, [i])
    await tier(world, altered)
  }
  const after = await lineageOf(world, altered)
  for (const [row, id] of before) expect([row, after.get(row)]).toEqual([row, id])
  expect(new Set(after.values()).size).toBe(50)
  expect((await folderRows(world.objects, altered)).map(numbers).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 50 }, (_, i) => i),
  )
  for (const value of ['2', null])
    await expect(alterTable(world, 'd', 't', { setOptions: { 'lake.format-version': value } })).rejects.toThrow(/never back/)
})

test('a partition that is dropped leaves the ids of the other rows as they were', async () => {
  const world = testWorld()
  await partitionedTable(world, 1, 'iceberg')
  const table = await alterTable(world, 'd', 't', { setOptions: { 'lake.format-version': '3' } })
  const rows = Array.from({ length: 6 }, (_, i): Plain[] => [BigInt(i), `k${i % 2}`])
  const parts = routeRows(table, [batchOf(table.schema.columns, rows)], { rotate: () => 0 })
  await testLog(world).append(table, { parts })
  await tier(world, table)
  const idsOf = async (): Promise<readonly (readonly unknown[])[]> => {
    const files = await filesOf(world, table)
    return files.map((file) => [file.file_path, file.first_row_id, file.record_count])
  }
  const before = await idsOf()
  world.time.now += 60_001
  expect(await dropPartition(world, table, 'k=k0')).toBe('gone')
  const after = await idsOf()
  expect(after.length).toBe(1)
  expect(before).toContainEqual(after[0])
})

test('an engine merges manifests of version 3 if files keep their ids, and gives those that are next', async () => {
  const world = testWorld()
  const table = await thirdTable(world)
  for (const values of [[1, 2], [3]]) {
    await produce(world, table, values)
    await tier(world, table)
  }
  const before = await lineageOf(world, table)
  const metadata = await metadataOf(world, table)
  const { snapshot, ...commit } = await mergeManifests(world, metadata, { now: world.time.now })
  const mark = (lake: Parameters<typeof markCollect>[2]) => markCollect(world, tierJobOf(table), lake)
  const withIds = (ids: object) => ({
    ...commit,
    updates: commit.updates.map((update) =>
      update.action === 'add-snapshot' ? { ...update, snapshot: { ...snapshot, ...ids } } : update,
    ),
  })
  const wrong: readonly (readonly [object, string])[] = [
    [{ 'first-row-id': undefined }, 'has no first-row-id'],
    [{ 'first-row-id': 0n, 'added-rows': 99n }, 'row ids from 0 on are not free'],
    [{ 'first-row-id': 99n }, 'a first_row_id of others'],
    [{ 'added-rows': 1n }, 'its manifests take more'],
    [{ 'added-rows': 2n ** 60n }, 'are given at once'],
  ]
  for (const [ids, why] of wrong) await expect(commitToLake(world, table, withIds(ids), mark)).rejects.toThrow(why)
  await commitToLake(world, table, commit, mark)
  await produce(world, table, [4])
  await tier(world, table)
  const after = await lineageOf(world, table)
  for (const [row, id] of before) expect([row, after.get(row)]).toEqual([row, id])
  expect(new Set(after.values()).size).toBe(4)
})

test('an engine does not change the format version', async () => {
  const world = testWorld()
  const table = await thirdTable(world)
  await produce(world, table, [1])
  await tier(world, table)
  const mark = (lake: Parameters<typeof markCollect>[2]) => markCollect(world, tierJobOf(table), lake)
  for (const version of [2, 4]) {
    const upgrade = { action: 'upgrade-format-version' as const, 'format-version': version }
    const refused = await commitToLake(world, table, { requirements: [], updates: [upgrade] }, mark).catch((e: unknown) => e)
    expect(isSluiceError(refused, 'bad-request')).toBe(true)
  }
})

test('a table of version 3 in another catalog gets ids too, over commits of engines, and an older one is upgraded', async () => {
  for (const start of ['2', '3']) {
    const world = externalWorld()
    let table = await externalTestTable(world, { 'lake.format-version': start })
    await produce(world, table, [1, 2])
    await tier(world, table)
    expect(loaded(world).formatVersion).toBe(Number(start))
    table = await alterTable(world, table.database, table.name, { setOptions: { 'lake.format-version': '3' } })
    await foreignCommit(world)
    await produce(world, table, [3])
    await tier(world, table)
    expect(loaded(world)).toMatchObject({ formatVersion: 3, nextRowId: 3n })
    expect((await externalRows(world)).map(numbers).sort()).toEqual([1, 2, 3])
  }
})
