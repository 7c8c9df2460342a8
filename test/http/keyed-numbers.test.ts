/** autoIncrement columns and lookups that insert, over HTTP: what is drawn, what is kept, and what is refused. */

import { tableFromIPC } from 'apache-arrow'
import { describe, expect, test } from 'vitest'
import { tableKey } from '../../core/format/items/table.ts'
import type { ItemStore } from '../../core/ports/items.ts'
import { lines, makeTable, memorySite, ndjson, readLines, siteOfFile } from './harness.ts'

const site = await siteOfFile()

const columns = [
  { name: 'city', type: 'string' },
  { name: 'id', type: 'bigint', autoIncrement: true, nullable: false },
  { name: 'note', type: 'string' },
]
const counted = { columns, primaryKey: ['city'] }

const send = (path: string, rows: readonly object[], query = '') =>
  site.client.send('POST', `${path}/records${query}`, { body: lines(rows), headers: ndjson })
const lookup = (path: string, body: object) => site.client.send('POST', `${path}/lookup`, { json: body })

test('a row that is new draws a number, updates of every kind keep it, and the changelog has it', async () => {
  const path = await makeTable(site.client, 'numbers', counted)
  await send(path, [{ city: 'oslo', note: 'a' }, { city: 'rome' }])
  await send(path, [{ city: 'oslo', note: 'b' }])
  await send(path, [{ city: 'oslo', note: 'c' }], '?columns=city,note')
  await send(path, [{ city: 'oslo' }], '?columns=city,note&op=delete')
  await send(path, [{ city: 'rome', __op: 'D' }, { city: 'bern' }])
  expect((await lookup(path, { keys: ['oslo', 'rome', 'bern'].map((city) => ({ city })) })).json.rows).toEqual([
    { city: 'oslo', id: '1', note: null },
    null,
    { city: 'bern', id: '3', note: null },
  ])
  const { text } = await site.client.get(`${path}/log?bucket=0&offset=2`)
  expect(readLines(text).map(({ city, id, __op }) => `${__op} ${city} ${id}`)).toEqual([
    ...Array(3).fill(['-U oslo 1', '+U oslo 1']).flat(),
    '-D rome 2',
    '+I bern 3',
  ])
})

test('numbers are of the table: no two buckets and no two partitions have one of them', async () => {
  const path = await makeTable(site.client, 'many-buckets', {
    columns: [{ name: 'day', type: 'date' }, ...columns],
    primaryKey: ['day', 'city'],
    partitionBy: ['day'],
    buckets: { count: 4 },
    options: { 'auto-increment.cache-size': '3' },
  })
  const days = ['2026-11-21', '2026-11-22']
  const keys = days.flatMap((day) => Array.from({ length: 20 }, (_, i) => ({ day, city: `city-${i}` })))
  expect((await send(path, keys)).status).toBe(200)
  const { json } = await lookup(path, { keys })
  expect(new Set(json.rows.map(({ id }: { id: string }) => id)).size).toBe(40)
})

test('the column is described and altered as others are, and its option within its bounds', async () => {
  const path = await makeTable(site.client, 'described', {
    ...counted,
    columns: columns.map((column) => (column.name === 'id' ? { ...column, type: 'int' } : column)),
  })
  const before = (await site.client.get(path)).json
  expect(before.columns[1]).toMatchObject({ name: 'id', type: 'int', autoIncrement: true, nullable: false })
  expect(before.options['auto-increment.cache-size']).toBe('1000')
  const alter = (json: object) => site.client.send('PATCH', path, { json })
  expect((await alter({ setOptions: { 'auto-increment.cache-size': '1' } })).json.options['auto-increment.cache-size']).toBe('1')
  expect((await alter({ setOptions: { 'auto-increment.cache-size': '0' } })).json.error.message).toMatch(/from 1 to 1000000/)
  await send(path, [{ city: 'oslo' }])
  expect((await alter({ widenColumns: { id: 'bigint' }, renameColumns: { id: 'nr' } })).status).toBe(200)
  await send(path, [{ city: 'rome' }, { city: 'oslo', note: 'x' }])
  expect((await lookup(path, { keys: [{ city: 'oslo' }, { city: 'rome' }] })).json.rows).toEqual([
    { city: 'oslo', nr: '1', note: 'x' },
    { city: 'rome', nr: '2', note: null },
  ])
  const { json, status } = await alter({ addColumns: [{ name: 'n', type: 'int', autoIncrement: true }] })
  expect([status, json.error.code, json.error.message]).toEqual([400, 'invalid-schema', expect.stringContaining('autoIncrement')])
  const dropped = await alter({ dropColumns: ['nr'] })
  expect(dropped.json.options['auto-increment.cache-size']).toBeUndefined()
  expect((await send(path, [{ city: 'bern' }])).status).toBe(200)
})

