/**
 * Periods of time, hour to year, by the wall clock of a time zone, in the forms of Fluss: yyyyMMddHH, yyyyMMdd, yyyyMM, yyyyQ, yyyy.
 * A period is its index on that clock, so that ages are differences. Pure.
 */
export const timeUnits = ['hour', 'day', 'month', 'quarter', 'year'] as const
export type TimeUnit = (typeof timeUnits)[number]

/** By whose clock, and how long. */
export interface Calendar {
  readonly timeUnit: TimeUnit
  /** IANA */
  readonly timeZone: string
}

/** The period of an instant, ms since 1970. */
export function periodAt({ timeUnit, timeZone }: Calendar, ms: number): number {
  return indexOf(timeUnit, ms + zoneMs(timeZone, ms))
}

/**
 * The first instant after `ms` at which a later period is the current one. Clocks are put forward and back by quarters of an hour at
 * least, and by two hours at most, so the quarters around where it should be are tried.
 */
export function nextPeriodMs(calendar: Calendar, ms: number): number {
  const period = periodAt(calendar, ms)
  const wall = wallOf(calendar.timeUnit, period + 1)
  const near = wall - zoneMs(calendar.timeZone, wall) - 2 * hourMs
  let at = Math.ceil(Math.max(ms + 1, near) / quarterMs) * quarterMs
  while (periodAt(calendar, at) <= period) at += quarterMs
  return at
}

export function periodText(unit: TimeUnit, period: number): string {
  const date = new Date(wallOf(unit, period))
  const year = String(date.getUTCFullYear()).padStart(4, '0')
  if (unit === 'year') return year
  if (unit === 'quarter') return `${year}${Math.floor(date.getUTCMonth() / 3) + 1}`
  const month = `${year}${two(date.getUTCMonth() + 1)}`
  if (unit === 'month') return month
  const day = `${month}${two(date.getUTCDate())}`
  return unit === 'day' ? day : `${day}${two(date.getUTCHours())}`
}

/** Undefined where the text is no period of the unit; years are 1000 to 9999. */
export function periodOfText(unit: TimeUnit, text: string): number | undefined {
  if (!forms[unit].test(text)) return undefined
  const [year, month, day, hour] = [text.slice(0, 4), text.slice(4, 6), text.slice(6, 8), text.slice(8, 10)].map(Number)
  const quarter = unit === 'quarter' ? 3 * (Number(text.slice(4)) - 1) : undefined
  const wall = Date.UTC(year ?? 0, quarter ?? Math.max(1, month ?? 1) - 1, Math.max(1, day ?? 1), hour ?? 0)
  const period = indexOf(unit, wall)
  return periodText(unit, period) === text ? period : undefined
}

/** `true` for a name that this runtime knows. */
export function isTimeZone(name: string): boolean {
  if (name.length > zoneLengthMax) return false
  try {
    clockOf(name)
    return true
  } catch {
    return false
  }
}

const zoneLengthMax = 64

const quarterMs = 900_000
const hourMs = 4 * quarterMs
const dayMs = 24 * hourMs

const forms: Readonly<Record<TimeUnit, RegExp>> = {
  hour: /^[1-9][0-9]{9}$/,
  day: /^[1-9][0-9]{7}$/,
  month: /^[1-9][0-9]{5}$/,
  quarter: /^[1-9][0-9]{3}[1-4]$/,
  year: /^[1-9][0-9]{3}$/,
}

/** `wall`: what a clock shows, as ms since it showed 1970. */
function indexOf(unit: TimeUnit, wall: number): number {
  if (unit === 'hour') return Math.floor(wall / hourMs)
  if (unit === 'day') return Math.floor(wall / dayMs)
  const date = new Date(wall)
  const months = 12 * date.getUTCFullYear() + date.getUTCMonth()
  return Math.floor(months / monthsIn[unit])
}

/** Where a period begins. */
function wallOf(unit: TimeUnit, period: number): number {
  if (unit === 'hour') return period * hourMs
  if (unit === 'day') return period * dayMs
  const months = period * monthsIn[unit]
  return Date.UTC(Math.floor(months / 12), months % 12)
}

const monthsIn = { month: 1, quarter: 3, year: 12 } as const

/** How far the zone's clock is ahead of UTC at an instant; whole seconds. */
function zoneMs(timeZone: string, ms: number): number {
  const parts = new Map(
    clockOf(timeZone)
      .formatToParts(ms)
      .map(({ type, value }) => [type, Number(value)]),
  )
  const of = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0
  const wall = Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second'))
  return wall - Math.floor(ms / 1_000) * 1_000
}

const clocks = new Map<string, Intl.DateTimeFormat>()
const clocksMax = 1_000

function clockOf(timeZone: string): Intl.DateTimeFormat {
  const known = clocks.get(timeZone)
  if (known !== undefined) return known
  const numeric = 'numeric' as const
  const shown = { year: numeric, month: numeric, day: numeric, hour: numeric, minute: numeric, second: numeric }
  const clock = new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', calendar: 'gregory', ...shown })
  if (clocks.size >= clocksMax) clocks.clear()
  clocks.set(timeZone, clock)
  return clock
}

const two = (value: number): string => String(value).padStart(2, '0')
