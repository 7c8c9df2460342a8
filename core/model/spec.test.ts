import { expect, test } from 'vitest'
import { labelZero, type TableId } from '../kernel/ids.ts'
import { assignIds, printSpec, sameSpec, specOf, type TableBody, tableSpecOf } from './spec.ts'
import type { Table } from './table.ts'

const body: TableBody = {
  columns: [
    { name: 'id', type: 'bigint', nullable: false },
    { name: 'tags', type: 'map<string,row<a int,b array<int>>>', comment: 'free' },
    { name: 'embedding', type: 'vector(3)' },
    { name: 'last', type: 'row<x int, y row<z int>>' },
  ],
  primaryKey: [],
  partitionBy: [],
  buckets: { count: 4, key: ['id'] },
  options: { 'lake.format': 'iceberg' },
}

test('ids are given as Iceberg gives fresh ones', () => {
  const { columns, lastColumnId } = assignIds(tableSpecOf(body))
  expect(columns.map((column) => column.id)).toEqual([4, 5, 6, 7])
  expect(columns[1]?.type).toMatchObject({
    keyId: 8,
    valueId: 9,
    value: { fields: [{ id: 10 }, { id: 11, type: { elementId: 12 } }] },
  })
  expect(columns[2]?.type).toMatchObject({ elementId: 13 })
  expect(columns[3]?.type).toMatchObject({ fields: [{ id: 14 }, { id: 15, type: { fields: [{ id: 16 }] } }] })
  expect(lastColumnId).toBe(16)
})

test('a described table can be created again and is the same', () => {
  const spec = tableSpecOf(body)
  const { columns, lastColumnId } = assignIds(spec)
  const table: Table = {
    database: 'd',
    name: 't',
    tableId: '0123456789abcdef' as TableId,
    schema: { schemaId: 1, columns },
    partitionBy: spec.partitionBy,
    buckets: spec.buckets,
    options: spec.options,
    gc: labelZero,
    state: 'alive',
    createdAt: 0,
    lastColumnId,
  }
  const printed = printSpec(table)
  expect(printed.columns[0]).toEqual({ id: 4, name: 'id', type: 'bigint', nullable: false })
  expect(sameSpec(tableSpecOf(printed), spec)).toBe(true)
  expect(sameSpec(specOf(table), spec)).toBe(true)
})

test('specifications differ by every part of them', () => {
  const spec = tableSpecOf(body)
  const others: TableBody[] = [
    { ...body, columns: body.columns.slice(0, 3) },
    { ...body, buckets: { count: 4 } },
    { ...body, buckets: { count: 5, key: ['id'] } },
    { ...body, options: {} },
    { ...body, columns: body.columns.map((column) => ({ ...column, nullable: true })) },
  ]
  for (const other of others) expect(sameSpec(tableSpecOf(other), spec)).toBe(false)
})

const columns = [{ name: 'id', type: 'bigint' }]
test.each<[string, TableBody, string]>([
  ['no columns', { columns: [] }, 'invalid-schema'],
  ['too many columns', { columns: Array.from({ length: 1001 }, (_, i) => ({ name: `c${i}`, type: 'int' })) }, 'invalid-schema'],
  ['a column twice', { columns: [...columns, ...columns] }, 'invalid-schema'],
  ['a bad name', { columns: [{ name: '__id', type: 'int' }] }, 'invalid-name'],
  ['a bad type', { columns: [{ name: 'id', type: 'integer' }] }, 'invalid-schema'],
  ['a primary key and a lake', { columns, primaryKey: ['id'], options: { 'lake.format': 'iceberg' } }, 'not-supported'],
  ['a partition column that is not there', { columns, partitionBy: ['idd'] }, 'invalid-schema'],
  ['a partition column named twice', { columns, partitionBy: ['id', 'id'] }, 'invalid-schema'],
  ['a partition column that is a bucket key', { columns, partitionBy: ['id'], buckets: { key: ['id'] } }, 'invalid-schema'],
  ['auto increment but no key', { columns: [{ name: 'id', type: 'bigint', autoIncrement: true }] }, 'invalid-schema'],
  ['no buckets', { columns, buckets: { count: 0 } }, 'invalid-schema'],
  ['too many buckets', { columns, buckets: { count: 1025 } }, 'invalid-schema'],
  ['half a bucket', { columns, buckets: { count: 1.5 } }, 'invalid-schema'],
  ['a key that is not there', { columns, buckets: { key: ['idd'] } }, 'invalid-schema'],
  ['a key twice', { columns, buckets: { key: ['id', 'id'] } }, 'invalid-schema'],
  ['a boolean key', { columns: [{ name: 'id', type: 'boolean' }], buckets: { key: ['id'] } }, 'invalid-schema'],
  ['a nested key', { columns: [{ name: 'id', type: 'array<int>' }], buckets: { key: ['id'] } }, 'invalid-schema'],
  [
    'time in nanoseconds on Iceberg',
    { columns: [{ name: 'id', type: 'array<time(9)>' }], options: { 'lake.format': 'iceberg' } },
    'invalid-schema',
  ],
  [
    'timestamps in nanoseconds on Iceberg',
    { columns: [{ name: 'id', type: 'timestamp(7)' }], options: { 'lake.format': 'iceberg' } },
    'invalid-schema',
  ],
  ['a long comment', { columns: [{ name: 'id', type: 'int', comment: 'x'.repeat(1001) }] }, 'invalid-schema'],
])('a table with %s is refused', (_, wrong, code) => {
  expect(() => tableSpecOf(wrong)).toThrow(expect.objectContaining({ code }))
})

test('timestamps in nanoseconds are fine on Iceberg of version 3, and what refuses them elsewhere says so', () => {
  const nanoseconds = { columns: [{ name: 'at', type: 'array<timestamp_ltz(9)>' }] }
  const options = { 'lake.format': 'iceberg', 'lake.format-version': '3' }
  expect(tableSpecOf({ ...nanoseconds, options }).options).toMatchObject({ lakeFormatVersion: 3 })
  const refused = () => tableSpecOf({ ...nanoseconds, options: { ...options, 'lake.format-version': '2' } })
  expect(refused).toThrow('column "at": timestamp_ltz(9) needs lake.format-version=3, or use timestamp_ltz(6)')
})

test('nanoseconds are fine without a lake', () => {
  expect(
    tableSpecOf({
      columns: [
        { name: 't', type: 'time(9)' },
        { name: 's', type: 'timestamp_ltz(9)' },
      ],
    }).columns,
  ).toHaveLength(2)
})
