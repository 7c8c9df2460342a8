/** Databases and tables over HTTP: create, replay, describe, list, alter, drop. */
import { describe, expect, test } from 'vitest'
import { makeTable, simpleColumns, siteOfFile } from './harness.ts'

const site = await siteOfFile()

test('a database is created, found again, listed, altered to nothing and dropped', async () => {
  const { client } = site
  expect((await client.put('/v1/databases/one')).status).toBe(201)
  expect((await client.put('/v1/databases/one', {})).status).toBe(200)
  expect((await client.get('/v1/databases/one')).json).toMatchObject({ name: 'one', status: 'alive' })
  expect((await client.get('/v1/databases')).json.databases).toContain('one')
  expect((await client.send('PATCH', '/v1/databases/one', { json: { setOptions: {} } })).status).toBe(200)
  const unknown = await client.send('PATCH', '/v1/databases/one', { json: { setOptions: { 'cors.origins': 'x' } } })
  expect([unknown.status, unknown.json.error.code]).toEqual([400, 'unknown-field'])
  expect((await client.send('DELETE', '/v1/databases/one')).status).toBe(204)
  expect((await client.send('DELETE', '/v1/databases/one')).status).toBe(404)
  expect((await client.send('DELETE', '/v1/databases/one?ifExists=true')).status).toBe(204)
  expect((await client.get('/v1/databases/one')).json.error).toMatchObject({ code: 'not-found', effect: 'none', action: 'fix' })
})

test('a table of 1,024 buckets costs what one of a single bucket does', async () => {
  const { client } = site
  await client.put('/v1/databases/d')
  const requests: (string | undefined)[] = []
  for (const count of [1, 1_024]) {
    const spec = { columns: simpleColumns, buckets: { count } }
    const { status, headers } = await client.put(`/v1/databases/d/tables/b${count}`, spec)
    expect(status).toBe(201)
    requests.push(headers['sluice-requests'])
  }
  expect(requests[0]).toMatch(/^items\./)
  expect(requests[1]).toBe(requests[0])
})

test('a database with tables is dropped only by cascade', async () => {
  const { client } = site
  await client.put('/v1/databases/full')
  await client.put('/v1/databases/full/tables/t', { columns: simpleColumns })
  const refused = await client.send('DELETE', '/v1/databases/full')
  expect([refused.status, refused.json.error.code]).toEqual([409, 'not-empty'])
  expect((await client.get('/v1/databases/full/tables/t')).status).toBe(200)
  expect((await client.send('DELETE', '/v1/databases/full?cascade=true')).status).toBe(204)
  expect((await client.get('/v1/databases/full/tables/t')).status).toBe(404)
})

test('a table is described as it was asked for, with ids', async () => {
  const { client } = site
  const spec = {
    columns: [
      { name: 'id', type: 'bigint', nullable: false, comment: 'the key' },
      { name: 'at', type: 'TIMESTAMP' },
      { name: 'nested', type: 'array<row<a int, b decimal(10,2)>>' },
    ],
    buckets: { count: 4, key: ['id'] },
    options: { 'lake.format': 'iceberg', 'lake.freshness': '20s' },
  }
  await client.put('/v1/databases/d')
  const created = await client.put('/v1/databases/d/tables/described', spec)
  expect(created.status).toBe(201)
  expect(created.headers.etag).toBe('"1"')
  const { json } = await client.get('/v1/databases/d/tables/described')
  expect(json).toMatchObject({
    database: 'd',
    name: 'described',
    schemaId: 1,
    status: 'alive',
    buckets: { count: 4, key: ['id'] },
  })
  expect(json.tableId).toMatch(/^[0-9a-f]{16}$/)
  expect(json.columns.map((column: { id: number; type: string }) => [column.id >= 4, column.type])).toEqual([
    [true, 'bigint'],
    [true, 'timestamp(6)'],
    [true, 'array<row<a int, b decimal(10,2)>>'],
  ])
  expect(json.options['lake.freshness']).toBe('20s')
  expect((await client.put('/v1/databases/d/tables/described', spec)).status).toBe(200)
  const { options, buckets, columns } = json
  const withoutIds = columns.map(({ id: _id, ...column }: { id: number }) => column)
  expect((await client.put('/v1/databases/d/tables/described', { columns: withoutIds, buckets, options })).status).toBe(200)
  const other = await client.put('/v1/databases/d/tables/described', { ...spec, buckets: { count: 5, key: ['id'] } })
  expect([other.status, other.json.error.code]).toEqual([409, 'exists'])
})

