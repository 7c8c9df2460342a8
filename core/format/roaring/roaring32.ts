/**
 * Roaring bitmaps of 32-bit numbers in the portable layout (RoaringFormatSpec): a cookie, for each container its high 16 bits and
 * count, where each lies, and the containers. Decoding shares the bytes and checks every one of them; nothing is allocated that
 * the bytes do not pay for.
 */
import { concat, viewOf } from '../../kernel/bytes.ts'
import {
  arrayContainer,
  arrayMax,
  bitsBytes,
  bitsContainer,
  bytesOfContainer,
  type Container,
  countOf,
  damage,
  runContainer,
  unionOf,
} from './container.ts'

export interface Roaring32 {
  /** High 16 bits of the values of each container, strictly ascending. */
  readonly keys: readonly number[]
  readonly containers: readonly Container[]
}

const cookieWithoutRuns = 12346
const cookieWithRuns = 12347
/** With runs and fewer containers than this, no offsets are written. */
const offsetsFrom = 4

/** Errors: `invalid-rows`. */
export function decodeRoaring32(bytes: Uint8Array): Roaring32 {
  const { bitmap, end } = readRoaring32(bytes, 0)
  if (end !== bytes.length) throw damage(`${bytes.length - end} bytes follow its end`)
  return bitmap
}

/** The one that begins at `start`; `end` is behind it. */
export function readRoaring32(bytes: Uint8Array, start: number): { readonly bitmap: Roaring32; readonly end: number } {
  const view = viewOf(bytes)
  const cookie = view.getUint32(need(bytes, start, 4), true)
  const hasRuns = (cookie & 0xffff) === cookieWithRuns
  if (!hasRuns && cookie !== cookieWithoutRuns) throw damage(`it begins with ${cookie}, not with the cookie 12346 or 12347`)
  const size = hasRuns ? (cookie >>> 16) + 1 : view.getUint32(need(bytes, start + 4, 4), true)
  if (size > 65536) throw damage(`it has ${size} containers, more than 65536`)
  const flags = start + 4
  const header = hasRuns ? flags + ((size + 7) >>> 3) : start + 8
  const offsets = header + 4 * size
  const hasOffsets = !hasRuns || size >= offsetsFrom
  let at = offsets + (hasOffsets ? 4 * size : 0)
  need(bytes, header, at - header)
  const keys: number[] = []
  const containers: Container[] = []
  for (let i = 0; i < size; i++) {
    const key = view.getUint16(header + 4 * i, true)
    if (i > 0 && key <= (keys[i - 1] as number)) throw damage('its containers do not ascend')
    if (hasOffsets && view.getUint32(offsets + 4 * i, true) !== at - start)
      throw damage('a container lies elsewhere than it says')
    const count = view.getUint16(header + 4 * i + 2, true) + 1
    const isRuns = hasRuns && (((bytes[flags + (i >>> 3)] as number) >>> (i & 7)) & 1) === 1
    if (isRuns) at = need(bytes, at, 2) + 2
    const length = isRuns ? 4 * view.getUint16(at - 2, true) : count > arrayMax ? bitsBytes : 2 * count
    const part = bytes.subarray(need(bytes, at, length), at + length)
    keys.push(key)
    containers.push(isRuns ? runContainer(part, count) : count > arrayMax ? bitsContainer(part, count) : arrayContainer(part))
    at += length
  }
  return { bitmap: { keys, containers }, end: at }
}

/** `at`, where there are so many bytes from it. */
function need(bytes: Uint8Array, at: number, length: number): number {
  if (at + length > bytes.length) throw damage('it is cut')
  return at
}

export function encodeRoaring32({ keys, containers }: Roaring32): Uint8Array {
  const size = containers.length
  const hasRuns = containers.some(({ kind }) => kind === 'runs')
  const header = hasRuns ? 4 + ((size + 7) >>> 3) : 8
  const hasOffsets = !hasRuns || size >= offsetsFrom
  const head = new Uint8Array(header + (hasOffsets ? 8 : 4) * size)
  const view = viewOf(head)
  view.setUint32(0, hasRuns ? cookieWithRuns | ((size - 1) << 16) : cookieWithoutRuns, true)
  if (!hasRuns) view.setUint32(4, size, true)
  const parts: Uint8Array[] = [head]
  let at = head.length
  for (const [i, container] of containers.entries()) {
    view.setUint16(header + 4 * i, keys[i] as number, true)
    view.setUint16(header + 4 * i + 2, countOf(container) - 1, true)
    if (hasOffsets) view.setUint32(header + 4 * size + 4 * i, at, true)
    const bytes = bytesOfContainer(container)
    if (container.kind === 'runs') {
      head[4 + (i >>> 3)] = (head[4 + (i >>> 3)] as number) | (1 << (i & 7))
      const runs = bytes.length / 4
      parts.push(Uint8Array.of(runs & 255, runs >>> 8))
      at += 2
    }
    parts.push(bytes)
    at += bytes.length
  }
  return concat(parts)
}

export function uniteRoaring32(a: Roaring32, b: Roaring32): Roaring32 {
  const { keys, values } = merged(a.keys, a.containers, b.keys, b.containers, unionOf)
  return { keys, containers: values }
}

/** Two ascending lists of keys with their values, as one; where both have a key, `unite` makes its value. */
export function merged<T>(
  aKeys: readonly number[],
  a: readonly T[],
  bKeys: readonly number[],
  b: readonly T[],
  unite: (a: T, b: T) => T,
): { readonly keys: readonly number[]; readonly values: readonly T[] } {
  const keys: number[] = []
  const values: T[] = []
  for (let i = 0, k = 0; i < a.length || k < b.length; ) {
    const keyA = aKeys[i] ?? Number.POSITIVE_INFINITY
    const keyB = bKeys[k] ?? Number.POSITIVE_INFINITY
    keys.push(Math.min(keyA, keyB))
    if (keyA === keyB) values.push(unite(a[i++] as T, b[k++] as T))
    else values.push((keyA < keyB ? a[i++] : b[k++]) as T)
  }
  return { keys, values }
}
