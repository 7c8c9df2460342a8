/**
 * Appends over HTTP against bare Node servers: 1 MiB Arrow bodies on 8 connections against a server that writes the same
 * bodies to fsynced files; 1 KiB NDJSON bodies on 64 connections against one that answers from memory. Each measurement
 * has a new server on an empty folder; folders go when all is measured, because a file system is slow to give out names for a
 * while after many files were deleted. Closed loop; small bodies also in an open loop at half of the rate just reached,
 * where latency counts from the time at which a request was due.
 */
import { createTable, tieredLater } from './api.ts'
import { arrowBodyOf, type Body, ndjsonBodyOf } from './bodies.ts'
import { runScript, type Server, startFloor, startSluice } from './children.ts'
import { alternate, type Measured, type Report } from './harness.ts'
import type { LoadResult, LoadSpec } from './load.ts'
import { type Scratch, withScratch } from './scratch.ts'

export interface BenchOptions {
  readonly rounds: number
  readonly progress: (text: string) => void
}

const MiB = 2 ** 20
const largeRequests = 512
const smallRequests = 40_000

export function append({ rounds, progress }: BenchOptions): Promise<readonly Report[]> {
  return withScratch(async (scratch) => {
    const large = bodyFile(scratch, 'large', arrowBodyOf(MiB))
    const small = bodyFile(scratch, 'small', ndjsonBodyOf(1024))
    const largeReport = await alternate({
      bench: 'append, 1 MiB Arrow, 8 connections',
      unit: 'MB/s',
      rounds,
      progress,
      cases: [
        { name: 'bare Node, files fsynced', run: () => onFloor(scratch, 'files', (port) => largeLoad(port, '/', large)) },
        {
          name: 'keyless, 1 bucket',
          floor: 'bare Node, files fsynced',
          aim: { ratio: 0.5 },
          run: () => onSluice(scratch, 1, (port, path) => largeLoad(port, path, large)),
        },
        {
          name: 'keyed over 16 buckets',
          floor: 'bare Node, files fsynced',
          aim: { ratio: 0.25 },
          run: () => onSluice(scratch, 16, (port, path) => largeLoad(port, path, large)),
        },
      ],
      notes: [
        '"cpu s": processor time of the server, all threads, for the whole measurement and its warm-up',
        `closed loop, ${largeRequests} requests of ${large.bytes} bytes (${large.rows} rows) a measurement; server and load generator are processes of their own on the same cores`,
      ],
    })
    const smallReport = await alternate({
      bench: 'append, 1 KiB NDJSON, 64 connections',
      unit: 'requests/s',
      rounds,
      progress,
      cases: [
        { name: 'bare Node, from memory', run: () => onFloor(scratch, 'memory', (port) => smallLoad(port, '/', small)) },
        {
          name: 'keyless, 1 bucket',
          floor: 'bare Node, from memory',
          aim: { ratio: 0.2, most: { 'p99 ms': 20 } },
          run: () => onSluice(scratch, 1, (port, path) => smallLoad(port, path, small)),
        },
      ],
      notes: [
        `closed loop, ${smallRequests} requests of ${small.bytes} bytes (${small.rows} rows) a measurement; "open" = open loop at half of that rate, latency from the due time`,
        'server and load generator are processes of their own on the same cores',
      ],
    })
    return [largeReport, smallReport]
  })
}

interface BodyFile {
  readonly file: string
  readonly bytes: number
  readonly rows: number
  readonly contentType: string
}

function bodyFile(scratch: Scratch, name: string, body: Body): BodyFile {
  return { file: scratch.file(name, body.bytes), bytes: body.bytes.length, rows: body.rows, contentType: body.contentType }
}

async function largeLoad(port: number, path: string, body: BodyFile): Promise<Measured> {
  const result = await load({ ...specOf(port, path, body), connections: 8, requests: largeRequests })
  return { value: result.bytesPerSecond / 1e6, figures: { 'p50 ms': result.p50Ms, 'p99 ms': result.p99Ms } }
}

async function smallLoad(port: number, path: string, body: BodyFile): Promise<Measured> {
  const spec = { ...specOf(port, path, body), connections: 64, requests: smallRequests }
  const closed = await load(spec)
  const open = await load({ ...spec, requests: smallRequests / 8, perSecond: closed.perSecond / 2 })
  return {
    value: closed.perSecond,
    figures: { 'p50 ms': closed.p50Ms, 'p99 ms': closed.p99Ms, 'open p50 ms': open.p50Ms, 'open p99 ms': open.p99Ms },
  }
}

function specOf(port: number, path: string, body: BodyFile) {
  return { port, path, contentType: body.contentType, bodyFile: body.file }
}

async function load(spec: LoadSpec): Promise<LoadResult> {
  const result = await runScript<LoadResult>('load.ts', spec)
  if (result.failed > 0) throw new Error(`${result.failed} of the requests failed, the first with ${result.firstFailure}`)
  return result
}

async function onFloor(
  scratch: Scratch,
  kind: 'files' | 'memory',
  measure: (port: number) => Promise<Measured>,
): Promise<Measured> {
  return withServer(await startFloor(kind, scratch.folder()), measure)
}

async function onSluice(
  scratch: Scratch,
  buckets: number,
  measure: (port: number, path: string) => Promise<Measured>,
): Promise<Measured> {
  return withServer(await startSluice(scratch.folder()), async (port) => {
    const path = await createTable(port, 'appended', buckets, tieredLater)
    return measure(port, `${path}/records`)
  })
}

async function withServer(server: Server, measure: (port: number) => Promise<Measured>): Promise<Measured> {
  const before = server.cpuMs()
  try {
    const { value, figures } = await measure(server.port)
    return { value, figures: { ...figures, 'cpu s': (server.cpuMs() - before) / 1_000 } }
  } finally {
    await server.stop()
  }
}
