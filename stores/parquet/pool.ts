/**
 * A ParquetWriter and ParquetReader over worker threads. Workers start with the first file and do not keep the process alive when idle. What is
 * written is handed over to the worker: its caller must not touch it again. A worker that dies fails the one file that
 * it had, and the next file starts another.
 */
import { Worker } from 'node:worker_threads'
import { SluiceError } from '../../core/kernel/errors.ts'
import type { JoinedFile, JoinOptions, ParquetOptions, ParquetReader, ParquetWriter } from '../../core/ports/parquet.ts'
import { parquetError } from './inline.ts'
import type { ParquetReply, ParquetRequest } from './messages.ts'

export interface ParquetPoolOptions {
  /** 1 to 8; default 1. Each costs about four times a file's Arrow bytes. */
  readonly workers?: number
  /** Where the worker's module is, if not beside this one (bundles). */
  readonly workerUrl?: URL
}

interface Waiting {
  readonly source: Uint8Array | readonly Uint8Array[]
  readonly options: JoinOptions | undefined
  readonly resolve: (made: JoinedFile) => void
  readonly reject: (error: Error) => void
}

export class ParquetPool implements ParquetWriter, ParquetReader {
  readonly #workersMax: number
  readonly #workerUrl: URL
  readonly #idle: Worker[] = []
  readonly #busy = new Map<Worker, Waiting>()
  readonly #waiting: Waiting[] = []
  #isClosed = false

  constructor({ workers = 1, workerUrl = new URL('./worker.ts', import.meta.url) }: ParquetPoolOptions = {}) {
    if (!Number.isInteger(workers) || workers < 1 || workers > 8) {
      throw new SluiceError('bad-request', `a parquet pool has 1 to 8 workers, not ${workers}`)
    }
    this.#workersMax = workers
    this.#workerUrl = workerUrl
  }

  async write(stream: Uint8Array, options: ParquetOptions): Promise<Uint8Array> {
    return (await this.#made(stream, options)).file
  }

  join(files: readonly Uint8Array[], options: JoinOptions): Promise<JoinedFile> {
    return this.#made(files, options)
  }

  async read(file: Uint8Array): Promise<Uint8Array> {
    return (await this.#made(file, undefined)).file
  }

  /** Files that were not finished fail; nothing is written after. */
  async close(): Promise<void> {
    this.#isClosed = true
    const workers = [...this.#idle.splice(0), ...this.#busy.keys()]
    for (const { reject } of [...this.#waiting.splice(0), ...this.#busy.values()]) reject(closed())
    this.#busy.clear()
    await Promise.all(workers.map((worker) => worker.terminate()))
  }

  #made(source: Waiting['source'], options: JoinOptions | undefined): Promise<JoinedFile> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(closed())
      this.#waiting.push({ source, options, resolve, reject })
      this.#next()
    })
  }

  #next(): void {
    if (this.#waiting.length === 0) return
    const worker = this.#idle.pop() ?? (this.#busy.size < this.#workersMax ? this.#start() : undefined)
    const waiting = worker && this.#waiting.shift()
    if (worker === undefined || waiting === undefined) return
    this.#busy.set(worker, waiting)
    worker.ref()
    const { options } = waiting
    const source = waiting.source instanceof Uint8Array ? alone(waiting.source) : waiting.source.map(alone)
    const buffers = (source instanceof Uint8Array ? [source] : source).map(({ buffer }) => buffer)
    worker.postMessage({ source, ...(options && { options }) } satisfies ParquetRequest, buffers)
  }

  #start(): Worker {
    const worker = new Worker(this.#workerUrl)
    worker.on('message', (reply: ParquetReply) => {
      const waiting = this.#busy.get(worker)
      this.#busy.delete(worker)
      this.#idle.push(worker)
      worker.unref()
      if ('file' in reply) waiting?.resolve(reply)
      else waiting?.reject(parquetError(new Error(reply.error)))
      this.#next()
    })
    worker.on('error', (error) => this.#lost(worker, error.message))
    worker.on('exit', (code) => this.#lost(worker, `exit code ${code}`))
    return worker
  }

  /** Out of memory, a trap of the module, or a missing file: the rows are still in the log, so trying again is right. */
  #lost(worker: Worker, why: string): void {
    const at = this.#idle.indexOf(worker)
    if (at >= 0) this.#idle.splice(at, 1)
    const waiting = this.#busy.get(worker)
    this.#busy.delete(worker)
    waiting?.reject(new SluiceError('unavailable', `a parquet worker ended while it wrote a file: ${why}`, { action: 'retry' }))
    if (!this.#isClosed) this.#next()
  }
}

/** The bytes with a buffer of their own, so that it can be transferred. */
function alone(stream: Uint8Array): Uint8Array<ArrayBuffer> {
  const owned = stream as Uint8Array<ArrayBuffer>
  return stream.byteLength === stream.buffer.byteLength && stream.buffer instanceof ArrayBuffer ? owned : owned.slice()
}

const closed = (): SluiceError => new SluiceError('unavailable', 'the parquet writer is closed')