test('options of the lake are altered, only on the schema that the caller saw', async () => {
  const { client } = site
  const path = await makeTable(client, 'altered', { options: { 'lake.format': 'iceberg' } })
  const alter = (json: unknown, headers = {}) => client.send('PATCH', path, { json, headers })
  expect((await alter({ setOptions: { 'lake.freshness': '1s', 'lake.bytes': '1MiB' } })).json.options).toMatchObject({
    'lake.freshness': '1s',
    'lake.bytes': '1MiB',
  })
  expect((await alter({ setOptions: { 'lake.freshness': null } }, { 'If-Match': '"1"' })).json.options['lake.freshness']).toBe(
    '3m',
  )
  expect((await alter({ setOptions: {} }, { 'If-Match': '"2"' })).json.error).toMatchObject({
    code: 'changed',
    action: 'refresh',
  })
  expect((await alter({ setOptions: {} }, { 'If-Match': '1' })).json.error.code).toBe('bad-request')
  expect((await alter({ setOptions: { 'lake.fresness': '1s' } })).json.error).toMatchObject({ code: 'unknown-field' })
  expect((await alter({ setOptions: { 'lake.freshness': 'soon' } })).status).toBe(400)
  const added = [{ name: 'more', type: 'int' }]
  expect((await alter({ addColumns: added }, { 'If-Match': '"1"' })).json.schemaId).toBe(2)
  expect((await alter({ addColumns: added }, { 'If-Match': '"1"' })).json.error.code).toBe('changed')
  expect((await alter({ setOption: {} })).json.error.message).toContain('setOptions')
})

test('lists come in pages, by name', async () => {
  const { client } = site
  await client.put('/v1/databases/pages')
  for (const name of ['c', 'a', 'b', 'a-1', 'B'])
    await client.put(`/v1/databases/pages/tables/${name}`, { columns: simpleColumns })
  const seen: string[] = []
  let after: string | null = ''
  for (let page = 0; page < 10 && after !== null; page++) {
    const { json } = await client.get(`/v1/databases/pages/tables?limit=2${after === '' ? '' : `&after=${after}`}`)
    seen.push(...json.tables)
    after = json.next
  }
  expect(seen).toEqual(['B', 'a', 'a-1', 'b', 'c'])
  expect((await client.get('/v1/databases/pages/tables?limit=1000')).json).toEqual({ tables: seen, next: null })
  expect((await client.get('/v1/databases/nowhere/tables')).status).toBe(404)
})

test('a table that is dropped and created again is another one', async () => {
  const { client } = site
  const path = await makeTable(client, 'again')
  const first = (await client.get(path)).json.tableId
  expect((await client.send('DELETE', path)).status).toBe(204)
  expect((await client.send('DELETE', path)).status).toBe(404)
  expect((await client.send('DELETE', `${path}?ifExists=true`)).status).toBe(204)
  await makeTable(client, 'again')
  expect((await client.get(path)).json.tableId).not.toBe(first)
})

