/** What rows of a body ask, in JSON and in Arrow, and what is refused before a key is looked up. */
import * as apache from 'apache-arrow'
import { describe, expect, test } from 'vitest'
import { roaring32Of } from '../format/roaring/roaring.case.ts'
import { encodeRoaring32 } from '../format/roaring/roaring32.ts'
import { utf8, utf8Text } from '../kernel/bytes.ts'
import { labelZero, type TableId } from '../kernel/ids.ts'
import { evolve } from '../model/evolve.ts'
import { assignIds, type TableBody, tableSpecOf } from '../model/spec.ts'
import type { Table } from '../model/table.ts'
import { targetsOf } from './merge/operation.ts'
import { type RecordsRequest, readRecords } from './records.ts'
import { rowsOf } from './values.ts'

const columns = [
  { name: 'id', type: 'bigint' },
  { name: 'name', type: 'string' },
  { name: 'v', type: 'int' },
]

function tableOf(body: Partial<TableBody> = {}): Table {
  const { columns: wanted, ...spec } = tableSpecOf({ columns, primaryKey: ['id'], ...body })
  const { columns: own, lastColumnId } = assignIds({ ...spec, columns: wanted })
  const base = { database: 'd', name: 't', tableId: '0123456789abcdef' as TableId, gc: labelZero, state: 'alive' as const }
  return { ...base, ...spec, schema: { schemaId: 1, columns: own }, createdAt: 0, lastColumnId }
}

/** Rows as texts: `3 7 a null`, the code first where rows said what they ask. */
function told(table: Table, request: Partial<RecordsRequest> & Pick<RecordsRequest, 'body'>): string[] {
  const width = table.schema.columns.length
  return readRecords(table, { form: 'ndjson', op: 'upsert', ...request }).flatMap((batch) =>
    rowsOf(batch).map((row) =>
      [...row.slice(width), ...row.slice(0, width)]
        .map((value) => (value instanceof Uint8Array ? utf8Text(value) : String(value)))
        .join(' '),
    ),
  )
}

const lines = (...rows: readonly object[]): Uint8Array => utf8(rows.map((row) => JSON.stringify(row)).join('\n'))
const [update, gone] = [3, 4]

test('each name of an operation is understood, -U is left out, and what is not said is the request’s', () => {
  const ops = ['+A', 'U', '+I', '+U', 'D', '-D', '-U', null]
  const body = lines(...ops.map((op, i) => ({ id: i, __op: op })), { id: 8 })
  const upserts = [0, 1, 2, 3].map((id) => `${update} ${id} null null`)
  const deletes = [4, 5].map((id) => `${gone} ${id} null null`)
  expect(told(tableOf(), { body })).toEqual([...upserts, ...deletes, `${update} 7 null null`, `${update} 8 null null`])
  expect(told(tableOf(), { body, op: 'delete' }).slice(6)).toEqual([`${gone} 7 null null`, `${gone} 8 null null`])
})

test('without __op rows are as those of any table', () => {
  expect(told(tableOf(), { body: lines({ id: 1, name: 'a', v: 2 }) })).toEqual(['1 a 2'])
  expect(told(tableOf(), { body: utf8('{"rows":[{"id":"1"}]}'), form: 'json', op: 'delete' })).toEqual(['1 null null'])
})

test('a changelog in NDJSON is taken as it was fetched', () => {
  const place = { __offset: '7', __timestamp: '2026-11-21T09:30:00.123Z', __partition: '', __bucket: 0 }
  const body = lines({ id: 1, name: 'a', ...place, __op: '-U' }, { id: 1, name: 'b', ...place, __op: '+U' })
  expect(told(tableOf(), { body })).toEqual([`${update} 1 b null`])
  expect(told(tableOf(), { body: lines({ id: 1, __op: '-U' }) })).toEqual([])
})

const arrow = (arrays: Record<string, apache.Vector>): Uint8Array => apache.tableToIPC(new apache.Table(arrays), 'stream')
const ids = apache.vectorFromArray([0n, 1n, 2n, 3n, 4n], new apache.Int64())

test.each<[string, apache.Vector]>([
  ['the codes of a changelog', apache.vectorFromArray([0, 1, 2, 3, 4], new apache.Int8())],
  ['codes in wider integers', apache.vectorFromArray([0, 1, 2, 3, 4], new apache.Int32())],
  ['texts', apache.vectorFromArray(['+A', '+I', '-U', 'U', 'D'], new apache.Utf8())],
  ['texts in a dictionary', apache.vectorFromArray(['+A', '+I', '-U', 'U', 'D'])],
])('Arrow says __op in %s', (_, op) => {
  const told5 = [...[0, 1, 3].map((id) => `${update} ${id} null null`), `${gone} 4 null null`]
  expect(told(tableOf(), { body: arrow({ id: ids, __op: op }), form: 'arrow' })).toEqual(told5)
})

test('Arrow without __op asks what the request asks', () => {
  expect(told(tableOf(), { body: arrow({ id: ids }), form: 'arrow' })).toHaveLength(5)
})

test('rows under the names of before are taken', () => {
  const table = evolve(tableOf(), { renameColumns: { name: 'label' } })
  expect(told(table, { body: lines({ id: 1, name: 'a', __op: 'U' }) })).toEqual([`${update} 1 a null`])
})

