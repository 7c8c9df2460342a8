/**
 * One HTTP request, and the same request until it is answered. A repeat is always byte for byte what was sent before. What comes back
 * is whole or an error: a body that was cut is a lost answer, never a short one. An attempt whose answer was lost leaves the effect
 * unknown, and a later refusal does not make it known.
 */
import { statusOf } from '../contract/errors.ts'
import { type Action, type Effect, type ErrorCode, errorCodes, type Facts, SluiceError } from '../core/kernel/errors.ts'
import { backOffMs, pause } from './pause.ts'

export type Fetch = (input: string, init?: RequestInit) => Promise<Response>

export interface Connection {
  /** Without a slash at the end. */
  readonly url: string
  readonly token: string | undefined
  readonly fetch: Fetch
  /** How long a request is repeated, from its first failure on. */
  readonly retryForMs: number
}

export interface Ask {
  readonly method: 'GET' | 'PUT' | 'PATCH' | 'DELETE' | 'POST'
  /** From `/v1`, escaped, with its query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
  /** Until the whole answer is there; 30 s if absent. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal | undefined
  /** Changes nothing, whatever its method. */
  readonly isRead?: boolean
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Uint8Array
}

/** What the server refused, or that it could not be asked (`unavailable`, no status). */
export class RequestError extends SluiceError {
  readonly status: number | undefined
  /** As the server wishes. */
  readonly retryAfterMs: number
  constructor(code: ErrorCode, message: string, detail: RequestErrorDetail = {}) {
    super(code, message, detail)
    this.name = 'RequestError'
    this.status = detail.status
    this.retryAfterMs = detail.retryAfterMs ?? 0
  }
}

interface RequestErrorDetail {
  readonly effect?: Effect
  readonly action?: Action
  readonly facts?: Facts
  readonly cause?: unknown
  readonly status?: number
  readonly retryAfterMs?: number
}

/** Until it is answered, or is refused for good, or the time is up. Only for requests that may be repeated. */
export async function ask(connection: Connection, request: Ask): Promise<Answer> {
  let failedSince: number | undefined
  let isLost = false
  for (let attempt = 0; ; attempt++) {
    try {
      return await askOnce(connection, request)
    } catch (error) {
      if (!(error instanceof RequestError) || request.signal?.aborted) throw error
      failedSince ??= Date.now()
      isLost ||= error.effect === 'unknown'
      const waitMs = Math.max(error.retryAfterMs, backOffMs(attempt))
      const isOver = Date.now() + waitMs - failedSince > connection.retryForMs
      if (error.action !== 'retry' || isOver) throw isLost ? withUnknownEffect(error) : error
      await pause(waitMs, request.signal)
    }
  }
}

export async function askOnce(connection: Connection, request: Ask): Promise<Answer> {
  return open(connection, request, async (response) => {
    const bytes = new Uint8Array(await response.arrayBuffer())
    if (!response.ok) throw refusalOf(response.status, response.headers, bytes)
    return { status: response.status, headers: response.headers, bytes }
  })
}

/** `use` takes the answer; the time it may need is part of the request's. Errors of the network become `unavailable`. */
export async function open<T>(connection: Connection, request: Ask, use: (response: Response) => Promise<T>): Promise<T> {
  const { method, path, headers = {}, body, timeoutMs = 30_000, signal, isRead = method === 'GET' } = request
  const end = new AbortController()
  const abort = () => end.abort()
  const timer = setTimeout(abort, timeoutMs)
  signal?.addEventListener('abort', abort)
  if (signal?.aborted) abort()
  try {
    const response = await connection.fetch(`${connection.url}${path}`, {
      method,
      headers: { ...(connection.token === undefined ? {} : { Authorization: `Bearer ${connection.token}` }), ...headers },
      signal: end.signal,
      ...(body === undefined ? {} : { body: body as string }),
    })
    return await use(response)
  } catch (error) {
    throw error instanceof SluiceError ? error : unreachable(connection, isRead, error)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
}

function unreachable({ url }: Connection, isRead: boolean, error: unknown): RequestError {
  const { message, cause } = error as { message?: string; cause?: { message?: string; code?: string } }
  const isRefused = cause?.code === 'ECONNREFUSED' || cause?.code === 'ENOTFOUND'
  return new RequestError('unavailable', `cannot reach ${url}: ${cause?.message || cause?.code || message}`, {
    effect: isRead || isRefused ? 'none' : 'unknown',
    action: 'retry',
    cause: error,
  })
}

function withUnknownEffect(error: RequestError): RequestError {
  const { code, message, action, facts, status, retryAfterMs } = error
  return new RequestError(code, message, {
    effect: error.effect === 'none' ? 'unknown' : error.effect,
    action,
    facts,
    retryAfterMs,
    cause: error,
    ...(status === undefined ? {} : { status }),
  })
}

/** The error of an answer; of a server that knows more codes than we do, the code that its status has here. */
export function refusalOf(status: number, headers: Headers, bytes: Uint8Array): RequestError {
  const seconds = Number(headers.get('Retry-After') ?? 0)
  const retryAfterMs = Number.isFinite(seconds) ? Math.max(0, seconds * 1000) : 0
  const text = new TextDecoder().decode(bytes)
  const { code, message, effect, action, facts } = errorIn(text)
  const isKnown = errorCodes.some((known) => known === code)
  const isPassing = status === 429 || status === 502 || status === 503 || status === 504
  return new RequestError(
    isKnown ? (code as ErrorCode) : codeOf(status),
    message ?? `the server answered ${status}: ${text.slice(0, 200)}`,
    {
      effect: effects.find((known) => known === effect) ?? (status < 500 ? 'none' : 'unknown'),
      action: actions.find((known) => known === action) ?? (isPassing ? 'retry' : 'fix'),
      facts: { ...facts, ...(isKnown || code === undefined ? {} : { code }) },
      status,
      retryAfterMs,
    },
  )
}

const effects = ['none', 'done', 'partial', 'unknown'] as const
const actions = ['fix', 'retry', 'refresh', 'stop'] as const

interface ErrorIn {
  readonly code?: string
  readonly message?: string
  readonly effect?: string
  readonly action?: string
  readonly facts?: Facts
}

function errorIn(text: string): ErrorIn {
  try {
    return (JSON.parse(text) as { error?: ErrorIn }).error ?? {}
  } catch {
    return {}
  }
}

function codeOf(status: number): ErrorCode {
  const found = Object.entries(statusOf).find(([, known]) => known === status)
  if (found !== undefined) return found[0] as ErrorCode
  return status === 502 ? 'unavailable' : status < 500 ? 'bad-request' : 'internal'
}
