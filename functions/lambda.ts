/**
 * The Lambda adapter: function URL events (payload v2) to the seam and back, by middy and its router fed from the
 * contract. The router takes every method of a path, because HEAD, OPTIONS and 405 come from the contract; the path
 * is split and decoded by the contract too, so the router only picks the handler. Answers are buffered.
 */
import middy from '@middy/core'
import httpRouterHandler from '@middy/http-router'
import { routes } from '../contract/routes.ts'
import { joined, lengthOf } from '../core/kernel/bytes.ts'
import { isSluiceError } from '../core/kernel/errors.ts'
import type { Handlers, Headers, Reply } from './call.ts'
import { admit, answer } from './http/answer.ts'
import { compress } from './http/encoding.ts'
import { chooseEncoding } from './http/negotiate.ts'
import { errorReply } from './http/reply.ts'
import { requestIds } from './request-ids.ts'
import { systemRandom } from './system.ts'
import type { FunctionWorld } from './world.ts'

export interface UrlEvent {
  readonly version: '2.0'
  readonly rawPath: string
  readonly rawQueryString?: string
  readonly headers: Headers
  readonly body?: string
  readonly isBase64Encoded?: boolean
  readonly requestContext: { readonly http: { readonly method: string; readonly path: string } }
}

export interface UrlResult {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly isBase64Encoded: boolean
}

export type LambdaHandler = (event: UrlEvent, context: object) => Promise<UrlResult>

/** `world`: made once, at the first request; a failure to make it is tried again by the next. */
export function lambdaHandler(
  handlers: Handlers,
  world: () => Promise<FunctionWorld>,
  logError: (requestId: string, error: unknown) => void = console.error,
): LambdaHandler {
  const newRequestId = requestIds(systemRandom)
  const one = (event: UrlEvent) => respond(event, { handlers, world, newRequestId, logError })
  const paths = new Set(Object.keys(handlers).map((id) => routes[id as keyof typeof routes].path))
  const router = httpRouterHandler({
    routes: [...paths].map((path) => ({
      method: 'ANY' as const,
      path: path.replace(/\{\w+\.\.\.\}$/, '{proxy+}'),
      handler: middy().handler(one as never),
    })),
    notFoundResponse: ({ method, path }) => one(bareEvent(method, path)),
  })
  return middy().handler(router as never) as unknown as LambdaHandler
}

interface Responding {
  readonly handlers: Handlers
  readonly world: () => Promise<FunctionWorld>
  readonly newRequestId: () => string
  readonly logError: (requestId: string, error: unknown) => void
}

const neverAborts = new AbortController().signal

async function respond(event: UrlEvent, { handlers, world, newRequestId, logError }: Responding): Promise<UrlResult> {
  const started = performance.now()
  const requestId = newRequestId()
  const method = event.requestContext.http.method
  let reply: Reply
  try {
    const target = event.rawQueryString ? `${event.rawPath}?${event.rawQueryString}` : event.rawPath
    const admitted = admit({ method, target, headers: event.headers }, { loopbackOnly: false })
    const answered =
      'status' in admitted
        ? admitted
        : await answer(admitted, { body: bodyOf(event), signal: neverAborts, handlers, world: await world() })
    reply = await buffered(answered)
  } catch (error) {
    reply = errorReply(error, { method, target: event.rawPath })
    if (reply.status === 500 || !isSluiceError(error)) logError(requestId, error)
  }
  const encoded = await compress(reply.body, chooseEncoding(event.headers['accept-encoding']))
  const headers = {
    ...reply.headers,
    ...(encoded === undefined ? {} : { 'Content-Encoding': encoded.encoding }),
    ...(lengthOf(reply.body) === 0 ? {} : { Vary: 'Accept, Accept-Encoding' }),
    'Sluice-Request-Id': requestId,
    'Server-Timing': `total;dur=${(performance.now() - started).toFixed(2)}`,
  }
  return resultOf(reply.status, headers, method === 'HEAD' ? new Uint8Array(0) : (encoded?.bytes ?? joined(reply.body)))
}

/** A stream is short here: it ends with its first rows. */
async function buffered({ stream, ...reply }: Reply): Promise<Reply> {
  if (stream === undefined) return reply
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return { ...reply, body: chunks }
}

function bodyOf(event: UrlEvent): Uint8Array {
  return Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8')
}

/** Text travels as JSON text, whose escapes can double it: only small text is worth that. */
const textBytesMax = 64 * 1024

function resultOf(statusCode: number, headers: Readonly<Record<string, string>>, body: Uint8Array): UrlResult {
  const isText =
    body.length <= textBytesMax && headers['Content-Encoding'] === undefined && /json|^text\//.test(headers['Content-Type'] ?? '')
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString(isText ? 'utf8' : 'base64')
  return { statusCode, headers, body: text, isBase64Encoded: !isText }
}

function bareEvent(method: string, path: string): UrlEvent {
  return { version: '2.0', rawPath: path, headers: {}, requestContext: { http: { method, path } } }
}
