/**
 * The defect: two commits of one process share what it remembers of a head. While one of them read the item of an evicted
 * producer, the other moved the memory's count of evictions; the first then relied on a count under which it had read nothing,
 * and a fenced epoch appended (G9, found by the simulation). Now a commit relies on the count under which it read.
 */
import { expect, test } from 'vitest'
import { MemoryItems } from '../../stores/items/memory.ts'
import type { Item, ItemKey } from '../ports/items.ts'
import type { Log } from './log.ts'
import { producerWith, readAll, requestOf, testLog, testTable, testWorld } from './world.case.ts'

class PausingItems extends MemoryItems {
  pause: ((key: ItemKey) => Promise<void>) | undefined
  override async get(key: ItemKey): Promise<Item | undefined> {
    const item = await super.get(key)
    const { pause } = this
    if (pause !== undefined && key.sort.startsWith('P/')) {
      this.pause = undefined
      await pause(key)
    }
    return item
  }
}

test('a fenced epoch stays fenced when its producer is evicted again while an older request of it is committed', async () => {
  const items = new PausingItems()
  const world = testWorld({ items })
  const table = await testTable(world)
  let filled = 0
  const evictAll = async (log: Log): Promise<void> => {
    for (let i = 0; i < 60; i++) await log.append(table, requestOf([1000 + filled], producerWith(`other-${filled++}`, 0)))
  }
  const stalled = testLog(world)
  const other = testLog(world)
  await other.append(table, requestOf([1], producerWith('p', 5, { epoch: 1 })))
  await evictAll(other)
  await stalled.append(table, requestOf([2]))
  items.pause = async () => {
    await other.append(table, requestOf([3], producerWith('p', 0, { epoch: 2 })))
    await evictAll(other)
    await stalled.append(table, requestOf([4]))
  }
  const [part] = await stalled.append(table, requestOf([5], producerWith('p', 6, { epoch: 1 })))
  expect(part?.outcome.done === false && part.outcome.error.code).toBe('stale-epoch')
  expect(await readAll(testLog(world), table)).not.toContain(5)
})
