/**
 * Numbers out of text, in the notation of JSON (RFC 8259), exactly: integers and decimals go by their digits, never through a
 * double. Doubles are read as JavaScript reads them, most of them without making a string.
 */
import { utf8Text } from '../../kernel/bytes.ts'

/** Digits without zeros at either end: the value is `digits` × 10^`exponent`. */
export interface Exact {
  readonly negative: boolean
  readonly digits: string
  readonly exponent: number
}

/** The number that is exactly [start, end), or undefined where that is no JSON number. */
export function exactNumber(bytes: Uint8Array, start: number, end: number): Exact | undefined {
  if (start === end || numberEnd(bytes, start, end) !== end) return undefined
  const negative = bytes[start] === 0x2d
  let at = negative ? start + 1 : start
  const whole = digitsEnd(bytes, at, end)
  let digits = asciiText(bytes, at, whole)
  at = whole
  let exponent = 0
  if (bytes[at] === 0x2e && at < end) {
    const fraction = digitsEnd(bytes, at + 1, end)
    digits += asciiText(bytes, at + 1, fraction)
    exponent = at + 1 - fraction
    at = fraction
  }
  if (at < end) exponent += Number(asciiText(bytes, at + 1, Math.min(end, at + 1 + exponentDigitsMax)))
  let first = 0
  while (digits.charCodeAt(first) === 0x30) first++
  let last = digits.length
  while (last > first && digits.charCodeAt(last - 1) === 0x30) last--
  return { negative, digits: digits.slice(first, last), exponent: exponent + (digits.length - last) }
}

/** A longer exponent is cut: it is too great for every type anyway (leading zeros are not worth the care). */
const exponentDigitsMax = 12

/** The number × 10^scale as an integer below 10^precision in size; 'rounding' or 'overflow' where it is none. */
export function scaled(
  { negative, digits, exponent }: Exact,
  scale: number,
  precision: number,
): bigint | 'rounding' | 'overflow' {
  if (digits.length === 0) return 0n
  const zeros = exponent + scale
  if (zeros < 0) return 'rounding'
  if (digits.length + zeros > precision) return 'overflow'
  const value = BigInt(digits) * 10n ** BigInt(zeros)
  return negative ? -value : value
}

/** The end of the JSON number at `at`; `at` itself where there is none. */
export function numberEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  if (bytes[at] === 0x2d) at++
  const digits = digitsEnd(bytes, at, end)
  if (digits === at || (bytes[at] === 0x30 && digits > at + 1)) return start
  at = digits
  if (at < end && bytes[at] === 0x2e) {
    const fraction = digitsEnd(bytes, at + 1, end)
    if (fraction === at + 1) return start
    at = fraction
  }
  if (at < end && ((bytes[at] as number) | 0x20) === 0x65) {
    const sign = bytes[at + 1] === 0x2b || bytes[at + 1] === 0x2d ? 1 : 0
    const exponent = digitsEnd(bytes, at + 1 + sign, end)
    if (exponent === at + 1 + sign) return start
    at = exponent
  }
  return at
}

export function digitsEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && (bytes[at] as number) >= 0x30 && (bytes[at] as number) <= 0x39) at++
  return at
}

/** The end of the double last read. */
let doubleEnd = 0
export const lastDoubleEnd = (): number => doubleEnd

/** The double that begins at `start`; its end is lastDoubleEnd(), which is `start` where there is none. */
export function readDouble(bytes: Uint8Array, start: number, end: number): number {
  const negative = bytes[start] === 0x2d
  let at = negative ? start + 1 : start
  const first = at
  let mantissa = 0
  while (at < end) {
    const digit = (bytes[at] as number) - 0x30
    if (digit < 0 || digit > 9) break
    mantissa = mantissa * 10 + digit
    at++
  }
  let count = at - first
  if (count === 0 || (count > 1 && bytes[first] === 0x30)) {
    doubleEnd = start
    return 0
  }
  let fraction = 0
  if (at < end && bytes[at] === 0x2e) {
    const point = ++at
    while (at < end) {
      const digit = (bytes[at] as number) - 0x30
      if (digit < 0 || digit > 9) break
      mantissa = mantissa * 10 + digit
      at++
    }
    fraction = at - point
    count += fraction
  }
  const next = at < end ? (bytes[at] as number) | 0x20 : 0
  if (next !== 0x65 && count <= 15 && bytes[at - 1] !== 0x2e) {
    // both are exact doubles, so their quotient is rounded once (Clinger's fast path)
    doubleEnd = at
    const value = fraction === 0 ? mantissa : mantissa / (powers[fraction] as number)
    return negative ? -value : value
  }
  doubleEnd = numberEnd(bytes, start, end)
  return Number(asciiText(bytes, start, doubleEnd))
}

const powers = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15]

/** What is no number in JSON and stands there as a text. */
export function specialDouble(text: string): number | undefined {
  if (text === 'NaN') return Number.NaN
  if (text === 'Infinity' || text === '+Infinity') return Number.POSITIVE_INFINITY
  return text === '-Infinity' ? Number.NEGATIVE_INFINITY : undefined
}

/** Eight at a time: for texts as short as numbers are this takes half the time of a decoder. */
export function asciiText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > 64) return utf8Text(bytes.subarray(start, end))
  let text = ''
  let i = start
  for (; i + 8 <= end; i += 8) {
    text += String.fromCharCode(
      bytes[i] as number,
      bytes[i + 1] as number,
      bytes[i + 2] as number,
      bytes[i + 3] as number,
      bytes[i + 4] as number,
      bytes[i + 5] as number,
      bytes[i + 6] as number,
      bytes[i + 7] as number,
    )
  }
  for (; i < end; i++) text += String.fromCharCode(bytes[i] as number)
  return text
}