describe('a delete brings its key alone', () => {
  const table = tableOf({ columns: [...columns.slice(0, 2), { name: 'v', type: 'int', nullable: false }] })

  test('also where columns are not nullable', () => {
    expect(told(table, { body: lines({ id: 1, v: 2 }, { id: 2, __op: 'D' }) })).toEqual([
      `${update} 1 null 2`,
      `${gone} 2 null null`,
    ])
    expect(told(table, { body: lines({ id: 2 }), op: 'delete' })).toEqual(['2 null null'])
  })

  test('an upsert brings all that is not nullable', () => {
    const body = lines({ id: 1, v: 2 }, { id: 2, __op: 'D' }, { id: 3, __op: 'U' })
    expect(() => told(table, { body })).toThrow('column "v", row 2: it is null, and the column is not nullable')
  })
})

const counted = tableOf({ columns: [...columns.slice(0, 2), { name: 'n', type: 'int', autoIncrement: true, nullable: false }] })
const bitmaps = tableOf({
  columns: [...columns.slice(0, 2), { name: 'r', type: 'binary' }],
  options: { 'merge-engine': 'aggregation', 'fields.r.agg': 'rbm32' },
})
const fixed = tableOf({ options: { 'delete.behavior': 'disable' } })

describe('what is wrong is refused with its row', () => {
  test.each<[string, Table, Partial<RecordsRequest> & Pick<RecordsRequest, 'body'>, string]>([
    [
      'an unknown operation',
      tableOf(),
      { body: lines({ id: 1 }, { id: 2, __op: '+D' }) },
      'column "__op", row 1: "+D" is not known',
    ],
    ['no operation at all', tableOf(), { body: lines({ id: 1, __op: '' }) }, 'row 0: "" is not known'],
    ['an operation in small letters', tableOf(), { body: lines({ id: 1, __op: 'u' }) }, 'row 0: "u" is not known'],
    ['an operation that is a number in JSON', tableOf(), { body: lines({ id: 1, __op: 1 }) }, 'a text is expected here'],
    [
      'an unknown code',
      tableOf(),
      { form: 'arrow', body: arrow({ id: ids, __op: apache.vectorFromArray([0, 1, 5, 3, 4], new apache.Int8()) }) },
      'row 2: 5 is not known',
    ],
    [
      'an operation of another type',
      tableOf(),
      { form: 'arrow', body: arrow({ id: ids, __op: apache.vectorFromArray([0, 1, 2, 3, 4], new apache.Float64()) }) },
      '"__op"',
    ],
    ['an Arrow file', tableOf(), { form: 'arrow', body: utf8('ARROW1\0\0') }, 'this is an Arrow file'],
    [
      'an Arrow stream that is cut',
      tableOf(),
      { form: 'arrow', body: arrow({ id: ids }).subarray(0, 90) },
      'ends inside a message',
    ],
    ['a missing key', tableOf(), { body: lines({ name: 'a' }) }, 'in "id": it is not nullable'],
    ['a null key of a delete', tableOf(), { body: lines({ id: null, __op: 'D' }) }, 'in "id": it is not nullable'],
    [
      'a null key in Arrow',
      tableOf(),
      { form: 'arrow', body: arrow({ id: apache.vectorFromArray([1n, null], new apache.Int64()) }) },
      'row 1',
    ],
    [
      'a delete where they are disabled',
      fixed,
      { body: lines({ id: 1 }, { id: 2, __op: '-D' }) },
      'row 1: this table takes no deletes',
    ],
    ['a request of deletes there', fixed, { body: lines({ id: 1 }), op: 'delete' }, 'row 0: this table takes no deletes'],
    [
      'a number for a drawn column',
      counted,
      { body: lines({ id: 1 }, { id: 2, n: 3 }) },
      'column "n", row 1: it is autoIncrement',
    ],
    ['a bitmap that is none', bitmaps, { body: lines({ id: 1, r: 'AAAA' }) }, 'column "r", row 0: this is no roaring bitmap'],
  ])('%s', (_, table, request, mention) => {
    expect(() => told(table, request)).toThrow(mention)
  })

  test('rows are counted over the batches of a request', () => {
    const [first, second] = ['U', 'X'].map(
      (op) =>
        new apache.Table({
          id: apache.vectorFromArray([1n], new apache.Int64()),
          name: apache.vectorFromArray(['x'.repeat(700_000)], new apache.Utf8()),
          __op: apache.vectorFromArray([op], new apache.Utf8()),
        }),
    ) as [apache.Table, apache.Table]
    const body = apache.tableToIPC(first.concat(second), 'stream')
    expect(() => told(tableOf(), { body, form: 'arrow' })).toThrow('row 1: "X" is not known')
  })
})

test('what a row need not bring may be anything: a drawn number or a bitmap of a delete, a column that is not a target', () => {
  expect(told(counted, { body: lines({ id: 1, n: 3, __op: 'D' }) })).toEqual([`${gone} 1 null 3`])
  const targets = targetsOf(counted, ['id', 'name'])
  expect(told(counted, { body: lines({ id: 1, name: 'a', n: 3 }), targets })).toEqual(['1 a 3'])
  expect(told(bitmaps, { body: lines({ id: 1, r: 'AAAA' }), targets: targetsOf(bitmaps, ['id', 'name']) })).toHaveLength(1)
  const bitmap = Buffer.from(encodeRoaring32(roaring32Of([1]))).toString('base64')
  expect(told(bitmaps, { body: lines({ id: 1, r: bitmap }) })).toHaveLength(1)
})
