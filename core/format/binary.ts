/** Little-endian writing and bounds-checked reading of small binary headers. A read past the end throws a RangeError. */
import { viewOf } from '../kernel/bytes.ts'

export class Writer {
  #bytes = new Uint8Array(256)
  #view = viewOf(this.#bytes)
  #length = 0

  u8(value: number): void {
    this.#reserve(1)
    this.#view.setUint8(this.#length, value)
    this.#length += 1
  }
  u16(value: number): void {
    this.#reserve(2)
    this.#view.setUint16(this.#length, value, true)
    this.#length += 2
  }
  u32(value: number): void {
    this.#reserve(4)
    this.#view.setUint32(this.#length, value, true)
    this.#length += 4
  }
  u48(value: number): void {
    this.u32(value % 2 ** 32)
    this.u16(Math.floor(value / 2 ** 32))
  }
  /** Seven bits a byte, the lowest first. */
  varint(value: number | bigint): void {
    let rest = BigInt(value)
    for (; rest > 0x7fn; rest >>= 7n) this.u8(Number(rest & 0x7fn) | 0x80)
    this.u8(Number(rest))
  }
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }
  /** At most 255 bytes behind their length. */
  short(bytes: Uint8Array): void {
    this.u8(bytes.length)
    this.raw(bytes)
  }
  /** A view of what was written, until the next `clear`. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }
  clear(): void {
    this.#length = 0
  }
  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more))
    grown.set(this.#bytes)
    this.#bytes = grown
    this.#view = viewOf(grown)
  }
}

export class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = viewOf(bytes)
  }
  u8(): number {
    return this.#view.getUint8(this.#step(1))
  }
  u16(): number {
    return this.#view.getUint16(this.#step(2), true)
  }
  u32(): number {
    return this.#view.getUint32(this.#step(4), true)
  }
  u48(): number {
    return this.u32() + this.u16() * 2 ** 32
  }
  /** Of at most 63 bits, in the one form that `Writer` gives. */
  varint(): bigint {
    let value = 0n
    for (let shift = 0n; shift < 63n; shift += 7n) {
      const byte = this.u8()
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) {
        if (byte === 0 && shift > 0n) break
        return value
      }
    }
    throw new RangeError('not a number')
  }
  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }
  raw(length: number): Uint8Array {
    const at = this.#step(length)
    if (this.#at > this.#bytes.length) throw new RangeError('truncated')
    return this.#bytes.subarray(at, this.#at)
  }
  short(): Uint8Array {
    return this.raw(this.u8())
  }
  /** Where it is, for `shortAt`. */
  skipShort(): number {
    const at = this.#at
    this.#step(1 + this.#view.getUint8(at))
    if (this.#at > this.#bytes.length) throw new RangeError('truncated')
    return at
  }
  shortAt(at: number): Uint8Array {
    return this.#bytes.subarray(at + 1, at + 1 + this.#view.getUint8(at))
  }
  #step(by: number): number {
    const at = this.#at
    this.#at += by
    return at
  }
}
