/** What a newcomer does wrong, and what the answer says of it: where, in which column, and what to write instead. */
import { beforeAll, expect, test } from 'vitest'
import { makeTable, ndjson, siteOfFile } from './harness.ts'

const site = await siteOfFile()
let path: string
beforeAll(async () => {
  path = await makeTable(site.client, 'rows', {
    columns: [
      { name: 'id', type: 'bigint' },
      { name: 'text', type: 'string' },
    ],
    primaryKey: ['id'],
  })
})

const asJson = { 'Content-Type': 'application/json' }

async function refused(method: string, url: string, body?: string, headers: Record<string, string> = asJson) {
  const { status, json } = await site.client.send(method, url, body === undefined ? {} : { body, headers })
  const { code, message, facts } = json.error
  return { status, code, message, facts }
}

test('a row that does not fit its column is told by line, column and name', async () => {
  expect(await refused('POST', `${path}/records`, '{"id":1}\n{"id":"x","text":"a"}', ndjson)).toEqual({
    status: 400,
    code: 'invalid-rows',
    message: 'line 2, column 7, in "id": a number is expected here',
    facts: { field: 'id', line: 2, column: 7 },
  })
})

test('rows that are one a line but called JSON are told of the shape of JSON, and of the other media type', async () => {
  for (const body of ['{"id":1}', '[{"id":1}]'])
    expect(await refused('POST', `${path}/records`, body)).toMatchObject({
      status: 400,
      message: expect.stringMatching(/\{"rows":\[.*application\/x-ndjson/),
    })
})

test('what is wrong in a key of a lookup is told by the index of the key and the column', async () => {
  const lookup = (body: string) => refused('POST', `${path}/lookup`, body)
  const keys = '{\n  "columns": ["text"],\n  "keys": [{"id": 1},\n'
  expect(await lookup(`${keys} {"id": "one"}]}`)).toMatchObject({
    code: 'invalid-rows',
    message: 'keys[1].id: a number is expected here',
    facts: { key: 1, field: 'id' },
  })
  expect(await lookup(`${keys} {"id": 1.5}]}`)).toMatchObject({ message: 'keys[1].id: a whole number is expected here' })
  expect(await lookup(`${keys} {}]}`)).toMatchObject({ message: 'keys[1].id: it is not nullable, and has no value here' })
  expect(await lookup(`${keys} {"id": 2, "text": "a"}]}`)).toMatchObject({
    code: 'unknown-field',
    message: 'keys[1].text: it is not of the key: give id',
    facts: { key: 1, field: 'text' },
  })
  expect(await lookup(`${keys} {"ids": 2}]}`)).toMatchObject({
    code: 'unknown-field',
    message: 'keys[1].ids: the table has no column "ids"; did you mean "id"?: give id',
  })
})

test('a parameter that no build knows is a mistake, with the values that there are', async () => {
  expect(await refused('GET', `${path}/log?bucket=0&offset=0&form=zz`)).toMatchObject({
    status: 400,
    code: 'bad-request',
    message: expect.stringContaining('binlog'),
    facts: { parameter: 'form' },
  })
  expect(await refused('GET', `${path}/log?limit=1e3`)).toMatchObject({
    status: 400,
    message: expect.stringContaining('parameter limit must be a whole number from 1 to'),
    facts: { parameter: 'limit' },
  })
  expect((await refused('GET', `${path}/rows?limit=0`)).message).toContain('written in digits alone')
})

test('a fetch that does not say where to begin is told how to', async () => {
  expect(await refused('GET', `${path}/log`)).toMatchObject({
    status: 400,
    message: expect.stringMatching(/^say where to begin with offset=.*cursor=/),
    facts: { parameter: 'offset' },
  })
  expect((await refused('GET', `${path}/log?offset=first`)).message).toMatch(/^offset must be earliest, latest/)
})

test('what a row may ask is in /openapi.json, and all of it is taken', async () => {
  const { json } = await site.client.get('/openapi.json')
  const [{ enum: ops }] = json.components.schemas.Rows.properties.rows.items.properties.__op.anyOf
  expect(ops).toContain('-D')
  const rows = ops.map((__op: string) => JSON.stringify({ id: 9, text: 'a', __op }))
  const produced = await site.client.send('POST', `${path}/records`, { body: rows.join('\n'), headers: ndjson })
  expect(produced.status).toBe(200)
  expect((await refused('POST', `${path}/records`, '{"id":9,"__op":"I"}', ndjson)).message).toContain('__op')
})

test('options that are fixed say so, and those that are misspelt list what there is', async () => {
  const log = await makeTable(site.client, 'log')
  const patch = (table: string, setOptions: object) => refused('PATCH', table, JSON.stringify({ setOptions }))
  expect(await patch(log, { 'lake.format': 'iceberg' })).toMatchObject({
    status: 400,
    message:
      'lake.format cannot be changed after a table is created, and it is none here: create another table with what you want',
  })
  expect(await patch(log, { 'lake.format': 'zz' })).toMatchObject({
    status: 400,
    message: expect.stringContaining('none or iceberg'),
  })
  expect(await patch(log, { 'merge-engine': 'first-row' })).toMatchObject({
    status: 400,
    message: expect.stringContaining('created without'),
  })
  expect(await patch(path, { 'merge-engine': 'versioned' })).toMatchObject({
    status: 400,
    message: expect.stringContaining('fixed when a table is created'),
  })
  expect(await patch(log, { freshness: '5s' })).toMatchObject({
    status: 400,
    code: 'unknown-field',
    message: expect.stringContaining('lake.freshness'),
  })
})

test('a type that does not exist is answered with those that do', async () => {
  const create = (type: string) =>
    refused('PUT', '/v1/databases/d/tables/new', JSON.stringify({ columns: [{ name: 'a', type }] }))
  expect((await create('jsonb')).message).toMatch(/column "a".*boolean, .*map<k,v>, .*vector\(n\)/)
  expect((await create('strin')).message).toContain('did you mean "string"?')
})
