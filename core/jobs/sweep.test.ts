import { expect, test } from 'vitest'
import { createDatabase } from '../catalog/databases.ts'
import { createTable } from '../catalog/tables.ts'
import { markKey } from '../format/items/mark.ts'
import { requestOf, specOfBuckets, testLog, testWorld } from '../log/world.case.ts'
import type { Job } from '../ports/queue.ts'
import { putMark } from './marks.ts'
import { sweep } from './sweep.ts'

const tableOf = (id: number) => ({ database: 'd', table: `t${id}`, tableId: id.toString(16).padStart(16, '0') })

test('marks that a failing table has heaped up do not hide the marks of another', async () => {
  const world = testWorld()
  const due = world.time.now
  for (let i = 0; i < 1_200; i++) await putMark(world, { kind: 'tier', table: tableOf(4), buckets: 1, due: due - 10_000 })
  await putMark(world, { kind: 'tier', table: tableOf(8), buckets: 1, due })
  expect(await sweep(world)).toEqual({ jobs: 2 })
  expect(world.jobs.map(({ table, marks }) => [table.table, marks.length])).toEqual([
    ['t4', 1_000],
    ['t8', 1],
  ])
})

test('tables are served in the order in which they became due', async () => {
  const world = testWorld()
  for (const [id, late] of [
    [1, 5],
    [2, 40],
    [3, 0],
    [5, 30],
    [1, 20],
  ] as const)
    await putMark(world, { kind: 'tier', table: tableOf(id), buckets: 1, due: world.time.now - late })
  await sweep(world)
  expect(world.jobs.map(({ table }) => table.table)).toEqual(['t2', 't5', 't1', 't3'])
})

test('of two tables that take rows the one with the tighter freshness is sent first, though its rows came later', async () => {
  const world = testWorld()
  await createDatabase(world, 'd')
  const { options, ...spec } = specOfBuckets(1, 'iceberg')
  for (const [name, lakeFreshnessMs] of [
    ['loose', 180_000],
    ['tight', 5_000],
  ] as const) {
    const { table } = await createTable(world, 'd', name, { ...spec, options: { ...options, lakeFreshnessMs } })
    await testLog(world).append(table, requestOf([1]))
    world.time.now += 1_000
  }
  const sentAfter = async (ms: number): Promise<readonly string[]> => {
    world.time.now += ms
    await sweep(world)
    return world.jobs.splice(0).flatMap(({ kind, table }) => (kind === 'tier' ? table.table : []))
  }
  expect(await sentAfter(3_000)).toEqual([])
  expect(await sentAfter(1_000)).toEqual(['tight'])
  expect(await sentAfter(175_000)).toEqual(['tight', 'loose'])
})

test('a mark of a kind that this build does not know is left alone', async () => {
  const world = testWorld()
  const { tableId } = tableOf(4)
  const key = markKey(tableId, `0000000000001#polish#${tableId}#00000000000000ff`)
  await world.items.create({ key, attributes: { d: 'd', t: 't4', n: 1n } })
  await putMark(world, { kind: 'tier', table: tableOf(4), buckets: 1, due: world.time.now })
  expect(await sweep(world)).toEqual({ jobs: 1 })
  expect(await world.items.get(key)).toBeDefined()
})

test('what becomes due before the next sweep is sent to be done when it is due, with the marks of that time', async () => {
  const world = testWorld()
  const delays: number[] = []
  const queue = {
    send: async (job: Job, delayMs = 0) => {
      delays.push(delayMs)
      await world.queue.send(job)
    },
  }
  const { now } = world.time
  for (const [id, due] of [
    [1, now - 5],
    [1, now + 1_000],
    [2, now + 3_000],
    [2, now + 3_001],
    [3, now + 60_001],
  ] as const)
    await putMark(world, { kind: 'tier', table: tableOf(id), buckets: 1, due })
  expect(await sweep({ ...world, queue }, 60_000)).toEqual({ jobs: 2 })
  expect(world.jobs.map(({ table, marks }) => [table.table, marks.length])).toEqual([
    ['t1', 1],
    ['t2', 1],
  ])
  expect(delays).toEqual([0, 3_000])
})
