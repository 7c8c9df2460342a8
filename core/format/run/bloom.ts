/**
 * Bloom filter of a run's keys: ten bits and seven probes a key, about one wrong yes in a hundred; never a wrong no. Probe i of a
 * key is bit (h1 + i × h2) mod bits, with h1, h2 its hashes under the seeds 0 and 1, h2 made odd; bit n is bit n mod 8 of byte n / 8.
 */
import { hashText } from './text.ts'

const bitsPerKey = 10
const probes = 7

export const bloomBytes = (keys: number): number => Math.max(8, (keys * bitsPerKey + 7) >>> 3)

/** The hashes of keys that come one by one, so that a filter can be as large as their number asks for. */
export class BloomKeys {
  #hashes = new Uint32Array(2 * 1024)
  #count = 0

  add(key: string): void {
    if (2 * this.#count === this.#hashes.length) {
      const grown = new Uint32Array(2 * this.#hashes.length)
      grown.set(this.#hashes)
      this.#hashes = grown
    }
    this.#hashes[2 * this.#count] = hashText(key, 0)
    this.#hashes[2 * this.#count + 1] = hashText(key, 1)
    this.#count += 1
  }

  filter(): Uint8Array {
    const filter = new Uint8Array(bloomBytes(this.#count))
    for (let i = 0; i < this.#count; i++)
      eachProbe(this.#hashes[2 * i] as number, this.#hashes[2 * i + 1] as number, filter.length, (byte, mask) => {
        filter[byte] = (filter[byte] as number) | mask
        return true
      })
    return filter
  }
}

/** False: no such key was put in. */
export const bloomMayHave = (filter: Uint8Array, key: string): boolean =>
  eachProbe(hashText(key, 0), hashText(key, 1), filter.length, (byte, mask) => ((filter[byte] as number) & mask) !== 0)

/** Whether `probe` holds for each. */
function eachProbe(h1: number, h2: number, bytes: number, probe: (byte: number, mask: number) => boolean): boolean {
  const bits = bytes * 8
  let h = h1
  const step = (h2 | 1) >>> 0
  for (let i = 0; i < probes; i++) {
    const bit = h % bits
    if (!probe(bit >>> 3, 1 << (bit & 7))) return false
    h = (h + step) >>> 0
  }
  return true
}
