import { expect, test } from 'vitest'
import { utf8 } from '../../core/kernel/bytes.ts'
import { MemoryItems } from '../items/memory.ts'
import { MemoryObjects } from '../objects/memory.ts'
import { Counter, Counts, countItems, countObjects } from './count.ts'

const key = { partition: 'p', sort: 's' }

test('requests and bytes are counted for the process and for the scope that asked', async () => {
  const counter = new Counter()
  const objects = countObjects(new MemoryObjects(), counter)
  const items = countItems(new MemoryItems(), counter)
  await objects.create('outside', utf8('x'))
  const [one, two] = [new Counts(), new Counts()]
  await Promise.all([
    counter.scoped(one, async () => {
      await objects.create('a', utf8('12345'))
      await items.create({ key, attributes: {} })
      await objects.read('a', { start: 1, end: 3 })
    }),
    counter.scoped(two, () => items.get(key)),
  ])
  expect(one.header()).toBe('items.create=1, objects.create=1, objects.read=1')
  expect(one.get('objects/bytesIn')).toBe(5)
  expect(one.get('objects/bytesOut')).toBe(2)
  expect(two.header()).toBe('items.get=1')
  expect(counter.total.get('objects.create')).toBe(2)
})

test('what a store has at hand is a request like any other, and what it has not is none', () => {
  const counter = new Counter()
  const readNow = (key: string): readonly (Uint8Array | undefined)[] =>
    key === 'a' ? [utf8('12345'), undefined, utf8('67')] : []
  const objects = countObjects(Object.assign(new MemoryObjects(), { readNow }), counter)
  const ranges = [5, 9, 2].map((end) => ({ start: 0, end }))
  expect(objects.readNow?.('a', ranges).map((bytes) => bytes?.length)).toEqual([5, undefined, 2])
  expect(objects.readNow?.('b', ranges)).toEqual([])
  expect([counter.total.get('objects.read'), counter.total.get('objects/bytesOut')]).toEqual([2, 7])
  expect(countObjects(new MemoryObjects(), counter).readNow).toBe(undefined)
})

test('write units follow the larger of the sizes before and after', async () => {
  const counter = new Counter()
  const items = countItems(new MemoryItems(), counter)
  const units = (): number => counter.total.get('items/writeUnits')
  await items.create({ key, attributes: { body: new Uint8Array(3_000) } })
  expect(units()).toBe(3)
  await items.update({ key, set: { body: { value: new Uint8Array(10) } } })
  expect(units()).toBe(6)
  await items.update({ key, set: { n: { value: 1n } } })
  expect(units()).toBe(7)
  await items.update({ key, set: { n: { value: 2n } }, condition: { is: 'absent', path: 'n' } })
  expect(units()).toBe(8)
  await items.delete(key)
  expect(units()).toBe(9)
})

test('read units are 4 KiB, and half of that when older states are welcome', async () => {
  const counter = new Counter()
  const items = countItems(new MemoryItems(), counter)
  const units = (): number => counter.total.get('items/readUnits')
  await items.get(key)
  expect(units()).toBe(1)
  await items.create({ key, attributes: { body: new Uint8Array(5_000) } })
  await items.get(key, 'eventual')
  expect(units()).toBe(2)
  await items.query({ partition: 'p', limit: 10 })
  expect(units()).toBe(4)
})

test('a listing is one request for each thousand', async () => {
  const counter = new Counter()
  const memory = new MemoryObjects()
  const objects = countObjects(memory, counter)
  for (let i = 0; i < 1_001; i++) await memory.create(`k/${i}`, utf8(''))
  for await (const _ of objects.list('nothing/'));
  expect(counter.total.get('objects.list')).toBe(1)
  for await (const _ of objects.list('k/'));
  expect(counter.total.get('objects.list')).toBe(3)
})
