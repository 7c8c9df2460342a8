/**
 * One container of a roaring bitmap: a set of 16-bit numbers, never empty, as sorted values (at most 4,096), as runs, or as 65,536
 * bits. Runs stay runs, so that memory and work go with the bytes that were read, whatever they stand for. What is made here
 * has the form of the fewest bytes: equal sets are equal bytes.
 */
import { SluiceError } from '../../kernel/errors.ts'

export type Container =
  /** Strictly ascending. */
  | { readonly kind: 'array'; readonly values: Uint16Array }
  /** First value and length less one, a run after the other. */
  | { readonly kind: 'runs'; readonly pairs: Uint16Array }
  | { readonly kind: 'bits'; readonly bits: Uint8Array; readonly count: number }

export const arrayMax = 4096
export const bitsBytes = 8192

export function countOf(container: Container): number {
  if (container.kind === 'array') return container.values.length
  if (container.kind === 'bits') return container.count
  let count = 0
  for (let i = 1; i < container.pairs.length; i += 2) count += (container.pairs[i] as number) + 1
  return count
}

export function unionOf(a: Container, b: Container): Container {
  if (a.kind !== 'bits' && b.kind !== 'bits') return smallestOfPairs(joinedPairs(pairsOf(a), pairsOf(b)))
  const bits = new Uint8Array(bitsBytes)
  paint(bits, a)
  paint(bits, b)
  return smallestOfBits(bits)
}

/** The bytes as sorted values; `count` of them. Errors: `invalid-rows`, as below. */
export function arrayContainer(bytes: Uint8Array): Container {
  const values = uint16s(bytes)
  for (let i = 1; i < values.length; i++)
    if ((values[i] as number) <= (values[i - 1] as number)) throw damage('values of a container do not ascend')
  return { kind: 'array', values }
}

export function runContainer(bytes: Uint8Array, count: number): Container {
  const pairs = uint16s(bytes)
  let end = 0
  for (let i = 0; i < pairs.length; i += 2) {
    const start = pairs[i] as number
    if (start < end) throw damage('runs of a container overlap')
    end = start + (pairs[i + 1] as number) + 1
    if (end > 65536) throw damage('a run goes past its container')
  }
  const container: Container = { kind: 'runs', pairs }
  if (countOf(container) !== count) throw damage('a container holds another number of values than it says')
  return container
}

export function bitsContainer(bits: Uint8Array, count: number): Container {
  if (measure(bits).count !== count) throw damage('a container holds another number of values than it says')
  return { kind: 'bits', bits, count }
}

export function bytesOfContainer(container: Container): Uint8Array {
  if (container.kind === 'bits') return container.bits
  const words = container.kind === 'array' ? container.values : container.pairs
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
}

export const damage = (what: string): SluiceError => new SluiceError('invalid-rows', `this is no roaring bitmap: ${what}`)

/** A copy only where the bytes do not lie on an even place. */
function uint16s(bytes: Uint8Array): Uint16Array {
  const even = (bytes.byteOffset & 1) === 0 ? bytes : new Uint8Array(bytes)
  return new Uint16Array(even.buffer, even.byteOffset, even.length >>> 1)
}

function pairsOf(container: Exclude<Container, { kind: 'bits' }>): Uint16Array {
  if (container.kind === 'runs') return container.pairs
  const pairs = new Uint16Array(2 * container.values.length)
  for (let i = 0; i < container.values.length; i++) pairs[2 * i] = container.values[i] as number
  return pairs
}

/** Runs that touch become one. */
function joinedPairs(a: Uint16Array, b: Uint16Array): Uint16Array {
  const out = new Uint16Array(a.length + b.length)
  let length = 0
  let end = -1
  for (let i = 0, k = 0; i < a.length || k < b.length; ) {
    const takesA = k >= b.length || (i < a.length && (a[i] as number) <= (b[k] as number))
    const start = (takesA ? a[i] : b[k]) as number
    const last = start + ((takesA ? a[i + 1] : b[k + 1]) as number)
    if (takesA) i += 2
    else k += 2
    if (end >= 0 && start <= end + 1) {
      if (last > end) end = last
    } else {
      length += 2
      out[length - 2] = start
      end = last
    }
    out[length - 1] = end - (out[length - 2] as number)
  }
  return out.subarray(0, length)
}

function smallestOfPairs(pairs: Uint16Array): Container {
  const runs: Container = { kind: 'runs', pairs }
  const count = countOf(runs)
  if (isRunsSmallest(count, pairs.length / 2)) return runs
  if (count > arrayMax) {
    const bits = new Uint8Array(bitsBytes)
    paint(bits, runs)
    return { kind: 'bits', bits, count }
  }
  const values = new Uint16Array(count)
  let at = 0
  for (let i = 0; i < pairs.length; i += 2) {
    const end = (pairs[i] as number) + (pairs[i + 1] as number)
    for (let value = pairs[i] as number; value <= end; value++) values[at++] = value
  }
  return { kind: 'array', values }
}

function smallestOfBits(bits: Uint8Array): Container {
  const { count, runs } = measure(bits)
  if (count > arrayMax && !isRunsSmallest(count, runs)) return { kind: 'bits', bits, count }
  const pairs = new Uint16Array(2 * runs)
  let at = 0
  for (let value = 0; value < 65536; value++) {
    if (!hasBit(bits, value)) continue
    const start = value
    while (value < 65535 && hasBit(bits, value + 1)) value++
    pairs[at] = start
    pairs[at + 1] = value - start
    at += 2
  }
  return smallestOfPairs(pairs)
}

const isRunsSmallest = (count: number, runs: number): boolean => 2 + 4 * runs < (count > arrayMax ? bitsBytes : 2 * count)

const hasBit = (bits: Uint8Array, at: number): boolean => (((bits[at >>> 3] as number) >>> (at & 7)) & 1) === 1

function paint(bits: Uint8Array, container: Container): void {
  if (container.kind === 'bits') {
    for (let i = 0; i < bitsBytes; i++) bits[i] = (bits[i] as number) | (container.bits[i] as number)
    return
  }
  const pairs = pairsOf(container)
  for (let i = 0; i < pairs.length; i += 2) {
    const start = pairs[i] as number
    const end = start + (pairs[i + 1] as number)
    for (let value = start; value <= end; value++) {
      if ((value & 7) === 0 && value + 7 <= end) {
        bits[value >>> 3] = 255
        value += 7
      } else bits[value >>> 3] = (bits[value >>> 3] as number) | (1 << (value & 7))
    }
  }
}

/** Ones, and groups of ones that follow each other. */
function measure(bits: Uint8Array): { readonly count: number; readonly runs: number } {
  let count = 0
  let runs = 0
  let before = 0
  for (let i = 0; i < bits.length; i++) {
    const byte = bits[i] as number
    count += ones[byte] as number
    runs += ones[byte & ~((byte << 1) | before)] as number
    before = byte >>> 7
  }
  return { count, runs }
}

const ones = new Uint8Array(256)
for (let i = 1; i < 256; i++) ones[i] = (i & 1) + (ones[i >>> 1] as number)
