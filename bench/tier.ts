/**
 * Tiering against bare parquet-wasm: rows a second of `POST …/tier` over a log that was filled before, and of a process
 * that writes the same rows to Parquet with the same settings and does nothing else. Then the most memory that a server
 * holds while it tiers a backlog of ten million rows; it is filled by a server process that is stopped before.
 */
import { readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { call, createTable, produce, type TierAnswer, tieredLater } from './api.ts'
import type { BenchOptions } from './append.ts'
import { arrowBody } from './bodies.ts'
import { runScript, type Server, startSluice } from './children.ts'
import { alternate, type Measured, machine, type Report, spreadOf } from './harness.ts'
import type { ParquetFloor } from './parquet-floor.ts'
import { type Scratch, withScratch } from './scratch.ts'

const GiB = 2 ** 30
const bodyRows = 65_536
const speedBodies = 64
const backlogBodies = 153
const lanes = 4
const tierMsMax = 10 * 60_000

export function tier({ rounds, progress }: BenchOptions): Promise<readonly Report[]> {
  return withScratch(async (scratch) => {
    const rows = bodyRows * speedBodies
    const speed = await alternate({
      bench: 'tier, rows from the log to Iceberg',
      unit: 'rows/s',
      rounds,
      progress,
      cases: [
        { name: 'bare parquet-wasm, same columns', run: () => onParquet(rows, true) },
        { name: 'bare parquet-wasm, without the 3 lake columns', run: () => onParquet(rows, false) },
        {
          name: 'POST tier until committed',
          floor: 'bare parquet-wasm, same columns',
          aim: { ratio: 0.6 },
          run: () => onSluice(scratch),
        },
      ],
      notes: [
        `${rows} rows in 1 bucket, ${speedBodies} bodies; the product's time counts from the call until no row lags, reading the log, manifests and the commit included`,
        'both are warm: the floor has written one file before, the server has tiered a small table',
        'parquet-wasm runs on one thread of a process of its own, on batches of the same rows, at most 64 MiB of Arrow a file',
      ],
    })
    progress('tier: ten million rows')
    return [speed, await backlog(scratch)]
  })
}

async function onParquet(rows: number, lakeColumns: boolean): Promise<Measured> {
  const { rowsPerSecond } = await runScript<ParquetFloor>('parquet-floor.ts', { rows, batchRows: bodyRows, lakeColumns })
  return { value: rowsPerSecond }
}

async function onSluice(scratch: Scratch): Promise<Measured> {
  const folder = scratch.folder()
  const warm = await fill(folder, 'warm', 4)
  const table = await fill(folder, 'tiered', speedBodies)
  const server = await startSluice(folder)
  try {
    await tierAll(server, warm)
    const begun = performance.now()
    await tierAll(server, table)
    const seconds = (performance.now() - begun) / 1000
    return { value: (bodyRows * speedBodies) / seconds, figures: { 'peak MiB': server.peakBytes() / 2 ** 20 } }
  } finally {
    await server.stop()
    scratch.remove(folder)
  }
}

async function backlog(scratch: Scratch): Promise<Report> {
  const folder = scratch.folder()
  const table = await fill(folder, 'tiered', backlogBodies)
  const server = await startSluice(folder)
  try {
    const begun = performance.now()
    await tierAll(server, table)
    const seconds = (performance.now() - begun) / 1000
    const peak = server.peakBytes()
    const rows = bodyRows * backlogBodies
    const figures = { 'rows/s': spreadOf([rows / seconds]), 'log MiB': spreadOf([bytesBelow(folder) / 2 ** 20]) }
    const line = {
      name: `${rows.toLocaleString('en-US')} rows`,
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

/** Fills a table of one bucket by a server of its own. */
async function fill(folder: string, name: string, bodies: number): Promise<string> {
  const server = await startSluice(folder)
  try {
    const table = await createTable(server.port, name, 1, tieredLater)
    let next = 0
    await Promise.all(
      Array.from({ length: lanes }, async () => {
        for (let body = next++; body < bodies; body = next++)
          await produce(server.port, table, arrowBody(bodyRows, body * bodyRows))
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
