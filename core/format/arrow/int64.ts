/**
 * 64-bit integers in arrays as pairs of 32-bit words (low, high), without BigInt: times a thousand, divided by a thousand,
 * compared. Element i has its low word at 2 i. Every loop costs about a nanosecond a value.
 */

/** Whether row i counts: rows that are null may hold anything. */
const isNull = (validity: Uint8Array | undefined, row: number): boolean =>
  validity !== undefined && (((validity[row >>> 3] as number) >>> (row & 7)) & 1) === 0

/** The first valid element outside [min, max], or -1. */
export function outsideRange(words: Int32Array, validity: Uint8Array | undefined, min: bigint, max: bigint): number {
  const minHigh = Number(BigInt.asIntN(32, min >> 32n))
  const maxHigh = Number(BigInt.asIntN(32, max >> 32n))
  const minLow = Number(BigInt.asUintN(32, min))
  const maxLow = Number(BigInt.asUintN(32, max))
  for (let i = 0; i < words.length; i += 2) {
    const high = words[i + 1] as number
    if (high > minHigh && high < maxHigh) continue
    const low = (words[i] as number) >>> 0
    const below = high < minHigh || (high === minHigh && low < minLow)
    const above = high > maxHigh || (high === maxHigh && low > maxLow)
    if ((below || above) && !isNull(validity, i >>> 1)) return i >>> 1
  }
  return -1
}

/** Each element times 1,000; the caller knows that it fits. */
export function timesThousand(words: Int32Array): Int32Array {
  const out = new Int32Array(words.length)
  for (let i = 0; i < words.length; i += 2) {
    const low = ((words[i] as number) >>> 0) * 1000
    out[i] = low | 0
    out[i + 1] = (words[i + 1] as number) * 1000 + Math.floor(low / 0x100000000)
  }
  return out
}

/** Each element by 1,000, rounded down, and the first valid one that leaves a rest (-1: none does). */
export function byThousand(words: Int32Array, validity: Uint8Array | undefined): { out: Int32Array; inexact: number } {
  const out = new Int32Array(words.length)
  let inexact = -1
  for (let i = 0; i < words.length; i += 2) {
    const high = words[i + 1] as number
    const quotient = Math.floor(high / 1000)
    const middle = (high - quotient * 1000) * 0x100000000 + ((words[i] as number) >>> 0)
    const low = Math.floor(middle / 1000)
    out[i] = low | 0
    out[i + 1] = quotient
    if (low * 1000 !== middle && inexact < 0 && !isNull(validity, i >>> 1)) inexact = i >>> 1
  }
  return { out, inexact }
}

/** The first valid element that is no multiple of `step` (10 or 100), or -1. */
export function notMultiple(words: Int32Array, validity: Uint8Array | undefined, step: number): number {
  const carry = 0x100000000 % step
  for (let i = 0; i < words.length; i += 2) {
    const rest = (((words[i + 1] as number) % step) * carry + (((words[i] as number) >>> 0) % step)) % step
    if (rest !== 0 && !isNull(validity, i >>> 1)) return i >>> 1
  }
  return -1
}

/** first, first + 1, … as 64-bit integers. */
export function countUp(count: number, first: bigint): Int32Array {
  const words = new Int32Array(2 * count)
  let low = Number(BigInt.asUintN(32, first))
  let high = Number(BigInt.asIntN(32, first >> 32n))
  for (let i = 0; i < count; i++) {
    words[2 * i] = low | 0
    words[2 * i + 1] = high
    low += 1
    if (low === 2 ** 32) {
      low = 0
      high += 1
    }
  }
  return words
}
