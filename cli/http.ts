/** One call to the server; errors of the contract become failures with their message. */
import { Failure } from './failure.ts'

export interface Remote {
  readonly url: string
}

export interface Answer {
  readonly status: number
  readonly bytes: Uint8Array
  readonly headers: Headers
}

export async function call(
  remote: Remote,
  method: string,
  path: string,
  body?: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const token = process.env.SLUICE_TOKEN
  const response = await fetch(targetOf(remote, path), {
    method,
    headers: {
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: body as unknown as string }),
  }).catch((error: Error) => {
    throw new Failure(
      `cannot reach ${remote.url}: ${(error.cause as Error | undefined)?.message ?? error.message}; is sluice serve running?`,
    )
  })
  const bytes = new Uint8Array(await response.arrayBuffer())
  if (!response.ok) throw new Failure(messageOf(response.status, bytes))
  return { status: response.status, bytes, headers: response.headers }
}

function targetOf({ url }: Remote, path: string): URL {
  const target = /^https?:/i.test(url) ? URL.parse(path, url) : null
  if (target === null) throw new Failure(`--url must be like http://127.0.0.1:8080, not ${JSON.stringify(url)}`, 2)
  return target
}

function messageOf(status: number, bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString()
  try {
    const { error } = JSON.parse(text) as { error: { code: string; message: string } }
    return `${error.code}: ${error.message}`
  } catch {
    return `the server answered ${status}: ${text.slice(0, 500)}`
  }
}
