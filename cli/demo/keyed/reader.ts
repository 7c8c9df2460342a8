/**
 * The readers, in a worker thread of their own. While the rows change, routes are looked up, hundreds at once, and none may go back.
 * When all is written, each is found three more times: by the changelog from its first change on, by the current rows, and by its key.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { tableFromIPC, type Vector } from 'apache-arrow'
import { SluiceClient } from '../../../client/client.ts'
import type { Row } from '../../../client/values.ts'
import { busiest, makeChange, type Route, type Routes, routeKey, routeName, routeNumber, type TextColumn } from './routes.ts'

export interface ReaderInput {
  readonly url: string
  readonly db: string
  readonly table: string
  /** To look up. */
  readonly routes: readonly number[]
}

export interface Seen {
  readonly lookups: number
  readonly perSecond: number
  /** The busiest of those that were looked up, as they were last seen. */
  readonly top: readonly (readonly [number, Route])[]
}

export interface Found {
  readonly changes: number
  readonly folded: Routes
  readonly rows: Routes
  readonly lookedUp: Routes
  readonly count: number
  /** Changes that did not fit what was there, and lookups that went back. */
  readonly defects: readonly string[]
}

export type ReaderMessage =
  | ({ readonly kind: 'seen' } & Seen)
  | { readonly kind: 'folded'; readonly changes: number }
  | ({ readonly kind: 'done' } & Found)
  | { readonly kind: 'failed'; readonly message: string }

const { url, db, table, routes: known } = workerData as ReaderInput
const client = new SluiceClient({ url })
const defects: string[] = []
const defectsMax = 20
let isWritten = false
// anything that is said means: all is written
parentPort?.once('message', () => {
  isWritten = true
})

const lookupsAtOnce = 512
const topCount = 5
const saidMs = 250
/** Lookups are for show: writers need the time more. */
const pauseMs = 10

async function watch(): Promise<void> {
  const last: Routes = new Map()
  const startedAt = Date.now()
  let saidAt = startedAt
  let lookups = 0
  while (!isWritten) {
    const asked = Array.from({ length: lookupsAtOnce }, () => known[Math.floor(Math.random() * known.length)] as number)
    asked.push(...busiest(last, topCount).map(([route]) => route))
    for (const [i, row] of (await lookUp(asked)).entries()) {
      const [route, before] = [asked[i] as number, last.get(asked[i] as number)]
      if ((row?.flights ?? 0) < (before?.flights ?? 0))
        note(`${routeName(route)} went back from ${before?.flights} flights to ${row?.flights ?? 0}`)
      if (row !== undefined) last.set(route, row)
    }
    lookups += asked.length
    if (Date.now() - saidAt > saidMs) {
      saidAt = Date.now()
      post({ kind: 'seen', lookups, perSecond: (lookups / (saidAt - startedAt)) * 1000, top: busiest(last, topCount) })
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
  post({ kind: 'seen', lookups, perSecond: (lookups / (Date.now() - startedAt)) * 1000, top: busiest(last, topCount) })
}

async function lookUp(routes: readonly number[]): Promise<readonly (Route | undefined)[]> {
  const rows = await Promise.all(routes.map((route) => client.lookup(db, table, { ...routeKey(route) })))
  return rows.map((row) => row && routeOf(row))
}

const routeOf = ({ flights, delay, worst, last_at, last_delay }: Row): Route => ({
  flights: numberOf(flights),
  delay: numberOf(delay),
  worst: numberOf(worst),
  // the flights are of whole minutes
  lastAt: Date.parse(`${last_at}Z`) * 1000,
  lastDelay: numberOf(last_delay),
})

const numberOf = (value: unknown): number => (value === null ? Number.NaN : Number(value))

async function fold(): Promise<{ readonly routes: Routes; readonly changes: number }> {
  const routes: Routes = new Map()
  let changes = 0
  for await (const { bytes, rows } of client.fetch(db, table, { follow: false, format: 'arrow' })) {
    for (const { kind, route, row } of rowsIn(bytes)) {
      const wrong = makeChange(routes, { kind, route, row })
      if (wrong !== undefined) note(wrong)
    }
    changes += rows
    post({ kind: 'folded', changes })
  }
  return { routes, changes }
}

async function scan(): Promise<Routes> {
  const routes: Routes = new Map()
  for await (const { bytes } of client.rows(db, table, { format: 'arrow' }))
    for (const { route, row } of rowsIn(bytes)) {
      if (routes.has(route)) note(`${routeName(route)} is there twice`)
      routes.set(route, row)
    }
  return routes
}

/** With the code of the change, where it is one. */
function* rowsIn(stream: Uint8Array): Generator<{ readonly kind: number; readonly route: number; readonly row: Route }> {
  for (const batch of tableFromIPC(stream).batches) {
    const numbers = (name: string) => numbersOf(batch.getChild(name))
    const [flights, delay, worst] = [numbers('flights'), numbers('delay'), numbers('worst')]
    const [lastAt, lastDelay] = [numbers('last_at'), numbers('last_delay')]
    const [origins, destinations] = [textOf(batch.getChild('origin')), textOf(batch.getChild('destination'))]
    const kinds = batch.getChild('__op')?.toArray() as Int8Array | undefined
    for (let i = 0; i < batch.numRows; i++) {
      const row = { flights: flights(i), delay: delay(i), worst: worst(i), lastAt: lastAt(i), lastDelay: lastDelay(i) }
      yield { kind: kinds?.[i] ?? 0, route: routeNumber(origins, destinations, i), row }
    }
  }
}

/** NaN where there is none: it equals nothing. */
function numbersOf(column: Vector | null): (row: number) => number {
  const values = column?.toArray() as BigInt64Array
  const hasNulls = (column?.nullCount ?? 0) > 0
  return (row) => (hasNulls && column?.get(row) === null ? Number.NaN : Number(values[row]))
}

function textOf(column: Vector | null): TextColumn {
  const { valueOffsets, values } = column?.data[0] ?? {}
  return { offsets: valueOffsets as Int32Array, bytes: values as Uint8Array }
}

function note(defect: string): void {
  if (defects.length < defectsMax) defects.push(defect)
}

async function run(): Promise<void> {
  await watch()
  const { routes: folded, changes } = await fold()
  const rows = await scan()
  const looked = await lookUp(known)
  const lookedUp = new Map(known.flatMap((route, i) => (looked[i] === undefined ? [] : [[route, looked[i]] as const])))
  const count = Number(await client.rowCount(db, table))
  post({ kind: 'done', changes, folded, rows, lookedUp, count, defects })
}

const post = (message: ReaderMessage): void => parentPort?.postMessage(message)

run().catch((error: unknown) =>
  post({ kind: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
)
