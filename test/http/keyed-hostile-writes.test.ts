/** Bad writes and definitions of tables with a primary key: refused with the field and the fix, and the table is as it was. */
import { describe, expect, test } from 'vitest'
import { lines } from './harness.ts'
import { type Case, good, hostileTables, k, long, type Name, note, v } from './keyed-hostile.ts'

const { client, send, ask, stateOf } = await hostileTables()
const moment = (more: object): string => JSON.stringify({ ...good.moments, ...more })

const writes: readonly Case[] = [
  ['no key', 'plain', '{"v":1}', '', 'invalid-rows', 'line 2, column 1, in "k": it is not nullable'],
  ['a null key', 'plain', '{"k":null}', '', 'invalid-rows', 'line 2, column 6, in "k": it is not nullable'],
  ['a null key of a delete', 'plain', '{"k":null}', '?op=delete', 'invalid-rows', 'in "k": it is not nullable'],
  ['half of a key', 'prefixed', '{"a":"x"}', '', 'invalid-rows', 'in "b": it is not nullable'],
  ['a key twice', 'plain', '{"k":1,"k":2}', '', 'invalid-rows', 'line 2, column 12: the key "k" comes twice'],
  ['a column twice', 'plain', '{"k":2,"v":1,"v":1}', '', 'invalid-rows', 'the key "v" comes twice'],
  ['NaN as a key', 'plain', '{"k":"NaN"}', '', 'invalid-rows', 'a number is expected here'],
  ['a fraction as a key', 'plain', '{"k":1.5}', '', 'invalid-rows', 'a whole number is expected here'],
  ['a key past the type', 'plain', '{"k":9223372036854775808}', '', 'invalid-rows', 'it does not fit bigint'],
  ['a list as a key', 'plain', '{"k":[1]}', '', 'invalid-rows', 'a number is expected here'],
  ['an object as a key', 'plain', '{"k":{"k":1}}', '', 'invalid-rows', 'a number is expected here'],
  ['NaN as a decimal key', 'exact', '{"k":"NaN"}', '', 'invalid-rows', 'a number is expected here'],
  ['a decimal key of a finer scale', 'exact', '{"k":"1.505"}', '', 'invalid-rows', 'more than 2 digits after the point'],
  ['a decimal key of too many digits', 'exact', '{"k":"123456789.00"}', '', 'invalid-rows', 'more digits than the column'],
  [
    'a time of a finer precision',
    'moments',
    moment({ k: '2026-11-21T09:30:00.1234' }),
    '',
    'invalid-rows',
    'finer than precision 3',
  ],
  ['a day that is none', 'moments', moment({ d: '2026-02-30' }), '', 'invalid-rows', 'a date is written'],
  ['bytes that are none', 'moments', moment({ x: '*' }), '', 'invalid-rows', 'written in base64'],
  ['half of a letter in a key', 'prefixed', '{"a":"x","b":"\\ud800"}', '', 'invalid-rows', 'a surrogate stands alone'],
  [
    'a key of a megabyte',
    'prefixed',
    `{"a":"${long(1_000_000)}","b":""}`,
    '',
    'invalid-rows',
    'up to its column "a", has more than 8192 bytes: use a shorter one',
  ],
  [
    'a key that makes a row too large',
    'prefixed',
    `{"a":"a","b":"${long(1024 * 1024)}"}`,
    '',
    'invalid-rows',
    'a row is at most 1048576: its largest value is of column "b"',
  ],
  [
    'a key of two halves of 5 KiB',
    'prefixed',
    `{"a":"${long(5_000)}","b":"${long(5_000)}"}`,
    '',
    'invalid-rows',
    'more than 8192 bytes',
  ],
  [
    'zeros that are written as two bytes',
    'prefixed',
    `{"a":"${'\\u0000'.repeat(5_000)}","b":""}`,
    '',
    'invalid-rows',
    'more than 8192 bytes',
  ],
  [
    'an operation that is not known',
    'plain',
    '{"k":2,"__op":"X"}',
    '',
    'invalid-rows',
    'column "__op", row 1: "X" is not known: use U',
  ],
  ['an operation that is a number', 'plain', '{"k":2,"__op":3}', '', 'invalid-rows', 'a text is expected here'],
  ['a request of an unknown operation', 'plain', '{"k":2}', '?op=merge', 'bad-request', 'parameter op must be upsert or delete'],
  [
    'a delete where they are disabled',
    'fixed',
    '{"k":1,"__op":"D"}',
    '',
    'invalid-rows',
    'row 1: this table takes no deletes (delete.behavior=disable)',
  ],
  [
    'a partial delete where they are disabled',
    'fixed',
    '{"k":1}',
    '?op=delete&columns=k,v',
    'invalid-rows',
    'delete.behavior=disable',
  ],
  ['a bad value in a delete', 'plain', '{"k":1,"v":"x","__op":"D"}', '', 'invalid-rows', 'a number is expected here'],
  [
    'a part without the key',
    'plain',
    '{"k":1}',
    '?columns=v',
    'bad-request',
    'columns: the column "k" of the primaryKey is missing: add it',
  ],
  [
    'a part of half of the key',
    'prefixed',
    '{"a":"a","b":"b"}',
    '?columns=a,v',
    'bad-request',
    'the column "b" of the primaryKey is missing',
  ],
  ['a part of a column twice', 'plain', '{"k":1}', '?columns=k,v,v', 'bad-request', 'columns: "v" is named twice'],
  ['a part of what is not there', 'plain', '{"k":1}', '?columns=k,nte', 'unknown-field', 'no column "nte"; did you mean "note"?'],
  ['a part of no columns', 'plain', '{"k":1}', '?columns=', 'bad-request', 'columns: a name is missing'],
  ['a part that says __op is a column', 'plain', '{"k":1}', '?columns=k,__op', 'unknown-field', 'no column "__op"'],
  [
    'a part over a column that is not nullable',
    'whole',
    '{"k":1}',
    '?columns=k,note',
    'bad-request',
    'the column "v" is not nullable, so rows are written as a whole: leave columns out',
  ],
  ['a partial delete over one', 'whole', '{"k":1}', '?op=delete&columns=k,note', 'bad-request', 'the column "v" is not nullable'],
  ['a null in one', 'whole', '{"k":1,"v":null}', '', 'invalid-rows', 'column "v", row 1: it is null'],
  [
    'a part of a row that is taken as a whole',
    'first',
    '{"k":1}',
    '?columns=k,v',
    'bad-request',
    'merge-engine=first-row takes rows as a whole',
  ],
  [
    'a sum that does not fit',
    'sums',
    '{"k":1,"v":100}',
    '',
    'invalid-rows',
    'column "v": the sum does not fit tinyint: widen the column (widenColumns), in the row of the key {"k":"1"}',
  ],
  ['a bitmap that is none', 'sums', '{"k":1,"r":"AAAA"}', '', 'invalid-rows', 'column "r", row 1: this is no roaring bitmap'],
  ['a bucket that is not there', 'plain', '{"k":2}', '?bucket=7', 'bad-request', 'buckets 0 to 0'],
  [
    'a partition of a table without',
    'plain',
    '{"k":2}',
    '?partition=x',
    'bad-request',
    'is not partitioned: leave out partition=',
  ],
]

