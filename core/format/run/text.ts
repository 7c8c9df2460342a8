/**
 * Keys in memory: bytes as text of one character a byte, so that they are keys of maps and compare (`<`) as their bytes do.
 * The hash is what bloom filters on disk hold, so it never changes.
 */

export const textOf = (bytes: Uint8Array, start = 0, end = bytes.length): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')

/** Below zero: the bytes [start, end) are below the text; 0: they are its bytes. */
export function compareText(bytes: Uint8Array, start: number, end: number, text: string): number {
  const shared = Math.min(end - start, text.length)
  for (let i = 0; i < shared; i++) {
    const difference = (bytes[start + i] as number) - text.charCodeAt(i)
    if (difference !== 0) return difference
  }
  return end - start - text.length
}

export function putText(out: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) out[at + i] = text.charCodeAt(i)
}

export const bytesOfText = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))

/** The least text that is above every one that begins as `prefix` does; undefined if there is none. */
export function textAfter(prefix: string): string | undefined {
  for (let end = prefix.length; end > 0; end--) {
    const last = prefix.charCodeAt(end - 1)
    if (last < 0xff) return prefix.slice(0, end - 1) + String.fromCharCode(last + 1)
  }
  return undefined
}

/** 32 bits, unsigned: FNV-1a from the seed, finished as murmur3 is. */
export function hashText(text: string, seed: number): number {
  let h = (0x811c9dc5 ^ seed) | 0
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  h ^= h >>> 16
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
