/** Is it UTF-8? (RFC 3629: no surrogates, nothing over-long, nothing past U+10FFFF.) ASCII runs at memory speed. */

/** Position of the first byte that is no UTF-8 in [start, end), or -1. */
export function utf8Problem(bytes: Uint8Array, start: number, end: number): number {
  let at = asciiEnd(bytes, start, end)
  while (at < end) {
    const first = bytes[at] as number
    if (first < 0x80) {
      at++
      continue
    }
    const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0
    if (length === 0 || at + length > end) return at
    const second = bytes[at + 1] as number
    const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
    const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
    if (second < low || second > high) return at
    for (let i = 2; i < length; i++) if (((bytes[at + i] as number) & 0xc0) !== 0x80) return at
    at += length
  }
  return -1
}

/** The first row whose text is not UTF-8, or -1. Rows that `validity` calls null may hold anything. */
export function textProblem(values: Uint8Array, offsets: Int32Array, rows: number, validity: Uint8Array | undefined): number {
  const end = offsets[rows] as number
  if (asciiEnd(values, 0, end) === end) return -1
  if (utf8Problem(values, 0, end) === -1 && startsAreStarts(values, offsets, rows)) return -1
  for (let row = 0; row < rows; row++) {
    if (validity !== undefined && (((validity[row >>> 3] as number) >>> (row & 7)) & 1) === 0) continue
    if (utf8Problem(values, offsets[row] as number, offsets[row + 1] as number) !== -1) return row
  }
  return -1
}

/** The end of the leading ASCII bytes in [start, end); it may stop up to 15 bytes early. */
export function asciiEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && ((bytes.byteOffset + at) & 3) !== 0) if ((bytes[at++] as number) >= 0x80) return at - 1
  const count = (end - at) >>> 2
  const words = new Int32Array(bytes.buffer, count === 0 ? 0 : bytes.byteOffset + at, count)
  let i = 0
  while (i + 4 <= count) {
    if (
      (((words[i] as number) | (words[i + 1] as number) | (words[i + 2] as number) | (words[i + 3] as number)) & 0x80808080) !==
      0
    )
      return at + 4 * i
    i += 4
  }
  at += 4 * i
  while (at < end && (bytes[at] as number) < 0x80) at++
  return at
}

/** No row begins inside a character. */
function startsAreStarts(values: Uint8Array, offsets: Int32Array, rows: number): boolean {
  const end = offsets[rows] as number
  for (let row = 0; row < rows; row++) {
    const at = offsets[row] as number
    if (at < end && ((values[at] as number) & 0xc0) === 0x80) return false
  }
  return true
}
