/**
 * A JobRunner in a thread of its own, so that folding, tiering and compaction do not hold up those who are served. The thread opens the
 * server's stores for itself, as another process would; it starts with the first job. One that dies fails the jobs that it had, and,
 * a moment later, the next job starts another. What it asks of the stores is counted as this process's, four times a second and before a job ends.
 */
import { Worker } from 'node:worker_threads'
import { SluiceError } from '../../core/kernel/errors.ts'
import type { Job } from '../../core/ports/queue.ts'
import type { FunctionWorld } from '../../functions/world.ts'
import type { ServeConfig } from '../config.ts'
import type { FromJobs, ToJobs } from './messages.ts'
import type { JobRunner } from './runner.ts'

/** A thread that has not ended by then, because something holds it up, is cut. */
const closeMsMax = 5_000
/** After one that died: one that cannot start, or a job that kills it, would take a processor. */
const restMs = 2_000

interface Waiting {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

export class JobsThread implements JobRunner {
  readonly #world: FunctionWorld
  readonly #config: ServeConfig
  readonly #running = new Map<number, Waiting>()
  #worker: Worker | undefined
  #jobs = 0
  #isHurried = false
  #isClosed = false
  /** When the last one died, ms since 1970. */
  #lostAt: number | undefined

  /** `config`: what the server's own stores were opened with. */
  constructor(world: FunctionWorld, config: ServeConfig) {
    this.#world = world
    this.#config = config
  }

  async run(job: Job): Promise<void> {
    if (this.#worker === undefined && this.#lostAt !== undefined) await this.#rest(this.#lostAt)
    if (this.#isClosed) throw new SluiceError('unavailable', 'the server has stopped', { action: 'stop' })
    const worker = this.#worker ?? this.#start()
    this.#worker = worker
    const run = ++this.#jobs
    await new Promise<void>((resolve, reject) => {
      this.#running.set(run, { resolve, reject })
      worker.postMessage({ run, job } satisfies ToJobs)
    })
  }

  hurry(): void {
    this.#isHurried = true
    this.#worker?.postMessage('hurry' satisfies ToJobs)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const worker = this.#worker
    if (worker === undefined) return
    if (this.#running.size > 0) return void (await worker.terminate())
    const gone = new Promise((resolve) => worker.once('exit', resolve))
    worker.postMessage('close' satisfies ToJobs)
    const late = setTimeout(() => void worker.terminate(), closeMsMax)
    await gone
    clearTimeout(late)
  }

  async #rest(lostAt: number): Promise<void> {
    const { clock } = this.#world
    const since = clock.now() - lostAt
    if (since >= 0 && since < restMs) await clock.sleep(restMs - since)
  }

  #start(): Worker {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: this.#config })
    worker.on('message', (message: FromJobs) => this.#hear(message))
    worker.on('error', (error) => this.#lost(worker, error.message))
    worker.on('exit', (code) => this.#lost(worker, `exit code ${code}`))
    if (this.#isHurried) worker.postMessage('hurry' satisfies ToJobs)
    return worker
  }

  #hear(message: FromJobs): void {
    const { counter, meter } = this.#world
    if ('counted' in message) {
      counter.total.addAll(message.counted.storage)
      for (const [name, amount] of Object.entries(message.counted.meter)) meter.add(name, amount)
      return
    }
    const waiting = this.#running.get(message.done)
    this.#running.delete(message.done)
    const { error } = message
    if (error === undefined) waiting?.resolve()
    else waiting?.reject(Object.assign(new Error(error.message), { stack: error.stack }))
  }

  #lost(worker: Worker, why: string): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    const lost = new SluiceError('unavailable', `the thread that does the jobs ended: ${why}`, { effect: 'unknown' })
    this.#lostAt = this.#world.clock.now()
    for (const { reject } of this.#running.values()) reject(lost)
    this.#running.clear()
  }
}
