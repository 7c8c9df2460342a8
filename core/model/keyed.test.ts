/** Tables with a primary key: what may be asked for, what is printed, and what changes of schema do to the key and its options. */
import { describe, expect, test } from 'vitest'
import { decodeTable, encodeTable } from '../format/items/table.ts'
import { labelZero, type TableId } from '../kernel/ids.ts'
import { evolve, type SchemaChange } from './evolve.ts'
import { checkKeyedStay } from './keyed.ts'
import { parseOptions } from './options.ts'
import { assignIds, printSpec, sameSpec, specOf, type TableBody, tableSpecOf } from './spec.ts'
import type { Table, TableSpec } from './table.ts'

const body: TableBody = {
  columns: [
    { name: 'dt', type: 'string' },
    { name: 'id', type: 'bigint' },
    { name: 'sub', type: 'int', nullable: false },
    { name: 'total', type: 'decimal(10,2)' },
    { name: 'tags.all', type: 'string' },
    { name: 'constructor', type: 'double' },
    { name: 'number', type: 'bigint', autoIncrement: true },
  ],
  primaryKey: ['id', 'dt', 'sub'],
  partitionBy: ['dt'],
  buckets: { count: 2 },
  options: {
    'merge-engine': 'aggregation',
    'fields.total.agg': 'sum',
    'fields.tags.all.agg': 'listagg',
    'fields.tags.all.listagg-delimiter': '; ',
    'fields.constructor.agg': 'max',
  },
}

function tableOf(spec: TableSpec): Table {
  const { columns, lastColumnId } = assignIds(spec)
  const { columns: _, ...rest } = spec
  const base = { database: 'd', name: 't', tableId: '0123456789abcdef' as TableId, gc: labelZero, state: 'alive' as const }
  return { ...base, ...rest, schema: { schemaId: 1, columns }, createdAt: 0, lastColumnId }
}

test('columns of the key are not nullable, and the key without the partition buckets the rows', () => {
  const spec = tableSpecOf(body)
  expect(spec.columns.map(({ nullable }) => nullable)).toEqual([false, false, false, true, true, true, true])
  expect(spec.buckets).toEqual({ count: 2, key: ['id', 'sub'] })
  expect(tableSpecOf({ ...body, buckets: { key: ['id'] } }).buckets).toEqual({ count: 1, key: ['id'] })
})

test('describe prints the key, auto-increment and every option, and its answer creates the same table', () => {
  const spec = tableSpecOf(body)
  const printed = printSpec(tableOf(spec))
  expect(printed).toMatchObject({
    primaryKey: ['id', 'dt', 'sub'],
    options: { ...body.options, 'changelog.image': 'full', 'delete.behavior': 'ignore', 'auto-increment.cache-size': '1000' },
  })
  expect(printed.columns.filter(({ autoIncrement }) => autoIncrement === true).map(({ name }) => name)).toEqual(['number'])
  expect(sameSpec(tableSpecOf(printed), spec)).toBe(true)
  expect(sameSpec(specOf(tableOf(spec)), spec)).toBe(true)
  expect(printSpec(tableOf(tableSpecOf({ columns: [{ name: 'id', type: 'int' }], primaryKey: ['id'] }))).options).toMatchObject({
    'merge-engine': 'last-row',
    'changelog.image': 'full',
    'delete.behavior': 'allow',
  })
})

test('a stored table is read as it was, and one that was stored before there were keys too', () => {
  const table = tableOf(tableSpecOf(body))
  expect(decodeTable(encodeTable(table))).toEqual(table)
  const log = tableOf(tableSpecOf({ columns: [{ name: 'id', type: 'int' }] }))
  const item = encodeTable(log)
  expect(item.attributes['d']).toContain('"version":1')
  expect(decodeTable(item)).toEqual(log)
  expect(decodeTable(item).primaryKey).toBeUndefined()
})

const columns = [
  { name: 'id', type: 'bigint' },
  { name: 'v', type: 'int' },
  { name: 's', type: 'string' },
]
const keyed = { columns, primaryKey: ['id'] }
const engine = (name: string, more: Record<string, string> = {}): TableBody => ({
  ...keyed,
  options: { 'merge-engine': name, ...more },
})

