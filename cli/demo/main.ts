/**
 * `sluice demo`: three million flights through a server of its own into a lake, then an independent reader's word for it.
 * All state lies in one folder: killed at any point and started again, it goes on where it was.
 */
import { join, resolve } from 'node:path'
import { Worker } from 'node:worker_threads'
import { Listr } from 'listr2'
import type { Running } from '../../serve/server.ts'
import { Failure } from '../failure.ts'
import { flightsSpec } from './flights.ts'
import type { LanesMessage } from './lanes.ts'
import { unproven } from './proof.ts'
import { endWithLauncher, listen, rate, startDemoServer, writer } from './run.ts'
import { call, ensureTable, type TierBody, tablePath } from './server-calls.ts'
import { type Cost, progressLine, readLine, summaryOf } from './show.ts'
import { type Comparison, compareSums, type Sums } from './sums.ts'
import type { LakeFacts, VerifyMessage } from './verify.ts'

export interface DemoFlags {
  readonly data?: string
  readonly json?: boolean
}

interface Context {
  server: Running
  tableId: string
  rows: number
  rowsPerSecond: number
  sums: Sums
  lake: LakeFacts
  comparison: Comparison
  startedAt: number
}

const lanes = 4
/** Rounds of two seconds: longer than the lease of a demo that was killed. */
const tierWaitMax = 60

export async function demo(flags: DemoFlags): Promise<void> {
  endWithLauncher()
  const directory = resolve(flags.data ?? '.sluice-demo')
  const terminal = process.stdout.isTTY === true
  const list = new Listr<Context, 'default' | 'simple' | 'silent', 'simple'>(
    [
      {
        title: `Start a server of its own on ${directory}`,
        task: (context, task) => start(context, directory, (title) => (task.title = title)),
      },
      {
        title: 'Stream 3,000,000 flights over HTTP',
        task: (context, task) => stream(context, directory, writer(task, terminal)),
      },
      { title: 'Bring the rest into the lake', task: (context, task) => tierRest(context, writer(task, terminal)) },
      {
        title: 'Read the lake with icebird, an independent Iceberg reader',
        task: (context, task) => verify(context, directory, writer(task, terminal)),
      },
    ],
    { renderer: flags.json ? 'silent' : terminal ? 'default' : 'simple', concurrent: false },
  )
  const context = { startedAt: Date.now() } as Context
  try {
    await list.run(context)
    const cost = await call<Cost>(context.server.url, 'GET', '/v1/cost')
    const summary = {
      ...context,
      cost,
      seconds: (Date.now() - context.startedAt) / 1000,
      folder: lakeFolder(directory, context.tableId),
    }
    process.stdout.write(flags.json ? `${JSON.stringify(toJson(summary))}\n` : summaryOf(summary, process.stdout.columns ?? 80))
    const missing = unproven(context.lake, context.comparison)
    if (missing.length > 0) throw new Failure(`${missing.join('; ')}: this is a defect, please report it with the folder`)
  } finally {
    await context.server?.stop()
  }
}

async function start(context: Context, directory: string, title: (text: string) => void): Promise<void> {
  context.server = await startDemoServer(directory)
  const { tableId, partitionBy } = await ensureTable(context.server.url, tablePath, flightsSpec)
  if (partitionBy.join() !== flightsSpec.partitionBy.join())
    throw new Failure(`${directory} holds the demo of another version: delete it, or give another --data`)
  context.tableId = tableId
  title(`A server of its own: ${context.server.url}, data in ${directory}`)
}

async function stream(context: Context, directory: string, show: (line: string) => void): Promise<void> {
  const input = { url: context.server.url, progressFile: join(directory, 'demo.json'), lanes }
  const worker = new Worker(new URL('./lanes.ts', import.meta.url), { workerData: input })
  const seen = new Set<string>()
  let rows = 0
  let sentBefore = 0
  let sent = 0
  let loadedAt = Date.now()
  let tier: TierBody | undefined
  const poll = setInterval(() => {
    call<TierBody>(context.server.url, 'GET', `${tablePath}/tier`).then(
      (state) => {
        tier = state
        if (state.snapshot !== null) seen.add(state.snapshot)
      },
      () => undefined,
    )
    if (rows > 0)
      show(
        progressLine({
          rows,
          sent,
          rowsPerSecond: rate(sent - sentBefore, loadedAt),
          lagRows: tier?.lagRows ?? sent,
          snapshots: seen.size,
        }),
      )
  }, 500)
  try {
    await listen<LanesMessage>(worker, (message) => {
      if (message.kind === 'failed') throw new Failure(`streaming failed: ${message.message}`)
      if (message.kind === 'loaded') {
        ;({ rows } = message)
        sentBefore = sent = message.sent
        loadedAt = Date.now()
      }
      if (message.kind === 'acked') {
        sent += message.rows
        if (sent === rows) context.rowsPerSecond = rate(sent - sentBefore, loadedAt)
      }
      if (message.kind === 'done') context.sums = message.sums
      return message.kind === 'done'
    })
    context.rows = rows
    context.rowsPerSecond ??= 0
    show(
      progressLine({ rows, sent: rows, rowsPerSecond: context.rowsPerSecond, lagRows: tier?.lagRows ?? 0, snapshots: seen.size }),
    )
  } finally {
    clearInterval(poll)
    await worker.terminate()
  }
}

async function tierRest(context: Context, show: (line: string) => void): Promise<void> {
  for (let round = 0; round < tierWaitMax; round++) {
    const state = await call<TierBody>(context.server.url, 'POST', `${tablePath}/tier?wait=2s`)
    show(`lag ${state.lagRows.toLocaleString('en-US')} rows`)
    if (state.lagRows === 0) return
    if (state.lastError !== null && state.state === 'failing') show(`tiering: ${state.lastError.message}`)
  }
  throw new Failure('the lake did not catch up within two minutes: look at GET …/tier')
}

async function verify(context: Context, directory: string, show: (line: string) => void): Promise<void> {
  const input = { folder: lakeFolder(directory, context.tableId) }
  const worker = new Worker(new URL('./verify.ts', import.meta.url), {
    workerData: input,
    resourceLimits: { maxOldGenerationSizeMb: 4096 },
  })
  try {
    await listen<VerifyMessage>(worker, (message) => {
      if (message.kind === 'failed') throw new Failure(`reading the lake failed: ${message.message}`)
      if (message.kind === 'read') show(readLine(message.rows, message.total))
      if (message.kind === 'done') {
        context.lake = message.lake
        context.comparison = compareSums(context.sums, message.sums)
      }
      return message.kind === 'done'
    })
  } finally {
    await worker.terminate()
  }
}

const lakeFolder = (directory: string, tableId: string): string => join(directory, 'objects', 'lake', tableId)

function toJson({
  rows,
  rowsPerSecond,
  lake,
  comparison,
  cost,
  seconds,
  folder,
}: Omit<Context, 'sums' | 'server'> & { cost: unknown; seconds: number; folder: string }) {
  const { equal, origins } = comparison
  return { rows, rowsPerSecond, lake, equal, origins, cost, seconds, folder }
}
