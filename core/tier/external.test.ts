import { expect, test } from 'vitest'
import { createTable } from '../catalog/tables.ts'
import { encodeSchema } from '../format/items/schema.ts'
import { encodeDefinition, tableKey } from '../format/items/table.ts'
import { SluiceError } from '../kernel/errors.ts'
import { columnsProperty } from '../lake/external/columns.ts'
import { tableIdProperty } from '../lake/external/points.ts'
import { readLakeItem } from '../lake/item.ts'
import { specOfBuckets, type TestWorld, testLog } from '../log/world.case.ts'
import { evolve, type SchemaChange } from '../model/evolve.ts'
import type { Table } from '../model/table.ts'
import type { Update } from '../ports/items.ts'
import {
  appendRows,
  externalRows,
  externalTestTable,
  externalValues,
  externalWorld,
  foreignCommit,
  loaded,
  produce,
  rowCommits,
  there,
  unknown,
} from './external.case.ts'
import { lakePoints, tierState } from './state.ts'
import { tier } from './tier.case.ts'

/** Whether a table with a lake may be altered is not asked here. */
async function alter(world: TestWorld, table: Table, change: SchemaChange): Promise<Table> {
  const { options } = table
  const altered = { ...evolve({ ...table, options: { ...options, lakeFormat: 'none' } }, change), options }
  await world.items.create(encodeSchema(table.tableId, table.schema))
  const isThere = { is: 'equal', path: 'i', value: table.tableId } as const
  await world.items.update({ key: tableKey('d', 't'), set: { d: { value: encodeDefinition(altered) } }, condition: isThere })
  return altered
}

test('rows come into the external table once, with its own field ids, and the next run finds nothing', async () => {
  const world = externalWorld()
  const table = await externalTestTable(world)
  await produce(world, table, [1, 2, 3])
  expect(await tier(world, table)).toMatchObject({ state: 'committed', snapshots: 1, rows: 3n, remaining: 0n })
  expect(await tier(world, table)).toMatchObject({ state: 'idle' })
  await produce(world, table, [4])
  await tier(world, table)
  expect(await externalValues(world)).toEqual([1, 2, 3, 4])
  expect((await externalRows(world)).map((row) => Number(row['__offset'])).sort()).toEqual([0, 1, 2, 3])
  const { schema, properties } = loaded(world)
  expect(schema.fields.map(({ id, name }) => [id, name])).toEqual([
    [1, 'v'],
    [2, '__bucket'],
    [3, '__offset'],
    [4, '__timestamp'],
  ])
  expect(properties[tableIdProperty]).toBe(table.tableId)
  const state = await tierState(world, testLog(world), table)
  expect(state).toMatchObject({
    state: 'idle',
    lagRows: 0,
    snapshot: loaded(world).main?.id.toString(),
    maintenance: 'catalog',
  })
})

test.each([
  ['an answer that is lost after the commit', 1],
  ['answers that are lost again and again', 5],
])('%s brings no row in twice', async (_name, times) => {
  const world = externalWorld(
    rowCommits(async (go, number) => {
      const answer = await go()
      if (number <= times) throw unknown()
      return answer
    }),
  )
  const table = await externalTestTable(world)
  await produce(world, table, [1, 2])
  expect(await tier(world, table)).toMatchObject({ state: 'committed', snapshots: 1, rows: 2n })
  expect(await externalValues(world)).toEqual([1, 2])
})

test('a commit that arrives after its worker gave up is the only one', async () => {
  const late: (() => Promise<unknown>)[] = []
  let isDown = true
  const world = externalWorld(
    rowCommits(async (go) => {
      if (!isDown) return go()
      late.push(go)
      throw unknown()
    }),
  )
  const table = await externalTestTable(world)
  await produce(world, table, [1, 2])
  await expect(tier(world, table)).rejects.toMatchObject({ effect: 'unknown' })
  expect(await tierState(world, testLog(world), table)).toMatchObject({
    state: 'failing',
    lastError: { message: expect.stringContaining('not known') },
  })
  for (const go of late) await go()
  isDown = false
  await produce(world, table, [3])
  expect(await tier(world, table)).toMatchObject({ state: 'committed', rows: 1n })
  for (const go of late) await go()
  expect(await externalValues(world)).toEqual([1, 2, 3])
  expect(await tierState(world, testLog(world), table)).toMatchObject({ state: 'idle', lastError: null })
})

