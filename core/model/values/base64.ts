/** Base64 (RFC 4648, the standard alphabet, padding may be missing) between bytes and ASCII bytes. */
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const codes = new Uint8Array(256).fill(255)
const letters = new Uint8Array(64)
for (let i = 0; i < 64; i++) {
  codes[alphabet.charCodeAt(i)] = i
  letters[i] = alphabet.charCodeAt(i)
}

/** The bytes that [from, to) stands for; undefined where it is no base64, or has bits that stand for nothing. */
export function decodeBase64(text: Uint8Array, from: number, to: number): Uint8Array | undefined {
  let end = to
  if ((to - from) % 4 === 0) for (let i = 0; i < 2 && end > from && text[end - 1] === 0x3d; i++) end--
  const length = end - from
  if (length % 4 === 1) return undefined
  const out = new Uint8Array(Math.floor((length * 3) / 4))
  let bits = 0
  let count = 0
  let at = 0
  for (let i = from; i < end; i++) {
    const code = codes[text[i] as number] as number
    if (code === 255) return undefined
    bits = (bits << 6) | code
    count += 6
    if (count >= 8) {
      count -= 8
      out[at++] = bits >>> count
      bits &= (1 << count) - 1
    }
  }
  return bits === 0 ? out : undefined
}

export const base64Length = (bytes: number): number => Math.ceil(bytes / 3) * 4

/** Writes bytes [from, to) as padded base64 at `at`; returns the position after it. */
export function putBase64(out: Uint8Array, position: number, bytes: Uint8Array, from: number, to: number): number {
  let at = position
  for (let i = from; i < to; i += 3) {
    const rest = to - i
    const bits =
      ((bytes[i] as number) << 16) | ((rest > 1 ? (bytes[i + 1] as number) : 0) << 8) | (rest > 2 ? (bytes[i + 2] as number) : 0)
    out[at++] = letters[bits >>> 18] as number
    out[at++] = letters[(bits >>> 12) & 63] as number
    out[at++] = rest > 1 ? (letters[(bits >>> 6) & 63] as number) : 0x3d
    out[at++] = rest > 2 ? (letters[bits & 63] as number) : 0x3d
  }
  return at
}
