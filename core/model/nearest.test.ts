import { expect, test } from 'vitest'
import { nearest, suggestion } from './nearest.ts'

test('the nearest name is the one with the fewest edits', () => {
  expect(nearest('emial', ['id', 'email', 'mail'])).toBe('email')
  expect(nearest('LAKE.FORMAT', ['lake.format', 'lake.bytes'])).toBe('lake.format')
  expect(nearest('lake.freshnes', ['lake.bytes', 'lake.freshness'])).toBe('lake.freshness')
})

test('nothing is suggested when nothing is close', () => {
  expect(nearest('colour', ['id', 'name'])).toBeUndefined()
  expect(suggestion('zzzzzz', ['id'])).toBe('')
  expect(suggestion('nmae', ['name'])).toBe('; did you mean "name"?')
})

test('hostile names cost little', () => {
  const names = Array.from({ length: 10_000 }, (_, i) => `${'n'.repeat(60)}${i % 1000}`)
  const started = performance.now()
  nearest('n'.repeat(64), names)
  nearest('n'.repeat(1_000_000), names)
  expect(performance.now() - started).toBeLessThan(200)
})
