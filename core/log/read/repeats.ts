/**
 * What stands in every row of a place, as Arrow's buffers: made once and kept, for rows of a place come again with every page.
 * Shared: nobody writes into it. What is kept is bounded; the longest unused goes first.
 */
const keptBytesMax = 8 * 1024 * 1024
const kept = new Map<string, Uint8Array>()
let keptBytes = 0

/** `value` at least once, `times` times. */
export function repeated(value: Uint8Array, times: number): Uint8Array {
  if (value.length === 0) return value
  const make = (bytes: number): Uint8Array => {
    const out = new Uint8Array(bytes)
    out.set(value.subarray(0, bytes))
    for (let filled = value.length; filled < bytes; filled *= 2) out.copyWithin(filled, 0, Math.min(filled, bytes - filled))
    return out
  }
  return keptOr(`value ${value.join()}`, value.length * times, make)
}

/** 0, step, 2 × step … `times` × step. */
export function steps(step: number, times: number): Int32Array {
  const make = (bytes: number): Uint8Array => {
    const out = new Int32Array(bytes >> 2)
    for (let i = 0; i < out.length; i++) out[i] = i * step
    return new Uint8Array(out.buffer)
  }
  const bytes = keptOr(`step ${step}`, 4 * (times + 1), make)
  return new Int32Array(bytes.buffer, 0, times + 1)
}

/** Kept ones are made for twice as much, so that they grow few times. */
function keptOr(id: string, bytes: number, make: (bytes: number) => Uint8Array): Uint8Array {
  const found = kept.get(id)
  if (found !== undefined && found.length >= bytes) {
    kept.delete(id)
    kept.set(id, found)
    return found.subarray(0, bytes)
  }
  const length = 2 ** Math.ceil(Math.log2(Math.max(bytes, bytesMin)))
  if (length > keptBytesMax / 8) return make(bytes)
  const made = make(length)
  keptBytes += length - (found?.length ?? 0)
  kept.delete(id)
  kept.set(id, made)
  for (const [oldest, { length: oldLength }] of kept) {
    if (keptBytes <= keptBytesMax) break
    kept.delete(oldest)
    keptBytes -= oldLength
  }
  return made.subarray(0, bytes)
}

const bytesMin = 1024
