/**
 * Upserts over HTTP, full changelog: Arrow bodies of 1 MiB that update keys drawn uniformly, against appends of NDJSON to a log table.
 * `upsert`: 1 M keys, whose blocks all fit the cache. `upsert-large`: 10 M, loaded by upserts before, which 256 MiB do not hold.
 * What was written counts everything put into the object store from the first update until nothing is left to fold.
 */
import { createTable, tieredLater } from './api.ts'
import type { BenchOptions } from './append.ts'
import { media, ndjsonBodyOf } from './bodies.ts'
import { type Server, startSluice } from './children.ts'
import { alternate, type Case, type Measured, type Report } from './harness.ts'
import { arrowUpserts, fill, keyedTable, load, settled, type Updates, updatesOf, writtenBytes } from './keyed-table.ts'
import { type Scratch, withScratch } from './scratch.ts'

const MiB = 2 ** 20
const rowsEach = 26_000
const bodies = 80
/** What docs/limits.md says beside the cache's budget. */
const memoryMiBMax = 256 + 1280

const most = { 'written/byte': 10, 'peak MiB': memoryMiBMax }

export function upsert({ rounds, progress }: BenchOptions): Promise<readonly Report[]> {
  return withScratch(async (scratch) => {
    const floor = appended(scratch)
    const report = await alternate({
      bench: 'upsert, 1 M keys, 1 MiB Arrow, 4 connections',
      unit: 'rows/s',
      rounds,
      progress,
      cases: [
        floor,
        {
          name: 'upsert, 4 buckets',
          floor: floor.name,
          aim: { ratio: 0.15, least: 100_000, most },
          run: () => measure(scratch, { keys: 1_000_000, buckets: 4 }),
        },
      ],
      notes,
    })
    return [report]
  })
}

/** One round, because the keys are loaded first. */
export function upsertLarge({ progress }: BenchOptions): Promise<readonly Report[]> {
  return withScratch(async (scratch) => {
    const floor = appended(scratch)
    const report = await alternate({
      bench: 'upsert-large, 10 M keys, 1 MiB Arrow, 4 connections',
      unit: 'rows/s',
      rounds: 1,
      progress,
      cases: [
        floor,
        {
          name: 'upsert, 16 buckets',
          floor: floor.name,
          aim: { least: 50_000, most },
          run: () => measure(scratch, { keys: 10_000_000, buckets: 16 }),
        },
      ],
      notes,
    })
    return [report]
  })
}

function appended(scratch: Scratch): Case {
  const ndjson = ndjsonBodyOf(MiB)
  const file = scratch.file('ndjson', ndjson.bytes)
  return {
    name: 'NDJSON append',
    run: async () => {
      const server = await startSluice(scratch.folder())
      try {
        const path = `${await createTable(server.port, 'appended', 4, tieredLater)}/records`
        const spec = { port: server.port, path, contentType: media.ndjson, bodyFile: file, connections: 4, requests: 160 }
        const before = server.cpuMs()
        const result = await load({ ...spec, warm: 0 })
        const rows = result.requests * ndjson.rows
        return { value: rows / result.seconds, figures: { 'cpu µs/row': ((server.cpuMs() - before) * 1_000) / rows } }
      } finally {
        await server.stop()
      }
    },
  }
}

const notes = [
  `closed loop, ${bodies} requests of ${rowsEach} rows; "written/byte": put into the object store until all is folded, for each byte of the bodies`,
  '"cpu µs/row": processor time of the server, folding and all threads included; "peak MiB": resident, since the server began',
  '"load s": the keys are upserted in order by the same server before, and folded',
]

async function measure(scratch: Scratch, { keys, buckets }: { keys: number; buckets: number }): Promise<Measured> {
  const folder = scratch.folder()
  const server = await startSluice(folder)
  try {
    const path = await keyedTable(server.port, buckets)
    const begun = performance.now()
    await fill(scratch, server, path, keys)
    const loadS = (performance.now() - begun) / 1_000
    await settled(server.port)
    const updates = updatesOf(scratch, { keys, bodies, rowsEach })
    return await measureUpdates(server, path, updates, loadS)
  } finally {
    await server.stop()
    scratch.remove(folder)
  }
}

async function measureUpdates(server: Server, path: string, updates: Updates, loadS: number): Promise<Measured> {
  const written = await writtenBytes(server.port)
  const before = server.cpuMs()
  const result = await load({ ...arrowUpserts(server.port, path, updates.files), requests: bodies, warm: 0 })
  const atLoad = server.cpuMs()
  await settled(server.port)
  const rows = result.requests * rowsEach
  return {
    value: rows / result.seconds,
    figures: {
      'cpu µs/row': ((atLoad - before) * 1_000) / rows,
      'p50 ms': result.p50Ms,
      'p99 ms': result.p99Ms,
      'written/byte': ((await writtenBytes(server.port)) - written) / updates.bytes,
      'peak MiB': server.peakBytes() / MiB,
      'load s': loadS,
    },
  }
}
