/** Fetch over HTTP: three forms out, offsets, limits, the end. */

import { gunzipSync } from 'node:zlib'
import { tableFromIPC } from 'apache-arrow'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { millionOf } from '../../core/format/cursor.case.ts'
import { lines, makeTable, memorySite, ndjson, readLines, type Site } from './harness.ts'

let site: Site
let path: string
const arrow = { Accept: 'application/vnd.apache.arrow.stream' }

beforeAll(async () => {
  site = await memorySite()
  path = await makeTable(site.client, 'log')
  for (const [from, to] of [
    [0, 3],
    [3, 10],
    [10, 11],
    [11, 40],
  ] as const) {
    const rows = Array.from({ length: to - from }, (_, i) => ({ id: from + i, text: `row ${from + i}` }))
    await site.client.send('POST', `${path}/records`, { body: lines(rows), headers: ndjson })
  }
})
afterAll(async () => {
  expect(site.defects).toEqual([])
  await site.close()
})

const get = (query: string, headers = {}) => site.client.get(`${path}/log?bucket=0&${query}`, headers)

test('a cursor that says a million entries is refused before anything is read', async () => {
  for (const counted of ['spans', 'partitions', 'offsets'] as const) {
    const { status, json, headers } = await site.client.get(`${path}/log?cursor=${millionOf(counted, 0)}`)
    expect([status, json.error.code, json.error.facts]).toEqual([400, 'bad-cursor', { parameter: 'cursor' }])
    expect(headers['sluice-requests'] ?? '').not.toMatch(/items\.query|objects/)
  }
})

test('NDJSON is what comes when nothing is asked for', async () => {
  const answer = await get('offset=earliest')
  expect(answer.headers['content-type']).toBe('application/x-ndjson')
  const rows = readLines(answer.text)
  expect(rows).toHaveLength(40)
  expect(rows[7]).toEqual({
    id: '7',
    text: 'row 7',
    __offset: '7',
    __timestamp: expect.stringMatching(/^2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z$/),
  })
  expect(Object.keys(rows[0] ?? {})).toEqual(['id', 'text', '__offset', '__timestamp'])
  expect(answer.headers).toMatchObject({
    'sluice-rows': '40',
    'sluice-start-offset': '0',
    'sluice-next-offset': '40',
    'sluice-end-offset': '40',
  })
})

test('JSON has the same rows in one object', async () => {
  const { json } = await get('offset=38', { Accept: 'application/json' })
  expect(json.rows.map((row: { id: string }) => row.id)).toEqual(['38', '39'])
})

