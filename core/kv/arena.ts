/**
 * Memory that is written once and let go as a whole, in chunks that double up to one size, so that small ones take little. A place is a
 * number; what lies there lies together, and is never written again.
 */
import { putBytes, type Span } from '../kernel/bytes.ts'

const chunkBytesMin = 1024
/** What is larger has a chunk of its own; a place counts in these. */
const chunkBytesMax = 1024 * 1024

export class Arena {
  readonly #chunks: Uint8Array[] = []
  /** Of the last chunk. */
  #used = 0
  #bytes = 0

  /** In memory. */
  get bytes(): number {
    return this.#bytes
  }

  /** Room for so many bytes. */
  reserve(bytes: number): number {
    const last = this.#chunks.at(-1)
    if (last === undefined || this.#used === last.length || this.#used + bytes > last.length) {
      const next = last === undefined ? chunkBytesMin : Math.min(chunkBytesMax, 2 * last.length)
      const chunk = new Uint8Array(Math.max(next, bytes))
      this.#chunks.push(chunk)
      this.#bytes += chunk.length
      this.#used = 0
    }
    const place = (this.#chunks.length - 1) * chunkBytesMax + this.#used
    this.#used += bytes
    return place
  }

  /** A copy of these. */
  put({ bytes, start, end }: Span): number {
    const place = this.reserve(end - start)
    putBytes(this.chunkOf(place), Arena.startOf(place), bytes, start, end)
    return place
  }

  at(place: number, length: number): Span {
    const start = Arena.startOf(place)
    return { bytes: this.chunkOf(place), start, end: start + length }
  }

  chunkOf(place: number): Uint8Array {
    return this.#chunks[Math.floor(place / chunkBytesMax)] as Uint8Array
  }

  /** Where a place begins in its chunk. */
  static startOf(place: number): number {
    return place % chunkBytesMax
  }
}
