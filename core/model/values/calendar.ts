/**
 * Dates and times of day as text in bytes, both ways: `2026-11-21`, `09:30:00.123456`. Proleptic Gregorian calendar, years 1
 * to 9999, no leap seconds. Algorithms for days: Howard Hinnant, chrono-compatible low-level date algorithms.
 */

/** Days since 1970-01-01 of the ten bytes at `at`, or NaN where they are no date. */
export function parseDate(bytes: Uint8Array, at: number): number {
  const year = digits(bytes, at, 4)
  const month = digits(bytes, at + 5, 2)
  const day = digits(bytes, at + 8, 2)
  if (bytes[at + 4] !== 0x2d || bytes[at + 7] !== 0x2d) return Number.NaN
  if (!(year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month))) return Number.NaN
  return daysOf(year, month, day)
}

/** Seconds since midnight of the eight bytes at `at`, or NaN. */
export function parseClock(bytes: Uint8Array, at: number): number {
  const hours = digits(bytes, at, 2)
  const minutes = digits(bytes, at + 3, 2)
  const seconds = digits(bytes, at + 6, 2)
  if (bytes[at + 2] !== 0x3a || bytes[at + 5] !== 0x3a || !(hours < 24 && minutes < 60 && seconds < 60)) return Number.NaN
  return hours * 3600 + minutes * 60 + seconds
}

/** The `count` digits at `at` as a number, or NaN. */
export function digits(bytes: Uint8Array, at: number, count: number): number {
  let value = 0
  for (let i = at; i < at + count; i++) {
    const digit = (bytes[i] ?? 0) - 0x30
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  return value
}

function daysInMonth(year: number, month: number): number {
  if (month !== 2) return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
}

/** Days since 1970-01-01; the year begins in March, so that a leap day is its last. */
function daysOf(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
}

/** Writes `2026-11-21` at `at`; returns the position after it. */
export function putDate(out: Uint8Array, at: number, days: number): number {
  const z = days + 719_468
  const era = Math.floor(z / 146_097)
  const dayOfEra = z - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shifted = Math.floor((5 * dayOfYear + 2) / 153)
  const month = shifted < 10 ? shifted + 3 : shifted - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  putDigits(out, at, year, 4)
  out[at + 4] = 0x2d
  putDigits(out, at + 5, month, 2)
  out[at + 7] = 0x2d
  putDigits(out, at + 8, dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1, 2)
  return at + 10
}

/** Writes `09:30:00` at `at`; returns the position after it. */
export function putClock(out: Uint8Array, at: number, seconds: number): number {
  putDigits(out, at, Math.floor(seconds / 3600), 2)
  out[at + 2] = 0x3a
  putDigits(out, at + 3, Math.floor(seconds / 60) % 60, 2)
  out[at + 5] = 0x3a
  putDigits(out, at + 6, seconds % 60, 2)
  return at + 8
}

/** Writes `value` with leading zeros in `count` digits. */
export function putDigits(out: Uint8Array, at: number, value: number, count: number): void {
  let rest = value
  for (let i = at + count - 1; i >= at; i--) {
    const next = Math.floor(rest / 10)
    out[i] = 0x30 + rest - next * 10
    rest = next
  }
}
