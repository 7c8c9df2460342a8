/** Bad lookups and scans of tables with a primary key: refused with the field and the fix, and the table is as it was. */
import { describe, expect, test } from 'vitest'
import { type Case, hostileTables, long } from './keyed-hostile.ts'

const { ask, scan, stateOf } = await hostileTables()
const key = '{"k":1},'

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
  ['end=true', 'bad-request', 'pass its cursor='],
  ['end=true&cursor=AAAA', 'bad-cursor', 'pass Sluice-Cursor as it came'],
  ['end=true&cursor=AAAA&limit=1', 'bad-request', 'leave out limit'],
  ['cursor=AAAA', 'bad-cursor', 'pass Sluice-Cursor as it came'],
  ['where=', 'invalid-filter', 'the name of a column is missing'],
  ['where=__op%3D1', 'invalid-filter', 'no column "__op"'],
  ['columns=v,v', 'bad-request', '"v" is named twice'],
  ['bucket=0', 'unknown-field', 'unknown parameter "bucket"'],
]

test.each(scans)('rows?%s is refused', async (query, code, says) => {
  const { status, json } = await scan('plain', query)
  expect([status, json.error.code]).toEqual([400, code])
  expect(json.error.message).toContain(says)
})
