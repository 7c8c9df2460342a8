import { icebergRead } from 'icebird'
import { expect, test } from 'vitest'
import { alterTable, createTable } from '../catalog/tables.ts'
import { batchOf, type Plain } from '../format/arrow/batch.case.ts'
import { sweep } from '../jobs/sweep.ts'
import { present } from '../kernel/assert.ts'
import { alignLake } from '../lake/align.ts'
import { commitToLake } from '../lake/commit.ts'
import { mergeManifests } from '../lake/engine.case.ts'
import { decodeMetadata } from '../lake/iceberg/metadata.ts'
import { readLakeItem } from '../lake/item.ts'
import { lakeFolder } from '../lake/layout.ts'
import { readChecked } from '../lake/objects.ts'
import { dropPartition } from '../log/drop.ts'
import { markCollect } from '../log/keep/lake-mark.ts'
import { testLog, testTable, testWorld } from '../log/world.case.ts'
import { defaultOptions } from '../model/options.ts'
import type { Table } from '../model/table.ts'
import { parseType } from '../model/type-text.ts'
import type { ItemKey } from '../ports/items.ts'
import type { World } from '../ports/world.ts'
import { folderRows, tier, tierJobOf, withFetch } from './tier.case.ts'

const columns = ['id int', 'text string', 'price decimal(9,2)', 'f float'].map((each) => {
  const [name = '', type = ''] = each.split(' ')
  return { name, type: parseType(type), nullable: name !== 'id' }
})

async function evolvingTable(world: World): Promise<Table> {
  await testTable(world)
  const options = { ...defaultOptions, lakeFormat: 'iceberg' as const }
  const buckets = { count: 1, key: ['id'] }
  return (await createTable(world, 'd', 'evolving', { columns, partitionBy: [], buckets, options })).table
}

async function produce(world: World, table: Table, rows: readonly (readonly Plain[])[]): Promise<void> {
  const part = { partition: '', bucket: 0, batches: [batchOf(table.schema.columns, rows)] }
  const [appended] = await testLog(world).append(table, { parts: [part] })
  if (appended?.outcome.done !== true) throw new Error('the append failed')
}

async function metadataOf(world: World, table: Table) {
  const lake = await readLakeItem(world.items, table.tableId)
  return decodeMetadata(await readChecked(world.objects, lake?.committed?.metadata ?? { key: 'none', crc32: 0 }))
}

const namesOf = (schema: { readonly fields: readonly { readonly name: string; readonly type: unknown }[] } | undefined) =>
  schema?.fields.map(({ name, type }) => `${name} ${String(type)}`).filter((text) => !text.startsWith('__'))

test('columns that are added, dropped, renamed and widened are so in the lake, and an old snapshot keeps those that it had', async () => {
  const world = testWorld()
  const table = await evolvingTable(world)
  await produce(world, table, [[1, 'a', 150n, 0.5]])
  await tier(world, table)
  await produce(world, table, [[2, 'b', 250n, 1.5]])
  const change = {
    addColumns: [{ name: 'more', type: 'int' }],
    dropColumns: ['f'],
    renameColumns: { text: 'words' },
    widenColumns: { id: 'bigint', price: 'decimal(20,2)' },
  }
  const altered = await alterTable(world, 'd', 'evolving', change)
  await produce(world, altered, [[3n, 'c', 350n, 7]])
  await produce(world, table, [[4, 'd', 450n, 2.5]])
  expect(await tier(world, table)).toMatchObject({ state: 'committed', rows: 3n, remaining: 0n })
  const metadata = await metadataOf(world, table)
  expect(metadata.schemas.map(namesOf)).toEqual([
    ['id int', 'text string', 'price decimal(9, 2)', 'f float'],
    ['id long', 'words string', 'price decimal(20, 2)', 'more int'],
  ])
  expect(metadata.snapshots.map((snapshot) => snapshot['schema-id'])).toEqual([1, 2])
  expect([metadata['current-schema-id'], metadata['last-column-id']]).toEqual([2, 8])
  expect(JSON.parse(metadata.properties['schema.name-mapping.default'] ?? '')).toContainEqual({ 'field-id': 5, names: ['words'] })
  // This reader knows a renamed column by its name alone; test/interop has readers that go by the id.
  const rows = (await folderRows(world.objects, table)).sort((a, b) => Number(a['id']) - Number(b['id']))
  expect(rows.map((row) => [Number(row['id']), Number(row['price']), row['more'] ?? null])).toEqual([
    [1, 1.5, null],
    [2, 2.5, null],
    [3, 3.5, 7],
    [4, 4.5, null],
  ])
  const [first] = metadata.snapshots
  const tableUrl = world.objects.uri(lakeFolder(table.tableId))
  const old = await withFetch(world.objects, () =>
    icebergRead({
      tableUrl,
      metadata: { ...metadata, 'current-snapshot-id': first?.['snapshot-id'], 'current-schema-id': 1 } as never,
    }),
  )
  expect(old.map((row) => [row['id'], row['text'], row['f']])).toEqual([[1, 'a', 0.5]])
})

