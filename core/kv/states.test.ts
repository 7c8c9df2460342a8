/** A map of keys to their newest states in large arrays is a map. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { KeyState, RunRecord } from '../format/run/block.ts'
import { bytesOfSpan, lengthOfSpan, spanOf } from '../kernel/bytes.ts'

import { hashOf, KeyStates, secretOf } from './states.ts'

const secret = secretOf({ bytes: (count) => new Uint8Array(count).fill(0x5a) })

const anyKey = fc.oneof(
  fc.string({ unit: fc.constantFrom('\0', 'a', 'b', '\xff'), maxLength: 6 }),
  fc.constantFrom(...Array.from({ length: 40 }, (_, i) => `key ${i}`)),
)
const anyRow = fc.option(
  fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.nat(3).map((n) => new Uint8Array(700_000).fill(n)),
  ),
  { nil: undefined, freq: 5 },
)
const anyStep = fc.oneof(
  { weight: 20, arbitrary: fc.record({ key: anyKey, schemaId: fc.nat(3), row: anyRow }) },
  { weight: 1, arbitrary: fc.nat(100).map((back) => ({ back })) },
)

const plain = (states: Iterable<readonly [string, KeyState]>) =>
  [...states].map(([key, { row, ...state }]) => ({
    key,
    ...state,
    row: row && Buffer.from(bytesOfSpan(row)).toString('hex').slice(0, 300),
    length: lengthOfSpan(row),
  }))
const byKey = (a: { key: string }, b: { key: string }): number => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)

test('whatever is put in and left behind, it holds what a map would, in order, by key and by prefix', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 120 }), fc.array(anyKey, { maxLength: 5 }), (steps, sought) => {
      const states = new KeyStates(secret)
      const expected = new Map<string, KeyState>()
      for (const [i, step] of steps.entries()) {
        if ('back' in step) {
          const from = BigInt(i - step.back)
          states.retain((offset) => offset >= from)
          for (const [key, { offset }] of expected) if (offset < from) expected.delete(key)
        } else {
          const state = { offset: BigInt(i), schemaId: step.schemaId, row: step.row && spanOf(step.row) }
          states.put(step.key, state.offset, state.schemaId, state.row)
          expected.set(step.key, state)
        }
      }
      expect(states.size).toBe(expected.size)
      const inOrder = plain(expected).sort(byKey)
      expect(plain([...states.sorted()].map(({ key, ...state }) => [key, state]))).toEqual(inOrder)
      for (const key of sought) {
        expect(plain([['', states.get(key)]].filter(([, state]) => state !== undefined) as [string, KeyState][])).toEqual(
          plain(expected.has(key) ? [['', expected.get(key) as KeyState]] : []),
        )
        expect([...states.sorted(key)].map((record) => record.key)).toEqual(
          inOrder.map((record) => record.key).filter((own) => own >= key),
        )
        const live = inOrder.filter((record) => record.row !== undefined && record.key.startsWith(key))
        for (const most of [1, 3, 1_000]) {
          const records = [...states.beginningWith([key], most).rows(0)]
          expect(plain(records.map(({ key, ...state }) => [key, state]))).toEqual(live.slice(0, most))
        }
      }
    }),
    { numRuns: 100 },
  )
})

test('a row that was given out stays what it was, whatever comes after it', () => {
  const states = new KeyStates(secret)
  states.put('a', 0n, 0, spanOf(Uint8Array.of(1, 2, 3)))
  const before = states.get('a')
  for (let i = 1; i < 100_000; i++) states.put('a', BigInt(i), 0, spanOf(Uint8Array.of(i, i, i)))
  expect(before?.row && bytesOfSpan(before.row)).toEqual(Uint8Array.of(1, 2, 3))
})

const textsOf = (records: Iterable<RunRecord>): string[] =>
  [...records].map(({ key, offset, row }) => `${key} ${offset} ${row && Buffer.from(bytesOfSpan(row)).toString('latin1')}`)
const putText = (states: KeyStates, key: string, offset: bigint, row: string | undefined): void =>
  states.put(key, offset, 0, row === undefined ? undefined : spanOf(Buffer.from(row)))

test('what begins with a prefix stays what it was, whatever is put in, deleted and left behind before it is read', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(40), fc.boolean()), { maxLength: 80 }), fc.nat(80), (steps, at) => {
      const states = new KeyStates(secret)
      const put = (from: number, to: number): void => {
        for (const [i, [key, isLive]] of steps.slice(from, to).entries())
          putText(states, `k${key}`, BigInt(from + i), isLive ? `row ${from + i}` : undefined)
      }
      put(0, at)
      const expected = textsOf(states.sorted()).filter((text) => !text.endsWith('undefined'))
      const known = new Set([...states.sorted()].map(({ key }) => key))
      const found = states.beginningWith(['k'], 100)
      put(at, steps.length)
      for (let i = 0; i < 200; i++) putText(states, `k more ${i}`, 1_000n, 'another row')
      states.retain((offset) => offset >= at)
      putText(states, 'k0', 2_000n, 'last')
      expect(textsOf(found.rows(0))).toEqual(expected)
      for (let key = 0; key <= 40; key++) expect(found.has(`k${key}`)).toBe(known.has(`k${key}`))
      expect(found.has('k more 1')).toBe(false)
    }),
    { numRuns: 100 },
  )
})

test('of prefixes no more rows are taken than each may have, deleted keys are none, and too many are refused first', () => {
  const states = new KeyStates(secret)
  for (let i = 0; i < 100; i++)
    for (const prefix of ['a', 'b']) putText(states, `${prefix}${100 + i}`, BigInt(i), i % 2 ? 'row' : undefined)
  const told: number[] = []
  const found = states.beginningWith(['b', 'none', 'a'], 3, (rows) => void told.push(rows))
  expect(told).toEqual([3, 3, 6])
  expect([0, 1, 2].map((prefix) => textsOf(found.rows(prefix)))).toEqual([
    ['b101 1 row', 'b103 3 row', 'b105 5 row'],
    [],
    ['a101 1 row', 'a103 3 row', 'a105 5 row'],
  ])
  expect(() =>
    states.beginningWith(['a'], 3, () => {
      throw new Error('too many')
    }),
  ).toThrow('too many')
})

test('the order takes four bytes a key once it is asked for, and goes on with new keys and over compactions', () => {
  const states = new KeyStates(secret)
  const keys = Array.from({ length: 3_000 }, (_, i) => `${(i * 7) % 3_000}`.padStart(4, '0'))
  for (const key of keys) putText(states, key, 0n, 'r'.repeat(50))
  const before = states.bytes
  states.sort()
  expect(states.bytes).toBe(before + 4 * keys.length)
  // Replaced rows are left behind on the way.
  for (let i = 1; i <= 5; i++) for (const key of keys) putText(states, key, BigInt(i), 'r'.repeat(50))
  for (const key of ['0000+', '!', '~', '1500+']) putText(states, key, 9n, 'new')
  expect([...states.sorted()].map(({ key }) => key)).toEqual([...keys, '0000+', '!', '~', '1500+'].sort())
  states.retain((offset) => offset === 9n)
  expect([...states.sorted('0001')].map(({ key }) => key)).toEqual(['1500+', '~'])
})

test('a key that is written a hundred thousand times takes little more than one, and many keys little more than their rows', () => {
  const one = new KeyStates(secret)
  const row = new Uint8Array(40)
  for (let i = 0; i < 100_000; i++) one.put('a', BigInt(i), 0, spanOf(row))
  expect(one.bytes).toBeLessThan(512 * 1024)
  const many = new KeyStates(secret)
  const count = 100_000
  for (let i = 0; i < count; i++) many.put(String(i).padStart(8, '0'), BigInt(i), 0, spanOf(row))
  expect(many.bytes / count).toBeLessThan(48 + 100)
  many.retain((offset) => offset >= count)
  expect(many.bytes).toBe(0)
})

test('rows of any size that are written again and again leave little behind them', () => {
  for (const length of [300, 100_000, 140_000, 513 * 1024, 700_000]) {
    const states = new KeyStates(secret)
    let most = 0
    for (let i = 0; i < 60; i++) {
      states.put('a', BigInt(i), 0, spanOf(new Uint8Array(length)))
      states.put('b', BigInt(i), 0, spanOf(new Uint8Array(20)))
      most = Math.max(most, states.bytes)
    }
    expect(most).toBeLessThan(3 * length + 512 * 1024)
  }
})

test('keys are spread whatever the secret is', () => {
  for (const byte of [0, 1, 0x80, 0xff]) {
    const own = secretOf({ bytes: (count) => new Uint8Array(count).fill(byte) })
    const count = 20_000
    const numbers = Array.from({ length: count }, (_, i) => {
      const key = Buffer.alloc(8)
      key.writeBigInt64BE(BigInt(i) - 2n ** 63n)
      return key.toString('latin1')
    })
    const texts = Array.from({ length: count }, (_, i) => `y\0\0${String(i).padStart(6, '0')}\0\0`)
    for (const keys of [numbers, texts]) {
      expect(new Set(keys.map((key) => hashOf(key, own))).size).toBeGreaterThan(0.999 * count)
      expect(new Set(keys.map((key) => hashOf(key, own) & 0xffff)).size).toBeGreaterThan(0.2 * 0x10000)
    }
  }
})