test('Arrow comes with schema, frames and an end, and each frame says where it lies', async () => {
  const answer = await get('offset=2&limit=10', arrow)
  const table = tableFromIPC(answer.bytes)
  expect(table.schema.fields.map(({ name }) => name)).toEqual(['id', 'text'])
  expect([...(table.getChild('id') ?? [])].map(Number)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
  expect(Buffer.from(answer.bytes.subarray(-8)).toString('hex')).toBe('ffffffff00000000')
  const text = Buffer.from(answer.bytes).toString('latin1')
  for (const name of ['sluice.partition', 'sluice.bucket', 'sluice.offset', 'sluice.timestamp']) expect(text).toContain(name)
  for (const offset of [2, 3, 10, 11]) expect(text).toContain(String(offset).padStart(19, '0'))
})

test.each(Array.from({ length: 41 }, (_, offset) => offset))('from %i, three rows, exactly', async (offset) => {
  const expected = Array.from({ length: Math.min(3, 40 - offset) }, (_, i) => String(offset + i))
  const answer = await get(`offset=${offset}&limit=3`)
  expect(readLines(answer.text).map(({ id }) => id)).toEqual(expected)
  expect(answer.headers['sluice-next-offset']).toBe(String(offset + expected.length))
  const table = tableFromIPC((await get(`offset=${offset}&limit=3`, arrow)).bytes)
  expect([...(table.getChild('id') ?? [])].map(String)).toEqual(expected)
})

describe('bounds', () => {
  test('the schema and the end of an Arrow stream count too', async () => {
    const large = await makeTable(site.client, 'large')
    const rows = [0, 1, 2].map((id) => ({ id, text: 'x'.repeat(900_000) }))
    await site.client.send('POST', `${large}/records`, { body: lines(rows), headers: ndjson })
    const fetched = (maxBytes: number) => site.client.get(`${large}/log?bucket=0&offset=0&maxBytes=${maxBytes}`, arrow)
    const { bytes } = await fetched(4_000_000)
    const answers = await Promise.all([bytes.length, bytes.length - 1].map(fetched))
    expect(answers.map(({ headers }) => headers['sluice-rows'])).toEqual(['3', '2'])
  })

  test('the wrapping of JSON counts too', async () => {
    const json = { Accept: 'application/json' }
    const { bytes } = await get('offset=11&limit=8', json)
    const exact = await get(`offset=11&maxBytes=${bytes.length}`, json)
    const less = await get(`offset=11&maxBytes=${bytes.length - 1}`, json)
    expect([exact.headers['sluice-rows'], less.headers['sluice-rows']]).toEqual(['8', '7'])
  })

  test.each(['0', '1', '60', '100'])('maxBytes=%s still brings a row', async (maxBytes) => {
    for (const headers of [{}, arrow]) {
      const answer = await get(`offset=5&maxBytes=${maxBytes}`, headers)
      const rows = Number(answer.headers['sluice-rows'])
      expect(rows).toBeGreaterThan(0)
      expect(answer.headers['sluice-next-offset']).toBe(String(5 + rows))
    }
  })

  test('following Sluice-Next-Offset meets every row once, however small the bodies', async () => {
    const seen: unknown[] = []
    for (let next = '0'; next !== '40'; ) {
      const answer = await get(`offset=${next}&maxBytes=200`)
      seen.push(...readLines(answer.text).map(({ id }) => id))
      next = answer.headers['sluice-next-offset'] as string
    }
    expect(seen).toEqual(Array.from({ length: 40 }, (_, id) => String(id)))
  })

  test('limit=0 is refused', async () => {
    expect((await get('offset=0&limit=0')).json.error.code).toBe('bad-request')
  })

  test('a body stays below 4 MiB, whatever its form', async () => {
    const wide = await makeTable(site.client, 'wide')
    const row = { id: 1, text: '"\\'.repeat(50_000) }
    for (let i = 0; i < 6; i++) {
      const body = lines(Array.from({ length: 10 }, () => row))
      expect((await site.client.send('POST', `${wide}/records`, { body, headers: ndjson })).status).toBe(200)
    }
    for (const headers of [{}, arrow, { Accept: 'application/json' }]) {
      const { bytes } = await site.client.get(`${wide}/log?bucket=0&offset=earliest`, headers)
      expect(bytes.length).toBeGreaterThan(1024 * 1024)
      expect(bytes.length).toBeLessThan(4 * 1024 * 1024 + 64 * 1024)
    }
  })
})

describe('at and beyond the end', () => {
  test.each([
    ['offset=40', '40'],
    ['offset=latest', '40'],
  ])('%s: nothing new', async (query, start) => {
    const text = await get(query)
    expect([text.status, text.text, text.headers['sluice-rows'], text.headers['sluice-start-offset']]).toEqual([
      200,
      '',
      '0',
      start,
    ])
    expect((await get(query, { Accept: 'application/json' })).json).toEqual({ rows: [] })
    expect(tableFromIPC((await get(query, arrow)).bytes).numRows).toBe(0)
  })

  test('above the end: 416 with start and end', async () => {
    const { status, json } = await get('offset=41')
    expect([status, json.error.code, json.error.facts]).toEqual([
      416,
      'offset-out-of-range',
      { partition: '', bucket: 0, start: '0', end: '40' },
    ])
  })

  test('an empty table, and a bucket that nobody wrote to', async () => {
    const empty = await makeTable(site.client, 'empty', { buckets: { count: 2 } })
    for (const offset of ['earliest', 'latest', '0']) {
      const answer = await site.client.get(`${empty}/log?bucket=1&offset=${offset}`)
      expect([answer.status, answer.text, answer.headers['sluice-end-offset']]).toEqual([200, '', '0'])
    }
  })

  test('no offset, no bucket of that number, no table', async () => {
    expect((await site.client.get(`${path}/log?bucket=0`)).status).toBe(400)
    expect((await site.client.get(`${path}/log?bucket=1&offset=0`)).json.error.message).toContain('0 to 0')
    expect((await site.client.get('/v1/databases/d/tables/nowhere/log?bucket=0&offset=0')).status).toBe(404)
    expect((await site.client.get('/v1/databases/nowhere/tables/t/log?bucket=0&offset=0')).status).toBe(404)
  })
})

test('a body is compressed for who takes it', async () => {
  const plain = await get('offset=earliest')
  const packed = await site.client.raw('GET', `${path}/log?bucket=0&offset=earliest`, { headers: { 'Accept-Encoding': 'gzip' } })
  expect(packed.headers['content-encoding']).toBe('gzip')
  expect(gunzipSync(packed.bytes).toString()).toBe(plain.text)
})

test('offsets and the lake say where a table is', async () => {
  expect((await site.client.get(`${path}/offsets`)).json).toEqual({
    buckets: [{ partition: '', bucket: 0, start: '0', end: '40', tierPoint: null, snapshot: null }],
    next: null,
  })
  expect((await site.client.get(`${path}/tier`)).json).toMatchObject({ state: 'none', snapshot: null, lastError: null })
  expect((await site.client.send('POST', `${path}/tier`)).json.error.message).toContain('no lake')
})