test('columns that change while a round is staged are read again, and the round begins anew', async () => {
  const world = testWorld()
  const table = await evolvingTable(world)
  await produce(world, table, [[1, 'a', 150n, 0.5]])
  const { objects } = world
  let altered: Table | undefined
  const slow = new Proxy(objects, {
    get: (target, name) => {
      const method = Reflect.get(target, name) as ((...given: unknown[]) => unknown) | undefined
      if (name !== 'read' || method === undefined) return method?.bind(target)
      return async (...given: unknown[]) => {
        if (altered === undefined && String(given[0]).startsWith('t/')) {
          altered = await alterTable(world, 'd', 'evolving', { addColumns: [{ name: 'more', type: 'int' }] })
          await produce(world, altered, [[2, 'b', 250n, 1.5, 9]])
        }
        return method.apply(target, given)
      }
    },
  })
  expect(await tier({ ...world, objects: slow }, table)).toMatchObject({ state: 'committed' })
  await tier(world, table)
  const rows = (await folderRows(world.objects, table)).sort((a, b) => Number(a['id']) - Number(b['id']))
  expect(rows.map((row) => [row['id'], row['more'] ?? null])).toEqual([
    [1, null],
    [2, 9],
  ])
  expect((await metadataOf(world, table))['current-schema-id']).toBe(2)
})

test('rows of nothing but columns that were dropped bring the tier point on', async () => {
  const world = testWorld()
  const table = await evolvingTable(world)
  await produce(world, table, [[1, 'a', null, null]])
  const one = await alterTable(world, 'd', 'evolving', {
    dropColumns: ['text', 'price', 'f'],
    addColumns: [{ name: 'n', type: 'int' }],
  })
  await alterTable(world, 'd', 'evolving', { dropColumns: ['n'] })
  await produce(world, one, [[2, 5]])
  expect(await tier(world, table)).toMatchObject({ rows: 2n, remaining: 0n })
  expect(
    (await folderRows(world.objects, table)).map((row) => Object.keys(row).filter((name) => !name.startsWith('__'))),
  ).toEqual([['id'], ['id']])
})

test('a drop by a caller who knows older columns leaves the lake those that it has', async () => {
  const world = testWorld()
  await testTable(world)
  const spec = {
    columns: [...columns, { name: 'k', type: parseType('int'), nullable: false }],
    partitionBy: ['k'],
    buckets: { count: 1 },
    options: { ...defaultOptions, lakeFormat: 'iceberg' as const },
  }
  const { table } = await createTable(world, 'd', 'evolving', spec)
  const add = async (now: Table, k: Plain) => {
    const part = { partition: `k=${k}`, bucket: 0, batches: [batchOf(now.schema.columns, [[1, 'a', null, null, k]])] }
    await testLog(world).append(now, { parts: [part] })
  }
  await add(table, 7)
  await add(table, 8)
  await tier(world, table)
  const wider = await alterTable(world, 'd', 'evolving', { widenColumns: { k: 'bigint' } })
  await add(wider, 2n ** 32n + 7n)
  await tier(world, table)
  expect(await dropPartition(world, table, 'k=7')).toBe('gone')
  const metadata = await metadataOf(world, table)
  expect([metadata['current-schema-id'], metadata.snapshots.at(-1)?.summary['total-records']]).toEqual([2, '2'])
  expect((await folderRows(world.objects, table)).map((row) => Number(row['k'])).sort()).toEqual([2 ** 32 + 7, 8])
})

test('however often columns change, the metadata has the schemas of its snapshots alone', async () => {
  const world = testWorld()
  const table = await evolvingTable(world)
  for (let i = 0; i < 30; i++) {
    world.time.now += 86_400_000
    const altered = await alterTable(world, 'd', 'evolving', { renameColumns: { [i === 0 ? 'text' : `t${i - 1}`]: `t${i}` } })
    await produce(world, altered, [[i, null, null, null]])
    await tier(world, table)
  }
  const { schemas, snapshots } = await metadataOf(world, table)
  expect(schemas.length).toBeLessThanOrEqual(snapshots.length + 1)
  for (const snapshot of snapshots) expect(schemas.map((schema) => schema['schema-id'])).toContain(snapshot['schema-id'])
})

