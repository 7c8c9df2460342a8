/** The Iceberg REST catalog over HTTP, read side, as an engine asks it; over a directory and SQLite. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { diskSite, lines, makeTable, ndjson, type Site } from './harness.ts'

const root = '/iceberg/v1'
const lakeTable = `${root}/namespaces/d/tables/lake`
const withLake = { options: { 'lake.format': 'iceberg' } }

let site: Site
beforeAll(async () => {
  site = await diskSite()
  const path = await makeTable(site.client, 'lake', withLake)
  await site.client.send('POST', `${path}/records`, { body: lines([{ id: 1 }, { id: 2 }]), headers: ndjson })
  await site.client.send('POST', `${path}/tier?wait=20s`)
  await site.client.send('POST', `${path}/records`, { body: lines([{ id: 3 }]), headers: ndjson })
  await site.client.send('POST', `${path}/tier?wait=20s`)
  await makeTable(site.client, 'empty', withLake)
  await makeTable(site.client, 'plain')
})
afterAll(async () => {
  expect(site.defects).toEqual([])
  await site.close()
})

test('config names exactly the calls that are served', async () => {
  const { endpoints, defaults, overrides } = (await site.client.get(`${root}/config?warehouse=w`)).json
  expect([defaults, overrides]).toEqual([{}, {}])
  expect(endpoints).toContain('GET /v1/{prefix}/namespaces/{namespace}/tables/{table}')
  for (const endpoint of endpoints as string[]) {
    const [method = '', template = ''] = endpoint.split(' ')
    const path = template.replace('/v1/{prefix}', root).replace('{namespace}', 'd').replace('{table}', 'lake')
    const body = { 'report-type': 'scan-report', requirements: [], updates: [] }
    const { status } = await site.client.send(method, path, method === 'POST' ? { json: body } : {})
    expect([endpoint, status < 300]).toEqual([endpoint, true])
  }
})

describe('namespaces are databases', () => {
  test('listed whole, and in pages', async () => {
    for (const name of ['e', 'f']) await site.client.put(`/v1/databases/${name}`)
    const list = async (query: string) => (await site.client.get(`${root}/namespaces${query}`)).json
    expect(await list('')).toEqual({ namespaces: [['d'], ['e'], ['f']], 'next-page-token': null })
    expect(await list('?pageToken=&pageSize=2')).toEqual({ namespaces: [['d'], ['e']], 'next-page-token': 'e' })
    expect(await list('?pageToken=e&pageSize=2')).toEqual({ namespaces: [['f']], 'next-page-token': null })
    expect(await list('?parent=d')).toEqual({ namespaces: [], 'next-page-token': null })
    for (const path of ['', '/d/tables']) {
      const { status, json } = await site.client.get(`${root}/namespaces${path}?pageToken=__x`)
      expect([status, json.error.type]).toEqual([400, 'BadRequestException'])
    }
  })

  test('one that is there is described, and HEAD says that it is', async () => {
    expect((await site.client.get(`${root}/namespaces/d`)).json).toEqual({ namespace: ['d'], properties: {} })
    expect((await site.client.send('HEAD', `${root}/namespaces/d`)).status).toBe(204)
    expect((await site.client.send('HEAD', `${root}/namespaces/g`)).status).toBe(404)
  })

  test.each(['g', 'd%1Fe', '__x', 'a%2Fb'])('%s is not there', async (name) => {
    const found = [`/namespaces/${name}`, `/namespaces/${name}/tables`, `/namespaces?parent=${name}`]
    for (const path of found) {
      const { status, json } = await site.client.get(`${root}${path}`)
      expect([path, status, json.error.type, json.error.code]).toEqual([path, 404, 'NoSuchNamespaceException', 404])
    }
  })
})

describe('tables', () => {
  test('those with an iceberg lake are listed', async () => {
    const list = async (query: string) => (await site.client.get(`${root}/namespaces/d/tables${query}`)).json
    expect(await list('')).toEqual({
      identifiers: [
        { namespace: ['d'], name: 'empty' },
        { namespace: ['d'], name: 'lake' },
      ],
      'next-page-token': null,
    })
    expect(await list('?pageSize=1')).toMatchObject({ identifiers: [{ name: 'empty' }], 'next-page-token': 'empty' })
    expect(await list('?pageSize=1&pageToken=empty')).toMatchObject({ identifiers: [{ name: 'lake' }], 'next-page-token': null })
  })

  test('a load answers the metadata that its location holds', async () => {
    const { json, text } = await site.client.get(lakeTable)
    const file = readFileSync(fileURLToPath(json['metadata-location']), 'utf8')
    expect(JSON.parse(file)).toEqual(json.metadata)
    expect(text).toContain(file)
    expect(json.metadata.snapshots).toHaveLength(2)
    expect(json.config).toEqual({})
  })

  test('snapshots=refs leaves out what no ref names', async () => {
    const { metadata } = (await site.client.get(`${lakeTable}?snapshots=refs`)).json
    expect(metadata.snapshots.map((each: { 'snapshot-id': number }) => each['snapshot-id'])).toEqual([
      metadata['current-snapshot-id'],
    ])
    expect(metadata['snapshot-log']).toHaveLength(2)
  })

  test('an ETag that is known answers 304, until the next commit', async () => {
    const etag = (await site.client.get(lakeTable)).headers.etag ?? ''
    const again = await site.client.get(lakeTable, { 'If-None-Match': `"x", W/${etag}` })
    expect([again.status, again.text, again.headers.etag]).toEqual([304, '', etag])
    expect((await site.client.get(`${lakeTable}?snapshots=refs`, { 'If-None-Match': etag })).status).toBe(200)
    const path = '/v1/databases/d/tables/lake'
    await site.client.send('POST', `${path}/records`, { body: lines([{ id: 4 }]), headers: ndjson })
    await site.client.send('POST', `${path}/tier?wait=20s`)
    const later = await site.client.get(lakeTable, { 'If-None-Match': etag })
    expect([later.status, later.json.metadata.snapshots.length]).toEqual([200, 3])
  })

  test('before its first commit a table is empty, and remains the same table', async () => {
    const path = `${root}/namespaces/d/tables/empty`
    const first = (await site.client.get(path)).json
    expect(JSON.parse(readFileSync(fileURLToPath(first['metadata-location']), 'utf8'))).toEqual(first.metadata)
    expect(first.metadata).toMatchObject({ snapshots: [], refs: {}, 'last-sequence-number': 0 })
    expect(first.metadata).not.toHaveProperty('current-snapshot-id')
    expect((await site.client.get(path)).json).toEqual(first)
    await site.client.send('POST', '/v1/databases/d/tables/empty/records', { body: lines([{ id: 1 }]), headers: ndjson })
    await site.client.send('POST', '/v1/databases/d/tables/empty/tier?wait=20s')
    const second = (await site.client.get(path)).json
    expect(second.metadata['table-uuid']).toBe(first.metadata['table-uuid'])
    expect(second.metadata.snapshots).toHaveLength(1)
  })

  test.each(['d/tables/plain', 'd/tables/none', 'none/tables/t', 'd%1Flake/tables/snapshots', 'd/tables/__x'])(
    '%s is not there',
    async (path) => {
      const { status, json } = await site.client.get(`${root}/namespaces/${path}`)
      expect([status, json.error.type]).toEqual([404, 'NoSuchTableException'])
      expect((await site.client.send('HEAD', `${root}/namespaces/${path}`)).status).toBe(404)
    },
  )

  test('one that was dropped is gone from the catalog', async () => {
    await makeTable(site.client, 'dropped', withLake)
    expect((await site.client.get(`${root}/namespaces/d/tables/dropped`)).status).toBe(200)
    await site.client.send('DELETE', '/v1/databases/d/tables/dropped')
    expect((await site.client.get(`${root}/namespaces/d/tables/dropped`)).status).toBe(404)
  })
})

describe('what an engine measured', () => {
  const measured = {
    'table-name': 'd.lake',
    'snapshot-id': 23_456,
    metrics: { 'total-planning-duration': { count: 1, 'time-unit': 'nanoseconds', 'total-duration': 2_644_235_116 } },
    metadata: { 'engine-name': 'spark' },
  }
  test.each([
    [
      'scan',
      {
        'report-type': 'scan-report',
        ...measured,
        filter: { type: 'true' },
        'schema-id': 0,
        'projected-field-ids': [4],
        'projected-field-names': ['id'],
      },
    ],
    ['commit', { 'report-type': 'commit-report', ...measured, 'sequence-number': 2, operation: 'append' }],
  ])('of a %s is taken, and of a table that is not there refused', async (_, json) => {
    const { status, text } = await site.client.send('POST', `${lakeTable}/metrics`, { json })
    expect([status, text]).toEqual([204, ''])
    for (const table of ['none', 'plain']) {
      const absent = await site.client.send('POST', `${root}/namespaces/d/tables/${table}/metrics`, { json })
      expect([absent.status, absent.json.error.type]).toEqual([404, 'NoSuchTableException'])
    }
  })
})

describe('errors have the form of the Iceberg REST catalog', () => {
  test.each([
    ['GET', '/nowhere', 404, 'NotFoundException'],
    ['POST', '/namespaces', 501, 'UnsupportedOperationException'],
    ['DELETE', '/namespaces/d/tables/lake', 501, 'UnsupportedOperationException'],
    ['POST', '/namespaces/d/tables', 501, 'UnsupportedOperationException'],
    ['PUT', '/namespaces/d', 405, 'UnsupportedOperationException'],
    ['GET', '/namespaces/d/views', 404, 'NoSuchNamespaceException'],
    ['GET', '/namespaces/d/tables/lake?snapshots=some', 400, 'BadRequestException'],
    ['GET', '/namespaces?pageSize=0', 400, 'BadRequestException'],
    ['POST', '/namespaces/d/tables/lake/metrics', 400, 'BadRequestException'],
  ])('%s %s answers %i %s', async (method, path, code, type) => {
    const { status, json } = await site.client.send(method, `${root}${path}`)
    expect([status, json.error.code, json.error.type]).toEqual([code, code, type])
    expect(json.error.message.length).toBeGreaterThan(0)
  })

  test('a page of another server learns nothing', async () => {
    const { status, json } = await site.client.get(`${root}/config`, { Origin: 'http://elsewhere' })
    expect([status, json.error.type]).toEqual([403, 'ForbiddenException'])
  })
})
