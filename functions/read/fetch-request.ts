/** The parameters of a fetch as a request to the log. What the contract names and this build lacks is refused by name. */
import { media } from '../../contract/media.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import { type Offset, offsetOf } from '../../core/kernel/ids.ts'
import { limits } from '../../core/kernel/limits.ts'
import type { FetchRequest } from '../../core/log/types.ts'
import type { Partition } from '../../core/model/partition.ts'
import type { Table } from '../../core/model/table.ts'
import type { Handler } from '../call.ts'

export type FetchQuery = Parameters<Handler<'fetch'>>[0]['query']

export function fetchRequestOf(table: Table, partition: Partition, query: FetchQuery, wants: string): FetchRequest {
  const { bucket, offset, limit, maxBytes } = query
  refuseLacking(query)
  if (limit === 0n) throw bad('limit must be at least 1', 'limit')
  const rowsDefault = wants === media.arrow ? limits.fetchRowsDefaultArrow : limits.fetchRowsDefaultJson
  return {
    partition,
    bucket: bucketOf(table, bucket),
    from: positionOf(offset),
    rowsMax: atMost(limit, rowsDefault, limits.fetchRowsMax),
    bytesMax: atMost(maxBytes, limits.fetchBodyBytesMax, limits.fetchBodyBytesMax),
  }
}

const lackingParameters = ['cursor', 'columns', 'where', 'wait', 'form'] as const

function refuseLacking(query: FetchQuery): void {
  for (const name of lackingParameters) if (query[name] !== undefined) throw lacks(name)
}

const lacks = (name: string): SluiceError =>
  new SluiceError('not-supported', `parameter ${name} is not in this build`, { facts: { parameter: name } })

function bucketOf(table: Table, text: string | undefined): number {
  if (text === undefined)
    throw new SluiceError('not-supported', 'fetch over the whole table is not in this build: say bucket=0', {
      facts: { parameter: 'bucket' },
    })
  if (/^[0-9]{1,6}([-,][0-9]{1,6})+$/.test(text)) {
    throw new SluiceError('not-supported', 'fetch of several buckets is not in this build: say one bucket', {
      facts: { parameter: 'bucket' },
    })
  }
  const { count } = table.buckets
  if (!/^[0-9]{1,40}$/.test(text) || BigInt(text) >= BigInt(count)) {
    throw bad(`bucket must be a whole number from 0 to ${count - 1}, the buckets of ${table.database}.${table.name}`, 'bucket')
  }
  return Number(text)
}

function positionOf(text: string | undefined): Offset | 'earliest' | 'latest' {
  if (text === 'earliest' || text === 'latest') return text
  if (text?.startsWith('@'))
    throw new SluiceError('not-supported', 'offset=@time is not in this build', { facts: { parameter: 'offset' } })
  const value = text !== undefined && /^[0-9]{1,40}$/.test(text) ? BigInt(text) : -1n
  if (value < 0n || value > limits.offsetMax)
    throw bad(`offset must be earliest, latest or a whole number from 0 to ${limits.offsetMax}`, 'offset')
  return offsetOf(value)
}

/** Larger wishes are bounded, not refused: the answer says how far it came. */
function atMost(value: bigint | undefined, otherwise: number, max: number): number {
  if (value === undefined) return otherwise
  return value > BigInt(max) ? max : Number(value)
}

const bad = (message: string, parameter: string): SluiceError => new SluiceError('bad-request', message, { facts: { parameter } })
