/**
 * Bloom filter of a run's keys: ten bits and seven probes a key, about one wrong yes in a hundred; never a wrong no. Probe i of a
 * key is bit (h1 + i × h2) mod bits, with h1, h2 its hashes under the seeds 0 and 1, h2 made odd; bit n is bit n mod 8 of byte n / 8.
 */
import { hashText } from './text.ts'

const bitsPerKey = 10
const probes = 7

export const bloomBytes = (keys: number): number => Math.max(8, (keys * bitsPerKey + 7) >>> 3)

export function encodeBloom(keys: readonly string[]): Uint8Array {
  const filter = new Uint8Array(bloomBytes(keys.length))
  for (const key of keys)
    eachProbe(key, filter.length, (byte, mask) => {
      filter[byte] = (filter[byte] as number) | mask
      return true
    })
  return filter
}

/** False: no such key was put in. */
export const bloomMayHave = (filter: Uint8Array, key: string): boolean =>
  eachProbe(key, filter.length, (byte, mask) => ((filter[byte] as number) & mask) !== 0)

/** Whether `probe` holds for each. */
function eachProbe(key: string, bytes: number, probe: (byte: number, mask: number) => boolean): boolean {
  const bits = bytes * 8
  let h = hashText(key, 0)
  const step = (hashText(key, 1) | 1) >>> 0
  for (let i = 0; i < probes; i++) {
    const bit = h % bits
    if (!probe(bit >>> 3, 1 << (bit & 7))) return false
    h = (h + step) >>> 0
  }
  return true
}
