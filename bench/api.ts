/** The HTTP calls that benches make beside the measured load. Anything but a 2xx is an error with the answer in it. */
import { type Body, columns } from './bodies.ts'

export interface Cost {
  readonly requests: Readonly<Record<string, number>>
  readonly amounts: Readonly<Record<string, number>>
  readonly usd: number
}

export interface TierAnswer {
  readonly state: string
  readonly lagRows: number | null
  readonly lastError: unknown
}

/** A table with a lake, marks included, that is not tiered while something else is measured. */
export const tieredLater = { 'lake.format': 'iceberg', 'lake.freshness': '1h', 'lake.bytes': '1024GiB' } as const

export async function createTable(
  port: number,
  name: string,
  buckets: number,
  options: Readonly<Record<string, string>>,
): Promise<string> {
  await call(port, 'PUT', '/v1/databases/bench')
  const path = `/v1/databases/bench/tables/${name}`
  const keyed = buckets === 1 ? {} : { key: ['id'] }
  await call(port, 'PUT', path, JSON.stringify({ columns, buckets: { count: buckets, ...keyed }, options }))
  return path
}

export async function produce(port: number, path: string, body: Body): Promise<void> {
  await call(port, 'POST', `${path}/records`, body.bytes, body.contentType)
}

export async function costOf(port: number): Promise<Cost> {
  return (await call(port, 'GET', '/v1/cost')) as Cost
}

export async function call(
  port: number,
  method: string,
  path: string,
  body?: string | Uint8Array,
  type = 'application/json',
): Promise<unknown> {
  const sent = body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> | string, headers: { 'content-type': type } }
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, ...sent })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text.slice(0, 1_000)}`)
  return text === '' ? undefined : (JSON.parse(text) as unknown)
}
