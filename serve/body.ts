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

/**
 * Memory of bodies, used again: a fresh megabyte a request costs its pages, and makes the garbage collector run every few
 * requests. Sizes are powers of two; at most `keptBytesMax` wait for the next request.
 */
export class BodyPool {
  readonly #kept = new Map<number, ArrayBuffer[]>()
  readonly #keptBytesMax: number
  #keptBytes = 0

  constructor(keptBytesMax: number) {
    this.#keptBytesMax = keptBytesMax
  }

  /** The chunks in one piece. Their own memory is given back at once; nobody else may hold it. */
  join(chunks: readonly Uint8Array[], length: number): Uint8Array {
    const [first] = chunks
    if (chunks.length === 1 && first !== undefined) return first
    const body = new Uint8Array(this.#take(length), 0, length)
    let at = 0
    for (const chunk of chunks) {
      body.set(chunk, at)
      at += chunk.length
      const { buffer } = chunk
      if (buffer.byteLength === chunk.byteLength && buffer instanceof ArrayBuffer) buffer.transfer(0)
    }
    return body
  }

  /** Of a body that `join` gave and that nobody reads any more. */
  give({ buffer }: Uint8Array): void {
    const size = buffer.byteLength
    if (!(buffer instanceof ArrayBuffer) || size < pooledBytesMin || this.#keptBytes + size > this.#keptBytesMax) return
    this.#keptBytes += size
    const kept = this.#kept.get(size)
    if (kept === undefined) this.#kept.set(size, [buffer])
    else kept.push(buffer)
  }

  #take(length: number): ArrayBuffer {
    if (length < pooledBytesMin) return new ArrayBuffer(length)
    const size = 2 ** Math.ceil(Math.log2(length))
    const kept = this.#kept.get(size)?.pop()
    if (kept === undefined) return Buffer.allocUnsafeSlow(size).buffer as ArrayBuffer
    this.#keptBytes -= size
    return kept
  }
}

const pooledBytesMin = 64 * 1024

export interface Reading {
  readonly bytesMax: number
  readonly budget: ByteBudget
  readonly pool: BodyPool
  /** Called once the sender may go on (`Expect: 100-continue`). */
  readonly onAccepted: () => void
}

/** The caller gives the body's length back to the budget, and the body to the pool, when it is done with it. */
export function readBody(request: IncomingMessage, { bytesMax, budget, pool, onAccepted }: Reading): Promise<Uint8Array> {
  const declared = request.headers['content-length']
  if (declared === undefined && request.headers['transfer-encoding'] === undefined) return Promise.resolve(nothing)
  if (declared !== undefined && Number(declared) > bytesMax) return Promise.reject(bodyTooLarge(bytesMax))
  onAccepted()
  return collect(request, { bytesMax, budget, pool })
}

function collect(request: IncomingMessage, { bytesMax, budget, pool }: Omit<Reading, 'onAccepted'>): Promise<Uint8Array> {
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
      resolve(pool.join(chunks, length))
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
