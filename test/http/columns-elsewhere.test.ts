/** Columns that change in another process: who names one that is new there is not told that it is unknown, whatever a process keeps. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { diskSite, lines, ndjson, type Site } from './harness.ts'

let site: Site
let other: Site
beforeAll(async () => {
  site = await diskSite()
  other = await site.reopen()
  await site.client.put('/v1/databases/d')
})
afterAll(async () => {
  await other.close()
  await site.close()
})

function tableNamed(name: string) {
  const path = `/v1/databases/d/tables/${name}`
  return {
    path,
    elsewhere: (body: object) => other.client.send('PATCH', path, { json: body }),
    produce: (row: object, query = '') =>
      site.client.send('POST', `${path}/records${query}`, { body: lines([row]), headers: ndjson }),
  }
}

describe.each([
  ['a keyed table', { primaryKey: ['id'] }],
  ['a log table', {}],
])('%s', (what, more) => {
  const { path, elsewhere, produce } = tableNamed(what.replaceAll(' ', '-'))

  test('is written and read under them at once', async () => {
    const columns = [
      { name: 'id', type: 'int', nullable: false },
      { name: 'v', type: 'tinyint' },
    ]
    expect((await site.client.put(path, { columns, ...more })).status).toBe(201)
    expect((await produce({ id: 1, v: 1 })).status).toBe(200)
    expect((await elsewhere({ addColumns: [{ name: 'w', type: 'string' }] })).status).toBe(200)
    expect((await produce({ id: 2, w: 'x' })).json).toMatchObject({ duplicate: false })
    expect((await elsewhere({ widenColumns: { v: 'int' } })).status).toBe(200)
    expect((await produce({ id: 3, v: 1000 })).json).toMatchObject({ duplicate: false })
    expect((await elsewhere({ addColumns: [{ name: 'x', type: 'string' }] })).status).toBe(200)
    expect((await site.client.get(`${path}/log?offset=earliest&columns=x`)).status).toBe(200)
    expect((await elsewhere({ addColumns: [{ name: 'y', type: 'string' }] })).status).toBe(200)
    expect((await site.client.get(`${path}/log?offset=earliest&where=y%20is%20null`)).status).toBe(200)
    expect((await produce({ id: 4, z: 'x' })).json.error.code).toBe('unknown-field')
    expect((await produce({ id: 4 })).status).toBe(200)
  })
})

test('a keyed table is looked up, scanned and written in part under them at once', async () => {
  const { path, elsewhere, produce } = tableNamed('looked-up')
  const columns = [{ name: 'id', type: 'int', nullable: false }]
  expect((await site.client.put(path, { columns, primaryKey: ['id'] })).status).toBe(201)
  expect((await elsewhere({ addColumns: [{ name: 'p', type: 'string' }] })).status).toBe(200)
  expect((await produce({ id: 1, p: 'x' }, '?columns=id,p')).json).toMatchObject({ duplicate: false })
  expect((await elsewhere({ renameColumns: { id: 'key', p: 'q' } })).status).toBe(200)
  const found = await site.client.send('POST', `${path}/lookup`, { json: { keys: [{ key: 1 }], columns: ['key', 'q'] } })
  expect(found.json.rows).toEqual([{ key: 1, q: 'x' }])
  expect((await elsewhere({ renameColumns: { q: 'r' } })).status).toBe(200)
  expect((await site.client.get(`${path}/rows?columns=r&where=key=1`)).text).toBe('{"r":"x"}\n')
})
