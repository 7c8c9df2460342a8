/** What tests of a table with a primary key over HTTP share: flights of a city and a day. */
import { lines, ndjson, type Site } from './harness.ts'

export const columns = [
  { name: 'city', type: 'string' },
  { name: 'day', type: 'date' },
  { name: 'flights', type: 'bigint' },
  { name: 'note', type: 'string' },
]
export const keyed = { columns, primaryKey: ['city', 'day'], buckets: { count: 4, key: ['city'] } }
export const oslo = { city: 'oslo', day: '2026-11-21' }
export const rome = { city: 'rome', day: '2026-11-21' }
export const arrow = 'application/vnd.apache.arrow.stream'

export const callsOf = ({ client }: Pick<Site, 'client'>) => ({
  send: (path: string, rows: readonly object[], query = '') =>
    client.send('POST', `${path}/records${query}`, { body: lines(rows), headers: ndjson }),
  lookup: (path: string, body: object) => client.send('POST', `${path}/lookup`, { json: body }),
})
