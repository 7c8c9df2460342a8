/** Bad input of keyed tables: each is refused with the field and the fix, and the table is as it was. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lines, makeTable, memorySite, ndjson, readLines, type Site } from './harness.ts'

let site: Site
const paths: Record<string, string> = {}
const k = { name: 'k', type: 'bigint' }
const v = { name: 'v', type: 'int' }
const note = { name: 'note', type: 'string' }
const texts = ['a', 'b'].map((name) => ({ name, type: 'string' }))
const tables = {
  plain: { columns: [k, v, note], primaryKey: ['k'] },
  fixed: { columns: [k, v], primaryKey: ['k'], options: { 'delete.behavior': 'disable' } },
  whole: { columns: [k, { ...v, nullable: false }, note], primaryKey: ['k'] },
  first: { columns: [k, v], primaryKey: ['k'], options: { 'merge-engine': 'first-row' } },
  exact: { columns: [{ name: 'k', type: 'decimal(10,2)' }, v], primaryKey: ['k'] },
  prefixed: { columns: [...texts, v], primaryKey: ['a', 'b'], buckets: { key: ['a'] } },
  suffixed: { columns: [...texts, v], primaryKey: ['a', 'b'], buckets: { key: ['b'] } },
  moments: {
    columns: [{ name: 'k', type: 'timestamp(3)' }, { name: 'd', type: 'date' }, { name: 'x', type: 'binary' }, v],
    primaryKey: ['k', 'd', 'x'],
  },
  sums: {
    columns: [k, { name: 'v', type: 'tinyint' }, { name: 'r', type: 'binary' }],
    primaryKey: ['k'],
    options: { 'merge-engine': 'aggregation', 'fields.v.agg': 'sum', 'fields.r.agg': 'rbm32' },
  },
} as const
type Name = keyof typeof tables

const good: Partial<Record<Name, object>> = {
  exact: { k: '1.5', v: 1 },
  prefixed: { a: 'a', b: 'b', v: 1 },
  suffixed: { a: 'a', b: 'b', v: 1 },
  moments: { k: '2026-11-21T09:30:00.123', d: '2026-11-21', x: 'AA==', v: 1 },
}

beforeAll(async () => {
  site = await memorySite()
  for (const [name, body] of Object.entries(tables)) {
    paths[name] = await makeTable(site.client, name, body)
    expect((await send(name as Name, lines([good[name as Name] ?? { k: 1, v: 100 }]))).status).toBe(200)
  }
})
afterAll(async () => {
  expect(site.defects).toEqual([])
  await site.close()
})

const send = (table: Name, body: string, query = '') =>
  site.client.send('POST', `${paths[table]}/records${query}`, { body, headers: ndjson })
const ask = (table: Name, body: string, prefix = '') =>
  site.client.send('POST', `${paths[table]}/lookup${prefix}`, { body, headers: { 'Content-Type': 'application/json' } })

async function stateOf(table: Name): Promise<unknown> {
  const offsets = await site.client.get(`${paths[table]}/offsets`)
  return [offsets.json.buckets, readLines((await site.client.get(`${paths[table]}/rows`)).text)]
}

const key = '{"k":1},'
const long = (length: number): string => 'x'.repeat(length)
const moment = (more: object): string => JSON.stringify({ ...good.moments, ...more })

type Case = readonly [what: string, table: Name, body: string, query: string, code: string, says: string]

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
    'more than 8192 bytes: use a shorter one',
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
    'column "v": the sum does not fit tinyint: widen the column',
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

const lookups: readonly Case[] = [
  ['a body that is none', 'plain', '', '', 'bad-request', 'wants a JSON body'],
  ['null', 'plain', 'null', '', 'bad-request', 'the body must be an object'],
  ['no keys', 'plain', '{}', '', 'bad-request', 'field keys must be an array'],
  ['keys that are no list', 'plain', '{"keys":{"k":1}}', '', 'bad-request', 'field keys must be an array'],
  ['a key that is no object', 'plain', '{"keys":[1]}', '', 'bad-request', 'field keys[0] must be an object'],
  ['a null for a key', 'plain', '{"keys":[{"k":1},null]}', '', 'bad-request', 'field keys[1] must be an object'],
  [
    'an empty key',
    'plain',
    '{ "keys" : [{"k":1}, {}] }',
    '',
    'invalid-rows',
    'keys[1].k: it is not nullable, and has no value here',
  ],
  ['a null in a key', 'plain', '{"keys":[{"k":1},{"k":1},{"k":null}]}', '', 'invalid-rows', 'keys[2].k: it is not nullable'],
  ['half of a key', 'prefixed', '{"keys":[{"a":"a"}]}', '', 'invalid-rows', 'keys[0].b: it is not nullable'],
  [
    'a column beside the key',
    'plain',
    '{"keys":[{"k":1},{"k":1,"v":1}]}',
    '',
    'unknown-field',
    'keys[1].v: it is not of the key: give k',
  ],
  [
    'a fraction',
    'plain',
    '{"columns":["k"],"keys":[{"k":1.5}]}',
    '',
    'invalid-rows',
    'keys[0].k: a whole number is expected here',
  ],
  [
    'a number past the type',
    'plain',
    '{"keys":[{"k":"9223372036854775808"}]}',
    '',
    'invalid-rows',
    'keys[0].k: it does not fit bigint',
  ],
  [
    'a number of 100,000 digits',
    'plain',
    `{"keys":[{"k":"${'9'.repeat(100_000)}"}]}`,
    '',
    'invalid-rows',
    'keys[0].k: it has more digits',
  ],
  ['a decimal of a finer scale', 'exact', '{"keys":[{"k":"1.505"}]}', '', 'invalid-rows', 'keys[0].k: it has more than 2 digits'],
  ['NaN', 'exact', '{"keys":[{"k":"NaN"}]}', '', 'invalid-rows', 'keys[0].k: a number is expected here'],
  ['a key twice', 'plain', '{"keys":[{"k":1,"k":2}]}', '', 'bad-request', 'key "k" occurs twice'],
  ['two lists of keys', 'plain', '{"keys":[],"keys":[]}', '', 'bad-request', 'key "keys" occurs twice'],
  ['a field that is not known', 'plain', '{"keys":[],"colums":["v"]}', '', 'unknown-field', 'did you mean columns?'],
  ['a column twice', 'plain', '{"keys":[{"k":1}],"columns":["v","v"]}', '', 'bad-request', 'columns: "v" is named twice'],
  ['stale as a text', 'plain', '{"keys":[],"stale":"yes"}', '', 'bad-request', 'field stale must be a boolean'],
  [
    '1,025 keys',
    'plain',
    `{"keys":[${key.repeat(1_024)}{"k":1}]}`,
    '',
    'bad-request',
    'field keys has more than 1000 entries: ask for fewer keys at once',
  ],
  ['a hundred thousand keys', 'plain', `{"keys":[${key.repeat(100_000)}{"k":1}]}`, '', 'bad-request', 'more than 1000 entries'],
  [
    'a key of a thousand lists',
    'plain',
    `{"keys":[{"k":${'['.repeat(1_000)}${']'.repeat(1_000)}}]}`,
    '',
    'bad-request',
    'nested deeper than 32',
  ],
  ['a key of 9,000 bytes', 'prefixed', `{"keys":[{"a":"${long(9_000)}","b":""}]}`, '', 'invalid-rows', 'more than 8192 bytes'],
  [
    'a prefix where the bucket key is all of the key',
    'plain',
    '{"keys":[{"k":1}]}',
    '/prefix',
    'bad-request',
    'not the beginning of a longer primary key: use lookup',
  ],
  [
    'a prefix where the bucket key is the end of the key',
    'suffixed',
    '{"keys":[{"b":"b"}]}',
    '/prefix',
    'bad-request',
    'not the beginning of a longer primary key',
  ],
  [
    'a prefix that is the whole key',
    'prefixed',
    '{"keys":[{"a":"a","b":"b"}]}',
    '/prefix',
    'unknown-field',
    'keys[0].b: it is not of the key: give a',
  ],
  [
    'a prefix that is another column',
    'prefixed',
    '{"keys":[{"b":"b"}]}',
    '/prefix',
    'unknown-field',
    'keys[0].b: it is not of the key: give a',
  ],
  ['a null prefix', 'prefixed', '{"keys":[{"a":null}]}', '/prefix', 'invalid-rows', 'keys[0].a: it is not nullable'],
  ['a prefix of 9,000 bytes', 'prefixed', `{"keys":[{"a":"${long(9_000)}"}]}`, '/prefix', 'invalid-rows', 'more than 8192 bytes'],
  [
    'no rows of a prefix',
    'prefixed',
    '{"keys":[{"a":"a"}],"limit":0}',
    '/prefix',
    'bad-request',
    'field limit must be from 1 to 10000',
  ],
  [
    'a prefix that inserts',
    'prefixed',
    '{"keys":[{"a":"a"}],"insert":true}',
    '/prefix',
    'unknown-field',
    'unknown field "insert"',
  ],
]

describe('lookups', () => {
  test.each(lookups)('%s', async (_, table, body, prefix, code, says) => {
    const before = await stateOf(table)
    const { status, json } = await ask(table, body, prefix)
    expect([status, json.error.code, json.error.effect]).toEqual([400, code, 'none'])
    expect(json.error.message).toContain(says)
    expect(await stateOf(table)).toEqual(before)
  })
})

const scans: readonly (readonly [string, string, string])[] = [
  ['limit=0', 'bad-request', 'limit must be a whole number from 1'],
  ['limit=-1', 'bad-request', 'parameter limit must be a whole number'],
  ['count=true&limit=1', 'bad-request', 'leave out limit'],
  ['count=yes', 'bad-request', 'parameter count must be true or false'],
  ['cursor=AAAA', 'bad-cursor', 'pass Sluice-Cursor as it came'],
  ['where=', 'invalid-filter', 'the name of a column is missing'],
  ['where=__op%3D1', 'invalid-filter', 'no column "__op"'],
  ['columns=v,v', 'bad-request', '"v" is named twice'],
  ['bucket=0', 'unknown-field', 'unknown parameter "bucket"'],
]

test.each(scans)('rows?%s is refused', async (query, code, says) => {
  const { status, json } = await site.client.get(`${paths['plain']}/rows?${query}`)
  expect([status, json.error.code]).toEqual([400, code])
  expect(json.error.message).toContain(says)
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
  const { status, json } = await site.client.put(path, body)
  expect([status, json.error.effect]).toEqual([400, 'none'])
  expect(json.error.message).toContain(says)
  expect((await site.client.get(path)).status).toBe(404)
})
