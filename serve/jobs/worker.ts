/** The thread of a server's jobs, over stores of its own. Errors of a job are answers; anything worse ends the thread. */
import { parentPort, workerData } from 'node:worker_threads'
import { assert } from '../../core/kernel/assert.ts'
import type { Job, JobQueue } from '../../core/ports/queue.ts'
import type { ServeConfig } from '../config.ts'
import { openServed, worldOptions } from '../open.ts'
import { worldOver } from '../world.ts'
import type { Amounts, FailedJob, FromJobs, ToJobs } from './messages.ts'
import { jobsHere } from './runner.ts'

const countedEveryMs = 250
const config = workerData as ServeConfig
/** Jobs send none. */
const queue: JobQueue = { send: async () => assert(false, 'a job was sent by a job') }
const stores = await openServed(config, { probe: false })
const world = worldOver(stores, queue, worldOptions(config))
const jobs = jobsHere(world)

parentPort?.on('message', (message: ToJobs) => {
  if (message === 'hurry') return jobs.hurry()
  if (message === 'close') return void close()
  void run(message.run, message.job)
})

async function run(number: number, job: Job): Promise<void> {
  const counting = setInterval(count, countedEveryMs)
  const error = await jobs.run(job).then(() => undefined, plain)
  clearInterval(counting)
  count()
  say({ done: number, ...(error && { error }) })
}

async function close(): Promise<void> {
  await world.log.drain()
  await stores.close()
  count()
  parentPort?.close()
}

function count(): void {
  const counted: Amounts = { storage: world.counter.total.take(), meter: world.meter.take() }
  if (Object.keys(counted.storage).length > 0 || Object.keys(counted.meter).length > 0) say({ counted })
}

function say(message: FromJobs): void {
  parentPort?.postMessage(message)
}

/** Causes may hold what does not pass to another thread. */
function plain(error: unknown): FailedJob {
  return error instanceof Error ? { message: error.message, stack: error.stack } : { message: String(error), stack: undefined }
}
