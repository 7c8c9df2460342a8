/** The demo's calls of its own server. */
import { Failure } from '../failure.ts'

export const tablePath = '/v1/databases/demo/tables/flights'

export interface TierBody {
  readonly state: string
  readonly snapshot: string | null
  readonly lagRows: number
  readonly lagMs: number
  readonly lastError: { readonly message: string } | null
}

export async function call<T>(url: string, method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(`${url}${path}`, {
    method,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  const text = await response.text()
  if (!response.ok) throw new Failure(`${method} ${path} answered ${response.status}: ${text}`)
  return JSON.parse(text) as T
}