describe('specifications that are refused, by name, and make no table', () => {
  const id = { name: 'id', type: 'bigint' }
  test.each([
    ['no columns', { columns: [] }, 400, 'invalid-schema'],
    ['columns that are no list', { columns: {} }, 400, 'bad-request'],
    ['nothing', {}, 400, 'bad-request'],
    ['a list', [], 400, 'bad-request'],
    ['an unknown field', { columns: [id], bucket: {} }, 400, 'unknown-field'],
    ['an unknown field of a column', { columns: [{ ...id, nulable: true }] }, 400, 'unknown-field'],
    ['an unknown type', { columns: [{ name: 'id', type: 'bigit' }] }, 400, 'invalid-schema'],
    ['a column twice', { columns: [id, id] }, 400, 'invalid-schema'],
    ['a column of the system', { columns: [{ name: '__offset', type: 'bigint' }] }, 400, 'invalid-name'],
    ['an empty column name', { columns: [{ name: '', type: 'bigint' }] }, 400, 'invalid-name'],
    ['no bucket', { columns: [id], buckets: { count: 0 } }, 400, 'bad-request'],
    ['too many buckets', { columns: [id], buckets: { count: 1025 } }, 400, 'bad-request'],
    ['2^32 + 1 buckets', { columns: [id], buckets: { count: 4294967297 } }, 400, 'bad-request'],
    ['half a bucket', { columns: [id], buckets: { count: 1.5 } }, 400, 'bad-request'],
    ['buckets as text', { columns: [id], buckets: { count: '4' } }, 400, 'bad-request'],
    ['a bucket key that is not there', { columns: [id], buckets: { count: 4, key: ['idd'] } }, 400, 'invalid-schema'],
    ['an unknown option', { columns: [id], options: { 'lake.fromat': 'iceberg' } }, 400, 'unknown-field'],
    ['an option that is no text', { columns: [id], options: { 'lake.bytes': 5 } }, 400, 'bad-request'],
    [
      'a primary key with a lake',
      { columns: [id], primaryKey: ['id'], options: { 'lake.format': 'iceberg' } },
      501,
      'not-supported',
    ],
    ['a partition column that is not there', { columns: [id], partitionBy: ['idd'] }, 400, 'invalid-schema'],
    ['auto-increment', { columns: [{ ...id, autoIncrement: true }] }, 400, 'invalid-schema'],
    ['a Lance lake', { columns: [id], options: { 'lake.format': 'lance' } }, 501, 'not-supported'],
    ['a changelog image', { columns: [id], options: { 'changelog.image': 'wal' } }, 400, 'invalid-schema'],
  ])('%s', async (_what, json, status, code) => {
    await site.client.put('/v1/databases/d')
    const answer = await site.client.put('/v1/databases/d/tables/refused', json)
    expect([answer.status, answer.json.error.code]).toEqual([status, code])
    expect((await site.client.get('/v1/databases/d/tables/refused')).status).toBe(404)
  })

  test('the nearest name is in the message', async () => {
    const { json } = await site.client.put('/v1/databases/d/tables/refused', { columns: [{ ...id, nulable: true }] })
    expect(json.error.message).toContain('nullable')
    expect(json.error.facts.nearest).toBe('nullable')
  })

  test('a key that occurs twice, a body of another type, no body, too much of it', async () => {
    const { client } = site
    const path = '/v1/databases/d/tables/refused'
    const sent = (body: string, type = 'application/json') =>
      client.send('PUT', path, { body, headers: { 'Content-Type': type } })
    expect((await sent('{"columns":[],"columns":[]}')).json.error.message).toContain('occurs twice')
    expect((await sent('{"columns":[]}', 'text/plain')).json.error).toMatchObject({
      code: 'unsupported-media-type',
      facts: { accepted: ['application/json'] },
    })
    expect((await client.send('PUT', path)).status).toBe(400)
    expect((await sent(' '.repeat(1024 * 1024 + 1))).status).toBe(413)
    expect((await sent('['.repeat(100_000))).status).toBe(400)
  })
})

test('a table needs its database', async () => {
  const { status, json } = await site.client.put('/v1/databases/nowhere/tables/t', { columns: simpleColumns })
  expect([status, json.error.code]).toEqual([404, 'not-found'])
})
