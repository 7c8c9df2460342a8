import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SluiceError } from '../kernel/errors.ts'
import { offsetOf } from '../kernel/ids.ts'
import { crcOf, millionOf } from './cursor.case.ts'
import { type Cursor, decodeCursor, encodeCursor } from './cursor.ts'

const one: Cursor = {
  tableId: '00112233445566ff',
  nameCrc: 0xdeadbeef,
  selection: {
    buckets: [
      { first: 0, last: 7 },
      { first: 12, last: 12 },
    ],
    partitions: { kind: 'prefix', prefix: 'dt=2026-11' },
  },
  position: {
    offsets: [
      { partition: '0a0b0c0d', bucket: 3, offset: offsetOf(2n ** 63n - 1n) },
      { partition: '0a0b0c0d', bucket: 12, offset: offsetOf(0) },
      { partition: 'ffffffff', bucket: 3, offset: offsetOf(2n ** 53n + 1n) },
    ],
    turn: 2,
  },
}

test('a cursor comes back as it went', () => {
  expect(decodeCursor(encodeCursor(one))).toEqual(one)
  const bare: Cursor = { ...one, selection: { buckets: [], partitions: { kind: 'all' } }, position: { offsets: [], turn: 0 } }
  expect(decodeCursor(encodeCursor(bare))).toEqual(bare)
})

test('version 1, as it was once written, is read', () => {
  const text = 'AQARIjNEVWb_776t3gIABwwAAgoAZHQ9MjAyNi0xMQICBAoLDA0CA___________fwwABP____8BA4GAgICAgIAQgAnFfA'
  expect(decodeCursor(text)).toEqual(one)
})

test('a cursor that was touched anywhere is refused, and nothing else is thrown', () => {
  const text = encodeCursor(one)
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.constantFrom('A', 'z', '9', '_', '!'), fc.nat(text.length), (at, by, length) => {
      const touched = `${text.slice(0, at)}${by}${text.slice(at + 1)}`.slice(0, Math.max(at + 1, length))
      if (touched === text) return true
      try {
        return JSON.stringify(decodeCursor(touched), shown) === JSON.stringify(one, shown)
      } catch (error) {
        return error instanceof SluiceError && error.code === 'bad-cursor'
      }
    }),
    { numRuns: 2_000 },
  )
})

test('any bytes with the right checksum are a cursor or refused, and take no memory', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const body = Buffer.from([1, ...bytes])
      const sealed = Buffer.concat([body, crcOf(body)]).toString('base64url')
      try {
        return decodeCursor(sealed).position.offsets.length <= 512
      } catch (error) {
        return error instanceof SluiceError && error.code === 'bad-cursor'
      }
    }),
    { numRuns: 2_000 },
  )
})

test.each([
  ['spans', 'nothing'],
  ['partitions', 'nothing'],
  ['offsets', 'nothing'],
  ['partitions', 'all of them'],
  ['offsets', 'all of them'],
] as const)('a cursor with a valid checksum that says a million %s, and has %s, is refused', (counted, has) => {
  expect(() => decodeCursor(millionOf(counted, has === 'nothing' ? 0 : 1_000_000))).toThrow(
    expect.objectContaining({ code: 'bad-cursor', facts: { parameter: 'cursor' } }),
  )
})

const shown = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? `${value}` : value)
