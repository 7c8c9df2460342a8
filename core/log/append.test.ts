import { expect, test } from 'vitest'
import { MemoryItems } from '../../stores/items/memory.ts'
import { MemoryObjects } from '../../stores/objects/memory.ts'
import { getTable } from '../catalog/tables.ts'
import { decodeHead, headKey } from '../format/items/head.ts'
import { present } from '../kernel/assert.ts'
import { SluiceError } from '../kernel/errors.ts'
import { unpartitioned } from '../model/partition.ts'
import type { ItemStore, Update, UpdateResult } from '../ports/items.ts'
import { dropTable } from './drop.ts'
import { bucketAt, producerWith, readAll, requestOf, testLog, testTable, testWorld, valuesOf } from './world.case.ts'

const headOf = async (world: { items: ItemStore }, tableId: string) =>
  decodeHead(present(await world.items.get(headKey(tableId, bucketAt(0))), 'the head'))

test('rows are read back in the order of their commits, at dense offsets', async () => {
  const world = testWorld()
  const table = await testTable(world)
  const log = testLog(world)
  const [first] = await log.append(table, requestOf([1, 2, 3]))
  const [second] = await log.append(table, requestOf([4]))
  expect(first?.outcome).toEqual({ done: true, base: 0n, end: 3n, duplicate: false })
  expect(second?.outcome).toEqual({ done: true, base: 3n, end: 4n, duplicate: false })
  expect(await readAll(log, table)).toEqual([1, 2, 3, 4])
})

test('entries spill in groups of eight and every offset stays readable', async () => {
  const world = testWorld()
  const table = await testTable(world)
  const log = testLog(world)
  for (let i = 0; i < 100; i++) await log.append(table, requestOf([i]))
  const head = await headOf(world, table.tableId)
  expect(head.recent.length).toBeLessThan(12)
  expect(head.base % 8n).toBe(0n)
  expect(await readAll(log, table)).toEqual(Array.from({ length: 100 }, (_, i) => i))
})

test('a fetch of rows that came in crumbs ends in time, and goes on from there', async () => {
  const objects = new MemoryObjects()
  const world = testWorld({ objects })
  const table = await testTable(world)
  const log = testLog(world)
  for (let i = 0; i < 600; i++) await log.append(table, requestOf([i]))
  const read = objects.read.bind(objects)
  objects.read = (...args) => {
    world.time.now += 10
    return read(...args)
  }
  const request = { partition: unpartitioned, bucket: 0, rowsMax: 10_000, bytesMax: 1 << 30 }
  const first = await log.fetch(table, { ...request, from: 'earliest' })
  expect([first.next > 64n, first.next < 256n, first.end]).toEqual([true, true, 600n])
  const second = await log.fetch(table, { ...request, from: first.next })
  expect([second.start, valuesOf(second.rows)[0]]).toEqual([first.next, Number(first.next)])
})

test('concurrent appends share objects and updates', async () => {
  const world = testWorld()
  const table = await testTable(world)
  const log = testLog(world)
  const appended = await Promise.all(
    Array.from({ length: 20 }, (_, i) => log.append(table, requestOf([i], producerWith(`p${i}`, 0)))),
  )
  for (const [part] of appended) expect(part?.outcome).toMatchObject({ done: true })
  expect((await headOf(world, table.tableId)).recent.length).toBeLessThanOrEqual(5)
  expect((await readAll(log, table)).sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i))
})

test('a repeated sequence is answered with the first offsets, by this process and by another', async () => {
  const world = testWorld()
  const table = await testTable(world)
  const log = testLog(world)
  const request = requestOf([1, 2], producerWith('p', 7))
  const first = await log.append(table, request)
  await log.append(table, requestOf([3]))
  for (const again of [await log.append(table, request), await testLog(world).append(table, request)]) {
    expect(again[0]?.outcome).toEqual({ ...first[0]?.outcome, duplicate: true })
  }
  expect(await readAll(log, table)).toEqual([1, 2, 3])
})

