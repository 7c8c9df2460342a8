import { expect, test } from 'vitest'
import { defaultOptions } from '../../model/options.ts'
import { assignIds } from '../../model/spec.ts'
import type { Table } from '../../model/table.ts'
import { parseType } from '../../model/type-text.ts'
import type { IcebergField } from '../iceberg/schema.ts'
import type { ExternalTable } from './answer.ts'
import { planColumns } from './columns.ts'

type Columns = readonly (readonly [name: string, type: string, nullable?: boolean])[]

function tableOf(columns: Columns): Table {
  const spec = {
    columns: columns.map(([name, type, nullable = true]) => ({ name, type: parseType(type), nullable })),
    partitionBy: [],
    buckets: { count: 1 },
    options: defaultOptions,
  }
  return { ...spec, schema: { schemaId: 1, ...assignIds(spec) } } as unknown as Table
}

const field = (id: number, name: string, type: IcebergField['type'], required = false): IcebergField => ({
  id,
  name,
  type,
  required,
})
const system = [
  field(90, '__bucket', 'int', true),
  field(91, '__offset', 'long', true),
  field(92, '__timestamp', 'timestamptz', true),
]

const externalOf = (fields: readonly IcebergField[], properties: Record<string, string> = {}): ExternalTable =>
  ({
    schema: { type: 'struct', 'schema-id': 0, fields: [...fields, ...system] },
    lastColumnId: 99,
    properties,
  }) as unknown as ExternalTable

test('columns take the ids of the table, nested ones too, and what is there beside them may be null', () => {
  const table = tableOf([
    ['id', 'bigint', false],
    ['tags', 'array<string>'],
    ['at', 'map<string,row<x int, y decimal(9,2)>>'],
    ['small', 'tinyint'],
  ])
  const struct: IcebergField['type'] = { type: 'struct', fields: [field(34, 'y', 'decimal(9, 2)'), field(33, 'x', 'int')] }
  const external = externalOf([
    field(1, 'theirs', 'string'),
    field(20, 'tags', { type: 'list', 'element-id': 21, element: 'string', 'element-required': false }),
    field(30, 'at', { type: 'map', 'key-id': 31, key: 'string', 'value-id': 32, value: struct, 'value-required': false }),
    field(10, 'id', 'long', true),
    field(40, 'small', 'int'),
  ])
  const { fields, changed, mapping } = planColumns(table, external, false)
  expect(changed).toBeUndefined()
  expect(fields.map(({ id, name }) => [id, name])).toEqual([
    [10, 'id'],
    [20, 'tags'],
    [30, 'at'],
    [40, 'small'],
    [90, '__bucket'],
    [91, '__offset'],
    [92, '__timestamp'],
  ])
  expect(fields[1]?.type).toMatchObject({ elementId: 21 })
  expect(fields[2]?.type).toMatchObject({
    keyId: 31,
    valueId: 32,
    value: {
      fields: [
        { id: 33, name: 'x' },
        { id: 34, name: 'y' },
      ],
    },
  })
  expect(JSON.parse(mapping)).toEqual({ 1: 90, 2: 91, 3: 92, 4: 10, 5: 20, 6: 30, 7: 40 })
})

test.each([
  ['is absent', [['a', 'int']], [], 'column "a" is not in it'],
  ['has another type', [['a', 'int']], [field(1, 'a', 'string')], 'column "a" is int in iceberg\'s terms and string there'],
  ['is narrower here', [['a', 'int']], [field(1, 'a', 'long')], 'column "a" is int'],
  [
    'has other fields',
    [['a', 'row<x int>']],
    [field(1, 'a', { type: 'struct', fields: [field(2, 'z', 'int')] })],
    'column "a" is row',
  ],
  ['may be null here alone', [['a', 'int']], [field(1, 'a', 'int', true)], 'column "a" may be null here'],
  [
    'is required and unknown here',
    [['a', 'int']],
    [field(1, 'a', 'int'), field(2, 'b', 'int', true)],
    'column "b" is required there',
  ],
] as const)('a column that %s is refused by name', (_name, columns, fields, message) => {
  expect(() => planColumns(tableOf(columns), externalOf(fields), false)).toThrow(message)
})

