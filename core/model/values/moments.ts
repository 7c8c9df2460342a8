/** Times and timestamps as text, read into 64-bit values: exact, excess digits other than zero are refused. */
import { digits, parseClock, parseDate } from './calendar.ts'

/** A moment in parts: whole seconds, and thousandths, millionths and billionths of one as groups of three digits. */
export interface Moment {
  seconds: number
  readonly groups: [number, number, number]
}

const daySeconds = 86_400
/** 0001-01-01T00:00:00 and 9999-12-31T23:59:59. */
const secondsMin = -719_162 * daySeconds
const secondsMax = 2_932_897 * daySeconds - 1

/** The time of day that is [from, to); undefined where it is none. */
export function parseTime(bytes: Uint8Array, from: number, to: number, precision: number, into: Moment): string | undefined {
  const seconds = to - from < 8 ? Number.NaN : parseClock(bytes, from)
  if (Number.isNaN(seconds)) return 'a time is written "09:30:00.123"'
  into.seconds = seconds
  return parseFraction(bytes, from + 8, to, precision, into)
}

/** The timestamp that is [from, to), with a zone exactly where `zoned`; what is wrong with it, or undefined. */
export function parseTimestamp(
  bytes: Uint8Array,
  from: number,
  to: number,
  precision: number,
  zoned: boolean,
  into: Moment,
): string | undefined {
  const form = zoned
    ? 'a timestamp_ltz is written "2026-11-21T09:30:00.123Z" or with an offset such as +01:00'
    : 'a timestamp is written "2026-11-21T09:30:00.123", without a zone'
  if (to - from < 19 || bytes[from + 10] !== 0x54) return form
  const days = parseDate(bytes, from)
  const clock = parseClock(bytes, from + 11)
  if (Number.isNaN(days) || Number.isNaN(clock)) return form
  let end = to
  let offset = 0
  if (zoned && bytes[to - 1] === 0x5a) end = to - 1
  else if (zoned) {
    end = to - 6
    offset = end < from + 19 ? Number.NaN : parseOffset(bytes, end)
    if (Number.isNaN(offset)) return form
  }
  into.seconds = days * daySeconds + clock - offset
  const wrong = parseFraction(bytes, from + 19, end, precision, into)
  if (wrong !== undefined) return wrong === notFraction ? form : wrong
  return inRange(into, precision) ? undefined : 'it is outside the range of the column'
}

const notFraction = 'a fraction of a second is written ".123"'

/** [from, to) is nothing, or a point and digits; those past `precision` have to be zero. */
function parseFraction(bytes: Uint8Array, from: number, to: number, precision: number, into: Moment): string | undefined {
  const { groups } = into
  groups[0] = 0
  groups[1] = 0
  groups[2] = 0
  if (from === to) return undefined
  if (bytes[from] !== 0x2e || to === from + 1) return notFraction
  for (let i = from + 1; i < to; i++) {
    const digit = (bytes[i] as number) - 0x30
    const place = i - from - 1
    if (digit < 0 || digit > 9) return notFraction
    if (digit === 0) continue
    if (place >= precision) return `it is finer than precision ${precision}`
    const group = Math.floor(place / 3) as 0 | 1 | 2
    groups[group] += digit * (place % 3 === 0 ? 100 : place % 3 === 1 ? 10 : 1)
  }
  return undefined
}

/** Seconds of `+01:00`, or NaN. */
function parseOffset(bytes: Uint8Array, at: number): number {
  const sign = bytes[at] === 0x2b ? 1 : bytes[at] === 0x2d ? -1 : Number.NaN
  const hours = digits(bytes, at + 1, 2)
  const minutes = digits(bytes, at + 4, 2)
  return bytes[at + 3] === 0x3a && hours <= 23 && minutes <= 59 ? sign * (hours * 3600 + minutes * 60) : Number.NaN
}

function inRange({ seconds, groups }: Moment, precision: number): boolean {
  if (seconds < secondsMin || seconds > secondsMax) return false
  if (precision <= 6) return true
  const nanos = groups[0] * 1_000_000 + groups[1] * 1000 + groups[2]
  if (seconds === -9_223_372_037) return nanos >= 145_224_192
  if (seconds === 9_223_372_036) return nanos <= 854_775_807
  return seconds > -9_223_372_037 && seconds < 9_223_372_036
}

/** Writes the moment in units of 1000^-`thousands` seconds as a 64-bit integer: its low word at `words[at]`. */
export function putMoment(words: Int32Array, at: number, { seconds, groups }: Moment, thousands: number): void {
  let high = Math.floor(seconds / 0x100000000)
  let low = seconds - high * 0x100000000
  for (let i = 0; i < thousands; i++) {
    const product = low * 1000 + (groups[i] as number)
    const carry = Math.floor(product / 0x100000000)
    low = product - carry * 0x100000000
    high = high * 1000 + carry
  }
  words[at] = low | 0
  words[at + 1] = high
}
