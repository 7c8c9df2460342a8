/**
 * One machine's server: the functions' handlers behind HTTP, their jobs behind a local queue, the sweep on a clock.
 * Stopping: no new connection, every request answered, every append settled, then the jobs end and the stores close.
 * A crash instead loses nothing acked: jobs come back from their marks.
 */

import { sweep } from '../core/jobs/sweep.ts'
import type { Clock } from '../core/kernel/clock.ts'
import type { Random } from '../core/kernel/random.ts'
import { Kv, type KvConfig } from '../core/kv/kv.ts'
import { Log, type LogConfig } from '../core/log/log.ts'
import type { ItemStore } from '../core/ports/items.ts'
import type { LakeCatalogs } from '../core/ports/lake-catalog.ts'
import type { ObjectStore } from '../core/ports/objects.ts'
import type { ParquetReader, ParquetWriter } from '../core/ports/parquet.ts'
import type { Handlers } from '../functions/call.ts'
import { allHandlers } from '../functions/handlers.ts'
import { type JobTime, runJob } from '../functions/jobs.ts'
import { Meter } from '../functions/meter.ts'
import { requestIds } from '../functions/request-ids.ts'
import { TableCache } from '../functions/tables.ts'
import { type FunctionWorld, processWaits } from '../functions/world.ts'
import { type Counter, Counts } from '../stores/decorators/count.ts'
import { LocalQueue } from '../stores/queue/local.ts'
import { BodyPool, ByteBudget } from './body.ts'
import { defaultHttpLimits, type HttpLimits, listen } from './http.ts'

export interface ServedStores {
  readonly objects: ObjectStore
  readonly items: ItemStore
  readonly counter: Counter
  readonly parquet: ParquetWriter & ParquetReader
  /** Default none. */
  readonly catalogs?: LakeCatalogs
  close(): Promise<void>
}

export interface ServeOptions {
  readonly port: number
  readonly clock: Clock
  readonly random: Random
  readonly log?: LogConfig
  readonly kv?: KvConfig
  readonly http?: HttpLimits
  readonly sweepIntervalMs?: number
  /** Of bodies in flight, both ways. */
  readonly bytesInFlightMax?: number
  readonly handlers?: Handlers
  /** Default none: what a directory has needs none. */
  readonly engineOptions?: FunctionWorld['engineOptions']
  readonly logError?: (requestId: string, error: unknown) => void
}

export interface Running {
  readonly port: number
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  readonly world: FunctionWorld
  /** Drains and closes, once; false if something had to be cut at the deadline. */
  stop(deadlineMs?: number): Promise<boolean>
}

const sweepIntervalMsDefault = 5_000
const bytesInFlightMaxDefault = 512 * 1024 * 1024
/** Of request bodies that wait to be used again. */
const pooledBytesMax = 32 * 1024 * 1024
const stopMsDefault = 25_000
/** A job may run this long before it leaves the rest to the next. */
const jobMs = 60_000
const jobsAtOnce = 2

/** Once the server stops, the time of a running job is up: it commits what it has. */
function jobTime(clock: Clock, stopping: () => boolean): JobTime {
  const end = clock.now() + jobMs
  return {
    get deadlineMs() {
      return stopping() ? 0 : end
    },
  }
}

export async function serveOver(stores: ServedStores, options: ServeOptions): Promise<Running> {
  const { clock, random } = options
  const logError = options.logError ?? logToStderr
  let stopping = false
  const queue = new LocalQueue({
    clock,
    jobsAtOnce,
    // jobs are nobody's request: what they ask of the stores is not counted to whoever sent them
    handle: (job) =>
      stores.counter.scoped(new Counts(), () =>
        runJob(
          world,
          job,
          jobTime(clock, () => stopping),
        ),
      ),
    onError: (job, error) => logError(`job ${job.kind} ${job.table.database}.${job.table.table}`, error),
  })
  const { objects, items, catalogs = new Map() } = stores
  const core = { objects, items, queue, clock, random, catalogs, lakeReader: stores.parquet }
  const log = options.log === undefined ? new Log(core) : new Log(core, options.log)
  const world: FunctionWorld = {
    ...core,
    log,
    kv: options.kv === undefined ? new Kv(core, log) : new Kv(core, log, options.kv),
    parquet: stores.parquet,
    tables: new TableCache(core),
    meter: new Meter(),
    counter: stores.counter,
    waits: processWaits,
    engineOptions: options.engineOptions ?? {},
    rotate: rotation(),
  }
  const http = await listen(
    {
      world,
      handlers: options.handlers ?? allHandlers,
      budget: new ByteBudget(options.bytesInFlightMax ?? bytesInFlightMaxDefault),
      pool: new BodyPool(pooledBytesMax),
      logError,
      newRequestId: requestIds(random),
    },
    options.port,
    options.http ?? defaultHttpLimits,
  )
  const stopSweeping = startSweeping(world, options.sweepIntervalMs ?? sweepIntervalMsDefault, logError)
  const stop = async (deadlineMs: number) => {
    stopping = true
    const deadline = Date.now() + deadlineMs
    const left = () => Math.max(0, deadline - Date.now())
    await http.drain(left())
    const clean = await within(
      left(),
      Promise.all([world.log.drain(), stopSweeping()]).then(() => queue.drain()),
    )
    await stores.close()
    return clean
  }
  let stopped: Promise<boolean> | undefined
  return {
    port: http.port,
    url: `http://127.0.0.1:${http.port}`,
    world,
    stop: (deadlineMs = stopMsDefault) => {
      stopped ??= stop(deadlineMs)
      return stopped
    },
  }
}

function rotation(): () => number {
  let count = 0
  return () => {
    count = (count + 1) % 1_000_000_007
    return count
  }
}

/** One sweep after the other, never two at once. */
function startSweeping(
  world: FunctionWorld,
  intervalMs: number,
  logError: (what: string, error: unknown) => void,
): () => Promise<void> {
  const stopping = new AbortController()
  const loop = async () => {
    while (!stopping.signal.aborted) {
      await sweep(world, intervalMs).catch((error) => logError('sweep', error))
      await world.clock.sleep(intervalMs, stopping.signal)
    }
  }
  const looping = loop()
  return async () => {
    stopping.abort()
    await looping
  }
}

async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  const done = await Promise.race([work.then(() => true), late])
  clearTimeout(timer)
  return done
}

function logToStderr(what: string, error: unknown): void {
  process.stderr.write(
    `${new Date().toISOString()} ${what}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  )
}