test('the table follows ours: added, renamed, widened, and a dropped column may be null from then on', () => {
  const noted = { 'sluice.columns': JSON.stringify({ 1: 90, 2: 91, 3: 92, 4: 10, 5: 11, 9: 12 }) }
  const external = externalOf(
    [field(10, 'old', 'int', true), field(11, 'd', 'decimal(4, 2)'), field(12, 'gone', 'int', true), field(13, 'theirs', 'int')],
    noted,
  )
  const table = tableOf([
    ['new', 'bigint', false],
    ['d', 'decimal(9,2)'],
    ['more', 'array<int>'],
  ])
  const { changed, mapping, fields } = planColumns(table, external, true)
  expect(fields).toEqual([])
  expect(changed?.fields.slice(0, 4)).toEqual([
    field(10, 'new', 'long', true),
    field(11, 'd', 'decimal(9, 2)'),
    field(12, 'gone', 'int'),
    field(13, 'theirs', 'int'),
  ])
  expect(changed?.fields.at(-1)).toEqual(
    field(100, 'more', { type: 'list', 'element-id': 101, element: 'int', 'element-required': false }),
  )
  expect(changed?.lastColumnId).toBe(101)
  expect(JSON.parse(mapping)).toMatchObject({ 4: 10, 5: 11, 6: 100, 9: 12 })
})

test.each(['{', '[1,2]', '{"4":"x"}', '{"4":10}', '{"1":90,"2":91,"3":92,"__proto__":10}'])(
  'a property %s is damaged and refused, not guessed',
  (text) => {
    const external = externalOf([field(10, 'a', 'int')], { 'sluice.columns': text })
    expect(() => planColumns(tableOf([['a', 'int']]), external, true)).toThrow('sluice.columns is damaged')
  },
)

const notedAs = (ids: Readonly<Record<number, number>>) => ({ 'sluice.columns': JSON.stringify({ 1: 90, 2: 91, 3: 92, ...ids }) })

test('a column that comes back under its name is another one, and the dropped one makes room', () => {
  const external = externalOf([field(10, 'a', 'int'), field(11, 'a__10', 'int')], notedAs({ 3000: 10 }))
  const { changed, mapping } = planColumns(tableOf([['a', 'string']]), external, true)
  expect(changed?.fields).toEqual([
    field(10, 'a__10__10', 'int'),
    field(11, 'a__10', 'int'),
    ...system,
    field(100, 'a', 'string'),
  ])
  expect(JSON.parse(mapping)).toMatchObject({ 4: 100, 3000: 10 })
  const again = planColumns(
    tableOf([['a', 'string']]),
    externalOf(changed?.fields.filter((each) => !system.includes(each)) ?? [], { 'sluice.columns': mapping }),
    true,
  )
  expect(again.changed).toBeUndefined()
})

test('names that columns pass on to each other, or take from a dropped one, are theirs', () => {
  const fields = [field(10, 'a', 'int'), field(11, 'b', 'long'), field(12, 'c', 'float'), field(13, 'gone', 'int')]
  const { changed } = planColumns(
    tableOf([
      ['b', 'int'],
      ['a', 'bigint'],
      ['gone', 'float'],
    ]),
    externalOf(fields, notedAs({ 4: 10, 5: 11, 6: 12, 9: 13 })),
    true,
  )
  expect(changed?.fields.slice(0, 4)).toEqual([
    field(10, 'b', 'int'),
    field(11, 'a', 'long'),
    field(12, 'gone', 'float'),
    field(13, 'gone__13', 'int'),
  ])
})

test('a name that a column of others has is refused', () => {
  const external = externalOf([field(10, 'a', 'int'), field(11, 'b', 'int')], notedAs({ 4: 10 }))
  expect(() => planColumns(tableOf([['b', 'int']]), external, true)).toThrow('a name that another column has there')
})

test('a property that gives two columns one field is damaged', () => {
  const external = externalOf([field(10, 'a', 'int'), field(11, 'b', 'int')], notedAs({ 4: 10, 5: 10 }))
  const table = tableOf([
    ['a', 'int'],
    ['b', 'int'],
  ])
  expect(() => planColumns(table, external, true)).toThrow('sluice.columns is damaged')
})