describe('what cannot be together is refused, with the field and the fix', () => {
  test.each<[string, TableBody, string]>([
    ['a key that is not there', { ...keyed, primaryKey: ['idd'] }, 'did you mean "id"'],
    ['a key twice', { ...keyed, primaryKey: ['id', 'id'] }, 'twice'],
    ['a key of a float', { columns: [{ name: 'id', type: 'double' }], primaryKey: ['id'] }, 'use boolean, integers'],
    ['a nested key', { columns: [{ name: 'id', type: 'array<int>' }], primaryKey: ['id'] }, 'cannot be in a primaryKey'],
    ['a key of a vector', { columns: [{ name: 'id', type: 'vector(2)' }], primaryKey: ['id'] }, 'cannot be in a primaryKey'],
    ['a nullable key', { columns: [{ name: 'id', type: 'int', nullable: true }], primaryKey: ['id'] }, 'leave nullable out'],
    ['a partition outside the key', { ...keyed, partitionBy: ['s'] }, 'add it there'],
    ['nothing but partitions in the key', { ...keyed, partitionBy: ['id'] }, 'besides those of partitionBy'],
    ['a bucket key outside the key', { ...keyed, buckets: { key: ['v'] } }, 'use columns of the primaryKey'],
    ['a lake', { ...keyed, options: { 'lake.format': 'iceberg' } }, 'without a lake'],
    ['a boolean that would bucket', { columns: [{ name: 'b', type: 'boolean' }], primaryKey: ['b'] }, 'cannot be a bucket key'],
    ['options but no key', { columns, options: { 'merge-engine': 'last-row' } }, 'need a table with a primaryKey'],
    ['fields but no key', { columns, options: { 'fields.v.agg': 'sum' } }, 'need a table with a primaryKey'],
    ['versioned without a column', engine('versioned'), 'name a column of type int'],
    ['a version that is not there', engine('versioned', { 'merge-engine.version-column': 'w' }), 'not there'],
    ['a version that is text', engine('versioned', { 'merge-engine.version-column': 's' }), 'has type string'],
    ['a version for another engine', engine('last-row', { 'merge-engine.version-column': 'v' }), 'leave it out'],
    ['aggregation without full images', engine('aggregation', { 'changelog.image': 'wal' }), 'needs changelog.image=full'],
    ['deletes of first rows', engine('first-row', { 'delete.behavior': 'allow' }), 'use ignore or disable'],
    [
      'deletes of versions',
      engine('versioned', { 'merge-engine.version-column': 'v', 'delete.behavior': 'allow' }),
      'use ignore or disable',
    ],
    ['functions for another engine', engine('last-row', { 'fields.v.agg': 'sum' }), 'merge-engine=aggregation alone'],
    ['a function of a key', engine('aggregation', { 'fields.id.agg': 'sum' }), 'is in the primaryKey'],
    ['a function of nothing', engine('aggregation', { 'fields.w.agg': 'sum' }), 'not there'],
    ['a sum of text', engine('aggregation', { 'fields.s.agg': 'sum' }), 'sum takes tinyint'],
    ['a list of numbers', engine('aggregation', { 'fields.v.agg': 'listagg' }), 'listagg takes string'],
    ['a conjunction of numbers', engine('aggregation', { 'fields.v.agg': 'bool_and' }), 'bool_and takes boolean'],
    ['a bitmap of text', engine('aggregation', { 'fields.s.agg': 'rbm32' }), 'rbm32 takes binary'],
    ['a delimiter of a sum', engine('aggregation', { 'fields.v.agg': 'sum', 'fields.v.listagg-delimiter': ';' }), 'leave it out'],
    ['a delimiter alone', engine('aggregation', { 'fields.s.listagg-delimiter': ';' }), 'leave it out'],
    [
      'two auto-increment columns',
      { ...keyed, columns: [...columns, ...['a', 'b'].map((name) => ({ name, type: 'int', autoIncrement: true }))] },
      'at most one autoIncrement',
    ],
    [
      'an auto-increment text',
      { ...keyed, columns: [...columns, { name: 'a', type: 'string', autoIncrement: true }] },
      'int or bigint',
    ],
    ['an auto-increment key', { columns: [{ name: 'id', type: 'int', autoIncrement: true }], primaryKey: ['id'] }, 'rows bring'],
    [
      'a function of auto-increment',
      {
        ...engine('aggregation', { 'fields.a.agg': 'sum' }),
        columns: [...columns, { name: 'a', type: 'int', autoIncrement: true }],
      },
      'keeps its value',
    ],
  ])('%s', (_, wrong, mention) => {
    expect(() => tableSpecOf(wrong)).toThrow(mention)
  })
})

