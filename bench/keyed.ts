/**
 * Tables with a primary key over HTTP. `upsert`: Arrow bodies of 1 MiB, each of which updates keys that are there, full changelog,
 * against appends of the same rows as NDJSON to a log table. `lookup`: warm, 128 keys a request, and one, against a bare Node server that
 * answers from memory without looking anything up.
 */
import { call, createTable, produce, tieredLater } from './api.ts'
import type { BenchOptions } from './append.ts'
import { arrowBodyOf, columns, media, ndjsonBodyOf } from './bodies.ts'
import { runScript, type Server, startFloor, startSluice } from './children.ts'
import { alternate, type Measured, type Report } from './harness.ts'
import type { LoadResult, LoadSpec } from './load.ts'
import { withScratch } from './scratch.ts'

const MiB = 2 ** 20
const upserts = 80
const lookups = 4_000
const keysAtOnce = 128

export function upsert({ rounds, progress }: BenchOptions): Promise<readonly Report[]> {
  return withScratch(async (scratch) => {
    const arrow = arrowBodyOf(MiB)
    const ndjson = ndjsonBodyOf(MiB)
    const files = { arrow: scratch.file('arrow', arrow.bytes), ndjson: scratch.file('ndjson', ndjson.bytes) }
    const rows = (result: LoadResult, each: number): Measured => ({
      value: result.perSecond * each,
      figures: { 'p50 ms': result.p50Ms, 'p99 ms': result.p99Ms },
    })
    const report = await alternate({
      bench: 'upsert, 1 MiB Arrow, 4 connections',
      unit: 'rows/s',
      rounds,
      progress,
      cases: [
        {
          name: 'NDJSON append, 4 buckets',
          run: () =>
            onServer(startSluice(scratch.folder()), async (port) => {
              const path = `${await createTable(port, 'appended', 4, tieredLater)}/records`
              const spec = { port, path, contentType: media.ndjson, bodyFile: files.ndjson, connections: 4, requests: upserts }
              return rows(await load(spec), ndjson.rows)
            }),
        },
        {
          name: 'upsert of keys that are there, 4 buckets',
          floor: 'NDJSON append, 4 buckets',
          aim: { ratio: 0.15 },
          run: () =>
            onServer(startSluice(scratch.folder()), async (port) => {
              const path = `${await keyedTable(port)}/records`
              const spec = { port, path, contentType: media.arrow, bodyFile: files.arrow, connections: 4, requests: upserts }
              return rows(await load(spec), arrow.rows)
            }),
        },
      ],
      notes: [
        `closed loop, ${upserts} requests; the same ${arrow.rows} keys in each Arrow body, so all but the first updates rows`,
      ],
    })
    return [report]
  })
}

export function lookup({ rounds, progress }: BenchOptions): Promise<readonly Report[]> {
  return withScratch(async (scratch) => {
    const body = arrowBodyOf(MiB)
    const batch = scratch.file('keys', keysBody(keysAtOnce, body.rows))
    const single = scratch.file('key', keysBody(1, body.rows))
    const measure = async (port: number, path: string): Promise<Measured> => {
      const spec = { port, path, contentType: 'application/json', connections: 8, requests: lookups }
      const many = await load({ ...spec, bodyFile: batch })
      const one = await load({ ...spec, bodyFile: single })
      return { value: many.perSecond * keysAtOnce, figures: { '1 key p50 ms': one.p50Ms, '1 key p99 ms': one.p99Ms } }
    }
    const onKeyed = async (port: number): Promise<Measured> => {
      const path = await keyedTable(port)
      await produce(port, path, body)
      return measure(port, `${path}/lookup`)
    }
    const report = await alternate({
      bench: 'lookup, 8 connections',
      unit: 'keys/s',
      rounds,
      progress,
      cases: [
        {
          name: 'bare Node, from memory',
          run: () => onServer(startFloor('memory', scratch.folder()), (port) => measure(port, '/')),
        },
        {
          name: `${keysAtOnce} keys a request, warm`,
          floor: 'bare Node, from memory',
          run: () => onServer(startSluice(scratch.folder()), onKeyed),
        },
      ],
      notes: [`closed loop, ${lookups} requests; the bare server reads the body and answers a few bytes`],
    })
    return [report]
  })
}

function keysBody(count: number, rows: number): Uint8Array {
  const keys = Array.from({ length: count }, (_, i) => ({ id: `${(i * 7_919) % rows}` }))
  return Buffer.from(JSON.stringify({ keys }))
}

async function keyedTable(port: number): Promise<string> {
  await call(port, 'PUT', '/v1/databases/bench')
  const path = '/v1/databases/bench/tables/keyed'
  await call(port, 'PUT', path, JSON.stringify({ columns, primaryKey: ['id'], buckets: { count: 4 } }))
  return path
}

async function load(spec: LoadSpec): Promise<LoadResult> {
  const result = await runScript<LoadResult>('load.ts', spec)
  if (result.failed > 0) throw new Error(`${result.failed} of the requests failed, the first with ${result.firstFailure}`)
  return result
}

async function onServer(starting: Promise<Server>, measure: (port: number) => Promise<Measured>): Promise<Measured> {
  const server = await starting
  const before = server.cpuMs()
  try {
    const { value, figures } = await measure(server.port)
    return { value, figures: { ...figures, 'cpu s': (server.cpuMs() - before) / 1_000 } }
  } finally {
    await server.stop()
  }
}
