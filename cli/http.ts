/** One call to the server; errors of the contract become failures with their message. */
import { Failure } from './failure.ts'
import { fixFor } from './fix.ts'

export interface Remote {
  readonly url: string
}

export interface Answer {
  readonly status: number
  readonly bytes: Uint8Array
  readonly headers: Headers
}

export interface CallOptions {
  readonly body?: string | Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/** `path` is everything after the host. Errors: a failure with the server's code, or `unreachable`. */
export async function call(remote: Remote, method: string, path: string, options: CallOptions = {}): Promise<Answer> {
  const { body, headers, signal } = options
  const token = process.env.SLUICE_TOKEN
  const target = targetOf(remote, path)
  const request = {
    method,
    headers: {
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: body as unknown as string }),
    ...(signal === undefined ? {} : { signal }),
  }
  const { response, bytes } = await answerOf(target, request).catch((error: Error) => {
    if (signal?.aborted) throw error
    throw unreachable(remote, error)
  })
  if (!response.ok) throw failureOf({ method, path, status: response.status, bytes })
  return { status: response.status, bytes, headers: response.headers }
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

/** The body too: a server that dies in the middle of it is one that cannot be reached. */
async function answerOf(target: URL, request: RequestInit): Promise<{ response: Response; bytes: Uint8Array }> {
  const response = await fetch(target, request)
  return { response, bytes: new Uint8Array(await response.arrayBuffer()) }
}

function targetOf({ url }: Remote, path: string): URL {
  const target = /^https?:/i.test(url) ? URL.parse(path, url) : null
  if (target === null) throw new Failure(`--url must be like http://127.0.0.1:8080, not ${JSON.stringify(url)}`, 2)
  return target
}

function unreachable({ url }: Remote, error: Error): Failure {
  const cause = (error.cause as Error | undefined)?.message ?? error.message
  return new Failure(`cannot reach ${url}: ${cause}; is sluice serve running?`, 1, { code: 'unreachable', fix: 'sluice serve' })
}

interface Refused {
  readonly method: string
  readonly path: string
  readonly status: number
  readonly bytes: Uint8Array
}

function failureOf({ method, path, status, bytes }: Refused): Failure {
  const text = Buffer.from(bytes).toString()
  try {
    const { error } = JSON.parse(text) as { error: { code: string; message: string } }
    const { code, message } = error
    return new Failure(`${code}: ${message}`, 1, { code, fix: fixFor({ code, message, method, path }) })
  } catch {
    const code = status === 503 ? 'unavailable' : undefined
    return new Failure(`the server answered ${status}: ${text.slice(0, 500)}`, 1, { code })
  }
}
