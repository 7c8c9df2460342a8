/** Columns that change over HTTP: what was written stays readable, who writes as before goes on, what would lose data is refused. */
import { Table, tableFromIPC, tableToIPC, Utf8, vectorFromArray } from 'apache-arrow'
import { beforeAll, describe, expect, test } from 'vitest'
import { lines, ndjson, readLines, siteOfFile } from './harness.ts'

const site = await siteOfFile()
beforeAll(async () => {
  await site.client.put('/v1/databases/d')
})

const columns = [
  { name: 'id', type: 'int', nullable: false },
  { name: 'text', type: 'string' },
  { name: 'price', type: 'decimal(5,2)' },
]

async function make(name: string, more: object = {}): Promise<string> {
  const path = `/v1/databases/d/tables/${name}`
  const { status, text } = await site.client.put(path, { columns, ...more })
  if (status !== 201) throw new Error(text)
  return path
}

const alter = (path: string, json: unknown, headers: Record<string, string> = {}) =>
  site.client.send('PATCH', path, { json, headers })
const produce = (path: string, rows: readonly object[]) =>
  site.client.send('POST', `${path}/records`, { body: lines(rows), headers: ndjson })
const read = async (path: string, more = '') => readLines((await site.client.get(`${path}/log?bucket=0&offset=0${more}`)).text)
const arrow = { Accept: 'application/vnd.apache.arrow.stream' }

test('rows that were written before are read under the columns of now, found by their ids', async () => {
  const path = await make('evolves')
  await produce(path, [{ id: 1, text: 'old', price: '1.50' }])
  const changed = await alter(path, {
    addColumns: [{ name: 'at', type: 'timestamp(3)' }],
    dropColumns: ['price'],
    renameColumns: { text: 'name' },
    widenColumns: { id: 'bigint' },
    setOptions: {},
  })
  expect([changed.status, changed.json.schemaId, changed.headers.etag]).toEqual([200, 2, '"2"'])
  expect(changed.json.columns.map(({ name, type }: { name: string; type: string }) => `${name} ${type}`)).toEqual([
    'id bigint',
    'name string',
    'at timestamp(3)',
  ])
  await produce(path, [{ id: '9007199254740993', name: 'new', at: '2026-11-21T00:00:00.001' }])
  expect(await read(path)).toMatchObject([
    { id: '1', name: 'old', at: null },
    { id: '9007199254740993', name: 'new', at: '2026-11-21T00:00:00.001' },
  ])
  const table = tableFromIPC((await site.client.get(`${path}/log?bucket=0&offset=0`, arrow)).bytes)
  expect(table.schema.fields.map(({ name, type }) => `${name} ${type}`)).toEqual([
    'id Int64',
    'name Utf8',
    'at Timestamp<MILLISECOND>',
  ])
  expect([...(table.getChild('id') ?? [])]).toEqual([1n, 9007199254740993n])
  expect(
    (await read(path, `&where=${encodeURIComponent("name = 'old' and at is null")}&columns=id`)).map(({ id }) => id),
  ).toEqual(['1'])
})

test('who knows the columns of before goes on writing: a renamed one is found, a dropped one is passed over', async () => {
  const path = await make('old-clients')
  await alter(path, { renameColumns: { text: 'name' }, dropColumns: ['price'] })
  await produce(path, [{ id: 1, text: 'by its old name', price: '1.00' }])
  const body = tableToIPC(
    new Table({ id: vectorFromArray(Int32Array.of(2)), text: vectorFromArray(['arrow'], new Utf8()) }),
    'stream',
  )
  const headers = { 'Content-Type': 'application/vnd.apache.arrow.stream' }
  expect((await site.client.send('POST', `${path}/records`, { body, headers })).status).toBe(200)
  expect((await read(path)).map(({ id, name }) => [id, name])).toEqual([
    [1, 'by its old name'],
    [2, 'arrow'],
  ])
  expect((await produce(path, [{ id: 3, text: 'both', name: 'names' }])).status).toBe(400)
  await alter(path, { addColumns: [{ name: 'text', type: 'int' }] })
  await produce(path, [{ id: 4, text: 7 }])
  expect((await read(path)).at(-1)).toMatchObject({ id: 4, text: 7, name: null })
})

test('If-Match that is lost changes nothing', async () => {
  const path = await make('contended')
  const add = (name: string) => ({ addColumns: [{ name, type: 'int' }] })
  const answers = await Promise.all(['a', 'b', 'c'].map((name) => alter(path, add(name), { 'If-Match': '"1"' })))
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412])
  const { json } = await site.client.get(path)
  expect([json.schemaId, json.columns.length]).toEqual([2, 4])
  const lost = answers.find(({ status }) => status === 412)
  expect(lost?.json.error).toMatchObject({ code: 'changed', action: 'refresh', effect: 'none', facts: { schemaId: 2 } })
})

describe('what would lose data, or means nothing, is refused and changes nothing', () => {
  test.each([
    [{ widenColumns: { id: 'smallint' } }, 'cannot become'],
    [{ widenColumns: { text: 'int' } }, 'cannot become'],
    [{ widenColumns: { price: 'decimal(9,3)' } }, 'cannot become'],
    [{ dropColumns: ['id', 'text', 'price'] }, 'buckets.key'],
    [{ dropColumns: ['text'], renameColumns: { text: 'x' } }, 'at once'],
    [{ renameColumns: { text: 'price' } }, 'price'],
    [{ renameColumns: { txt: 'x' } }, 'did you mean "text"?'],
    [{ addColumns: [{ name: 'text', type: 'int' }] }, 'text'],
    [{ addColumns: [{ name: 'x', type: 'int', nullable: false }] }, 'must be nullable'],
    [{ addColumns: [{ name: '__x', type: 'int' }] }, '__x'],
    [{ addColumns: [{ name: 'x', type: 'integer' }] }, 'integer'],
    [{ addColumn: [] }, 'addColumns'],
  ])('%j', async (change, words) => {
    const path = '/v1/databases/d/tables/refuses'
    await site.client.put(path, { columns, buckets: { count: 2, key: ['id'] } })
    const { status, json } = await alter(path, change)
    expect([status, json.error.effect, json.error.message]).toEqual([400, 'none', expect.stringContaining(words)])
    expect((await site.client.get(path)).json.schemaId).toBe(1)
  })

  test('a type that a lake cannot hold, and the names of partitions', async () => {
    const lake = await make('lake', { options: { 'lake.format': 'iceberg' } })
    const { status, json } = await alter(lake, { addColumns: [{ name: 'at', type: 'time(9)' }] })
    expect([status, json.error.facts]).toEqual([400, { column: 'at' }])
    expect((await alter(lake, { addColumns: [{ name: 'at', type: 'array<timestamp(9)>' }] })).json.error.message).toContain(
      '"at"',
    )
    expect((await alter(lake, { dropColumns: ['text'] })).status).toBe(200)
    const days = await make('days', { partitionBy: ['text'] })
    expect((await alter(days, { renameColumns: { text: 'day' } })).json.error.message).toContain('partitions the table')
    expect((await alter(days, { dropColumns: ['text'] })).status).toBe(400)
  })
})

test('a key column may be widened, and its rows stay in their bucket', async () => {
  const path = await make('keyed', { buckets: { count: 16, key: ['id'] } })
  const rows = Array.from({ length: 40 }, (_, id) => ({ id }))
  const bucketsOf = async () => (await produce(path, rows)).json.buckets.map(({ bucket }: { bucket: number }) => bucket)
  const before = await bucketsOf()
  await alter(path, { widenColumns: { id: 'bigint' } })
  expect(await bucketsOf()).toEqual(before)
})
