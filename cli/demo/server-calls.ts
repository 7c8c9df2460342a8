/** The demo's calls of its own server. */
import { Failure } from '../failure.ts'
import { call as callServer } from '../http.ts'

export const tablePath = '/v1/databases/demo/tables/flights'

export interface TierBody {
  readonly state: string
  readonly snapshot: string | null
  readonly lagRows: number
  readonly lagMs: number
  readonly lastError: { readonly message: string } | null
}

export interface TableBody {
  readonly tableId: string
  readonly columns: readonly { readonly name: string }[]
  readonly partitionBy: readonly string[]
}

export async function call<T>(url: string, method: string, path: string, body?: unknown): Promise<T> {
  const { ok, status, text } = await ask(url, method, path, body)
  if (!ok) throw new Failure(`${method} ${path} answered ${status}: ${text}`)
  return JSON.parse(text) as T
}

/** The table as it is, created where there is none. */
export async function ensureTable(url: string, path: string, spec: unknown): Promise<TableBody> {
  const { status } = await ask(url, 'GET', path)
  if (status === 404) await call(url, 'PUT', path, spec)
  return call<TableBody>(url, 'GET', path)
}

export interface ArrowBody {
  readonly producer: string
  readonly sequence: number
  readonly bytes: Uint8Array
}

const retryForMs = 60_000

/** Until it is in the table, once: a repeat has the same sequence. */
export async function sendArrow(url: string, path: string, { producer, sequence, bytes }: ArrowBody): Promise<void> {
  const type = 'application/vnd.apache.arrow.stream'
  const headers = { 'Content-Type': type, 'Producer-Id': producer, 'Producer-Seq': String(sequence) }
  await callServer({ url }, 'POST', `${path}/records`, { body: bytes, headers, retryForMs })
}

async function ask(url: string, method: string, path: string, body?: unknown) {
  const response = await fetch(`${url}${path}`, {
    method,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  return { ok: response.ok, status: response.status, text: await response.text() }
}
