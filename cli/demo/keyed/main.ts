/**
 * `sluice demo --keyed`: flights as upserts into a row for each route, which are looked up while they change; at the end the changelog
 * folded, the current rows and lookups must equal what the source file says. All state lies in one folder: killed at any point and
 * started again, it goes on where it was, and no flight counts twice.
 */
import { join, resolve } from 'node:path'
import { Worker } from 'node:worker_threads'
import { Listr } from 'listr2'
import type { Running } from '../../../serve/server.ts'
import { Failure } from '../../failure.ts'
import { readProgress } from '../progress.ts'
import { endWithLauncher, listen, rate, startDemoServer, writer } from '../run.ts'
import { call, ensureTable } from '../server-calls.ts'
import type { Cost } from '../show.ts'
import type { LanesInput, LanesMessage } from './lanes.ts'
import type { Found, ReaderInput, ReaderMessage, Seen } from './reader.ts'
import { busiest, differences, type Routes } from './routes.ts'
import { foldLine, keyedSummaryOf, upsertLines } from './show.ts'

import { routesSpec } from './source.ts'

export interface KeyedFlags {
  readonly data?: string
  readonly rows?: string
  readonly json?: boolean
}

interface Context {
  server: Running
  reader: Worker
  readerDone: Promise<void>
  rows: number
  rowsPerSecond: number
  /** What the file says. */
  routes: Routes
  seen: Seen
  found: Found
  /** Told as they come. */
  showFolded: (changes: number) => void
}

const db = 'demo'
const table = 'routes'
const path = `/v1/databases/${db}/tables/${table}`
const rowsDefault = 1_000_000
const rowsMost = 3_000_000
const topShown = 5
const widthOfTop = 80

export async function keyedDemo(flags: KeyedFlags): Promise<void> {
  const rows = rowsOf(flags.rows)
  const directory = resolve(flags.data ?? '.sluice-demo')
  const progressFile = join(directory, 'routes.json')
  const { total = rows } = readProgress(progressFile) ?? {}
  if (total !== rows)
    throw new Failure(`${directory} holds a demo of ${total} rows: delete it, or give another --data`, 1, {
      fix: `sluice demo --keyed --rows ${total}`,
    })
  endWithLauncher()
  const startedAt = Date.now()
  const terminal = process.stdout.isTTY === true
  const list = new Listr<Context, 'default' | 'simple' | 'silent', 'simple'>(
    [
      {
        title: `Start a server of its own on ${directory}`,
        task: async (context, task) => {
          context.server = await startDemoServer(directory)
          await ensureTable(context.server.url, path, routesSpec)
          task.title = `A server of its own: ${context.server.url}, data in ${directory}`
        },
      },
      {
        title: `Upsert ${rows.toLocaleString('en-US')} flights into a row for each route, and look routes up meanwhile`,
        task: (context, task) =>
          upsert(
            context,
            { path, progressFile, rows },
            { show: writer(task, terminal), isWide: terminal && process.stdout.columns >= widthOfTop },
          ),
      },
      {
        title: 'Fold the changelog, read the rows, look every route up',
        task: async (context, task) => {
          const show = writer(task, terminal)
          context.showFolded = (changes) => show(foldLine(changes, 2 * context.rows - context.routes.size))
          context.reader.postMessage('written')
          await context.readerDone
        },
      },
    ],
    { renderer: flags.json ? 'silent' : terminal ? 'default' : 'simple', concurrent: false },
  )
  const context = { showFolded: () => undefined } as unknown as Context
  try {
    await list.run(context)
    const summary = await summaryOf(context, (Date.now() - startedAt) / 1000)
    const { top, ...facts } = summary
    const isEqual = summary.differences.length === 0
    process.stdout.write(flags.json ? `${JSON.stringify({ ...facts, equal: isEqual })}\n` : keyedSummaryOf(summary))
    if (!isEqual) throw new Failure('the table differs from the source file: this is a defect, please report it with the folder')
  } finally {
    await context.reader?.terminate()
    await context.server?.stop()
  }
}

function rowsOf(text = String(rowsDefault)): number {
  const rows = Number(text)
  if (/^[0-9]{1,7}$/.test(text) && rows >= 1 && rows <= rowsMost) return rows
  throw new Failure(`--rows must be a whole number from 1 to ${rowsMost}, not ${JSON.stringify(text)}`, 2)
}

interface Showing {
  readonly show: (lines: string) => void
  /** There is room for the busiest routes. */
  readonly isWide: boolean
}

async function upsert(context: Context, input: Omit<LanesInput, 'url'>, { show, isWide }: Showing): Promise<void> {
  const { url } = context.server
  const worker = new Worker(new URL('./lanes.ts', import.meta.url), { workerData: { url, ...input } satisfies LanesInput })
  let [sent, sentBefore, loadedAt] = [0, 0, Date.now()]
  const showAll = (): void => {
    const rowsPerSecond = rate(sent - sentBefore, loadedAt)
    if (context.rows > 0) show(upsertLines({ rows: context.rows, sent, rowsPerSecond, seen: context.seen }, isWide))
  }
  const timer = setInterval(showAll, 250)
  try {
    await listen<LanesMessage>(worker, (message) => {
      if (message.kind === 'failed') throw new Failure(`upserting failed: ${message.message}`)
      if (message.kind === 'loaded') {
        sent = sentBefore = message.sent
        loadedAt = Date.now()
        context.rows = message.rows
        context.routes = message.routes
        startReader(context)
      }
      if (message.kind === 'acked') sent += message.rows
      return message.kind === 'done'
    })
    context.rowsPerSecond = sent === sentBefore ? 0 : rate(sent - sentBefore, loadedAt)
    showAll()
  } finally {
    clearInterval(timer)
    await worker.terminate()
  }
}

function startReader(context: Context): void {
  const input: ReaderInput = { url: context.server.url, db, table, routes: [...context.routes.keys()] }
  context.reader = new Worker(new URL('./reader.ts', import.meta.url), { workerData: input })
  context.readerDone = listen<ReaderMessage>(context.reader, (message) => {
    if (message.kind === 'failed') throw new Failure(`reading failed: ${message.message}`)
    if (message.kind === 'seen') context.seen = message
    if (message.kind === 'folded') context.showFolded(message.changes)
    if (message.kind === 'done') context.found = message
    return message.kind === 'done'
  })
  // heard of where it is waited for
  context.readerDone.catch(() => undefined)
}

async function summaryOf({ server, rows, rowsPerSecond, routes, seen, found }: Context, seconds: number) {
  const of = 'the file'
  const metrics = await fetch(`${server.url}/metrics`).then((response) => response.text())
  return {
    rows,
    rowsPerSecond,
    routes: found.rows.size,
    lookups: seen.lookups,
    lookupsPerSecond: Math.round(seen.perSecond),
    changes: found.changes,
    conflicts: Number(/^sluice_upsert_conflicts_total ([0-9]+)/m.exec(metrics)?.[1] ?? 0),
    differences: [
      ...found.defects,
      ...differences(routes, found.folded, { of, from: 'the changelog folded' }),
      ...differences(routes, found.rows, { of, from: 'the rows' }),
      ...differences(routes, found.lookedUp, { of, from: 'lookups' }),
      ...(found.count === routes.size ? [] : [`${routes.size} routes in ${of}, ${found.count} counted`]),
    ],
    top: busiest(found.rows, topShown),
    cost: await call<Cost>(server.url, 'GET', '/v1/cost'),
    seconds,
  }
}
