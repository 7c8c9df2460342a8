/** Small pure functions over bytes that Node and browsers share. */
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export const utf8 = (text: string): Uint8Array => encoder.encode(text)
/** Throws a TypeError on bytes that are not UTF-8. */
export const utf8Text = (bytes: Uint8Array): string => decoder.decode(bytes)

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const out = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** Bytes in one piece, or in several that follow each other: what is only passed on need not be copied together first. */
export type Pieces = Uint8Array | readonly Uint8Array[]

export function lengthOf(bytes: Pieces): number {
  if (bytes instanceof Uint8Array) return bytes.length
  let length = 0
  for (const piece of bytes) length += piece.length
  return length
}

/** Fewer pieces with the same bytes: those that lie behind each other in one memory are one. */
export function fewer(pieces: readonly Uint8Array[]): readonly Uint8Array[] {
  const out: Uint8Array[] = []
  let last: Uint8Array | undefined
  for (const piece of pieces) {
    if (last !== undefined && last.buffer === piece.buffer && last.byteOffset + last.length === piece.byteOffset) {
      last = new Uint8Array(last.buffer, last.byteOffset, last.length + piece.length)
      out[out.length - 1] = last
    } else {
      out.push(piece)
      last = piece
    }
  }
  return out
}

/** In one piece; a copy only where there are several. */
export function joined(bytes: Pieces): Uint8Array {
  if (bytes instanceof Uint8Array) return bytes
  const [first] = bytes
  return bytes.length === 1 && first !== undefined ? first : concat(bytes)
}

/** Of [start, end). `slice` of a Node Buffer is a view, so it is not used on bytes that may be one. */
export const copyOf = (bytes: Uint8Array, start = 0, end = bytes.length): Uint8Array => new Uint8Array(bytes.subarray(start, end))

/** The same bytes, not as a Node Buffer. */
export const plainBytes = (bytes: Uint8Array): Uint8Array =>
  Object.getPrototypeOf(bytes) === Uint8Array.prototype ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)

/** Bytes [start, end) of larger ones: a view is dear where there are many. */
export interface Span {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

export const spanOf = (bytes: Uint8Array): Span => ({ bytes, start: 0, end: bytes.length })

/** 0 of none. */
export const lengthOfSpan = (span: Span | undefined): number => (span === undefined ? 0 : span.end - span.start)

/** A view. */
export const bytesOfSpan = ({ bytes, start, end }: Span): Uint8Array => bytes.subarray(start, end)

/** Short ones are quicker byte by byte. */
export function putBytes(out: Uint8Array, at: number, bytes: Uint8Array, start = 0, end = bytes.length): void {
  if (end - start > 64) out.set(bytes.subarray(start, end), at)
  else for (let i = start; i < end; i++) out[at++] = bytes[i] as number
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Lexicographic by unsigned byte: negative, 0 or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const n = Math.min(a.length, b.length)
  for (let i = 0; i < n; i++) {
    const d = (a[i] as number) - (b[i] as number)
    if (d !== 0) return d
  }
  return a.length - b.length
}

/** The least byte string of at most `length` bytes that is above every one that begins as `bytes` does; undefined if there is none. */
export function raised(bytes: Uint8Array, length: number): Uint8Array | undefined {
  let end = Math.min(length, bytes.length)
  while (end > 0 && bytes[end - 1] === 0xff) end--
  if (end === 0) return undefined
  const above = copyOf(bytes, 0, end)
  above[end - 1] = (above[end - 1] as number) + 1
  return above
}

export function hex(bytes: Uint8Array): string {
  let out = ''
  for (const byte of bytes) out += (byte < 16 ? '0' : '') + byte.toString(16)
  return out
}

/** The bytes of lower-case hex text of even length; the caller has validated it. */
export function fromHex(text: string): Uint8Array {
  const out = new Uint8Array(text.length >> 1)
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16)
  return out
}

/** A view with the byte order helpers of DataView over exactly these bytes. */
export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
