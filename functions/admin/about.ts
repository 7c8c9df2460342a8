/** What the server says of itself: version and limits, liveness, metrics, its own description. */
import { media } from '../../contract/media.ts'
import { utf8 } from '../../core/kernel/bytes.ts'
import { limits } from '../../core/kernel/limits.ts'
import type { Handler } from '../call.ts'
import { jsonReply } from '../http/reply.ts'

const capabilities = [
  'append',
  'fetch',
  'cursors',
  'columns',
  'where',
  'wait',
  'sse',
  'partitions',
  'auto-partitions',
  'schema-changes',
  'retention',
  'backfill',
  'primary-keys',
  'auto-increment',
  'lookup',
  'lookup-insert',
  'binlog',
  'prefix-lookup',
  'rows',
  'tier',
  'iceberg',
  'iceberg-v3',
  'iceberg-catalog',
  'external-catalogs',
] as const

export const version: Handler<'version'> = async () => jsonReply(200, { version: 1, limits: publishedLimits(), capabilities })

/** All that a double holds exactly; 2^63 − 1 is in the contract. */
function publishedLimits(): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(limits).filter((entry): entry is [string, number] => typeof entry[1] === 'number'))
}

export const health: Handler<'health'> = async () => jsonReply(200, { status: 'ok' })

export const metrics: Handler<'metrics'> = async (_call, { meter, counter }) => ({
  status: 200,
  headers: { 'Content-Type': media.metrics },
  body: utf8(meter.text(counter.total.all())),
})

/** Loaded on demand: nothing else needs the generator. */
export const openapi: Handler<'openapi'> = async () => {
  const { openapiDocument } = await import('../../contract/openapi.ts')
  return jsonReply(200, openapiDocument())
}