test('foreign commits before ours are built upon, with the files that were written for it', async () => {
  let foreign = 3
  const world = externalWorld(
    rowCommits(async (go) => {
      if (foreign-- > 0) await foreignCommit(world)
      return go()
    }),
  )
  const table = await externalTestTable(world)
  await produce(world, table, [1, 2])
  expect(await tier(world, table)).toMatchObject({ state: 'committed', snapshots: 1 })
  await foreignCommit(world)
  await produce(world, table, [3])
  await tier(world, table)
  expect(await externalValues(world)).toEqual([1, 2, 3])
  const files: string[] = []
  for await (const { key } of world.objects.list('warehouse/d/t/data/')) files.push(key)
  expect(files).toHaveLength(2)
})

test('a worker that slept while another brought the same rows in changes nothing, nor does its late commit', async () => {
  const world = externalWorld(
    rowCommits(async (go, number) => {
      if (number !== 1) return go()
      world.time.now += 10 * 60_000
      expect(await tier(world, table)).toMatchObject({ state: 'committed', rows: 2n })
      return go()
    }),
  )
  const table = await externalTestTable(world)
  await produce(world, table, [1, 2])
  expect(await tier(world, table)).toMatchObject({ state: 'fenced', rows: 0n })
  expect(await externalValues(world)).toEqual([1, 2])
})

test('a crash between the commit and the lake item is repaired by a run that has no rows', async () => {
  const world = externalWorld()
  const table = await externalTestTable(world)
  await produce(world, table, [1])
  await tier(world, table)
  await produce(world, table, [2])
  const { items } = world
  const broken = new Proxy(items, {
    get: (target, name: 'get') =>
      (name as string) === 'update'
        ? async (update: Update) => {
            if (update.set?.['metadata'] !== undefined) throw new SluiceError('internal', 'crash')
            return target.update(update)
          }
        : target[name].bind(target),
  })
  await expect(tier({ ...world, items: broken }, table)).rejects.toThrow('crash')
  expect((await lakePoints(world, table)).points.get('')?.get(0)?.offset).toBe(1n)
  world.time.now += 120_000
  expect(await tier(world, table)).toMatchObject({ state: 'idle' })
  expect((await lakePoints(world, table)).points.get('')?.get(0)?.offset).toBe(2n)
  expect(await externalValues(world)).toEqual([1, 2])
})

test('a stale catalog delays a run and duplicates nothing', async () => {
  let age = 0
  const world = externalWorld((catalog) => ({ ...catalog, load: async (table) => world.state.load(table, age) }))
  const table = await externalTestTable(world)
  for (const value of [1, 2, 3]) {
    await produce(world, table, [value])
    await tier(world, table)
  }
  age = 1
  await produce(world, table, [4])
  await tier(world, table).catch(() => undefined)
  age = 0
  await tier(world, table)
  expect(await externalValues(world)).toEqual([1, 2, 3, 4])
})

test('conflicts without end are shown, leave the log alone, and end by themselves', async () => {
  let isContended = true
  const world = externalWorld(rowCommits(async (go) => (isContended ? 'conflict' : go())))
  const table = await externalTestTable(world)
  await produce(world, table, [1])
  await expect(tier(world, table)).rejects.toMatchObject({ code: 'conflict', action: 'retry' })
  expect(await tierState(world, testLog(world), table)).toMatchObject({ state: 'failing', lagRows: 1 })
  isContended = false
  await tier(world, table)
  expect(await externalValues(world)).toEqual([1])
})

