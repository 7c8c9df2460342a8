/**
 * A request's body, read within two bounds: the route's limit, and the bytes that all requests of the process may hold
 * at once. Whoever exceeds one is answered at once; what they still send is discarded up to a bound, so that they can
 * read the answer.
 */
import type { IncomingMessage } from 'node:http'
import { SluiceError } from '../core/kernel/errors.ts'
import { bodyTooLarge } from '../functions/http/answer.ts'

const nothing = new Uint8Array(0)
const discardedBytesMax = 64 * 1024 * 1024

/** Bytes held by requests and replies in flight. */
export class ByteBudget {
  readonly #bytesMax: number
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  take(bytes: number): void {
    if (this.#bytes + bytes > this.#bytesMax) {
      throw new SluiceError('throttled', 'too many bytes are in flight: try again', { facts: { limit: this.#bytesMax } })
    }
    this.#bytes += bytes
  }

  /** A reply that is there must go out: it may overdraw. */
  hold(bytes: number): void {
    this.#bytes += bytes
  }

  give(bytes: number): void {
    this.#bytes -= bytes
  }
}

export interface Reading {
  readonly bytesMax: number
  readonly budget: ByteBudget
  /** Called once the sender may go on (`Expect: 100-continue`). */
  readonly onAccepted: () => void
}

/** The caller gives the body's length back to the budget when it is done with it. */
export function readBody(request: IncomingMessage, { bytesMax, budget, onAccepted }: Reading): Promise<Uint8Array> {
  const declared = request.headers['content-length']
  if (declared === undefined && request.headers['transfer-encoding'] === undefined) return Promise.resolve(nothing)
  if (declared !== undefined && Number(declared) > bytesMax) return Promise.reject(bodyTooLarge(bytesMax))
  onAccepted()
  return collect(request, bytesMax, budget)
}

function collect(request: IncomingMessage, bytesMax: number, budget: ByteBudget): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    let length = 0
    const fail = (error: unknown) => {
      request.off('data', onChunk)
      request.off('end', onEnd)
      request.off('close', onClose)
      budget.give(length)
      reject(error)
    }
    const onChunk = (chunk: Uint8Array) => {
      if (length + chunk.length > bytesMax) return fail(bodyTooLarge(bytesMax))
      try {
        budget.take(chunk.length)
      } catch (error) {
        return fail(error)
      }
      length += chunk.length
      chunks.push(chunk)
    }
    const onEnd = () => {
      request.off('close', onClose)
      resolve(chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks, length))
    }
    const onClose = () => fail(new SluiceError('bad-request', 'the connection was closed before the body was complete'))
    request.on('data', onChunk)
    request.on('end', onEnd)
    request.on('close', onClose)
  })
}

/** Reads on without keeping, so that the sender comes to read its answer; a sender without end is cut. */
export function discardRest(request: IncomingMessage): void {
  if (request.complete) return
  let discarded = 0
  request.on('data', (chunk: Uint8Array) => {
    discarded += chunk.length
    if (discarded > discardedBytesMax) request.destroy()
  })
}
