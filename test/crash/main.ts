/**
 * Crash for real: the embedded server is killed with SIGKILL at random moments under load, over and over, on one data
 * directory. At the end no acked row is lost, none is there twice, each lane's order holds in every bucket, and the lake equals
 * the log, as read by an independent Iceberg reader. Usage: node test/crash/main.ts [--kills 50] [--seed N] [--keep]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { seedOf } from '../seed.ts'
import { checkLake, checkLog } from './check.ts'
import { Lane } from './lane.ts'
import { type CrashServer, startServerProcess } from './server-process.ts'

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '50' }, seed: { type: 'string' }, keep: { type: 'boolean', default: false } },
})
const kills = Number(values.kills)
const { seed, next } = seedOf(values.seed)
const directory = mkdtempSync(join(tmpdir(), 'sluice-crash-'))
const table = '/v1/databases/crash/tables/rows'
const buckets = 4
const lanesCount = 8

console.log(`crash: ${kills} kills, seed ${seed}, data in ${directory}`)
let server: CrashServer = await startServerProcess(directory)
await create(server)
const lanes = Array.from({ length: lanesCount }, (_, lane) => new Lane(lane, () => server.url + table))
let stopping = false
const running = lanes.map((lane) => lane.run(() => stopping))

for (let kill = 1; kill <= kills; kill++) {
  await new Promise((resolve) => setTimeout(resolve, 20 + Math.floor(next() * 500)))
  await server.kill()
  server = await startServerProcess(directory)
  if (kill % 10 === 0) console.log(`crash: ${kill} kills, ${lanes.reduce((sum, lane) => sum + lane.acked.length, 0)} rows acked`)
}
stopping = true
await Promise.all(running)
await untilTiered()
const log = await checkLog(server.url + table, buckets, lanes)
const tableId = ((await (await fetch(server.url + table)).json()) as { tableId: string }).tableId
await checkLake(join(directory, 'objects', 'lake', tableId), log)
await server.stop()
if (!values.keep) rmSync(directory, { recursive: true })
console.log(`crash: ${kills} kills, ${log.length} rows in the log and the lake: no acked row lost, none twice`)
console.log('1 passed, 0 failed')

async function create({ url }: CrashServer): Promise<void> {
  await must(await fetch(`${url}/v1/databases/crash`, { method: 'PUT' }))
  const spec = {
    columns: [
      { name: 'v', type: 'bigint', nullable: false },
      { name: 'lane', type: 'int', nullable: false },
    ],
    buckets: { count: buckets },
    options: { 'lake.format': 'iceberg', 'lake.freshness': '1s', 'lake.bytes': '64KiB' },
  }
  await must(
    await fetch(url + table, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify(spec) }),
  )
}

async function untilTiered(): Promise<void> {
  for (let attempt = 0; attempt < 30; attempt++) {
    const state = (await (await fetch(`${server.url}${table}/tier?wait=5s`, { method: 'POST' })).json()) as { lagRows: number }
    if (state.lagRows === 0) return
  }
  throw new Error('the lake did not catch up with the log')
}

async function must(response: Response): Promise<void> {
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}: ${await response.text()}`)
}
