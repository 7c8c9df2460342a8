/**
 * Numbers of keys in the order of the keys. Three bytes of a key and its number are one number, and numbers are sorted without a call
 * for each two; what these bytes do not tell apart is sorted by the next three. All keys are different.
 * The host is little-endian, as for Arrow.
 */
import { lengthOfSpan, type Span } from '../kernel/bytes.ts'

/** Bytes of a key in one head. */
const headBytes = 3
/** So few are sorted by their keys. */
const fewMax = 16

interface Sorting {
  readonly keyOf: (index: number) => Span
  readonly numbers: BigUint64Array
  /** Of a number: that of its key, then the head of the key, which is the upper half. */
  readonly halves: Uint32Array<ArrayBuffer>
}

interface Range {
  readonly from: number
  readonly to: number
  /** Bytes with which all of their keys begin. */
  readonly shared: number
}

/** Of [from, to). */
export function orderOf(keyOf: Sorting['keyOf'], from: number, to: number): Uint32Array<ArrayBuffer> {
  const numbers = new BigUint64Array(to - from)
  const halves = new Uint32Array(numbers.buffer)
  for (let at = 0; at < numbers.length; at++) halves[2 * at] = from + at
  const sorting = { keyOf, numbers, halves }
  const left: Range[] = []
  const sortOrLeave = (range: Range): void => {
    if (range.to - range.from <= fewMax) sortFew(sorting, range)
    else left.push(range)
  }
  sortOrLeave({ from: 0, to: numbers.length, shared: 0 })
  for (let range = left.pop(); range !== undefined; range = left.pop()) sortByHeads(sorting, range, sortOrLeave)
  return halves.filter((_, at) => at % 2 === 0)
}

/** `sort`: those of which the heads are the same. */
function sortByHeads(sorting: Sorting, range: Range, sort: (same: Range) => void): void {
  const { keyOf, numbers, halves } = sorting
  const shared = sharedBytes(sorting, range)
  for (let at = range.from; at < range.to; at++) halves[2 * at + 1] = headOf(keyOf(halves[2 * at] as number), shared)
  numbers.subarray(range.from, range.to).sort()
  for (let from = range.from, to = from + 1; from < range.to; from = to++) {
    while (to < range.to && halves[2 * to + 1] === halves[2 * from + 1]) to++
    if (to - from > 1) sort({ from, to, shared: shared + headBytes })
  }
}

function sharedBytes({ keyOf, halves }: Sorting, range: Range): number {
  const first = keyOf(halves[2 * range.from] as number)
  let shared = lengthOfSpan(first)
  for (let at = range.from + 1; at < range.to; at++) {
    const { bytes, start, end } = keyOf(halves[2 * at] as number)
    let same = range.shared
    while (same < shared && start + same < end && bytes[start + same] === first.bytes[first.start + same]) same++
    shared = same
  }
  return shared
}

/** Then how many bytes there were: what ends is below what goes on with zeros. */
function headOf({ bytes, start, end }: Span, shared: number): number {
  const at = start + shared
  const byte = (index: number): number => (index < end ? (bytes[index] as number) : 0)
  const count = Math.min(end - at, headBytes)
  return ((byte(at) << 24) | (byte(at + 1) << 16) | (byte(at + 2) << 8) | count) >>> 0
}

function sortFew({ keyOf, halves }: Sorting, { from, to, shared }: Range): void {
  for (let next = from + 1; next < to; next++) {
    const index = halves[2 * next] as number
    const key = keyOf(index)
    let at = next
    for (; at > from && isAbove(keyOf(halves[2 * at - 2] as number), key, shared); at--)
      halves[2 * at] = halves[2 * at - 2] as number
    halves[2 * at] = index
  }
}

function isAbove(a: Span, b: Span, shared: number): boolean {
  let [at, other] = [a.start + shared, b.start + shared]
  while (at < a.end && other < b.end && a.bytes[at] === b.bytes[other]) {
    at++
    other++
  }
  return at < a.end && (other === b.end || (a.bytes[at] as number) > (b.bytes[other] as number))
}