test.each([
  ['an older sequence', producerWith('p', 4), 'sequence-old'],
  ['the same sequence with another body', producerWith('p', 5, { body: 'other' }), 'sequence-reused'],
  ['an older epoch', producerWith('p', 9, { epoch: 1 }), 'stale-epoch'],
  ['a gap, where gaps are detected', producerWith('p', 7, { epoch: 2, gap: true }), 'sequence-gap'],
])('%s is refused and writes nothing', async (_name, producer, code) => {
  const world = testWorld()
  const table = await testTable(world)
  await testLog(world).append(table, requestOf([1], producerWith('p', 5, { epoch: 2 })))
  for (const log of [testLog(world), testLog(world)]) {
    const [part] = await log.append(table, requestOf([2], producer.epoch === 0n ? { ...producer, epoch: 2n } : producer))
    expect(part?.outcome.done === false && part.outcome.error.code).toBe(code)
  }
  expect(await readAll(testLog(world), table)).toEqual([1])
})

test('a newer epoch starts at any sequence and fences the older one', async () => {
  const world = testWorld()
  const table = await testTable(world)
  const log = testLog(world)
  await log.append(table, requestOf([1], producerWith('p', 100)))
  const [newer] = await log.append(table, requestOf([2], producerWith('p', 0, { epoch: 1 })))
  const [older] = await log.append(table, requestOf([3], producerWith('p', 101)))
  expect(newer?.outcome.done).toBe(true)
  expect(older?.outcome.done === false && older.outcome.error.code).toBe('stale-epoch')
})

test('an evicted producer is remembered, also by a process that never saw it', async () => {
  const world = testWorld()
  const table = await testTable(world)
  const log = testLog(world)
  const first = requestOf([0], producerWith('p0', 0))
  await log.append(table, first)
  for (let i = 1; i <= 60; i++) await log.append(table, requestOf([i], producerWith(`p${i}`, 0)))
  const head = await headOf(world, table.tableId)
  expect(head.producers.size).toBeLessThanOrEqual(32)
  expect(head.evictions).toBeGreaterThan(0n)
  for (const again of [await log.append(table, first), await testLog(world).append(table, first)]) {
    expect(again[0]?.outcome).toEqual({ done: true, base: 0n, end: 1n, duplicate: true })
  }
  expect(await readAll(log, table)).toHaveLength(61)
})

/** Answers of updates that match are lost after their effect, `times` times. */
class LostAcks extends MemoryItems {
  times = 0
  override async update(update: Update): Promise<UpdateResult> {
    const result = await super.update(update)
    if (update.set?.['e'] !== undefined && result.done && this.times-- > 0) {
      throw new SluiceError('unavailable', 'time-out', { effect: 'unknown' })
    }
    return result
  }
}

test('an update whose answer is lost is found by its own entry and acked once', async () => {
  const items = new LostAcks()
  const world = testWorld({ items })
  const table = await testTable(world)
  const log = testLog(world)
  await log.append(table, requestOf([1]))
  items.times = 1
  const [part] = await log.append(table, requestOf([2, 3]))
  expect(part?.outcome).toEqual({ done: true, base: 1n, end: 3n, duplicate: false })
  expect(await readAll(log, table)).toEqual([1, 2, 3])
})

test('an append to a dropped table is refused by its head, however late it comes', async () => {
  const world = testWorld()
  const table = await testTable(world)
  const log = testLog(world)
  await log.append(table, requestOf([1]))
  expect(await dropTable(world, 'd', 't')).toBe('gone')
  const again = await testTable(world)
  expect(again.tableId).not.toBe(table.tableId)
  const [part] = await log.append(table, requestOf([2]))
  expect(part?.outcome.done === false && part.outcome.error.code).toBe('not-found')
  const [unborn] = await testLog(world).append({ ...table, buckets: { count: 2 } }, requestOf([3], undefined, 1))
  expect(unborn?.outcome.done === false && unborn.outcome.error.code).toBe('not-found')
  expect(await readAll(log, await getTable(world, 'd', 't'))).toEqual([])
})

test('a warm append to one bucket costs one object and one item write', async () => {
  const items = new MemoryItems()
  const world = testWorld({ items })
  const table = await testTable(world, 1, 'iceberg')
  const log = testLog(world)
  await log.append(table, requestOf([1]))
  const calls: string[] = []
  const { objects } = world
  const counted = new Proxy(items, {
    get: (target, name) => {
      const value = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        calls.push(String(name))
        return value.apply(target, args)
      }
    },
  })
  const warm = testLog({ ...world, objects, items: counted })
  await warm.append(table, requestOf([2]))
  calls.length = 0
  await warm.append(table, requestOf([3]))
  expect(calls).toEqual(['update'])
})
