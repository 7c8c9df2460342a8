import { expect, test } from 'vitest'
import { copyOf, fewer, joined, plainBytes, raised } from './bytes.ts'

test('what is raised is a copy, of a Node Buffer too', () => {
  const bytes = Buffer.from('a'.repeat(23))
  expect(Buffer.from(raised(bytes, 16) ?? []).toString()).toBe(`${'a'.repeat(15)}b`)
  expect(bytes.toString()).toBe('a'.repeat(23))
})

test('a copy of a Node Buffer shares nothing with it', () => {
  const bytes = Buffer.from([1, 2, 3])
  const copy = copyOf(bytes, 1)
  copy[0] = 9
  expect([[...bytes], [...copy]]).toEqual([
    [1, 2, 3],
    [9, 3],
  ])
})

test('plain bytes are the same memory, and no Buffer', () => {
  const bytes = Buffer.from([1, 2, 3]).subarray(1)
  const plain = plainBytes(bytes)
  expect([plain.constructor, [...plain], plain.buffer]).toEqual([Uint8Array, [2, 3], bytes.buffer])
  expect(plainBytes(plain)).toBe(plain)
})

test('pieces that lie behind each other in one memory become one, with the same bytes in the same order', () => {
  const memory = Uint8Array.from({ length: 16 }, (_, i) => i)
  const part = (start: number, end: number) => memory.subarray(start, end)
  const pieces = [part(0, 4), part(4, 6), part(6, 6), part(6, 9), part(10, 12), part(2, 4), Uint8Array.of(1), part(4, 5)]
  const found = fewer(pieces)
  expect(found.map(({ length }) => length)).toEqual([9, 2, 2, 1, 1])
  expect(joined(found)).toEqual(joined(pieces))
  expect(fewer([])).toEqual([])
})
