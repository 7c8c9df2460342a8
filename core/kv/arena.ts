/**
 * Memory that is written once and let go as a whole, in chunks that double up to one size, so that small ones take little. A place is a
 * number; what lies there lies together, and is never written again.
 */
import { putBytes, type Span } from '../kernel/bytes.ts'

const chunkBytesMin = 1024
/** A place counts in these. */
const chunkBytesMax = 1024 * 1024
/** What is larger has a chunk of its own, as large as it, so that chunks are left with little room. */
const sharedBytesMax = 128 * 1024

export class Arena {
  readonly #chunks: Uint8Array[] = []
  /** Index of the chunk that is filled; -1: none is. */
  #filling = -1
  /** Of it. */
  #used = 0
  #bytes = 0

  /** In memory. */
  get bytes(): number {
    return this.#bytes
  }

  /** Room for so many bytes. */
  reserve(bytes: number): number {
    if (bytes > sharedBytesMax) return this.#add(bytes) * chunkBytesMax
    const length = this.#chunks[this.#filling]?.length ?? 0
    if (this.#used === length || this.#used + bytes > length) {
      this.#filling = this.#add(Math.max(bytes, Math.min(chunkBytesMax, Math.max(chunkBytesMin, 2 * length))))
      this.#used = 0
    }
    const place = this.#filling * chunkBytesMax + this.#used
    this.#used += bytes
    return place
  }

  #add(bytes: number): number {
    this.#bytes += bytes
    return this.#chunks.push(new Uint8Array(bytes)) - 1
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
