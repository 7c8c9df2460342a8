/**
 * Tiering against bare parquet-wasm: rows a second of `POST …/tier` over a log that was filled before, and of a process
 * that writes the same rows to Parquet with the same settings and does nothing else; of plain columns, of partitions, of nested columns. Then the most memory that a server
 * holds while it tiers a backlog of ten million rows; it is filled by a server process that is stopped before.
 */
import { readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { Table as ArrowTable, tableToIPC } from 'apache-arrow'
import { call, produce, type TierAnswer, tieredLater } from './api.ts'
import type { BenchOptions } from './append.ts'
import { media } from './bodies.ts'
import { runScript, type Server, startSluice } from './children.ts'
import { alternate, type Case, type Measured, machine, type Report, spreadOf } from './harness.ts'
import type { ParquetFloor } from './parquet-floor.ts'
import { type Scratch, withScratch } from './scratch.ts'
import { type Shape, shapedBatch, shapeSpecs } from './shapes.ts'

const GiB = 2 ** 30
/** Of each shape but the backlog. */
const rowsOf: Readonly<Record<Shape, number>> = { plain: 4_194_304, text: 2_621_440, day: 2_621_440, nested: 1_966_080 }
const backlogRows = 10_027_008
const lanes = 4
const tierMsMax = 10 * 60_000

export function tier({ rounds, progress }: BenchOptions): Promise<readonly Report[]> {
  return withScratch(async (scratch) => {
    const speed = await alternate({
      bench: 'tier, rows from the log to Iceberg',
      unit: 'rows/s',
      rounds,
      progress,
      cases: [
        ...pair(scratch, 'plain', 'plain columns', 0.6),
        ...pair(scratch, 'text', 'partitions by a text of 20 values', 0.5),
        ...pair(scratch, 'day', 'partitions by day, 20 days', 0.5),
        ...pair(scratch, 'nested', 'and a row, a list, a map', 0.5),
      ],
      notes: [
        `rows in 1 bucket (of each partition): ${Object.entries(rowsOf).map(([shape, rows]) => `${rows} ${shape}`).join(', ')}; the product's time counts from the call until no row lags, reading the log, manifests and the commit included`, // biome-ignore format: one line
        'both are warm: the floor has written one file before, the server has tiered a small table of two buckets, a file a worker; CPU s of all threads',
        'bare: parquet-wasm on one thread of a process of its own, the same columns and the three of a lake, at most 64 MiB of Arrow a file, one file after another without partitions',
      ],
    })
    progress('tier: ten million rows')
    return [speed, await backlog(scratch)]
  })
}

function pair(scratch: Scratch, shape: Shape, name: string, ratio: number): readonly Case[] {
  const floor = `bare, ${name}`
  return [
    { name: floor, run: () => onParquet(shape) },
    { name, floor, aim: { ratio }, run: () => onSluice(scratch, shape) },
  ]
}

async function onParquet(shape: Shape): Promise<Measured> {
  const argument = { shape, rows: rowsOf[shape] }
  const { rowsPerSecond, cpuMs } = await runScript<ParquetFloor>('parquet-floor.ts', argument)
  return { value: rowsPerSecond, figures: { 'CPU s': cpuMs / 1_000 } }
}

async function onSluice(scratch: Scratch, shape: Shape): Promise<Measured> {
  const folder = scratch.folder()
  const warm = await fill(folder, { name: 'warm', shape, total: 4 * shapeSpecs[shape].bodyRows, buckets: 2 })
  const table = await fill(folder, { name: 'tiered', shape, total: rowsOf[shape], buckets: 1 })
  const server = await startSluice(folder)
  try {
    await tierAll(server, warm)
    const begun = performance.now()
    const cpuBegun = server.cpuMs()
    await tierAll(server, table)
    const seconds = (performance.now() - begun) / 1000
    const figures = { 'CPU s': (server.cpuMs() - cpuBegun) / 1_000, 'peak MiB': server.peakBytes() / 2 ** 20 }
    return { value: rowsOf[shape] / seconds, figures }
  } finally {
    await server.stop()
    scratch.remove(folder)
  }
}

async function backlog(scratch: Scratch): Promise<Report> {
  const folder = scratch.folder()
  const table = await fill(folder, { name: 'tiered', shape: 'plain', total: backlogRows, buckets: 1 })
  const server = await startSluice(folder)
  try {
    const begun = performance.now()
    await tierAll(server, table)
    const seconds = (performance.now() - begun) / 1000
    const peak = server.peakBytes()
    const figures = { 'rows/s': spreadOf([backlogRows / seconds]), 'log MiB': spreadOf([bytesBelow(folder) / 2 ** 20]) }
    const line = {
      name: `${backlogRows.toLocaleString('en-US')} rows`,
      value: spreadOf([peak / 2 ** 20]),
      figures,
      aim: '≤ 1024',
      met: peak < GiB,
    }
    const notes = [
      'the most resident memory (VmHWM) of a server that was started after the log was filled; log MiB: the data folder after it',
    ]
    return { bench: 'tier, peak memory for a backlog', unit: 'MiB', rounds: 1, machine: machine(), lines: [line], notes }
  } finally {
    await server.stop()
    scratch.remove(folder)
  }
}

interface Filling {
  readonly name: string
  readonly shape: Shape
  readonly total: number
  readonly buckets: number
}

/** Fills a table by a server of its own. */
async function fill(folder: string, { name, shape, total, buckets }: Filling): Promise<string> {
  const { columns, partitionBy = [], bodyRows } = shapeSpecs[shape]
  const server = await startSluice(folder)
  try {
    const table = `/v1/databases/bench/tables/${name}`
    await call(server.port, 'PUT', '/v1/databases/bench')
    await call(
      server.port,
      'PUT',
      table,
      JSON.stringify({ columns, partitionBy, buckets: { count: buckets, key: ['id'] }, options: tieredLater }),
    )
    let next = 0
    await Promise.all(
      Array.from({ length: lanes }, async () => {
        for (let first = next; first < total; first = next) {
          const rows = Math.min(bodyRows, total - first)
          next = first + rows
          const bytes = tableToIPC(new ArrowTable(shapedBatch(shape, { rows, first, total })), 'stream')
          await produce(server.port, table, { bytes, rows, contentType: media.arrow })
        }
      }),
    )
    return table
  } finally {
    await server.stop()
  }
}

async function tierAll(server: Server, table: string): Promise<void> {
  const until = performance.now() + tierMsMax
  while (performance.now() < until) {
    const state = (await call(server.port, 'POST', `${table}/tier?wait=20s`)) as TierAnswer
    if (state.state === 'failing') throw new Error(`tiering fails: ${JSON.stringify(state.lastError)}`)
    if (state.lagRows === 0) return
  }
  throw new Error(`rows still lag after ${tierMsMax} ms`)
}

function bytesBelow(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  return files
    .filter((each) => each.isFile())
    .reduce((sum, each) => sum + statSync(path.join(each.parentPath, each.name)).size, 0)
}
