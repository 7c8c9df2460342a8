/**
 * murmur3_32 (x86, seed 0) as Iceberg's bucket transform uses it (spec appendix B).
 * Returns an unsigned 32-bit number.
 */
export function murmur3(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let h = 0
  const length = end - start
  const blocksEnd = start + (length & ~3)
  for (let i = start; i < blocksEnd; i += 4) {
    const k =
      (bytes[i] as number) | ((bytes[i + 1] as number) << 8) | ((bytes[i + 2] as number) << 16) | ((bytes[i + 3] as number) << 24)
    h ^= scramble(k)
    h = (h << 13) | (h >>> 19)
    h = (Math.imul(h, 5) + 0xe6546b64) | 0
  }
  let tail = 0
  switch (length & 3) {
    // biome-ignore lint/suspicious/noFallthroughSwitchClause: the algorithm folds the tail bytes downwards
    case 3:
      tail ^= (bytes[blocksEnd + 2] as number) << 16
    // biome-ignore lint/suspicious/noFallthroughSwitchClause: as above
    case 2:
      tail ^= (bytes[blocksEnd + 1] as number) << 8
    case 1:
      tail ^= bytes[blocksEnd] as number
      h ^= scramble(tail)
  }
  h ^= length
  h ^= h >>> 16
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  h ^= h >>> 16
  return h >>> 0
}

function scramble(k: number): number {
  const a = Math.imul(k, 0xcc9e2d51)
  return Math.imul((a << 15) | (a >>> 17), 0x1b873593)
}
