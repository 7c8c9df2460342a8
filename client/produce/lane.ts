/**
 * A lane: one producer id, one sequence, one request in flight. A body is cut once and sent until it is acked, with the same sequence,
 * so that a lost answer writes nothing twice; the next body waits, so that order of rows is order of offsets.
 */
import { concat } from '../../core/kernel/bytes.ts'
import { limits } from '../../core/kernel/limits.ts'
import type { Produced } from '../answers.ts'
import { ask, type Connection } from '../request.ts'

export interface LaneOptions {
  readonly path: string
  readonly producerId: string
  readonly epoch: string
  readonly contentType: string
  readonly batchBytes: number
  /** NDJSON lines as the body to send. */
  readonly encode: (lines: Uint8Array) => Uint8Array
  readonly signal: AbortSignal
  readonly onAcked: (acked: Acked) => void
  readonly onFailed: (error: unknown) => void
}

/** Rows that are in the log. */
export interface Acked {
  readonly producerId: string
  readonly sequence: bigint
  readonly rows: number
  /** Of the lines as they were buffered. */
  readonly bytes: number
  readonly produced: Produced
}

export class Lane {
  readonly #connection: Connection
  readonly #options: LaneOptions
  #lines: Uint8Array[] = []
  #sequence = 0n
  #sending: Promise<void> | undefined
  #isStopped = false

  constructor(connection: Connection, options: LaneOptions) {
    this.#connection = connection
    this.#options = options
  }

  add(line: Uint8Array): void {
    this.#lines.push(line)
  }

  /** Sends what there is, and what comes meanwhile; errors go to `onFailed`. */
  start(): void {
    if (this.#isStopped || this.#lines.length === 0) return
    this.#sending ??= this.#sendAll()
  }

  async idle(): Promise<void> {
    while (this.#sending !== undefined) await this.#sending
  }

  async #sendAll(): Promise<void> {
    try {
      while (this.#lines.length > 0) await this.#send(this.#takeLines())
    } catch (error) {
      this.#isStopped = true
      this.#options.onFailed(error)
    } finally {
      this.#sending = undefined
    }
  }

  async #send(lines: readonly Uint8Array[]): Promise<void> {
    const { path, producerId, epoch, contentType, encode, signal, onAcked } = this.#options
    const text = concat(lines)
    const sequence = this.#sequence
    const headers = {
      'Content-Type': contentType,
      Accept: 'application/json',
      'Producer-Id': producerId,
      'Producer-Epoch': epoch,
      'Producer-Seq': sequence.toString(),
    }
    const answer = await ask(this.#connection, { method: 'POST', path, headers, body: encode(text), signal })
    this.#sequence++
    const produced = JSON.parse(new TextDecoder().decode(answer.bytes)) as Produced
    onAcked({ producerId, sequence, rows: lines.length, bytes: text.length, produced })
  }

  #takeLines(): readonly Uint8Array[] {
    let bytes = 0
    let count = 0
    for (const line of this.#lines) {
      if (count === limits.produceRowsMax || (count > 0 && bytes + line.length > this.#options.batchBytes)) break
      bytes += line.length
      count++
    }
    return this.#lines.splice(0, count)
  }
}