test('columns that change are so in the lake also when no row comes: one commit of metadata, and then nobody wakes the table', async () => {
  const world = testWorld()
  const table = await evolvingTable(world)
  await produce(world, table, [[1, 'a', 150n, 0.5]])
  await tier(world, table)
  const before = await metadataOf(world, table)
  const points = (await readLakeItem(world.items, table.tableId))?.committed?.points
  const swept = async () => {
    world.jobs.length = 0
    await sweep(world)
    return world.jobs.filter(({ kind }) => kind === 'tier')
  }
  world.time.now += 86_400_000
  for (const { marks } of await swept()) await tier(world, table, { marks })
  await alterTable(world, 'd', 'evolving', { addColumns: [{ name: 'more', type: 'int' }], renameColumns: { text: 'words' } })
  expect(await swept()).toEqual([])
  world.time.now += defaultOptions.lakeFreshnessMs + 1
  const [job] = await swept()
  expect(await tier(world, table, { marks: job?.marks ?? [] })).toMatchObject({ state: 'idle', snapshots: 0 })
  const after = await metadataOf(world, table)
  expect(after.schemas.map(namesOf).at(-1)).toEqual(['id int', 'words string', 'price decimal(9, 2)', 'f float', 'more int'])
  expect(after['current-schema-id']).toBe(2)
  expect(after.snapshots).toEqual(before.snapshots)
  expect((await readLakeItem(world.items, table.tableId))?.committed?.points).toEqual(points)
  expect((await folderRows(world.objects, table)).length).toBe(1)
  world.time.now += 86_400_000
  expect(await swept()).toEqual([])
  const version = (await readLakeItem(world.items, table.tableId))?.version
  expect(await tier(world, table)).toMatchObject({ state: 'idle' })
  expect((await readLakeItem(world.items, table.tableId))?.version).toBe(version)
})

test('a run without rows reads the lake item once, and the metadata once beside the look for its copy', async () => {
  const world = testWorld()
  const table = await evolvingTable(world)
  await produce(world, table, [[1, 'a', 150n, 0.5]])
  await tier(world, table)
  const reads: string[] = []
  const seen = {
    ...world,
    items: watched(world.items, 'get', (key) => reads.push((key as ItemKey).sort)),
    objects: watched(world.objects, 'read', (key) => reads.push(String(key).replace(/^.*\//, ''))),
  }
  expect(await tier(seen, table)).toMatchObject({ state: 'idle' })
  const points = expect.stringMatching(/^[0-9a-f]{12}-[0-9a-f]{16}\.json$/)
  expect(reads).toEqual(['lake', 'evolving', 'v1.metadata.json', 'version-hint.text', points, 'h', 'v1.metadata.json'])
})

test('a worker that looked at a table before its columns changed turns nothing back', async () => {
  const world = testWorld()
  const table = await evolvingTable(world)
  await produce(world, table, [[1, 'a', 150n, 0.5]])
  await tier(world, table)
  const mark = (lake: Parameters<typeof markCollect>[2]) => markCollect(world, tierJobOf(table), lake)
  const altered = await alterTable(world, 'd', 'evolving', { dropColumns: ['f'], setOptions: { 'lake.format-version': '3' } })
  const lake = async () => present(await readLakeItem(world.items, table.tableId), 'the lake item')
  expect(await alignLake(world, altered, await lake(), mark)).toMatchObject({ is: 'done' })
  expect(await alignLake(world, table, await lake(), mark)).toMatchObject({ is: 'same' })
  const metadata = await metadataOf(world, table)
  expect(metadata).toMatchObject({ 'format-version': 3, 'next-row-id': 0n, 'current-schema-id': 2 })
  // An engine that keeps the table in order may give the first ids.
  const { snapshot: _, ...commit } = await mergeManifests(world, metadata, { now: world.time.now })
  await commitToLake(world, altered, commit, mark)
  expect(await metadataOf(world, table)).toMatchObject({ 'next-row-id': 1n })
})

/** Tells the first argument of each call of `name`. */
function watched<T extends object>(store: T, name: keyof T, tell: (first: unknown) => void): T {
  return new Proxy(store, {
    get: (target, property) => {
      const value = Reflect.get(target, property)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        if (property === name) tell(args[0])
        return value.apply(target, args)
      }
    },
  })
}
