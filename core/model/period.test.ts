import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Calendar, isTimeZone, nextPeriodMs, periodAt, periodOfText, periodText, timeUnits } from './period.ts'

const at = (text: string): number => Date.parse(text)
const utc = (timeUnit: Calendar['timeUnit']): Calendar => ({ timeUnit, timeZone: 'UTC' })

test.each([
  ['hour', '2026112723'],
  ['day', '20261127'],
  ['month', '202611'],
  ['quarter', '20264'],
  ['year', '2026'],
] as const)('the %s of an instant is %s', (unit, text) => {
  expect(periodText(unit, periodAt(utc(unit), at('2026-11-27T23:59:59.999Z')))).toBe(text)
})

test.each([
  ['hour', '2026112800'],
  ['day', '20261128'],
  ['month', '202611'],
] as const)('the %s of an instant in Berlin is %s', (timeUnit, text) => {
  const berlin = { timeUnit, timeZone: 'Europe/Berlin' }
  expect(periodText(timeUnit, periodAt(berlin, at('2026-11-27T23:00:00Z')))).toBe(text)
})

test.each([
  ['day', '20260230'],
  ['day', '2026-02-01'],
  ['day', '202602011'],
  ['hour', '2026020124'],
  ['month', '202613'],
  ['month', '202600'],
  ['quarter', '20265'],
  ['quarter', '20260'],
  ['year', '0999'],
  ['year', ' 2026'],
  ['year', '２０２６'],
] as const)('no %s is %s', (unit, text) => {
  expect(periodOfText(unit, text)).toBeUndefined()
})

test.each([
  ['hour', 'UTC', '2026-11-27T23:20:00Z', '2026-11-28T00:00:00Z'],
  ['day', 'UTC', '2026-11-27T23:20:00Z', '2026-11-28T00:00:00Z'],
  ['day', 'Europe/Berlin', '2026-11-27T22:59:59Z', '2026-11-27T23:00:00Z'],
  ['day', 'Asia/Kolkata', '2026-11-27T18:30:00Z', '2026-11-28T18:30:00Z'],
  ['month', 'UTC', '2026-11-27T23:20:00Z', '2026-12-01T00:00:00Z'],
  ['quarter', 'UTC', '2026-11-27T23:20:00Z', '2027-01-01T00:00:00Z'],
  ['year', 'America/New_York', '2026-11-27T23:20:00Z', '2027-01-01T05:00:00Z'],
  // The days on which clocks in Berlin are put forward and back.
  ['day', 'Europe/Berlin', '2026-03-29T00:30:00Z', '2026-03-29T22:00:00Z'],
  ['day', 'Europe/Berlin', '2026-10-25T00:30:00Z', '2026-10-25T23:00:00Z'],
  ['hour', 'Europe/Berlin', '2026-10-25T00:30:00Z', '2026-10-25T02:00:00Z'],
  ['hour', 'Europe/Berlin', '2026-10-24T23:30:00Z', '2026-10-25T00:00:00Z'],
] as const)('after this instant the next %s in %s begins: %s → %s', (timeUnit, timeZone, now, next) => {
  expect(new Date(nextPeriodMs({ timeUnit, timeZone }, at(now))).toISOString()).toBe(next.replace('Z', '.000Z'))
})

const zones = ['UTC', 'Europe/Berlin', 'America/St_Johns', 'Australia/Lord_Howe', '+05:45']
const instants = fc.integer({ min: at('1980-01-02T00:00:00Z'), max: at('2199-12-31T00:00:00Z') })

test('every period reads back from its text, in the order of time, and the next one begins later', () => {
  fc.assert(
    fc.property(instants, fc.constantFrom(...timeUnits), fc.constantFrom(...zones), (now, timeUnit, timeZone) => {
      const calendar = { timeUnit, timeZone }
      const period = periodAt(calendar, now)
      expect(periodOfText(timeUnit, periodText(timeUnit, period))).toBe(period)
      expect(periodText(timeUnit, period) < periodText(timeUnit, period + 1)).toBe(true)
      const next = nextPeriodMs(calendar, now)
      expect(periodAt(calendar, next)).toBeGreaterThan(period)
      expect(periodAt(calendar, next - 1)).toBeLessThanOrEqual(period)
    }),
  )
})

test('time zones are those that the runtime knows', () => {
  expect(['UTC', 'Europe/Berlin', '+02:00'].map(isTimeZone)).toEqual([true, true, true])
  expect(['', 'Mars/Olympus', 'a'.repeat(10_000)].map(isTimeZone)).toEqual([false, false, false])
})