describe('writes, with a row before that is good', () => {
  test.each(writes)('%s', async (_, table, body, query, code, says) => {
    const before = await stateOf(table)
    const { status, json } = await send(table, lines([good[table] ?? { k: 2, v: 1 }]) + body, query)
    expect([status, json.error.code, json.error.effect, json.error.action]).toEqual([400, code, 'none', 'fix'])
    expect(json.error.message).toContain(says)
    expect(await stateOf(table)).toEqual(before)
  })
})

describe('one value has one key, however it is written', () => {
  test.each<[Name, readonly string[], string]>([
    ['exact', ['"1.5"', '1.50', '"1.50"', '15e-1'], '1.50'],
    ['exact', ['"-0.00"', '0', '-0', '"0"', '0e9'], '0.00'],
    ['plain', ['-0', '0', '"-0"', '0e3'], '0'],
    ['plain', ['1000', '1e3', '"1000"', '10e2'], '1000'],
  ])('%s %j', async (table, forms, shown) => {
    for (const [i, form] of forms.entries()) expect((await send(table, `{"k":${form},"v":${i}}`)).status).toBe(200)
    const { json } = await ask(table, `{"columns":["k","v"],"keys":[${forms.map((form) => `{"k":${form}}`).join()}]}`)
    expect(json.rows).toEqual(forms.map(() => ({ k: shown, v: forms.length - 1 })))
  })
})

const refused: readonly (readonly [string, object, string])[] = [
  [
    'a key of a double',
    { columns: [{ name: 'k', type: 'double' }], primaryKey: ['k'] },
    'of type double cannot be in a primaryKey; use boolean, integers',
  ],
  ['a key of a list', { columns: [{ name: 'k', type: 'array<int>' }], primaryKey: ['k'] }, 'cannot be in a primaryKey'],
  ['a key of a row', { columns: [{ name: 'k', type: 'row<x int>' }], primaryKey: ['k'] }, 'cannot be in a primaryKey'],
  ['a nullable key', { columns: [{ ...k, nullable: true }], primaryKey: ['k'] }, 'cannot be nullable'],
  ['a key that is not there', { columns: [k], primaryKey: ['kk'] }, 'did you mean "k"'],
  [
    'a sum of texts',
    { columns: [k, note], primaryKey: ['k'], options: { 'merge-engine': 'aggregation', 'fields.note.agg': 'sum' } },
    'sum takes tinyint',
  ],
  [
    'a function that is not known',
    { columns: [k, v], primaryKey: ['k'], options: { 'merge-engine': 'aggregation', 'fields.v.agg': 'sums' } },
    'sum',
  ],
  ['an engine that is not known', { columns: [k], primaryKey: ['k'], options: { 'merge-engine': 'last_row' } }, 'last-row'],
  [
    'a version of texts',
    { columns: [k, note], primaryKey: ['k'], options: { 'merge-engine': 'versioned', 'merge-engine.version-column': 'note' } },
    'use a column of int',
  ],
]

test.each(refused)('a table with %s is not made', async (what, body, says) => {
  const path = `/v1/databases/d/tables/${what.replaceAll(' ', '-')}`
  const { status, json } = await client.put(path, body)
  expect([status, json.error.effect]).toEqual([400, 'none'])
  expect(json.error.message).toContain(says)
  expect((await client.get(path)).status).toBe(404)
})
