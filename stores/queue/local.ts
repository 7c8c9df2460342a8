/**
 * JobQueue of one process: delayed, at least once while the process lives, a bounded number of jobs at a time. A job that
 * fails is tried again with doubled pauses, then given up to its mark, which the sweep reads. A crash loses what waits
 * here: marks bring it back. Of one kind and table, or partition, one job runs and one waits, with the marks of all: the sweep sends
 * a job again for as long as its marks are there, and a slow or failing table must not fill the queue. One that was sent for the very
 * marks that a job has just answered is not done again.
 */
import type { Clock } from '../../core/kernel/clock.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import type { Job, JobQueue } from '../../core/ports/queue.ts'

export interface LocalQueueConfig {
  readonly handle: (job: Job) => Promise<unknown>
  readonly clock: Clock
  /** Default 2. */
  readonly jobsAtOnce?: number
  /** A failed attempt; `last`: no other follows. */
  readonly onError?: (job: Job, error: unknown, last: boolean) => void
}

const jobsAtOnceDefault = 2
const waitingMax = 10_000
const attemptsMax = 5
const retryPauseMsFirst = 200

interface Waiting {
  readonly job: Job
  readonly attempt: number
  /** By somebody, whatever marks there are. */
  readonly isAsked: boolean
}

export class LocalQueue implements JobQueue {
  readonly #config: LocalQueueConfig
  readonly #due = new Map<string, Waiting>()
  readonly #stopped = new AbortController()
  /** Resolved when nothing waits, sleeps or runs. */
  #idle: (() => void)[] = []
  #sleeping = 0
  readonly #running = new Set<string>()

  constructor(config: LocalQueueConfig) {
    this.#config = config
  }

  async send(job: Job, delayMs = 0): Promise<void> {
    if (this.#stopped.signal.aborted)
      throw new SluiceError('unavailable', 'the job queue is closed', { effect: 'none', action: 'stop' })
    if (this.#due.size + this.#sleeping >= waitingMax)
      throw new SluiceError('unavailable', `more than ${waitingMax} jobs wait`, { effect: 'none' })
    this.#enqueue({ job, attempt: 1, isAsked: job.marks.length === 0 }, delayMs)
  }

  /** Resolves when every job, delayed ones too, is done or given up. */
  idle(): Promise<void> {
    return this.#isIdle() ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve))
  }

  /** Takes no more jobs, forgets those that wait (their marks remain) and resolves when the running ones have ended. */
  async drain(): Promise<void> {
    this.#stopped.abort()
    this.#due.clear()
    await this.idle()
  }

  #enqueue(waiting: Waiting, delayMs: number): void {
    if (delayMs <= 0) {
      this.#wait(waiting)
      this.#start()
      return
    }
    this.#sleeping++
    void this.#sleep(delayMs).then(() => {
      this.#sleeping--
      if (!this.#stopped.signal.aborted) this.#wait(waiting)
      this.#start()
    })
  }

  /** Never less: a timer may fire a millisecond early, and a job that comes before its mark is due finds nothing to do. */
  async #sleep(delayMs: number): Promise<void> {
    const { clock } = this.#config
    const until = clock.now() + delayMs
    for (let left = delayMs; left > 0 && !this.#stopped.signal.aborted; left = until - clock.now()) {
      await clock.sleep(left, this.#stopped.signal)
    }
  }

  #wait(waiting: Waiting): void {
    const id = idOf(waiting.job)
    const there = this.#due.get(id)
    this.#due.set(id, there === undefined ? waiting : joined(there, waiting))
  }

  #start(): void {
    for (const [id, next] of this.#due) {
      if (this.#running.size >= (this.#config.jobsAtOnce ?? jobsAtOnceDefault)) break
      if (this.#running.has(id)) continue
      this.#due.delete(id)
      this.#running.add(id)
      void this.#run(next)
    }
    if (!this.#isIdle()) return
    const waiting = this.#idle
    this.#idle = []
    for (const resolve of waiting) resolve()
  }

  async #run(waiting: Waiting): Promise<void> {
    const { job, attempt } = waiting
    try {
      await this.#config.handle(job)
      this.#answered(job)
    } catch (error) {
      const last = attempt >= attemptsMax || this.#stopped.signal.aborted
      this.#config.onError?.(job, error, last)
      if (!last) this.#enqueue({ ...waiting, attempt: attempt + 1 }, retryPauseMsFirst * 2 ** (attempt - 1))
    } finally {
      this.#running.delete(idOf(job))
      this.#start()
    }
  }

  #answered(job: Job): void {
    const again = this.#due.get(idOf(job))
    if (again !== undefined && !again.isAsked && again.job.marks.every((mark) => job.marks.includes(mark)))
      this.#due.delete(idOf(job))
  }

  #isIdle(): boolean {
    return this.#running.size === 0 && this.#sleeping === 0 && this.#due.size === 0
  }
}

const idOf = ({ kind, table, partition }: Job): string =>
  `${kind}#${table.tableId}#${table.database}.${table.table}#${partition?.id ?? ''}`

/** The one that waits, for both. */
const joined = (there: Waiting, more: Waiting): Waiting => ({
  job: { ...there.job, marks: [...new Set([...there.job.marks, ...more.job.marks])] },
  attempt: Math.min(there.attempt, more.attempt),
  isAsked: there.isAsked || more.isAsked,
})
