/**
 * The HTTP server: bounds on connections, heads, bodies and time, and a drain that cuts nobody. Draining stops
 * accepting first; connections that are open go on to be answered, each answer closing its own; idle ones are closed
 * after a moment in which a request that was on its way arrives.
 */
import { setMaxListeners } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net'
import { joined, lengthOf } from '../core/kernel/bytes.ts'
import { SluiceError } from '../core/kernel/errors.ts'
import { limits } from '../core/kernel/limits.ts'
import { errorReply } from '../functions/http/reply.ts'
import { type Exchanges, exchange, noRequests } from './exchange.ts'

export interface HttpLimits {
  readonly connectionsMax: number
  /** For the head of a request, ms. */
  readonly headTimeoutMs: number
  /** For a whole request to arrive, ms. */
  readonly requestTimeoutMs: number
  /** A connection on which nothing moves, ms. */
  readonly idleTimeoutMs: number
}

export const defaultHttpLimits: HttpLimits = {
  connectionsMax: 4_096,
  headTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  idleTimeoutMs: 75_000,
}

export interface HttpServer {
  readonly port: number
  /** Resolves when every request is answered and every connection closed, or at the deadline. */
  drain(deadlineMs: number): Promise<void>
}

export async function listen(
  exchanges: Omit<Exchanges, 'stopping'>,
  port: number,
  bounds: HttpLimits = defaultHttpLimits,
): Promise<HttpServer> {
  const stopping = new AbortController()
  setMaxListeners(0, stopping.signal)
  const full: Exchanges = { ...exchanges, stopping: stopping.signal }
  let inFlight = 0
  let onIdle = () => {}
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    inFlight++
    response.on('close', () => {
      if (--inFlight === 0) onIdle()
    })
    exchange(request, response, full).catch((error) => {
      exchanges.logError('none', error)
      request.destroy()
    })
  }
  const server = createServer(
    {
      maxHeaderSize: limits.queryStringBytesMax + limits.headerBytesMax,
      headersTimeout: bounds.headTimeoutMs,
      requestTimeout: bounds.requestTimeoutMs,
      keepAliveTimeout: bounds.idleTimeoutMs,
      connectionsCheckingInterval: Math.min(1_000, bounds.headTimeoutMs),
      noDelay: true,
      // a request without Host is refused by us, in our words
      requireHostHeader: false,
    },
    onRequest,
  )
  server.on('checkContinue', onRequest)
  server.on('checkExpectation', onRequest)
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => refuse(error, socket, exchanges.newRequestId()))
  server.maxConnections = bounds.connectionsMax
  server.setTimeout(bounds.idleTimeoutMs)
  await started(server, port)
  return {
    port: (server.address() as AddressInfo).port,
    async drain(deadlineMs) {
      stopping.abort()
      await closeGently(server, { deadlineMs, idle: () => inFlight === 0, whenIdle: (then) => (onIdle = then) })
    },
  }
}

function started(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host: '127.0.0.1', backlog: 1024 }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** A request on its way when we stopped accepting still finds its connection open for this long. */
const lingerMs = 200

interface Closing {
  readonly deadlineMs: number
  readonly idle: () => boolean
  readonly whenIdle: (then: () => void) => void
}

async function closeGently(server: Server, { deadlineMs, idle, whenIdle }: Closing): Promise<void> {
  const deadline = Date.now() + deadlineMs
  // http.Server.close would cut idle keep-alive connections at once; the plain one only stops accepting
  const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()))
  await waitMs(Math.min(lingerMs, deadlineMs))
  if (!idle()) await Promise.race([new Promise<void>((resolve) => whenIdle(resolve)), waitMs(Math.max(0, deadline - Date.now()))])
  server.closeIdleConnections()
  await Promise.race([closed, waitMs(Math.min(1_000, Math.max(0, deadline - Date.now())))])
  server.closeAllConnections()
  server.close(() => {})
}

function waitMs(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** What is no HTTP, or never ends, still gets one of our answers. */
function refuse(error: NodeJS.ErrnoException, socket: Socket, requestId: string): void {
  if (socket.writableEnded) return
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
  const reply = errorReply(clientErrorOf(error))
  const lines = [
    `HTTP/1.1 ${reply.status} ${reply.status === 400 ? 'Bad Request' : 'Error'}`,
    ...Object.entries(reply.headers).map(([name, value]) => `${name}: ${value}`),
    `Sluice-Request-Id: ${requestId}`,
    'Server-Timing: total;dur=0',
    `Sluice-Requests: ${noRequests}`,
    `Content-Length: ${lengthOf(reply.body)}`,
    'Connection: close',
  ]
  socket.end(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), joined(reply.body)]))
  // closing over unread bytes would reset the connection before the answer is read
  setTimeout(() => socket.destroy(), lingerMs).unref()
}

function clientErrorOf(error: NodeJS.ErrnoException): SluiceError {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return new SluiceError(
        'too-large',
        `the head of the request is larger than ${limits.queryStringBytesMax + limits.headerBytesMax} bytes`,
      )
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new SluiceError('timeout', 'the request did not arrive in time')
    default:
      return new SluiceError('bad-request', 'this is not a valid HTTP/1.1 request')
  }
}
