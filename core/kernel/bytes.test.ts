import { expect, test } from 'vitest'
import { copyOf, plainBytes, raised } from './bytes.ts'

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
