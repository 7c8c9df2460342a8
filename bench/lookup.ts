/**
 * Warm lookups over HTTP, 128 keys a request and one, against a bare Node server that parses the same body, finds the keys in a Map
 * and answers the same rows as the same bytes, which is checked (ours adds the offset of each bucket).
 */

import { writeFileSync } from 'node:fs'
import path from 'node:path'
import type { BenchOptions } from './append.ts'
import { jsonRow } from './bodies.ts'
import { type Server, startFloor, startSluice } from './children.ts'
import { alternate, type Measured, type Report } from './harness.ts'
import { fill, keyedTable, load } from './keyed-table.ts'
import { withScratch } from './scratch.ts'

const rows = 26_000
const requests = 12_000
const keysAtOnce = 128

export function lookup({ rounds, progress }: BenchOptions): Promise<readonly Report[]> {
  return withScratch(async (scratch) => {
    const folder = scratch.folder()
    writeFileSync(path.join(folder, 'rows.json'), JSON.stringify(Array.from({ length: rows }, (_, row) => jsonRow(row))))
    const batch = keysBody(keysAtOnce)
    const files = { batch: scratch.file('keys', batch), single: scratch.file('key', keysBody(1)) }
    const measure = async (server: Server, at: string): Promise<Measured> => {
      await assertSame(server.port, at, batch)
      const spec = { port: server.port, path: at, contentType: 'application/json', connections: 8, requests }
      const before = server.cpuMs()
      const many = await load({ ...spec, bodyFile: files.batch })
      const cpuUs = (server.cpuMs() - before) * 1_000
      const one = await load({ ...spec, bodyFile: files.single })
      return {
        value: many.perSecond * keysAtOnce,
        figures: {
          'cpu µs/key': cpuUs / (1.1 * requests * keysAtOnce),
          '1 key p50 ms': one.p50Ms,
          '1 key p99 ms': one.p99Ms,
        },
      }
    }
    const report = await alternate({
      bench: 'lookup, warm, 8 connections',
      unit: 'keys/s',
      rounds,
      progress,
      cases: [
        { name: 'bare Node, a Map', run: () => onServer(startFloor('map', folder), (server) => measure(server, '/')) },
        {
          name: `${keysAtOnce} keys a request`,
          floor: 'bare Node, a Map',
          aim: { ratio: 0.15, least: 200_000 },
          run: () =>
            onServer(startSluice(scratch.folder()), async (server) => {
              const table = await keyedTable(server.port, 4)
              await fill(scratch, server, table, rows)
              return measure(server, `${table}/lookup`)
            }),
        },
      ],
      notes: [
        `closed loop, ${requests} requests over ${rows} keys; the bare server parses the same body and answers the same rows, which is checked`,
      ],
    })
    return [report]
  })
}

const keysOfBody = (count: number) => Array.from({ length: count }, (_, i) => (i * 7_919) % rows)

const keysBody = (count: number): Uint8Array =>
  Buffer.from(JSON.stringify({ keys: keysOfBody(count).map((id) => ({ id: String(id) })) }))

async function assertSame(port: number, at: string, body: Uint8Array): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`http://127.0.0.1:${port}${at}`, { method: 'POST', headers, body: body as Uint8Array<ArrayBuffer> })
  const text = await answer.text()
  const wanted = JSON.stringify({ rows: keysOfBody(keysAtOnce).map(jsonRow) })
  if (!text.startsWith(wanted.slice(0, -1)))
    throw new Error(`the answer is another: ${text.slice(0, 300)} instead of ${wanted.slice(0, 300)}`)
}

async function onServer(starting: Promise<Server>, measure: (server: Server) => Promise<Measured>): Promise<Measured> {
  const server = await starting
  try {
    return await measure(server)
  } finally {
    await server.stop()
  }
}
