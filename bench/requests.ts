/**
 * What appends ask of the stores and what that would cost on AWS: object and item requests and DynamoDB write units, as
 * the server itself counts them (GET /v1/cost before and after), by size of request, buckets and producers. Each
 * producer has one request in flight. Dollars are list prices (docs/limits.md), storage and compute not in them.
 * Counts depend on how requests meet in a group, so they are averages of a run, not constants.
 */
import { styleText } from 'node:util'
import { type Cost, call, costOf, createTable, tieredLater } from './api.ts'
import type { BenchOptions } from './append.ts'
import { arrowBodyOf, type Body, ndjsonBodyOf } from './bodies.ts'
import { runScript, startSluice } from './children.ts'
import { machine } from './harness.ts'
import type { LoadResult } from './load.ts'
import { withScratch } from './scratch.ts'
import { number, table } from './table.ts'

const sizes = [
  { name: '1 KiB', body: () => ndjsonBodyOf(1024), requests: 640 },
  { name: '64 KiB', body: () => arrowBodyOf(64 * 1024), requests: 320 },
  { name: '1 MiB', body: () => arrowBodyOf(1024 * 1024), requests: 128 },
] as const
const bucketCounts = [1, 4, 16]
const producerCounts = [1, 8, 32]
const idleSeconds = 20
const itemWrites = ['items.create', 'items.update', 'items.delete', 'items.transact']
const itemReads = ['items.get', 'items.query']
const objectWrites = ['objects.create', 'objects.replace']

export interface RequestsLine {
  readonly size: string
  readonly buckets: number
  readonly producers: number
  /** All per request of a client. */
  readonly objectWrites: number
  readonly itemWrites: number
  readonly writeUnits: number
  readonly itemReads: number
  readonly usdPerGiB: number
}

export interface RequestsReport {
  readonly bench: 'requests'
  readonly machine: string
  readonly lines: readonly RequestsLine[]
  /** Requests by name in so many seconds without a client. */
  readonly idle: { readonly seconds: number; readonly requests: Readonly<Record<string, number>> }
  readonly aim: string
  readonly met: boolean
}

export function requests({ progress }: BenchOptions): Promise<RequestsReport> {
  return withScratch(async (scratch) => {
    const server = await startSluice(scratch.folder())
    try {
      const lines: RequestsLine[] = []
      for (const { name, body, requests: count } of sizes) {
        const made = body()
        const file = scratch.file(name.replace(' ', ''), made.bytes)
        for (const buckets of bucketCounts) {
          for (const producers of producerCounts) {
            progress(`requests: ${name}, ${buckets} buckets, ${producers} producers`)
            lines.push(await measure({ port: server.port, size: name, body: made, file, buckets, producers, count }))
          }
        }
      }
      progress(`requests: ${idleSeconds} s without a client`)
      const idle = await idleOf(server.port)
      const asked = lines.filter((line) => line.size === '1 MiB' && line.buckets === 1 && line.producers <= 8)
      const met = asked.every((line) => line.objectWrites <= 1 && line.writeUnits <= 1.3)
      const aim = 'one bucket, up to 8 producers, 1 MiB: at most 1 object write and 1.3 write units a request'
      return { bench: 'requests', machine: machine(), lines, idle, aim, met }
    } finally {
      await server.stop()
    }
  })
}

interface Cell {
  readonly port: number
  readonly size: string
  readonly body: Body
  readonly file: string
  readonly buckets: number
  readonly producers: number
  readonly count: number
}

async function measure({ port, size, body, file, buckets, producers, count }: Cell): Promise<RequestsLine> {
  const name = `t-${size.replace(' ', '')}-${buckets}-${producers}`
  const path = await createTable(port, name, buckets, tieredLater)
  const before = await costOf(port)
  const load = await runScript<LoadResult>('load.ts', {
    port,
    path: `${path}/records`,
    contentType: body.contentType,
    bodyFile: file,
    connections: producers,
    requests: count,
    producer: name,
  })
  if (load.failed > 0) throw new Error(`${load.failed} requests failed, the first with ${load.firstFailure}`)
  const after = await costOf(port)
  await call(port, 'DELETE', path)
  const sent = load.requests + Math.ceil(count / 10)
  const each = (names: readonly string[], of: 'requests' | 'amounts' = 'requests') => difference(before, after, of, names) / sent
  return {
    size,
    buckets,
    producers,
    objectWrites: each(objectWrites),
    itemWrites: each(itemWrites),
    writeUnits: each(['items/writeUnits'], 'amounts'),
    itemReads: each(itemReads),
    usdPerGiB: ((after.usd - before.usd) / (sent * body.bytes.length)) * 2 ** 30,
  }
}

function difference(before: Cost, after: Cost, of: 'requests' | 'amounts', names: readonly string[]): number {
  return names.reduce((sum, name) => sum + (after[of][name] ?? 0) - (before[of][name] ?? 0), 0)
}

async function idleOf(port: number): Promise<RequestsReport['idle']> {
  await new Promise((resolve) => setTimeout(resolve, 5_000))
  const before = await costOf(port)
  await new Promise((resolve) => setTimeout(resolve, idleSeconds * 1_000))
  const after = await costOf(port)
  const names = Object.keys(after.requests)
  const asked = names.map((name) => [name, (after.requests[name] ?? 0) - (before.requests[name] ?? 0)] as const)
  return { seconds: idleSeconds, requests: Object.fromEntries(asked.filter(([, count]) => count > 0)) }
}

export function printRequests(report: RequestsReport): string {
  const head = ['size, buckets, producers', 'object writes', 'item writes', 'write units', 'item reads', '$/GiB']
  const rows = report.lines.map((line) => [
    `${line.size}, ${line.buckets}, ${line.producers}`,
    ...[line.objectWrites, line.itemWrites, line.writeUnits, line.itemReads].map((each) => number(each)),
    line.usdPerGiB.toFixed(4),
  ])
  const idle = Object.entries(report.idle.requests).map(([name, count]) => `${name}=${count}`)
  return [
    `${styleText('bold', 'requests')}: averages for one request of a client; ${report.machine}`,
    ...table(head, rows),
    `- idle for ${report.idle.seconds} s: ${idle.join(', ') || 'no request at all'}`,
    `- ${report.aim}: ${report.met ? styleText('green', 'yes ✓') : styleText('red', 'no ✗')}`,
  ].join('\n')
}
