/**
 * One request and its answer on node:http, bytes as they are. Every answer gets its request id, its time and the
 * storage requests that it caused. Errors that are not the caller's are logged here, with the id, and nowhere else.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { joined, lengthOf } from '../core/kernel/bytes.ts'
import { isSluiceError } from '../core/kernel/errors.ts'
import { limits } from '../core/kernel/limits.ts'
import type { Handlers, Headers, Reply } from '../functions/call.ts'
import { admit, answer } from '../functions/http/answer.ts'
import { compress } from '../functions/http/encoding.ts'
import { chooseEncoding } from '../functions/http/negotiate.ts'
import { errorReply } from '../functions/http/reply.ts'
import type { FunctionWorld } from '../functions/world.ts'
import { Counts } from '../stores/decorators/count.ts'
import { type BodyPool, type ByteBudget, discardRest, readBody } from './body.ts'

export interface Exchanges {
  readonly world: FunctionWorld
  readonly handlers: Handlers
  readonly budget: ByteBudget
  readonly pool: BodyPool
  readonly logError: (requestId: string, error: unknown) => void
  readonly newRequestId: () => string
  /** Aborted when the server stops: who waits is answered, and every answer closes its connection. */
  readonly stopping: AbortSignal
}

export async function exchange(request: IncomingMessage, response: ServerResponse, exchanges: Exchanges): Promise<void> {
  const started = performance.now()
  const requestId = exchanges.newRequestId()
  const counts = new Counts()
  const { world, budget, pool, handlers } = exchanges
  let call = 'none'
  let held = 0
  let reply: Reply
  try {
    const headers = textHeaders(request)
    const admitted = admit({ method: request.method ?? '', target: request.url ?? '', headers }, { loopbackOnly: true })
    if ('status' in admitted) reply = admitted
    else {
      call = admitted.id
      // replies that are not read count too: beyond the bound nothing new is begun
      budget.take(0)
      const body = await readBody(request, {
        bytesMax: admitted.route.bodyBytesMax,
        budget,
        pool,
        onAccepted: () => headers.expect?.toLowerCase() === '100-continue' && response.writeContinue(),
      })
      held = body.length
      const signal = waiting.has(admitted.route.function) ? abortWith(response, exchanges.stopping) : neverAborts
      const onExpanded = (bytes: number) => {
        budget.take(bytes)
        held += bytes
      }
      reply = await world.counter.scoped(counts, () => answer(admitted, { body, signal, handlers, world, onExpanded }))
      // whatever was asked of the stores is settled, so nobody reads the body any more
      pool.give(body)
    }
  } catch (error) {
    reply = errorReply(error, { method: request.method ?? '', target: request.url ?? '' })
    if (reply.status === 500 || !isSluiceError(error)) exchanges.logError(requestId, error)
  }
  budget.give(held)
  const ms = performance.now() - started
  world.meter.answered(call, reply.status, ms)
  await send(
    request,
    response,
    reply,
    {
      'Sluice-Request-Id': requestId,
      'Server-Timing': `total;dur=${ms.toFixed(2)}`,
      'Sluice-Requests': counts.header() || noRequests,
      ...(exchanges.stopping.aborted ? { Connection: 'close' } : undefined),
    },
    budget,
  )
}

/** Nothing was asked of the stores, in the form of a list that has something. */
export const noRequests = 'items.get=0'

const neverAborts = new AbortController().signal

/** Functions whose calls may wait. */
const waiting: ReadonlySet<string> = new Set(['admin', 'read'])

function abortWith(response: ServerResponse, stopping: AbortSignal): AbortSignal {
  const controller = new AbortController()
  const abort = (): void => controller.abort()
  if (stopping.aborted) abort()
  stopping.addEventListener('abort', abort)
  response.on('close', () => {
    stopping.removeEventListener('abort', abort)
    abort()
  })
  return controller.signal
}

/** Node reads header bytes as Latin-1; a Producer-Id is UTF-8. */
function textHeaders(request: IncomingMessage): Headers {
  const headers = withAllHosts(request)
  const id = headers['producer-id']
  if (id === undefined || !/[\x80-\xff]/.test(id)) return headers
  return { ...headers, 'producer-id': Buffer.from(id, 'latin1').toString('utf8') }
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  reply: Reply,
  added: Readonly<Record<string, string>>,
  budget: ByteBudget,
): Promise<void> {
  if (reply.stream !== undefined) return sendStream(request, response, reply, reply.stream, added, budget)
  const encoded = await compress(reply.body, chooseEncoding(request.headers['accept-encoding'] as string | undefined))
  // nobody is there any more, and nothing but the reader needs the bytes
  if (response.destroyed) return reply.release?.()
  const body = encoded?.bytes ?? reply.body
  const length = lengthOf(body)
  const headers: Record<string, string | number> = { ...reply.headers, ...added }
  if (reply.status !== 204) headers['Content-Length'] = length
  if (encoded !== undefined) headers['Content-Encoding'] = encoded.encoding
  if (lengthOf(reply.body) > 0) headers.Vary = 'Accept, Accept-Encoding'
  if (!request.complete) {
    if (request.headers.expect !== undefined) headers.Connection = 'close'
    discardRest(request)
  }
  budget.hold(length)
  response.on('close', () => {
    budget.give(length)
    reply.release?.()
  })
  response.writeHead(reply.status, headers)
  if (request.method === 'HEAD') response.end()
  else if (length <= oneWriteBytesMax) response.end(latin1(joined(body)), 'latin1')
  else if (body instanceof Uint8Array) response.end(body)
  else {
    // one write of the socket for all of them
    response.cork()
    for (const piece of body) response.write(piece)
    response.end()
  }
}

/** A reader who does not read holds one chunk, which counts, and no longer than the stream may last. */
async function sendStream(
  request: IncomingMessage,
  response: ServerResponse,
  reply: Reply,
  stream: AsyncGenerator<Uint8Array>,
  added: Readonly<Record<string, string>>,
  budget: ByteBudget,
): Promise<void> {
  const late = setTimeout(() => response.destroy(), limits.tailMsMax + streamGraceMs)
  try {
    if (response.destroyed) return
    response.writeHead(reply.status, { ...reply.headers, ...added })
    if (request.method !== 'HEAD') {
      response.flushHeaders()
      for await (const chunk of stream) if (!(await sendChunk(response, chunk, budget))) return
    }
    response.end()
  } catch (error) {
    response.destroy()
    throw error
  } finally {
    clearTimeout(late)
    await stream.return(undefined)
  }
}

const streamGraceMs = 10_000

/** False: nobody is there any more. */
async function sendChunk(response: ServerResponse, chunk: Uint8Array, budget: ByteBudget): Promise<boolean> {
  if (response.destroyed) return false
  if (response.write(chunk)) return true
  budget.hold(chunk.length)
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done)
      resolve()
    }
    response.on('drain', done).on('close', done)
  })
  budget.give(chunk.length)
  return !response.destroyed
}

/** Node sends a head and a short text in one write, a head and bytes in two. Latin-1 text is bytes, one for one. */
const oneWriteBytesMax = 8 * 1024

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

/** Node keeps the first of several Host headers; joined they are no host that is let in. */
function withAllHosts(request: IncomingMessage): Record<string, string | undefined> {
  const headers = request.headers as Record<string, string | undefined>
  const hosts = request.headersDistinct.host
  return hosts === undefined || hosts.length < 2 ? headers : { ...headers, host: hosts.join(', ') }
}
