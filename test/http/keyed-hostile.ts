/** Tables with a primary key that bad input is sent to, each with a row. */
import { expect } from 'vitest'
import { lines, makeTable, ndjson, readLines, siteOfFile } from './harness.ts'

export const k = { name: 'k', type: 'bigint' }
export const v = { name: 'v', type: 'int' }
export const note = { name: 'note', type: 'string' }
const texts = ['a', 'b'].map((name) => ({ name, type: 'string' }))
const tables = {
  plain: { columns: [k, v, note], primaryKey: ['k'] },
  fixed: { columns: [k, v], primaryKey: ['k'], options: { 'delete.behavior': 'disable' } },
  whole: { columns: [k, { ...v, nullable: false }, note], primaryKey: ['k'] },
  first: { columns: [k, v], primaryKey: ['k'], options: { 'merge-engine': 'first-row' } },
  exact: { columns: [{ name: 'k', type: 'decimal(10,2)' }, v], primaryKey: ['k'] },
  prefixed: { columns: [...texts, v], primaryKey: ['a', 'b'], buckets: { key: ['a'] } },
  suffixed: { columns: [...texts, v], primaryKey: ['a', 'b'], buckets: { key: ['b'] } },
  moments: {
    columns: [{ name: 'k', type: 'timestamp(3)' }, { name: 'd', type: 'date' }, { name: 'x', type: 'binary' }, v],
    primaryKey: ['k', 'd', 'x'],
  },
  sums: {
    columns: [k, { name: 'v', type: 'tinyint' }, { name: 'r', type: 'binary' }],
    primaryKey: ['k'],
    options: { 'merge-engine': 'aggregation', 'fields.v.agg': 'sum', 'fields.r.agg': 'rbm32' },
  },
} as const
export type Name = keyof typeof tables

export const good: Partial<Record<Name, object>> = {
  exact: { k: '1.5', v: 1 },
  prefixed: { a: 'a', b: 'b', v: 1 },
  suffixed: { a: 'a', b: 'b', v: 1 },
  moments: { k: '2026-11-21T09:30:00.123', d: '2026-11-21', x: 'AA==', v: 1 },
}

/** What is wrong, with which table, the body that is sent behind `query` or a path, and the code and the words of the answer. */
export type Case = readonly [what: string, table: Name, body: string, query: string, code: string, says: string]

export const long = (length: number): string => 'x'.repeat(length)

export async function hostileTables() {
  const { client } = await siteOfFile()
  const paths: Record<string, string> = {}
  const send = (table: Name, body: string, query = '') =>
    client.send('POST', `${paths[table]}/records${query}`, { body, headers: ndjson })
  for (const [name, body] of Object.entries(tables)) {
    paths[name] = await makeTable(client, name, body)
    expect((await send(name as Name, lines([good[name as Name] ?? { k: 1, v: 100 }]))).status).toBe(200)
  }
  return {
    client,
    send,
    ask: (table: Name, body: string, prefix = '') =>
      client.send('POST', `${paths[table]}/lookup${prefix}`, { body, headers: { 'Content-Type': 'application/json' } }),
    scan: (table: Name, query: string) => client.get(`${paths[table]}/rows?${query}`),
    /** Changes with every commit. */
    stateOf: async (table: Name): Promise<unknown> => {
      const offsets = await client.get(`${paths[table]}/offsets`)
      return [offsets.json.buckets, readLines((await client.get(`${paths[table]}/rows`)).text)]
    },
  }
}
