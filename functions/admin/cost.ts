/**
 * GET /v1/cost: what this process asked of its stores, priced as if they were S3 standard and DynamoDB on demand
 * (us-east-1, list prices; docs/limits.md has the sources and their dates). Items are priced by the units that their
 * sizes take. Storage, transfer and compute are not in it.
 */
import type { Handler } from '../call.ts'
import { jsonReply } from '../http/reply.ts'

/** US dollars a million. Amounts (with a slash) are priced where a request's price depends on its size. */
const usdPerMillion: Readonly<Record<string, number>> = {
  'objects.create': 5,
  'objects.replace': 5,
  'objects.list': 5,
  'objects.read': 0.4,
  'items/writeUnits': 0.625,
  'items/readUnits': 0.125,
}

export const cost: Handler<'cost'> = async (_call, { counter }) => {
  const counts = counter.total.all()
  const requests = Object.fromEntries(Object.entries(counts).filter(([name]) => !name.includes('/')))
  const amounts = Object.fromEntries(Object.entries(counts).filter(([name]) => name.includes('/')))
  return jsonReply(200, { requests, amounts, usd: usdOf(counts) })
}

export function usdOf(counts: Readonly<Record<string, number>>): number {
  let microUsd = 0
  for (const [name, count] of Object.entries(counts)) microUsd += count * (usdPerMillion[name] ?? 0)
  return microUsd / 1e6
}
