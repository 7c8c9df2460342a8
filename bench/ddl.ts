/** Tables by the thousand: create, describe and list while there are more and more of them; and one table with all the buckets or partitions that it may have. */
import { call } from './api.ts'
import type { BenchOptions } from './append.ts'
import { startSluice } from './children.ts'
import { type Line, machine, type Report, spreadOf } from './harness.ts'
import { withScratch } from './scratch.ts'

const tables = 10_000
const describes = 2_000
const lists = 100
const p99MsMax = 50
const columns = [{ name: 'id', type: 'bigint' }]

/** One measurement: the tables are made once. */
export function ddl({ progress }: BenchOptions): Promise<readonly Report[]> {
  return withScratch(async (scratch) => {
    const server = await startSluice(scratch.folder())
    try {
      const { port } = server
      await call(port, 'PUT', '/v1/databases/bench')
      const path = (i: number): string => `/v1/databases/bench/tables/t${String(i).padStart(5, '0')}`
      const body = JSON.stringify({ columns })
      const created = await timed(tables, async (i) => {
        if (i % 100 === 0) progress(`ddl: ${i} of ${tables} tables`)
        await call(port, 'PUT', path(i), body)
      })
      const described = await timed(describes, (i) => call(port, 'GET', path((i * 7_919) % tables)))
      const listed = await timed(lists, (i) => call(port, 'GET', `/v1/databases/bench/tables?limit=100&after=t${i}`))
      const wide = JSON.stringify({ columns, buckets: { count: 1_024 } })
      const buckets = await timed(20, (i) => call(port, 'PUT', `/v1/databases/bench/tables/buckets${i}`, wide))
      const day = [...columns, { name: 'day', type: 'int' }]
      await call(port, 'PUT', '/v1/databases/bench/tables/days', JSON.stringify({ columns: day, partitionBy: ['day'] }))
      const partitions = await timed(1_000, (i) => call(port, 'PUT', `/v1/databases/bench/tables/days/partitions/day=${i}`))
      const lines = [
        lineOf(`create, up to ${tables} tables`, created),
        lineOf('describe', described),
        lineOf('list, 100 a page', listed),
        lineOf('create with 1,024 buckets', buckets),
        lineOf('add a partition, up to 1,000', partitions),
      ]
      const notes = ['one connection, one call at a time; median over the calls, with the lowest and the highest']
      return [{ bench: 'ddl', unit: 'ms', rounds: 1, machine: machine(), lines, notes }]
    } finally {
      await server.stop()
    }
  })
}

async function timed(count: number, work: (i: number) => Promise<unknown>): Promise<readonly number[]> {
  const ms: number[] = []
  for (let i = 0; i < count; i++) {
    const begun = performance.now()
    await work(i)
    ms.push(performance.now() - begun)
  }
  return ms
}

function lineOf(name: string, ms: readonly number[]): Line {
  const sorted = ms.toSorted((a, b) => a - b)
  const p99 = sorted[Math.min(sorted.length - 1, Math.floor(0.99 * sorted.length))] ?? Number.NaN
  return { name, value: spreadOf(ms), figures: { 'p99 ms': spreadOf([p99]) }, aim: `p99 ms ≤ ${p99MsMax}`, met: p99 <= p99MsMax }
}
