/**
 * From the ack of a produce to the row being there for a reader of the lake: a trickling table, its options as a user sets them, a
 * server as a user starts it, the version hint of the table's folder looked at every 20 ms, and the metadata that it names read with icebird, a reader that is
 * not ours. Requests are counted between the first snapshot that was seen and the last, whole rounds of the tier, and priced
 * at list prices (docs/limits.md). At the end every row is read from the lake, once each.
 */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { icebergMetadata, icebergRead } from 'icebird'
import { fetchFile } from '../cli/demo/file-fetch.ts'
import { type Cost, call, costOf } from './api.ts'
import type { BenchOptions } from './append.ts'
import { startSluice } from './children.ts'
import { type Line, machine, type Report, spreadOf } from './harness.ts'
import { withScratch } from './scratch.ts'

const perSecond = 100
const rowsPerRequest = 10
const requestMs = (1_000 * rowsPerRequest) / perSecond
const lookMs = 20
const lateMsMax = 60_000
const monthMs = 30 * 86_400_000
/** Rounds of the tier that a run has at least, and how long it takes where they are short. */
const roundsMin = 3
const secondsMin = 60
const cases = [5, 30]
const tablePath = '/v1/databases/bench/tables/trickle'

export function freshness({ progress }: BenchOptions): Promise<readonly Report[]> {
  return withScratch(async (scratch) => {
    const lines: Line[] = []
    for (const seconds of cases) {
      progress(`freshness: lake.freshness=${seconds}s`)
      const folder = scratch.folder()
      const server = await startSluice(folder)
      try {
        lines.push(lineOf(seconds, await trickle(server.port, folder, seconds)))
      } finally {
        await server.stop()
      }
    }
    const notes = [
      `${perSecond} rows/s in requests of ${rowsPerRequest} rows, one bucket; a request's rows are late from its ack until the metadata in the folder has a snapshot with them`,
      'tier s: the longest time of a round, from the ack of the last row that it took until it was seen; p99 may be freshness and that',
      'a month: 30 days at this rate, appends and the sweep included, storage, compute and what only hours bring (compaction, collection) not',
      'every row was read from the lake at the end, once each',
    ]
    return [{ bench: 'freshness, from ack to lake', unit: 'p50 s', rounds: 1, machine: machine(), lines, notes }]
  })
}

interface Acked {
  readonly atMs: number
  readonly end: bigint
}

/** A snapshot as it was first seen, with what the server had asked of its stores by then. */
interface Seen {
  readonly atMs: number
  readonly rows: bigint
  readonly cost: Cost
}

interface Trickled {
  readonly acked: readonly Acked[]
  readonly seen: readonly Seen[]
}

async function trickle(port: number, folder: string, freshnessSeconds: number): Promise<Trickled> {
  await call(port, 'PUT', '/v1/databases/bench')
  const options = { 'lake.format': 'iceberg', 'lake.freshness': `${freshnessSeconds}s` }
  const spec = { columns: [{ name: 'id', type: 'bigint' }, { name: 'text', type: 'string' }], options } // biome-ignore format: one line
  const { tableId } = (await call(port, 'PUT', tablePath, JSON.stringify(spec))) as { tableId: string }
  const table = path.join(folder, 'objects', 'lake', tableId)
  const requests = Math.ceil((Math.max(secondsMin, (roundsMin + 0.5) * freshnessSeconds) * 1_000) / requestMs)
  const wanted = BigInt(requests * rowsPerRequest)
  const [acked, seen] = await Promise.all([produceAll(port, requests), watch(port, table, wanted)])
  await readAll(table, wanted)
  return { acked, seen }
}

/** Open loop: a request every 100 ms, however long the one before takes. */
async function produceAll(port: number, requests: number): Promise<readonly Acked[]> {
  const begun = performance.now()
  const acks: Promise<Acked>[] = []
  for (let i = 0; i < requests; i++) {
    await sleep(begun + i * requestMs - performance.now())
    const rows = Array.from(
      { length: rowsPerRequest },
      (_, row) => `{"id":${i * rowsPerRequest + row},"text":"a row that trickles"}`,
    )
    acks.push(produce(port, rows.join('\n')))
  }
  return Promise.all(acks)
}

async function produce(port: number, body: string): Promise<Acked> {
  const answer = (await call(port, 'POST', `${tablePath}/records`, body, 'application/x-ndjson')) as {
    readonly buckets: readonly [{ readonly endOffset: string }]
  }
  return { atMs: performance.now(), end: BigInt(answer.buckets[0].endOffset) }
}

