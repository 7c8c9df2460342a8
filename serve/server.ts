/**
 * One machine's server: the functions' handlers behind HTTP, their jobs behind a local queue, the sweep on a clock.
 * Stopping: no new connection, every request answered, every append settled, then the jobs end and the stores close.
 * A crash instead loses nothing acked: jobs come back from their marks.
 */

import { sweep } from '../core/jobs/sweep.ts'
import type { Handlers } from '../functions/call.ts'
import { allHandlers } from '../functions/handlers.ts'
import { requestIds } from '../functions/request-ids.ts'
import type { FunctionWorld } from '../functions/world.ts'
import { LocalQueue } from '../stores/queue/local.ts'
import { BodyPool, ByteBudget } from './body.ts'
import { defaultHttpLimits, type HttpLimits, listen } from './http.ts'
import { type JobRunner, jobsHere } from './jobs/runner.ts'
import { type ServedStores, type WorldOptions, worldOver } from './world.ts'

export interface ServeOptions extends WorldOptions {
  readonly port: number
  readonly http?: HttpLimits
  readonly sweepIntervalMs?: number
  /** Of bodies in flight, both ways. */
  readonly bytesInFlightMax?: number
  readonly handlers?: Handlers
  /** Default: this thread does them. */
  readonly jobs?: (world: FunctionWorld) => JobRunner
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
const jobsAtOnce = 2

export async function serveOver(stores: ServedStores, options: ServeOptions): Promise<Running> {
  const logError = options.logError ?? logToStderr
  const queue = new LocalQueue({
    clock: options.clock,
    jobsAtOnce,
    handle: (job) => jobs.run(job),
    onError: (job, error) => logError(`job ${job.kind} ${job.table.database}.${job.table.table}`, error),
  })
  const world = worldOver(stores, queue, options)
  const jobs = (options.jobs ?? jobsHere)(world)
  const http = await listen(
    {
      world,
      handlers: options.handlers ?? allHandlers,
      budget: new ByteBudget(options.bytesInFlightMax ?? bytesInFlightMaxDefault),
      pool: new BodyPool(pooledBytesMax),
      logError,
      newRequestId: requestIds(options.random),
    },
    options.port,
    options.http ?? defaultHttpLimits,
  )
  const stopSweeping = startSweeping(world, options.sweepIntervalMs ?? sweepIntervalMsDefault, logError)
  const stop = async (deadlineMs: number) => {
    jobs.hurry()
    const deadline = Date.now() + deadlineMs
    const left = () => Math.max(0, deadline - Date.now())
    await http.drain(left())
    const clean = await within(
      left(),
      Promise.all([world.log.drain(), stopSweeping()]).then(() => queue.drain()),
    )
    await jobs.close()
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
