/**
 * Roaring bitmaps of 64-bit numbers in the portable layout (RoaringFormatSpec, extension for 64 bits; what CRoaring's Roaring64Map
 * and Iceberg's deletion vectors write): how many, then for each its high 32 bits and a bitmap of the low ones.
 */
import { concat, viewOf } from '../../kernel/bytes.ts'
import { damage } from './container.ts'
import { encodeRoaring32, merged, type Roaring32, readRoaring32, uniteRoaring32 } from './roaring32.ts'

export interface Roaring64 {
  /** High 32 bits of the values of each bitmap, strictly ascending. */
  readonly keys: readonly number[]
  readonly bitmaps: readonly Roaring32[]
}

/** Bitmaps of nothing are passed over. Errors: `invalid-rows`. */
export function decodeRoaring64(bytes: Uint8Array): Roaring64 {
  const view = viewOf(bytes)
  if (bytes.length < 8) throw damage('it is cut')
  const size = view.getBigUint64(0, true)
  const keys: number[] = []
  const bitmaps: Roaring32[] = []
  let at = 8
  let before = -1
  for (let i = 0n; i < size; i++) {
    if (at + 4 > bytes.length) throw damage('it is cut')
    const key = view.getUint32(at, true)
    if (key <= before) throw damage('its bitmaps do not ascend')
    const { bitmap, end } = readRoaring32(bytes, at + 4)
    before = key
    at = end
    if (bitmap.keys.length === 0) continue
    keys.push(key)
    bitmaps.push(bitmap)
  }
  if (at !== bytes.length) throw damage(`${bytes.length - at} bytes follow its end`)
  return { keys, bitmaps }
}

export function encodeRoaring64({ keys, bitmaps }: Roaring64): Uint8Array {
  const size = new Uint8Array(8)
  viewOf(size).setBigUint64(0, BigInt(keys.length), true)
  const parts: Uint8Array[] = [size]
  for (const [i, bitmap] of bitmaps.entries()) {
    const key = new Uint8Array(4)
    viewOf(key).setUint32(0, keys[i] as number, true)
    parts.push(key, encodeRoaring32(bitmap))
  }
  return concat(parts)
}

export function uniteRoaring64(a: Roaring64, b: Roaring64): Roaring64 {
  const { keys, values } = merged(a.keys, a.bitmaps, b.keys, b.bitmaps, uniteRoaring32)
  return { keys, bitmaps: values }
}