test('a table that is dropped and made again counts from 1', async () => {
  const path = await makeTable(site.client, 'again', counted)
  await send(path, [{ city: 'oslo' }, { city: 'rome' }])
  while ((await site.client.send('DELETE', path)).status === 202);
  await makeTable(site.client, 'again', counted)
  await send(path, [{ city: 'bern' }])
  expect((await lookup(path, { keys: [{ city: 'bern' }] })).json.rows[0].id).toBe('1')
})

describe('what is refused', () => {
  const id = { name: 'id', type: 'bigint', autoIncrement: true }
  const city = { name: 'city', type: 'string' }
  test.each<[string, object, number, string, RegExp]>([
    ['a table without a key', { columns: [city, id] }, 400, 'invalid-schema', /needs a table with a primaryKey/],
    ['text that counts', { columns: [city, { ...id, type: 'string' }] }, 400, 'invalid-schema', /takes int or bigint/],
    ['smallint that counts', { columns: [city, { ...id, type: 'smallint' }] }, 400, 'invalid-schema', /takes int or bigint/],
    ['two that count', { columns: [city, id, { ...id, name: 'nr' }] }, 400, 'invalid-schema', /at most one/],
    ['one in the key', { columns: [city, id], primaryKey: ['city', 'id'] }, 400, 'invalid-schema', /rows bring/],
    ['a partition that counts', { columns: [city, id], partitionBy: ['id'] }, 400, 'invalid-schema', /not in its primaryKey/],
    [
      'a version that counts',
      { columns: [city, id], options: { 'merge-engine': 'versioned', 'merge-engine.version-column': 'id' } },
      400,
      'invalid-schema',
      /that rows bring/,
    ],
    [
      'a function of it',
      { columns: [city, id], options: { 'merge-engine': 'aggregation', 'fields.id.agg': 'max' } },
      400,
      'invalid-schema',
      /keeps its value/,
    ],
    [
      'too many at once',
      { columns: [city, id], options: { 'auto-increment.cache-size': '1000001' } },
      400,
      'bad-request',
      /1000000/,
    ],
    [
      'a size without a column',
      { columns: [city], options: { 'auto-increment.cache-size': '5' } },
      400,
      'invalid-schema',
      /leave it out/,
    ],
  ])('%s', async (name, body, status, code, message) => {
    const key = name === 'a table without a key' ? {} : { primaryKey: ['city'] }
    const answer = await site.client.put('/v1/databases/d/tables/wrong', { ...key, ...body })
    expect([answer.status, answer.json.error.code, answer.json.error.effect]).toEqual([status, code, 'none'])
    expect(answer.json.error.message).toMatch(message)
  })

  test('a value for it, in any row and in any way, and nothing is changed', async () => {
    const path = await makeTable(site.client, 'given', counted)
    const given = await send(path, [{ city: 'oslo' }, { city: 'rome', id: '7' }])
    expect([given.status, given.json.error]).toMatchObject([
      400,
      { code: 'invalid-rows', effect: 'none', facts: { row: 1, column: 'id' } },
    ])
    expect(given.json.error.message).toMatch(/leave it out/)
    const named = await send(path, [{ city: 'oslo', id: '7' }], '?columns=city,id')
    expect([named.status, named.json.error.message]).toEqual([400, expect.stringContaining('leave it out')])
    expect((await site.client.get(`${path}/rows?count=true`)).json).toEqual({ count: '0' })
    expect(
      (
        await send(path, [
          { city: 'oslo', id: null },
          { city: 'rome', id: '7', __op: 'D' },
        ])
      ).status,
    ).toBe(200)
    expect((await lookup(path, { keys: [{ city: 'oslo' }] })).json.rows[0].id).toBe('1')
  })
})

test('an int that has given its last number refuses rows that are new with 507, until it is widened', async () => {
  let store: ItemStore | undefined
  const own = await memorySite({
    items: (items) => {
      store = items
      return items
    },
  })
  const path = await makeTable(own.client, 'last', {
    ...counted,
    columns: columns.map((column) => (column.name === 'id' ? { ...column, type: 'int' } : column)),
  })
  await store?.update({ key: tableKey('d', 'last'), set: { n: { value: 2n ** 31n - 1n } } })
  const put = (city: string) => own.client.send('POST', `${path}/records`, { body: lines([{ city }]), headers: ndjson })
  expect((await put('oslo')).status).toBe(200)
  const full = await put('rome')
  expect([full.status, full.json.error]).toMatchObject([
    507,
    { code: 'full', effect: 'none', action: 'stop', facts: { column: 'id' } },
  ])
  expect(full.json.error.message).toMatch(/every number of int has been drawn: widen it to bigint/)
  const inserted = await own.client.send('POST', `${path}/lookup`, { json: { keys: [{ city: 'rome' }], insert: true } })
  expect([inserted.status, inserted.json.error.effect]).toEqual([507, 'none'])
  expect((await put('oslo')).status).toBe(200)
  await own.client.send('PATCH', path, { json: { widenColumns: { id: 'bigint' } } })
  expect((await put('rome')).status).toBe(200)
  const { json } = await own.client.send('POST', `${path}/lookup`, { json: { keys: [{ city: 'oslo' }, { city: 'rome' }] } })
  expect(json.rows.map(({ id }: { id: string }) => id)).toEqual(['2147483647', '2147484647'])
  await own.close()
})

