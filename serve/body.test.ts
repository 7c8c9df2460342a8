import { describe, expect, test } from 'vitest'
import { BodyPool } from './body.ts'

const chunks = (count: number, bytes: number): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => new Uint8Array(bytes).fill(i + 1))

describe('a body', () => {
  test('is its chunks in order, whose memory is given back', () => {
    const pool = new BodyPool(1 << 20)
    const parts = chunks(3, 40_000)
    const body = pool.join(parts, 120_000)
    expect(body.length).toBe(120_000)
    expect([body[0], body[39_999], body[40_000], body[119_999]]).toEqual([1, 1, 2, 3])
    expect(parts.map((part) => part.buffer.byteLength)).toEqual([0, 0, 0])
  })

  test('of one chunk is that chunk, and a view into a larger buffer is left alone', () => {
    const pool = new BodyPool(1 << 20)
    const [only] = chunks(1, 10)
    expect(pool.join([only as Uint8Array], 10)).toBe(only)
    const whole = new Uint8Array(100)
    pool.join([whole.subarray(0, 10), whole.subarray(10, 20)], 20)
    expect(whole.length).toBe(100)
  })

  test('that was given back lends its memory to the next of its size, with nothing of the old one in it', () => {
    const pool = new BodyPool(1 << 20)
    const first = pool.join(chunks(2, 60_000), 120_000)
    pool.give(first)
    const second = pool.join(chunks(2, 50_000), 100_000)
    expect(second.buffer).toBe(first.buffer)
    expect([second.length, second[0], second[99_999]]).toEqual([100_000, 1, 2])
    expect(pool.join(chunks(2, 50_000), 100_000).buffer).not.toBe(first.buffer)
  })

  test('is forgotten beyond what the pool may keep', () => {
    const pool = new BodyPool(200_000)
    const bodies = [pool.join(chunks(2, 60_000), 120_000), pool.join(chunks(2, 60_000), 120_000)]
    for (const body of bodies) pool.give(body)
    const again = [pool.join(chunks(2, 60_000), 120_000), pool.join(chunks(2, 60_000), 120_000)]
    expect(again.map(({ buffer }) => bodies.some((body) => body.buffer === buffer))).toEqual([true, false])
  })
})
