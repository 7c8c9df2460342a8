/** One call to the server, by the client; its errors become failures with what to type next. */
import { askPage, type Page, type PageFormat } from '../client/read/page.ts'
import { type Answer, ask, askOnce, type Connection, RequestError } from '../client/request.ts'
import { Failure } from './failure.ts'
import { fixFor } from './fix.ts'

export type { Answer }

export interface Remote {
  readonly url: string
}

export interface CallOptions {
  readonly body?: string | Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  /** The same request again while it fails in passing; absent: once. Only for requests that may be repeated. */
  readonly retryForMs?: number
}

export type Method = Parameters<typeof ask>[1]['method']

/** A large body, or a call that waits. */
const timeoutMs = 120_000

/** `path` is everything after the host. Errors: a failure with the server's code, or `unreachable`. */
export async function call(remote: Remote, method: Method, path: string, options: CallOptions = {}): Promise<Answer> {
  const { body, headers, signal, retryForMs } = options
  const connection = connectionOf(remote, retryForMs)
  const request = {
    method,
    path,
    headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
    timeoutMs,
    signal,
    ...(body === undefined ? {} : { body }),
  }
  return named(retryForMs === undefined ? askOnce(connection, request) : ask(connection, request), { method, path, signal })
}

/** Rows, whole: where an answer is cut, the same again. Errors as `call`. */
export function callPage(
  remote: Remote,
  path: string,
  format: PageFormat,
  { signal, retryForMs }: Pick<CallOptions, 'signal' | 'retryForMs'>,
): Promise<Page> {
  const request = { method: 'GET', path, timeoutMs, signal } as const
  return named(askPage(connectionOf(remote, retryForMs), request, format), request)
}

export async function callJson<T>(remote: Remote, method: Method, path: string, options: CallOptions = {}): Promise<T> {
  return JSON.parse(Buffer.from((await call(remote, method, path, options)).bytes).toString()) as T
}

/** Of all pages of a list, as one. */
export async function callList(remote: Remote, path: string, field: string): Promise<Answer> {
  const all: unknown[] = []
  for (let after = ''; ; ) {
    const answer = await call(remote, 'GET', `${path}?limit=1000${after}`)
    const page = JSON.parse(Buffer.from(answer.bytes).toString())
    all.push(...page[field])
    if (typeof page.next !== 'string') return { ...answer, bytes: Buffer.from(JSON.stringify({ ...page, [field]: all })) }
    after = `&after=${encodeURIComponent(page.next)}`
  }
}

const connectionOf = (remote: Remote, retryForMs = 0): Connection => ({
  url: originOf(remote),
  token: process.env.SLUICE_TOKEN,
  fetch,
  retryForMs,
})

interface Named {
  readonly method: Method
  readonly path: string
  readonly signal: AbortSignal | undefined
}

async function named<T>(answer: Promise<T>, { method, path, signal }: Named): Promise<T> {
  try {
    return await answer
  } catch (error) {
    if (signal?.aborted || !(error instanceof RequestError)) throw error
    throw failureOf(error, method, path)
  }
}

function originOf({ url }: Remote): string {
  const target = /^https?:/i.test(url) ? URL.parse(url) : null
  if (target === null) throw new Failure(`--url must be like http://127.0.0.1:8080, not ${JSON.stringify(url)}`, 2)
  return target.origin
}

function failureOf(error: RequestError, method: string, path: string): Failure {
  const { message, status, facts } = error
  if (status === undefined && error.code === 'unavailable')
    return new Failure(`${message}; is sluice serve running?`, 1, { code: 'unreachable', fix: 'sluice serve' })
  const code = typeof facts.code === 'string' ? facts.code : error.code
  return new Failure(`${code}: ${message}`, 1, { code, fix: fixFor({ code, message, method, path }) })
}
