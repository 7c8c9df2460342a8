/** The demo's calls of its own server. */
import { Failure } from '../failure.ts'
import { callJson, call as callServer, type Method } from '../http.ts'

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

export function call<T>(url: string, method: Method, path: string, body?: unknown): Promise<T> {
  return callJson<T>({ url }, method, path, body === undefined ? {} : { body: JSON.stringify(body) })
}

/** The table as it is, created where there is none. */
export async function ensureTable(url: string, path: string, spec: unknown): Promise<TableBody> {
  try {
    return await call<TableBody>(url, 'GET', path)
  } catch (error) {
    if (!(error instanceof Failure && error.code === 'not-found')) throw error
    return call<TableBody>(url, 'PUT', path, spec)
  }
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
