/** What holds for every call: methods, media types, parameters, names, Host and Origin, HEAD, OPTIONS, headers. */
import { connect } from 'node:net'
import { gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import { makeTable, siteOfFile } from './harness.ts'

const site = await siteOfFile()
beforeAll(async () => {
  await makeTable(site.client, 't')
})

const table = '/v1/databases/d/tables/t'

test('the server says what it is', async () => {
  const { client } = site
  expect((await client.get('/healthz')).json).toEqual({ status: 'ok' })
  const { json } = await client.get('/v1')
  expect(json).toMatchObject({ version: 1, limits: { produceBodyBytesMax: 4194304, bucketsMax: 1024 } })
  expect((await client.get('/openapi.json')).json.openapi).toBe('3.1.0')
  const page = await client.get('/', { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' })
  expect(page.headers['content-type']).toContain('text/html')
  expect(page.text).toContain('curl')
  await client.get(`${table}/offsets`)
  expect((await client.get('/metrics')).text).toMatch(/sluice_http_requests_total\{call="offsets",status="200"\} 1/)
  const cost = (await client.get('/v1/cost')).json
  expect(cost.requests['items.get']).toBeGreaterThan(0)
  expect(cost.usd).toBeGreaterThan(0)
})

test('every answer has an id, its time, and the storage requests that it caused', async () => {
  const answers = await Promise.all([site.client.get(table), site.client.get(table), site.client.get('/nowhere')])
  expect(new Set(answers.map(({ headers }) => headers['sluice-request-id'])).size).toBe(3)
  for (const { headers } of answers) expect(headers['server-timing']).toMatch(/^total;dur=[0-9.]+$/)
  expect((await site.client.get(table)).headers['sluice-requests']).toBe('items.get=1')
})

describe('methods', () => {
  test.each([
    ['DELETE', '/v1', 'GET, HEAD, OPTIONS'],
    ['GET', `${table}/records`, 'OPTIONS, POST'],
    ['POST', table, 'DELETE, GET, HEAD, OPTIONS, PATCH, PUT'],
    ['PUT', `${table}/log`, 'GET, HEAD, OPTIONS'],
  ])('%s %s answers 405 with Allow', async (method, path, allow) => {
    const { status, headers } = await site.client.send(method, path)
    expect([status, headers.allow]).toEqual([405, allow])
    const options = await site.client.send('OPTIONS', path)
    expect([options.status, options.headers.allow]).toEqual([204, allow])
  })

  test('HEAD answers as GET does, without the body', async () => {
    for (const path of ['/v1', '/', table, '/v1/databases/nowhere']) {
      const [head, get] = [await site.client.send('HEAD', path), await site.client.get(path)]
      expect([head.status, head.text]).toEqual([get.status, ''])
      if (path !== '/v1/databases/nowhere') expect(head.headers['content-length']).toBe(String(get.bytes.length))
    }
  })
})

describe('what the contract names and this build lacks is said, never ignored', () => {
  test.each([
    ['GET', '/v1/options'],
    ['PATCH', '/v1/options'],
    ['POST', '/v1/sql'],
    ['GET', '/v1/tokens'],
    ['PUT', '/v1/tokens/a'],
    ['GET', '/v1/acl'],
    ['POST', `${table}/search`],
  ])('%s %s', async (method, path) => {
    const { status, json } = await site.client.send(method, path)
    expect([status, json.error.code, json.error.message]).toEqual([
      501,
      'not-supported',
      expect.stringContaining('not in this build'),
    ])
  })
})

describe('parameters and names', () => {
  test.each([
    [`${table}/log?bukcet=0&offset=0`, 'unknown-field', 'did you mean bucket?'],
    ['/v1/databases?limt=1', 'unknown-field', 'did you mean limit?'],
    ['/v1?a=1', 'unknown-field', 'unknown parameter "a"'],
    ['/v1/databases?limit=1&limit=2', 'bad-request', 'occurs twice'],
    ['/v1/databases/a%20b', 'invalid-name', 'a b'],
    ['/v1/databases/__x', 'invalid-name', '__'],
    ['/v1/databases/a%2Fb', 'invalid-name', 'a/b'],
    ['/v1/databases/%C3%A9', 'invalid-name', 'é'],
    [`/v1/databases/${'x'.repeat(201)}`, 'invalid-name', '200'],
    ['/v1/databases/a/tables/..%2f..', 'invalid-name', 'table'],
    ['/v1/databases/%ff', 'bad-request', 'UTF-8'],
    ['/v1/databases/%', 'bad-request', 'UTF-8'],
  ])('%s', async (path, code, message) => {
    const { status, json } = await site.client.get(path)
    expect([status, json.error.code]).toEqual([400, code])
    expect(json.error.message).toContain(message)
  })

  test.each(['/v2', '/v1/', '/v1/databases//tables', '//', `${table}/`, '/v1/databases/d/tables/t/records/x', '/favicon.ico'])(
    '%s is not there',
    async (path) => {
      expect((await site.client.get(path)).json.error.code).toBe('not-found')
    },
  )

  test.each(['/v1/databases/d', '/v1', `${table}/log?bucket=0&offset=0`])('GET %s takes no body', async (path) => {
    expect((await site.client.send('GET', path, { body: 'x' })).json.error.message).toContain('takes no body')
  })
})

describe('numbers are exact, or refused', () => {
  const huge = [
    '2147483647',
    '2147483648',
    '4294967295',
    '4294967296',
    '9007199254740991',
    '9007199254740993',
    '9223372036854775807',
  ]
  const beyond = [
    '9223372036854775808',
    '18446744073709551616',
    '1'.repeat(30),
    '-1',
    '+1',
    '1.0',
    '1e3',
    '0x10',
    ' 1',
    '',
    '٣',
    'NaN',
    '1_000',
  ]
  test.each(huge)('offset=%s is above the end', async (number) => {
    const { status, json } = await site.client.get(`${table}/log?bucket=0&offset=${number}`)
    expect([status, json.error.facts]).toEqual([416, { partition: '', bucket: 0, start: '0', end: '0' }])
    expect(json.error.message).toContain(number)
  })
  test.each(huge)('limit and maxBytes=%s are bounded', async (number) => {
    expect((await site.client.get(`${table}/log?bucket=0&offset=0&limit=${number}&maxBytes=${number}`)).status).toBe(200)
  })
  test.each([...beyond])('offset, limit, maxBytes=%j are refused', async (number) => {
    const text = encodeURIComponent(number)
    for (const query of [`offset=${text}`, `offset=0&limit=${text}`, `offset=0&maxBytes=${text}`]) {
      expect((await site.client.get(`${table}/log?bucket=0&${query}`)).json.error.code).toBe('bad-request')
    }
  })
  test.each([...huge, ...beyond, '1'])('bucket=%j is refused', async (number) => {
    const text = encodeURIComponent(number)
    expect((await site.client.get(`${table}/log?offset=0&bucket=${text}`)).status).toBe(400)
    const produced = await site.client.send('POST', `${table}/records?bucket=${text}`, {
      body: '{"id":1}',
      headers: { 'Content-Type': 'application/x-ndjson' },
    })
    expect(produced.status).toBe(400)
  })
  test.each([...huge, ...beyond, '0', '1001'])('a page of %j entries is refused', async (number) => {
    const { status } = await site.client.get(`/v1/databases?limit=${encodeURIComponent(number)}`)
    expect(status).toBe(400)
  })
  test.each([...huge, ...beyond])('offsets after=%j', async (number) => {
    expect([200, 400]).toContain((await site.client.get(`${table}/offsets?after=${encodeURIComponent(number)}`)).status)
  })
  test.each(['21s', '20001ms', '1m', '-1s', '1', 's', '999999999999s', '1h'])('wait=%s is refused', async (wait) => {
    expect((await site.client.send('POST', `${table}/tier?wait=${wait}`)).status).toBe(400)
  })
})

describe('only this machine and its own pages', () => {
  const refused = async (headers: Record<string, string>, path = '/v1') => {
    const { status, json } = await site.client.get(path, headers)
    expect([status, json.error.code]).toEqual([403, 'forbidden-origin'])
  }
  test('a foreign Host', () => refused({ Host: 'evil.example' }))
  test('a Host that only begins well', () => refused({ Host: 'localhost.evil.example' }))
  test('a foreign Origin', () => refused({ Origin: 'https://evil.example' }))
  test('an Origin without a name', () => refused({ Origin: 'null' }))
  test('a foreign Origin that would drop a table', async () => {
    const { status } = await site.client.send('DELETE', table, { headers: { Origin: 'http://evil.example' } })
    expect(status).toBe(403)
    expect((await site.client.get(table)).status).toBe(200)
  })
  test('a page of this very server', async () => {
    const host = `127.0.0.1:${site.running.port}`
    expect((await site.client.get('/v1', { Host: host, Origin: `http://${host}` })).status).toBe(200)
  })
  test('the other names of this machine', async () => {
    for (const Host of ['localhost', 'localhost:80', '[::1]:8080'])
      expect((await site.client.get('/v1', { Host })).status).toBe(200)
  })
  test('no cross-origin answer is readable', async () => {
    expect((await site.client.get('/v1')).headers['access-control-allow-origin']).toBeUndefined()
  })
})

describe('media types', () => {
  test('406 names what there is', async () => {
    const { status, json } = await site.client.get('/v1', { Accept: 'text/csv' })
    expect([status, json.error.facts.accepted]).toEqual([406, ['application/json']])
    const log = await site.client.get(`${table}/log?bucket=0&offset=0`, { Accept: 'image/png' })
    expect(log.json.error.facts.accepted).toEqual([
      'application/x-ndjson',
      'application/json',
      'application/vnd.apache.arrow.stream',
      'text/event-stream',
    ])
  })

  test('answers are compressed for who takes it, when it pays', async () => {
    const zstd = await site.client.raw('GET', '/openapi.json', { headers: { 'Accept-Encoding': 'zstd, gzip;q=0.5' } })
    expect(zstd.headers['content-encoding']).toBe('zstd')
    expect(JSON.parse(zstdDecompressSync(zstd.bytes).toString()).openapi).toBe('3.1.0')
    const small = await site.client.get('/v1/databases', { 'Accept-Encoding': 'gzip' })
    expect(small.headers['content-encoding']).toBeUndefined()
  })

  test('JSON may come compressed', async () => {
    const body = Buffer.from('{"columns":[{"name":"id","type":"int"}]}')
    for (const [encoding, bytes] of [
      ['gzip', gzipSync(body)],
      ['zstd', zstdCompressSync(body)],
    ] as const) {
      const headers = { 'Content-Type': 'application/json', 'Content-Encoding': encoding }
      expect((await site.client.send('PUT', `/v1/databases/d/tables/${encoding}`, { body: bytes, headers })).status).toBe(201)
      expect(
        (await site.client.send('PUT', `/v1/databases/d/tables/${encoding}`, { body: bytes.subarray(0, 20), headers })).status,
      ).toBe(400)
    }
    const headers = { 'Content-Type': 'application/json', 'Content-Encoding': 'br' }
    expect((await site.client.send('PUT', '/v1/databases/d/tables/br', { body, headers })).status).toBe(415)
  })
})

describe('what is no HTTP, or too much of it, is answered in our words', () => {
  test.each([
    ['a line of noise', 'hello\r\n\r\n', 400],
    ['a head of 200 KiB', `GET /v1 HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(200_000)}\r\n\r\n`, 413],
    ['two Hosts', 'GET /v1 HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n', 403],
    ['no Host', 'GET /v1 HTTP/1.1\r\nConnection: close\r\n\r\n', 403],
    ['two lengths', 'POST /v1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx', 400],
    [
      'a length and chunks',
      'POST /v1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx',
      400,
    ],
    ['a query of 70,000 bytes', `GET /v1?${'x'.repeat(70_000)} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`, 413],
  ])('%s', async (_what, text, status) => {
    const answer = await wire(site.running.port, text)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(answer).toMatch(/Sluice-Request-Id: /i)
    expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)).error.effect).toBe('none')
  })
})

function wire(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
  })
}
