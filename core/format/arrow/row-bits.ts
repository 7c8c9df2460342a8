/**
 * Sets of a batch's rows as bitmaps in words: row i is bit i & 31 of word i >>> 5. The bytes of the words are an Arrow bitmap,
 * least significant bit first, so that validity joins without a loop over rows. As in bits.ts, bits past the last row may be
 * anything.
 */
import { countBits } from './bits.ts'
import { bitmapBytes, bytesOf } from './layout.ts'

export type RowBits = Int32Array<ArrayBuffer>

export const noRows = (rows: number): RowBits => new Int32Array((rows + 31) >>> 5)
export const everyRow = (rows: number): RowBits => noRows(rows).fill(-1)

/** The rows of an Arrow bitmap. */
export function rowsOfBitmap(bitmap: Uint8Array, rows: number): RowBits {
  const bits = noRows(rows)
  bytesOf(bits).set(bitmap.subarray(0, bitmapBytes(rows)))
  return bits
}

/** The rows that the test holds for, asked in order. For tests that cost more than a call. */
export function rowsWhere(rows: number, test: (row: number) => boolean): RowBits {
  const bits = noRows(rows)
  for (let row = 0; row < rows; row++) {
    if (test(row)) bits[row >>> 5] = (bits[row >>> 5] as number) | (1 << (row & 31))
  }
  return bits
}

/** In place, as are the others that answer their first argument. */
export function complement(bits: RowBits): RowBits {
  for (let i = 0; i < bits.length; i++) bits[i] = ~(bits[i] as number)
  return bits
}

export function intersect(bits: RowBits, other: RowBits): RowBits {
  for (let i = 0; i < bits.length; i++) bits[i] = (bits[i] as number) & (other[i] as number)
  return bits
}

export function unite(bits: RowBits, other: RowBits): RowBits {
  for (let i = 0; i < bits.length; i++) bits[i] = (bits[i] as number) | (other[i] as number)
  return bits
}

/** Only rows that the Arrow bitmap has too. */
export function intersectBitmap(bits: RowBits, bitmap: Uint8Array, rows: number): RowBits {
  const bytes = bytesOf(bits)
  const length = bitmapBytes(rows)
  for (let i = 0; i < length; i++) bytes[i] = (bytes[i] as number) & (bitmap[i] as number)
  return bits
}

export const countRows = (bits: RowBits, rows: number): number => countBits(bytesOf(bits), rows)

/**
 * Indices of the rows, ascending; there are `count`. Every bit of a word is written, and only a one moves the place on: that costs
 * less than to seek ones. The last word writes behind the rows, into a word's room.
 */
export function indicesOf(bits: RowBits, count: number): Uint32Array {
  const indices = new Uint32Array(count + 32)
  let at = 0
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i] as number
    if (word === 0) continue
    for (let bit = 0; bit < 32; bit++) {
      indices[at] = 32 * i + bit
      at += (word >>> bit) & 1
    }
  }
  return indices.subarray(0, count)
}
