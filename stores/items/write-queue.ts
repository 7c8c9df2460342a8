/**
 * Writes on their way to the thread that commits them. One batch is under way at a time; what arrives meanwhile is the next,
 * so a sync serves all who waited for it. A thread that dies fails what it had with effect `unknown`, and the next batch starts
 * another. The event loop never waits for a sync or a lock.
 */
import { Worker } from 'node:worker_threads'
import { SluiceError } from '../../core/kernel/errors.ts'
import type { Deferred } from './deferred.ts'
import { type BatchResult, type PlainError, plainError, type Write, type WriteBatch, type WriteOutcome } from './sqlite-writes.ts'

const writesAtOnceMax = 1_000

export type Written = Exclude<WriteOutcome, { readonly error: PlainError }>

interface Waiting {
  readonly write: Write
  readonly resolve: (written: Written) => void
  readonly reject: (error: SluiceError) => void
}

export class WriteQueue {
  readonly #deferred: Deferred
  readonly #commit: (batch: WriteBatch) => Promise<BatchResult>
  readonly #waiting: Waiting[] = []
  #flushing: (() => void)[] = []
  #running = false

  /** `commit` never rejects. */
  constructor(deferred: Deferred, commit: (batch: WriteBatch) => Promise<BatchResult>) {
    this.#deferred = deferred
    this.#commit = commit
  }

  write(write: Write): Promise<Written> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ write, resolve, reject })
      this.#schedule()
    })
  }

  /** Resolves when what was held and written before is durable, or failed. */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      this.#flushing.push(resolve)
      this.#schedule()
    })
  }

  /** At the end of the turn, so that writes of one turn are one batch. */
  #schedule(): void {
    if (this.#running) return
    this.#running = true
    setImmediate(() => void this.#run())
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 || this.#flushing.length > 0) {
      const batch = this.#waiting.splice(0, writesAtOnceMax)
      const flushed = this.#waiting.length === 0 ? this.#flushing.splice(0) : []
      const held = this.#deferred.write()
      if (held.length > 0 || batch.length > 0) {
        this.#settle(batch, await this.#commit({ held, writes: batch.map(({ write }) => write) })) // COMMIT POINT
      }
      for (const resolve of flushed) resolve()
    }
    this.#running = false
  }

  #settle(batch: readonly Waiting[], result: BatchResult): void {
    if ('error' in result) {
      if (result.overtaken !== undefined) this.#deferred.drop(result.overtaken)
      for (const { reject } of batch) reject(sluiceError(result.error))
      return
    }
    this.#deferred.written()
    for (const [i, { resolve, reject }] of batch.entries()) {
      const outcome = result.outcomes[i]
      if (outcome !== undefined && 'done' in outcome) resolve(outcome)
      else reject(outcome === undefined ? lost('it gave no outcome') : sluiceError(outcome.error))
    }
  }
}

/** One thread, started by the first batch; it keeps the process alive only while it has one. */
export class WriterThread {
  readonly #path: string
  readonly #workerUrl: URL
  #worker: Worker | undefined
  #settle: ((result: BatchResult) => void) | undefined

  constructor(path: string, workerUrl: URL = new URL('./sqlite.worker.ts', import.meta.url)) {
    this.#path = path
    this.#workerUrl = workerUrl
  }

  commit(batch: WriteBatch): Promise<BatchResult> {
    const worker = this.#worker ?? this.#start()
    this.#worker = worker
    return new Promise((resolve) => {
      this.#settle = (result) => {
        this.#settle = undefined
        worker.unref()
        resolve(result)
      }
      worker.ref()
      worker.postMessage(batch)
    })
  }

  /** After the last batch. */
  async close(): Promise<void> {
    const worker = this.#worker
    if (worker === undefined) return
    const gone = new Promise((resolve) => worker.once('exit', resolve))
    worker.ref()
    worker.postMessage(undefined)
    await gone
  }

  #start(): Worker {
    const worker = new Worker(this.#workerUrl, { workerData: this.#path })
    worker.on('message', (result: BatchResult) => this.#settle?.(result))
    worker.on('error', (error) => this.#lost(worker, error.message))
    worker.on('exit', (code) => this.#lost(worker, `exit code ${code}`))
    worker.unref()
    return worker
  }

  #lost(worker: Worker, why: string): void {
    if (this.#worker === worker) this.#worker = undefined
    this.#settle?.({ error: plainError(lost(why)) })
  }
}

function lost(why: string): SluiceError {
  return new SluiceError('unavailable', `the thread that writes the item database ended: ${why}`, { effect: 'unknown' })
}

function sluiceError({ code, message, effect, action, facts }: PlainError): SluiceError {
  return new SluiceError(code, message, { effect, action, facts })
}