test('others that commit faster than a round stop it after a while, not the next one', async () => {
  let isBusy = true
  const world = externalWorld(
    rowCommits(async (go) => {
      if (isBusy) await foreignCommit(world)
      return go()
    }),
  )
  const table = await externalTestTable(world)
  await produce(world, table, [1])
  await expect(tier(world, table)).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('faster') })
  isBusy = false
  await tier(world, table)
  expect(await externalValues(world)).toEqual([1])
})

test('points outlive snapshots that are expired above and below them', async () => {
  const world = externalWorld()
  const table = await externalTestTable(world)
  await produce(world, table, [1])
  await tier(world, table)
  const ours = loaded(world).main?.id
  await foreignCommit(world)
  await foreignCommit(world)
  world.state.commit(there, { requirements: [], updates: [{ action: 'remove-snapshots', 'snapshot-ids': [ours] }] })
  await produce(world, table, [2])
  expect(await tier(world, table)).toMatchObject({ rows: 1n })
  expect(await externalValues(world)).toEqual([1, 2])
})

test('a table that is set back gets the rows again that the log still has', async () => {
  const world = externalWorld()
  const table = await externalTestTable(world)
  await produce(world, table, [1])
  await tier(world, table)
  const first = loaded(world).main?.id
  await produce(world, table, [2])
  await tier(world, table)
  world.state.commit(there, {
    requirements: [],
    updates: [{ action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': first }],
  })
  expect(await externalValues(world)).toEqual([1])
  await tier(world, table)
  expect(await externalValues(world)).toEqual([1, 2])
})

test('a table that was dropped there, or is another one by now, stops the lake and not the log', async () => {
  const world = externalWorld()
  const table = await externalTestTable(world)
  await produce(world, table, [1])
  await tier(world, table)
  world.state.drop(there)
  await produce(world, table, [2])
  await expect(tier(world, table)).rejects.toThrow('not there any more')
  world.state.create(there, { schema: { type: 'struct', fields: [] }, properties: { 'format-version': '2' } })
  await expect(tier(world, table)).rejects.toThrow('another table now')
  expect(await tierState(world, testLog(world), table)).toMatchObject({ state: 'failing', lagRows: 1 })
  expect((await readLakeItem(world.items, table.tableId))?.lastError?.message).toContain('another table now')
})

test('two tables of sluice do not share one external table', async () => {
  const world = externalWorld()
  const table = await externalTestTable(world)
  await produce(world, table, [1])
  await tier(world, table)
  const { table: second } = await createTable(world, 'd', 't2', {
    ...specOfBuckets(1),
    options: { ...table.options, lakeCatalog: { name: 'other', table: 't' } },
  })
  await produce(world, second, [9])
  await expect(tier(world, second)).rejects.toThrow('belongs to another table')
  expect(await externalValues(world)).toEqual([1])
})

test('the external table follows ours: a column that is added, one that is renamed, rows of before and after', async () => {
  const world = externalWorld()
  const table = await externalTestTable(world)
  await produce(world, table, [1])
  await tier(world, table)
  const altered = await alter(world, table, { renameColumns: { v: 'w' }, addColumns: [{ name: 'more', type: 'string' }] })
  await appendRows(world, altered, [[2n, 'two']])
  await tier(world, altered)
  const { schema, properties } = loaded(world)
  expect(schema.fields.map(({ id, name, required }) => [id, name, required])).toEqual([
    [1, 'w', true],
    [2, '__bucket', true],
    [3, '__offset', true],
    [4, '__timestamp', true],
    [5, 'more', false],
  ])
  expect(JSON.parse(properties[columnsProperty] ?? '')).toEqual({ 1: 2, 2: 3, 3: 4, 4: 1, 5: 5 })
  expect((await externalRows(world)).map((row) => row['more'] ?? null)).toEqual([null, 'two'])
})