/** Every snapshot, until one has `rows`: of one bucket that nothing is deleted from, so rows are offsets. */
async function watch(port: number, table: string, rows: bigint): Promise<readonly Seen[]> {
  const seen: Seen[] = []
  let hint = ''
  let giveUpAt = Number.POSITIVE_INFINITY
  for (let there = 0n; there < rows; await sleep(lookMs)) {
    const found = await readFile(path.join(table, 'metadata', 'version-hint.text'), 'utf8').catch(() => '')
    if (performance.now() > giveUpAt)
      throw new Error(`no snapshot came for ${lateMsMax} ms, ${there} of ${rows} rows are in the lake`)
    if (found === hint) continue
    hint = found
    there = await rowsOf(table)
    if (there === seen.at(-1)?.rows) continue
    seen.push({ atMs: performance.now(), rows: there, cost: await costOf(port) })
    giveUpAt = performance.now() + lateMsMax
  }
  return seen
}

async function rowsOf(table: string): Promise<bigint> {
  const metadata = await fromDisk(() => icebergMetadata({ tableUrl: pathToFileURL(table).href }))
  const current = metadata.snapshots?.find((snapshot) => snapshot['snapshot-id'] === metadata['current-snapshot-id'])
  return BigInt(current?.summary['total-records'] ?? 0)
}

async function readAll(table: string, wanted: bigint): Promise<void> {
  const rows = await fromDisk(() => icebergRead({ tableUrl: pathToFileURL(table).href }))
  const ids = new Set(rows.map(({ id }) => id))
  if (BigInt(rows.length) !== wanted || BigInt(ids.size) !== wanted)
    throw new Error(`the lake has ${rows.length} rows, ${ids.size} of them different, of ${wanted}`)
}

/** icebird speaks HTTP only: for it `fetch` answers file URLs from the disk. */
async function fromDisk<T>(read: () => Promise<T>): Promise<T> {
  const http = globalThis.fetch
  globalThis.fetch = ((input, init) =>
    String(input).startsWith('file:') ? fetchFile(String(input), init) : http(input, init)) as typeof fetch
  try {
    return await read()
  } finally {
    globalThis.fetch = http
  }
}

function lineOf(freshnessSeconds: number, { acked, seen }: Trickled): Line {
  const rounds = seen.map(({ atMs, rows }, i) => {
    const before = seen[i - 1]?.rows ?? 0n
    return acked.filter(({ end }) => end > before && end <= rows).map((ack) => (atMs - ack.atMs) / 1_000)
  })
  const late = rounds.flat().sort((a, b) => a - b)
  const at = (share: number) => late[Math.min(late.length - 1, Math.floor(late.length * share))] ?? Number.NaN
  const tierSeconds = Math.max(...rounds.slice(0, -1).map((each) => Math.min(...each)))
  const [first, last] = [seen[0], seen.at(-2)]
  if (first === undefined || last === undefined || last === first) throw new Error('there were not enough rounds to count')
  const months = (last.atMs - first.atMs) / monthMs
  const monthly = (...names: readonly string[]) =>
    names.reduce((sum, name) => sum + (last.cost.requests[name] ?? 0) - (first.cost.requests[name] ?? 0), 0) / months
  const figures = {
    'p99 s': at(0.99),
    'max s': at(1),
    'tier s': tierSeconds,
    snapshots: seen.length,
    'object writes a month': monthly('objects.create', 'objects.replace', 'objects.list'),
    'object reads a month': monthly('objects.read'),
    'item requests a month': monthly(...itemRequests),
    '$ a month': (last.cost.usd - first.cost.usd) / months,
  }
  const aim = freshnessSeconds + tierSeconds + requestMs / 1_000
  return {
    name: `lake.freshness=${freshnessSeconds}s`,
    value: spreadOf([at(0.5)]),
    figures: Object.fromEntries(Object.entries(figures).map(([name, figure]) => [name, spreadOf([figure])])),
    aim: `p99 s ≤ ${aim.toFixed(2)}`,
    met: at(0.99) <= aim,
  }
}

const itemRequests = ['items.create', 'items.update', 'items.delete', 'items.transact', 'items.get', 'items.query']

function sleep(ms: number): Promise<void> {
  return ms <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms))
}
