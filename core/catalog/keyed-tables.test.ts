/** Tables with a primary key in the catalog: made, made again, described and altered. */
import { expect, test } from 'vitest'
import { testWorld } from '../log/world.case.ts'
import { printSpec, tableSpecOf } from '../model/spec.ts'
import { createDatabase } from './databases.ts'
import { alterTable, createTable, getTable } from './tables.ts'

const spec = tableSpecOf({
  columns: [
    { name: 'id', type: 'bigint' },
    { name: 'tags.all', type: 'string' },
    { name: 'total', type: 'int' },
  ],
  primaryKey: ['id'],
  options: {
    'merge-engine': 'aggregation',
    'fields.total.agg': 'sum',
    'fields.tags.all.agg': 'listagg',
    'fields.tags.all.listagg-delimiter': '\n"',
  },
})

async function worldWithTable() {
  const world = testWorld()
  await createDatabase(world, 'd')
  const { table } = await createTable(world, 'd', 't', spec)
  return { world, table }
}

test('a table of the same key and options is the same, of another engine it is not', async () => {
  const { world, table } = await worldWithTable()
  expect(await createTable(world, 'd', 't', tableSpecOf(printSpec(table)))).toMatchObject({ created: false })
  const other = tableSpecOf({ ...printSpec(table), options: {} })
  await expect(createTable(world, 'd', 't', other)).rejects.toMatchObject({ code: 'exists' })
})

test('other options are altered beside those that rows are merged by, which stay', async () => {
  const { world, table } = await worldWithTable()
  await alterTable(world, 'd', 't', { setOptions: { 'log.ttl': '1h', 'merge-engine': 'aggregation' } })
  const altered = await getTable(world, 'd', 't')
  expect(altered).toEqual({ ...table, options: { ...table.options, logTtlMs: 3_600_000 } })
  for (const setOptions of [{ 'merge-engine': 'last-row' }, { 'fields.total.agg': null }, { 'delete.behavior': 'allow' }])
    await expect(alterTable(world, 'd', 't', { setOptions })).rejects.toMatchObject({ effect: 'none' })
  expect(await getTable(world, 'd', 't')).toEqual(altered)
})

test('columns that are renamed and added keep the key and what the columns are merged by', async () => {
  const { world } = await worldWithTable()
  const change = { renameColumns: { id: 'key', total: 'sum' }, addColumns: [{ name: 'more', type: 'double' }] }
  await alterTable(world, 'd', 't', change)
  const printed = printSpec(await getTable(world, 'd', 't'))
  expect(printed).toMatchObject({ schemaId: 2, primaryKey: ['key'], buckets: { count: 1, key: ['key'] } })
  expect(printed.options).toMatchObject({ 'fields.sum.agg': 'sum', 'fields.tags.all.listagg-delimiter': '\n"' })
})