describe('lookups that insert', () => {
  const insert = (path: string, keys: readonly object[], more: object = {}) => lookup(path, { keys, insert: true, ...more })

  test('a dictionary: each key has one number, whoever asks, and one insert in the changelog', async () => {
    const path = await makeTable(site.client, 'dictionary', { ...counted, buckets: { count: 4 } })
    const cities = Array.from({ length: 30 }, (_, i) => ({ city: `city-${i}` }))
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, i) => insert(path, [...cities.slice(i), ...cities.slice(0, i)])),
    )
    const found = answers.map(({ json }) => new Map(json.rows.map(({ city, id }: Record<string, string>) => [city, id])))
    for (const each of found) expect(each).toEqual(found[0])
    expect(new Set(found[0]?.values()).size).toBe(30)
    const { text } = await site.client.get(`${path}/log?offset=earliest`)
    expect(readLines(text).map(({ __op }) => __op)).toEqual(Array(30).fill('+I'))
  })

  test('a row that is there is answered as it is; columns, Arrow and stale are as in other lookups', async () => {
    const path = await makeTable(site.client, 'mixed', counted)
    await send(path, [{ city: 'oslo', note: 'a' }])
    const keys = [{ city: 'rome' }, { city: 'oslo' }]
    expect((await insert(path, keys)).json.rows).toEqual([
      { city: 'rome', id: '2', note: null },
      { city: 'oslo', id: '1', note: 'a' },
    ])
    expect((await insert(path, keys, { columns: ['id'], stale: true })).json.rows).toEqual([{ id: '2' }, { id: '1' }])
    const arrow = await site.client.send('POST', `${path}/lookup`, {
      json: { keys: [{ city: 'bern' }, ...keys], insert: true },
      headers: { Accept: 'application/vnd.apache.arrow.stream' },
    })
    const table = tableFromIPC(arrow.bytes)
    expect([...table].map((row) => row.toJSON()).map(({ __key, city, id }) => [__key, city, id])).toEqual([
      [0, 'bern', 3n],
      [1, 'rome', 2n],
      [2, 'oslo', 1n],
    ])
    expect((await insert(path, [])).json).toEqual({ rows: [], buckets: [] })
    expect((await lookup(path, { keys: [{ city: 'none' }], insert: false })).json.rows).toEqual([null])
  })

  test('a partition that is not there is made, and a table without a column that counts has nulls', async () => {
    const path = await makeTable(site.client, 'plain', {
      columns: [
        { name: 'day', type: 'date' },
        { name: 'city', type: 'string' },
        { name: 'note', type: 'string' },
      ],
      primaryKey: ['day', 'city'],
      partitionBy: ['day'],
    })
    const oslo = { day: '2026-11-21', city: 'oslo' }
    expect((await insert(path, [oslo])).json.rows).toEqual([{ ...oslo, note: null }])
    expect((await site.client.get(`${path}/partitions`)).json.partitions).toEqual(['day=2026-11-21'])
  })

  test('is refused, with nothing changed, where a row needs more than its key, and where the keys are wrong', async () => {
    const path = await makeTable(site.client, 'needs', {
      ...counted,
      columns: [...columns, { name: 'w', type: 'int', nullable: false }],
    })
    const needs = await insert(path, [{ city: 'oslo' }])
    expect([needs.status, needs.json.error]).toMatchObject([
      400,
      { code: 'bad-request', effect: 'none', facts: { field: 'insert', column: 'w' } },
    ])
    expect(needs.json.error.message).toMatch(/"w" is not nullable.*leave insert out/)
    expect((await site.client.get(`${path}/rows?count=true`)).json).toEqual({ count: '0' })
    const dictionary = await makeTable(site.client, 'wrong-keys', counted)
    for (const key of [{}, { city: null }, { city: 5 }, { city: 'oslo', id: '1' }, { city: 'x'.repeat(9_000) }]) {
      const { status, json } = await insert(dictionary, [{ city: 'rome' }, key])
      expect([status, json.error.effect]).toEqual([400, 'none'])
    }
    expect((await insert(dictionary, Array(1_001).fill({ city: 'oslo' }))).status).toBe(400)
    expect((await site.client.get(`${dictionary}/rows?count=true`)).json).toEqual({ count: '0' })
    expect((await insert('/v1/databases/d/tables/none', [{ city: 'oslo' }])).status).toBe(404)
    expect((await insert(await makeTable(site.client, 'no-key'), [{ id: '1' }])).json.error.message).toMatch(/no primary key/)
    expect((await lookup(dictionary, { keys: [], insert: 'yes' })).status).toBe(400)
  })
})
