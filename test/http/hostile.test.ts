/** The property: whatever is sent, only answers that the contract describes come back, and the server has no defect. */

import { gzipSync } from 'node:zlib'
import { Int64, Table, tableToIPC, Utf8, vectorFromArray } from 'apache-arrow'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { media } from '../../contract/media.ts'
import { makeTable, memorySite, type Site } from './harness.ts'

let site: Site
let path: string
const types = [media.ndjson, media.json, media.arrow, 'text/plain', '']

beforeAll(async () => {
  site = await memorySite()
  path = await makeTable(site.client, 'hostile', { buckets: { count: 3, key: ['id'] } })
})
afterAll(async () => {
  expect(site.defects).toEqual([])
  await site.close()
})

const seeds: readonly Uint8Array[] = [
  Buffer.from('{"id":1,"text":"x"}\n{"id":"9223372036854775807","text":null}\n'),
  Buffer.from('{"rows":[{"id":1,"text":"\\u00e9"},{"id":-5}]}'),
  Buffer.from(
    '{"columns":[{"name":"id","type":"decimal(10,2)","nullable":false}],"buckets":{"count":4,"key":["id"]},"options":{"lake.format":"iceberg"}}',
  ),
  Buffer.from(
    tableToIPC(
      new Table({ id: vectorFromArray([1n, 2n], new Int64()), text: vectorFromArray(['a', null], new Utf8()) }),
      'stream',
    ),
  ),
  gzipSync('{"id":1}'),
]

/** A body that was good, with bytes changed, taken out, put in, doubled. */
const body = fc
  .tuple(
    fc.constantFrom(...seeds),
    fc.array(
      fc.record({
        at: fc.nat(4_000),
        bytes: fc.oneof(
          fc.uint8Array({ maxLength: 4 }),
          fc.constantFrom(...['\0', '"', '{', '[', '1e999', '-', '\\u', '9'.repeat(40)].map((text) => Buffer.from(text))),
        ),
        cut: fc.nat(6),
      }),
      { maxLength: 4 },
    ),
  )
  .map(([seed, changes]) => {
    let bytes = Buffer.from(seed)
    for (const { at, bytes: put, cut } of changes) {
      const place = at % (bytes.length + 1)
      bytes = Buffer.concat([bytes.subarray(0, place), put, bytes.subarray(place + cut)])
    }
    return bytes
  })

test('produce takes any body', async () => {
  await fc.assert(
    fc.asyncProperty(
      body,
      fc.constantFrom(...types),
      fc.constantFrom(undefined, 'gzip', 'zstd'),
      async (bytes, type, encoding) => {
        const headers = {
          ...(type === '' ? {} : { 'Content-Type': type }),
          ...(encoding === undefined ? {} : { 'Content-Encoding': encoding }),
        }
        const { status } = await site.client.send('POST', `${path}/records`, { body: bytes, headers })
        expect([200, 400, 413, 415, 501]).toContain(status)
      },
    ),
    { numRuns: 250 },
  )
})

test('create and alter take any body', async () => {
  await fc.assert(
    fc.asyncProperty(body, fc.constantFrom('PUT', 'PATCH'), async (bytes, method) => {
      const { status } = await site.client.send(method, '/v1/databases/d/tables/any', {
        body: bytes,
        headers: { 'Content-Type': media.json },
      })
      expect([200, 201, 400, 404, 409, 413, 501]).toContain(status)
    }),
    { numRuns: 200 },
  )
})

test('any JSON is a specification or is refused', async () => {
  const any = fc.oneof(fc.jsonValue(), fc.constantFrom('id', 'bigint', 1, 2 ** 31, 2 ** 53, -1, null, [], {}))
  const spec = fc.record(
    {
      columns: fc.oneof(any, fc.array(fc.record({ name: any, type: any, nullable: any, comment: any }, { requiredKeys: [] }))),
      buckets: any,
      options: any,
      primaryKey: any,
      partitionBy: any,
    },
    { requiredKeys: [] },
  )
  await fc.assert(
    fc.asyncProperty(fc.oneof(any, spec), async (json) => {
      const { status } = await site.client.send('PUT', '/v1/databases/d/tables/spec', { json: json ?? null })
      expect([200, 201, 400, 409, 501]).toContain(status)
    }),
    { numRuns: 200 },
  )
})

test.each([
  { columns: [{ name: 'a', type: 'int', comment: { length: [{}] } }] },
  { columns: { length: [{}] } },
  { columns: { length: 5 } },
])('an object that only has a length is neither a text nor a list: %j', async (json) => {
  expect((await site.client.send('PUT', '/v1/databases/d/tables/spec', { json })).status).toBe(400)
})

test('any method, path and query is answered', async () => {
  const segment = fc.oneof(
    fc.constantFrom(
      'v1',
      'databases',
      'd',
      'tables',
      'hostile',
      'log',
      'records',
      'offsets',
      'tier',
      '%2e%2e',
      '__x',
      '%00',
      '%ff',
    ),
    fc.webSegment(),
  )
  const parameter = fc.tuple(
    fc.oneof(
      fc.constantFrom('bucket', 'offset', 'limit', 'maxBytes', 'wait', 'after', 'where', 'ifExists', '__proto__'),
      fc.webQueryParameters(),
    ),
    fc.oneof(
      fc.constantFrom('0', '-1', '2147483648', '9007199254740993', '9223372036854775808', 'earliest', '%', '@x', 'true', ''),
      fc.webQueryParameters(),
    ),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS', 'PURGE'),
      fc.array(segment, { maxLength: 7 }),
      fc.array(parameter, { maxLength: 4 }),
      async (method, segments, parameters) => {
        const query = parameters.map(([name, value]) => `${name}=${value}`).join('&')
        const target = `/${segments.join('/')}${query === '' ? '' : `?${query}`}`
        // the description does not name other databases' tables, nor methods that HTTP has and OpenAPI has not
        if (method === 'PURGE') expect([404, 405, 400]).toContain((await site.client.raw(method, target)).status)
        else await site.client.send(method, target)
      },
    ),
    { numRuns: 250 },
  )
})

test('any value of a header is answered', async () => {
  const value = fc.oneof(
    fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code === 0x7f ? 0x20 : code)) }),
    fc.constantFrom('*/*', 'gzip, *;q=0', '9'.repeat(100), '"1"', 'W/"1"'),
  )
  const name = fc.constantFrom(
    'Accept',
    'Accept-Encoding',
    'Content-Type',
    'Content-Encoding',
    'If-Match',
    'Origin',
    'Host',
    'Producer-Id',
    'Producer-Seq',
    'Producer-Epoch',
    'Authorization',
    'X-Any',
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(name, value), { maxLength: 3 }),
      fc.constantFrom('GET log', 'POST records', 'PATCH'),
      async (entries, call) => {
        const headers = Object.fromEntries(entries)
        if (call === 'GET log')
          await site.client.get(`${path}/log?bucket=0&offset=earliest`, {
            'Accept-Encoding': 'identity',
            ...headers,
            ...(headers['Accept-Encoding'] === undefined ? {} : { 'Accept-Encoding': 'identity' }),
          })
        else if (call === 'PATCH')
          await site.client.send('PATCH', path, {
            json: { setOptions: {} },
            headers: { ...headers, 'Accept-Encoding': 'identity' },
          })
        else
          await site.client.send('POST', `${path}/records`, {
            body: '{"id":1}',
            headers: { 'Content-Type': media.ndjson, ...headers, 'Accept-Encoding': 'identity' },
          })
      },
    ),
    { numRuns: 300 },
  )
})
