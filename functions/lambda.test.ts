/** The adapter alone: what an event becomes, and what becomes of a reply. */
import { expect, test } from 'vitest'
import { utf8 } from '../core/kernel/bytes.ts'
import type { Handlers } from './call.ts'
import { lambdaHandler, type UrlEvent } from './lambda.ts'
import type { FunctionWorld } from './world.ts'

const handlers: Handlers = {
  health: async () => ({ status: 200, headers: { 'Content-Type': 'application/json' }, body: utf8('{"status":"ok"}') }),
  produce: async (call) => ({
    status: 200,
    headers: { 'Content-Type': 'application/json' },
    body: utf8(
      JSON.stringify({ length: call.body.length, first: call.body[0], db: call.params.db, bucket: call.query.bucket ?? null }),
    ),
  }),
  listDatabases: async () => {
    throw new Error('a secret')
  },
}

function event(method: string, path: string, more: Partial<UrlEvent> = {}): UrlEvent {
  return { version: '2.0', rawPath: path, headers: {}, requestContext: { http: { method, path } }, ...more }
}

const logged: unknown[] = []
const handler = lambdaHandler(
  handlers,
  async () => ({}) as FunctionWorld,
  (_id, error) => logged.push(error),
)
const run = async (sent: UrlEvent) => {
  const result = await handler(sent, {})
  const text = Buffer.from(result.body, result.isBase64Encoded ? 'base64' : 'utf8').toString()
  return { ...result, json: text === '' ? undefined : JSON.parse(text) }
}

test('a body in base64 reaches the handler as its bytes, with parameters', async () => {
  const body = Buffer.from([0xff, 0x00, 0xfe]).toString('base64')
  const { statusCode, json } = await run(
    event('POST', '/v1/databases/a/tables/b/records', { rawQueryString: 'bucket=3', body, isBase64Encoded: true }),
  )
  expect([statusCode, json]).toEqual([200, { length: 3, first: 255, db: 'a', bucket: 3 }])
})

test('the contract, not the router, says 404, 405 and what HEAD is', async () => {
  expect((await run(event('GET', '/healthy'))).json.error.code).toBe('not-found')
  const refused = await run(event('PUT', '/healthz'))
  expect([refused.statusCode, refused.headers.Allow]).toEqual([405, 'GET, HEAD, OPTIONS'])
  const head = await run(event('HEAD', '/healthz'))
  expect([head.statusCode, head.body]).toEqual([200, ''])
  expect((await run(event('GET', '/healthz/'))).statusCode).toBe(404)
})

test('a defect answers internal and keeps its words', async () => {
  const { statusCode, body, headers } = await run(event('GET', '/v1/databases'))
  expect(statusCode).toBe(500)
  expect(logged).toHaveLength(1)
  expect(body).not.toContain('secret')
  expect(headers['Sluice-Request-Id']).toMatch(/^[0-9a-z-]+$/)
})

test('a call of another function is not found here', async () => {
  expect((await run(event('GET', '/v1/databases/a/tables/b/log'))).statusCode).toBe(501)
})