test('options that rows were merged by stay as they are', () => {
  const options = tableSpecOf(body).options.keyed
  const printed = parseOptions(printSpec(tableOf(tableSpecOf(body))).options).keyed
  expect(() => checkKeyedStay([], options, printed)).not.toThrow()
  const other = parseOptions({ ...body.options, 'fields.total.agg': 'max' }).keyed
  expect(() => checkKeyedStay(['log.ttl', 'fields.total.agg'], options, other)).toThrow('option fields.total.agg is fixed')
})

test('how many numbers are taken at once may change, within its bounds, and is an option of tables that count', () => {
  const sized = (size: string, columns = body.columns) =>
    tableSpecOf({ ...body, columns, options: { ...body.options, 'auto-increment.cache-size': size } })
  const { keyed } = sized('1000000').options
  expect(keyed?.cacheSize).toBe(1_000_000)
  expect(() => checkKeyedStay(['auto-increment.cache-size'], keyed, sized('1').options.keyed)).not.toThrow()
  for (const wrong of ['0', '1000001', '-1', '1.5', 'many', ''])
    expect(() => sized(wrong)).toThrow('auto-increment.cache-size has a value that is not allowed')
  expect(() => sized('5', body.columns.slice(0, -1))).toThrow('no autoIncrement column')
})

describe('schema changes', () => {
  const table = tableOf(tableSpecOf(body))
  const versioned = tableOf(tableSpecOf(engine('versioned', { 'merge-engine.version-column': 'v' })))

  test.each<[string, Table, SchemaChange, string]>([
    ['a column of the key is not dropped', table, { dropColumns: ['sub'] }, 'in the primaryKey'],
    ['the partition is not dropped', table, { dropColumns: ['dt'] }, 'partitions the table'],
    ['the version is not dropped', versioned, { dropColumns: ['v'] }, 'merge-engine.version-column'],
    [
      'the partition is not renamed',
      table,
      { renameColumns: { dt: 'day' } },
      'the column "dt" partitions the table and cannot be renamed: create another table with the columns that you want',
    ],
    ['a column of the key is not widened', table, { widenColumns: { sub: 'bigint' } }, 'cannot be widened: create another table'],
    [
      'none that counts is added',
      table,
      { addColumns: [{ name: 'n', type: 'int', autoIncrement: true }] },
      'cannot be autoIncrement',
    ],
  ])('%s', (_, before, change, mention) => {
    expect(() => evolve(before, change)).toThrow(mention)
  })

  test('a column that counts may be renamed, widened and dropped, and its option goes with it', () => {
    const counted = tableOf(
      tableSpecOf({
        columns: [
          { name: 'id', type: 'int' },
          { name: 'n', type: 'int', autoIncrement: true },
        ],
        primaryKey: ['id'],
      }),
    )
    const after = evolve(counted, { renameColumns: { n: 'm' }, widenColumns: { n: 'bigint' } })
    expect(after.schema.columns[1]).toMatchObject({ name: 'm', type: { kind: 'bigint' }, autoIncrement: true })
    expect(printSpec(after).options['auto-increment.cache-size']).toBe('1000')
    expect(printSpec(evolve(after, { dropColumns: ['m'] })).options['auto-increment.cache-size']).toBeUndefined()
  })

  test('names in the key and in options follow a rename', () => {
    const after = evolve(table, { renameColumns: { id: 'key', total: 'sum', constructor: 'top' } })
    expect(after.primaryKey).toEqual(['key', 'dt', 'sub'])
    expect(after.buckets.key).toEqual(['key', 'sub'])
    expect(printSpec(after).options).toMatchObject({ 'fields.sum.agg': 'sum', 'fields.top.agg': 'max' })
    expect(evolve(versioned, { renameColumns: { v: 'w' } }).options.keyed?.versionColumn).toBe('w')
  })

  test('options of a dropped column go with it, and a widened one keeps its own', () => {
    const after = evolve(table, { dropColumns: ['constructor'], widenColumns: { total: 'decimal(12,2)' } })
    expect(Object.keys(after.options.keyed?.fields ?? {})).toEqual(['total', 'tags.all'])
    const counted = evolve(table, { dropColumns: ['number'], addColumns: [{ name: 'n', type: 'int' }] })
    expect(counted.schema.columns.at(-1)).toMatchObject({ name: 'n', nullable: true })
  })
})
