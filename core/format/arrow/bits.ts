/** Bitmaps, least significant bit first: count, shift, gather. Bits past `length` in the last byte may be anything. */
import { bitmapBytes } from './layout.ts'

/** Set bits among the first `length`. */
export function countBits(bits: Uint8Array, length: number): number {
  let count = 0
  const whole = length >>> 3
  for (let i = 0; i < whole; i++) count += ones[bits[i] as number] as number
  if (length & 7) count += ones[(bits[whole] as number) & ((1 << (length & 7)) - 1)] as number
  return count
}

/** Bits [start, end) moved to bit 0; a view when `start` lies on a byte. */
export function sliceBits(bits: Uint8Array, start: number, end: number): Uint8Array {
  const bytes = bitmapBytes(end - start)
  const first = start >>> 3
  const shift = start & 7
  if (shift === 0) return bits.subarray(first, first + bytes)
  const out = new Uint8Array(bytes)
  for (let i = 0; i < bytes; i++) {
    out[i] = ((bits[first + i] as number) >>> shift) | ((bits[first + i + 1] ?? 0) << (8 - shift))
  }
  return out
}

/** Writes the first `length` bits of `bits` (all ones where undefined) into `out` from bit `at`, where `out` is zero. */
export function placeBits(out: Uint8Array, at: number, bits: Uint8Array | undefined, length: number): void {
  if ((at & 7) === 0 && bits !== undefined) {
    const bytes = bitmapBytes(length)
    out.set(bits.subarray(0, bytes), at >>> 3)
    if (length & 7) out[(at + length) >>> 3] = (out[(at + length) >>> 3] as number) & ((1 << (length & 7)) - 1)
    return
  }
  for (let i = 0; i < length; i++) {
    if (bits === undefined || ((bits[i >>> 3] as number) >>> (i & 7)) & 1) setBit(out, at + i)
  }
}

/** The bits at these indices. */
export function gatherBits(bits: Uint8Array, indices: Uint32Array): Uint8Array {
  const out = new Uint8Array(bitmapBytes(indices.length))
  for (let i = 0; i < indices.length; i++) {
    const from = indices[i] as number
    out[i >>> 3] = (out[i >>> 3] as number) | ((((bits[from >>> 3] as number) >>> (from & 7)) & 1) << (i & 7))
  }
  return out
}

export function setBit(bits: Uint8Array, at: number): void {
  bits[at >>> 3] = (bits[at >>> 3] as number) | (1 << (at & 7))
}

const ones = new Uint8Array(256)
for (let i = 1; i < 256; i++) ones[i] = (i & 1) + (ones[i >>> 1] as number)
