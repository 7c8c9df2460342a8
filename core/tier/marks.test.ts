import { expect, test } from 'vitest'
import { requestOf, testLog, testTable, testWorld } from '../log/world.case.ts'
import type { Table } from '../model/table.ts'
import type { ItemStore } from '../ports/items.ts'
import type { World } from '../ports/world.ts'
import { dueOf, isCommit, produce, updatesThrough } from './run.case.ts'
import { tier } from './tier.case.ts'

const marksOf = async (world: World, table: Table): Promise<string[]> =>
  (await world.items.query({ partition: dueOf(table), limit: 99 }))
    .filter(({ key }) => key.sort.includes('#tier#'))
    .map(({ key }) => key.sort)

test('the marks that a run answers are dropped when nothing is left', async () => {
  const world = testWorld()
  const table = await testTable(world, 2, 'iceberg')
  await produce(world, table, [1])
  const marks = await marksOf(world, table)
  expect(marks).toHaveLength(1)
  expect(await tier(world, table, { marks })).toMatchObject({ state: 'committed' })
  expect(await marksOf(world, table)).toEqual([])
})

test('a head that moved on while the run worked gets a new mark before the old one goes', async () => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  await produce(world, table, [1])
  const marks = await marksOf(world, table)
  let appended = false
  const busy = updatesThrough(world, async (update, go) => {
    if (isCommit(update) && !appended) {
      appended = true
      await testLog({ ...world, items: noMarks(world.items) }).append(table, requestOf([2]))
    }
    return go(update)
  })
  const startedAt = world.time.now
  await tier(busy, table, { marks })
  const [next, ...others] = await marksOf(world, table)
  expect(others).toEqual([])
  expect(next?.slice(0, 13)).toBe(String(startedAt + table.options.lakeFreshnessMs))
})

test('a run that ran out of time leaves a mark that is due', async () => {
  const world = testWorld()
  const table = await testTable(world, 2, 'iceberg')
  await produce(world, table, [1])
  await produce(world, table, [2], 1)
  const marks = await marksOf(world, table)
  const startedAt = world.time.now
  expect(await tier(world, table, { marks, roundBytesMax: 1, deadlineMs: 0 })).toMatchObject({ rows: 1n, remaining: 1n })
  const [next, ...others] = await marksOf(world, table)
  expect(others).toEqual([])
  expect(next?.slice(0, 13)).toBe(String(startedAt))
})

/** A process that relied on a mark of its past. */
function noMarks(items: ItemStore): ItemStore {
  const store = Object.create(items) as ItemStore
  for (const name of ['get', 'query', 'update', 'delete', 'transact'] as const) store[name] = items[name].bind(items) as never
  store.create = async (item) => (item.key.partition.startsWith('due#') ? { done: true, item } : items.create(item))
  return store
}
