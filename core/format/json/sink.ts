/** Bytes being written, in a buffer that doubles. Every put reserves first, so that writers only store. */
export class Sink {
  bytes: Uint8Array
  at = 0
  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity)
  }

  /** Room for `count` bytes from `at`. */
  reserve(count: number): Uint8Array {
    if (this.at + count > this.bytes.length) {
      const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.at + count))
      larger.set(this.bytes.subarray(0, this.at))
      this.bytes = larger
    }
    return this.bytes
  }

  byte(byte: number): void {
    this.reserve(1)[this.at++] = byte
  }

  put(source: Uint8Array): void {
    const out = this.reserve(source.length)
    let { at } = this
    for (let i = 0; i < source.length; i++) out[at++] = source[i] as number
    this.at = at
  }

  ascii(text: string): void {
    const out = this.reserve(text.length)
    let { at } = this
    for (let i = 0; i < text.length; i++) out[at++] = text.charCodeAt(i)
    this.at = at
  }

  /** A safe integer in decimal. */
  integer(value: number): void {
    const out = this.reserve(17)
    let rest = value
    if (rest < 0) {
      out[this.at++] = 0x2d
      rest = -rest
    }
    let digits = 1
    for (let power = 10; power <= rest && digits < 16; power *= 10) digits++
    for (let i = this.at + digits - 1; i >= this.at; i--) {
      const next = rest < 0x80000000 ? (rest / 10) | 0 : Math.floor(rest / 10)
      out[i] = rest - next * 10 + 0x30
      rest = next
    }
    this.at += digits
  }

  /** Bytes [start, end) of UTF-8 between quotes, escaped. */
  text(source: Uint8Array, start: number, end: number): void {
    const out = this.reserve(6 * (end - start) + 2)
    let { at } = this
    out[at++] = 0x22
    for (let i = start; i < end; i++) {
      const byte = source[i] as number
      if (byte >= 0x20 && byte !== 0x22 && byte !== 0x5c) out[at++] = byte
      else at = putEscape(out, at, byte)
    }
    out[at++] = 0x22
    this.at = at
  }

  finish(): Uint8Array {
    return this.bytes.subarray(0, this.at)
  }
}

const short: Readonly<Record<number, number>> = { 34: 0x22, 92: 0x5c, 8: 0x62, 12: 0x66, 10: 0x6e, 13: 0x72, 9: 0x74 }
const hexDigits = '0123456789abcdef'

function putEscape(out: Uint8Array, start: number, byte: number): number {
  let at = start
  out[at++] = 0x5c
  const letter = short[byte]
  if (letter !== undefined) {
    out[at++] = letter
    return at
  }
  out[at++] = 0x75
  out[at++] = 0x30
  out[at++] = 0x30
  out[at++] = hexDigits.charCodeAt(byte >>> 4)
  out[at++] = hexDigits.charCodeAt(byte & 15)
  return at
}
