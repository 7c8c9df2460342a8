/** Partitions as the log keeps them: born with the first row, dropped whole, born again where their offsets ended. */
import { expect, test } from 'vitest'
import { MemoryItems } from '../../stores/items/memory.ts'
import { createPartition, listPartitions } from '../catalog/partitions.ts'
import { columnOf, fieldOf } from '../format/arrow/batch.case.ts'
import type { Batch } from '../format/arrow/column.ts'
import { limits } from '../kernel/limits.ts'
import type { Table } from '../model/table.ts'
import type { TransactAction, Update, UpdateResult } from '../ports/items.ts'

import type { World } from '../ports/world.ts'
import { collect } from './collect.ts'
import { dropPartition, dropTable } from './drop.ts'
import { openHead } from './head/birth.ts'
import type { Log } from './log.ts'
import { purge } from './purge.ts'
import { routeRows } from './route.ts'
import { partitionedTable, producerWith, testLog, testWorld, valuesOf } from './world.case.ts'

const fields = [fieldOf('v', { kind: 'bigint' }, false, 4), fieldOf('k', { kind: 'string' }, false, 5)]

const rowsOf = (rows: readonly (readonly [number, string])[]): Batch => ({
  rows: rows.length,
  fields,
  columns: [
    columnOf(
      { kind: 'bigint' },
      rows.map(([v]) => BigInt(v)),
    ),
    columnOf(
      { kind: 'string' },
      rows.map(([, k]) => k),
    ),
  ],
})

const produce = (
  log: Log,
  table: Table,
  rows: readonly (readonly [number, string])[],
  producer?: ReturnType<typeof producerWith>,
) =>
  log.append(table, {
    parts: routeRows(table, [rowsOf(rows)], { rotate: () => 0 }),
    ...(producer === undefined ? {} : { producer }),
  })

async function read(log: Log, table: Table, name: string): Promise<{ from: bigint; values: number[] }> {
  const partition = await log.partition(table, name)
  const fetched = await log.fetch(table, { partition, bucket: 0, from: 'earliest', rowsMax: 1_000, bytesMax: 1 << 20 })
  return { from: fetched.start, values: valuesOf(fetched.rows) }
}

const heads = async (world: World, table: Table): Promise<string[]> =>
  (await listPartitions(world, table, { limit: 1_000 })).map(({ name }) => name)

test('rows make the partitions that they belong to, each with offsets of its own', async () => {
  const world = testWorld()
  const table = await partitionedTable(world)
  const log = testLog(world)
  const appended = await produce(log, table, [
    [1, 'a'],
    [2, 'b'],
    [3, 'a'],
  ])
  expect(appended).toEqual([
    { partition: 'k=a', bucket: 0, outcome: { done: true, base: 0n, end: 2n, duplicate: false } },
    { partition: 'k=b', bucket: 0, outcome: { done: true, base: 0n, end: 1n, duplicate: false } },
  ])
  expect(await read(log, table, 'k=a')).toEqual({ from: 0n, values: [1, 3] })
  expect(await read(testLog(world), table, 'k=b')).toEqual({ from: 0n, values: [2] })
  expect(await heads(world, table)).toEqual(['k=a', 'k=b'])
  await expect(log.partition(table, 'k=c')).rejects.toMatchObject({ code: 'not-found' })
  await expect(log.partition(table, '')).rejects.toMatchObject({ code: 'bad-request' })
})

test('a partition that is created again begins where the offsets of the last one ended', async () => {
  const world = testWorld()
  const table = await partitionedTable(world, 3)
  const log = testLog(world)
  await produce(log, table, [
    [1, 'a'],
    [2, 'a'],
  ])
  expect(await dropPartition(world, table, 'k=a')).toBe('gone')
  await expect(read(testLog(world), table, 'k=a')).rejects.toMatchObject({ code: 'not-found' })
  expect(await heads(world, table)).toEqual([])
  const { partition, created } = await createPartition(world, table, 'k=a')
  expect([created, partition.floor]).toEqual([true, 2n])
  const [again] = await produce(testLog(world), table, [[3, 'a']])
  expect(again?.outcome).toMatchObject({ base: 2n, end: 3n })
  expect(await read(testLog(world), table, 'k=a')).toEqual({ from: 2n, values: [3] })
  expect(await dropPartition(world, table, 'k=a')).toBe('gone')
  expect((await createPartition(world, table, 'k=a')).partition.floor).toBe(3n)
})

test('a process that knows the dropped partition only writes into the new one, and its producer is news there', async () => {
  const world = testWorld()
  const table = await partitionedTable(world)
  const log = testLog(world)
  await produce(log, table, [[1, 'a']], producerWith('p', 0))
  await dropPartition(world, table, 'k=a')
  const rows = [
    [2, 'a'],
    [2, 'b'],
  ] as const
  const appended = await produce(log, table, rows, producerWith('p', 1))
  expect(appended.map(({ outcome }) => outcome)).toMatchObject([
    { done: true, base: 1n, end: 2n },
    { done: true, base: 0n, end: 1n },
  ])
  expect(await read(testLog(world), table, 'k=a')).toEqual({ from: 1n, values: [2] })
})

test('a commit that comes after the drop is refused by its head, and a birth by the partition', async () => {
  let dropNow = async (): Promise<void> => {}
  class Items extends MemoryItems {
    override async update(update: Update): Promise<UpdateResult> {
      const isAppend = update.set?.['r'] !== undefined
      if (isAppend) await dropNow()
      return super.update(update)
    }
  }
  const world = testWorld({ items: new Items() })
  const table = await partitionedTable(world)
  const log = testLog(world)
  await produce(log, table, [[1, 'a']])
  const dropped: string[] = []
  dropNow = async () => {
    if (dropped.length === 0) dropped.push(await dropPartition(world, table, 'k=a'))
  }
  const [late] = await produce(log, table, [[2, 'a']])
  expect(dropped).toEqual(['gone'])
  expect(late?.outcome).toMatchObject({ done: true, base: 1n, end: 2n })
  expect(await read(testLog(world), table, 'k=a')).toEqual({ from: 1n, values: [2] })
})

test.each([[[[1, 'a']]], [[]]] as const)(
  'a partition whose creation had no answer and that came and went with rows %j is another when it is created again',
  async (rows) => {
    const world = testWorld()
    const table = await partitionedTable(world)
    const { items } = world
    const attempts: (readonly TransactAction[])[] = []
    const silent = new Proxy(items, {
      get: (target, name) => {
        if (name !== 'transact') return (Reflect.get(target, name) as (...args: unknown[]) => unknown).bind(target)
        return async (actions: readonly TransactAction[]) => {
          attempts.push(actions)
          if (attempts.length > 1) return items.transact(actions)
          await items.transact(actions)
          await openHead(world, table, { partition: (await createPartition(world, table, 'k=a')).partition, bucket: 0 })
          if (rows.length > 0) await produce(testLog(world), table, rows)
          await dropPartition(world, table, 'k=a')
          return { done: false, failed: 2 }
        }
      },
    })
    expect(await createPartition({ ...world, items: silent }, table, 'k=a')).toMatchObject({ created: true })
    const [appended] = await produce(testLog(world), table, [[2, 'a']])
    expect(appended?.outcome.done).toBe(true)
    await dropPartition(world, table, 'k=a')
    for (const late of attempts) expect(await items.transact(late)).toMatchObject({ done: false })
  },
)

test('a table has so many partitions and no more; a drop makes room', async () => {
  const world = testWorld()
  const table = await partitionedTable(world)
  for (let i = 0; i < limits.partitionsMax; i++) await createPartition(world, table, `k=${i}`)
  await expect(createPartition(world, table, 'k=x')).rejects.toMatchObject({ code: 'full', effect: 'none' })
  const [refused] = await produce(testLog(world), table, [[1, '7']])
  expect(refused?.outcome.done).toBe(true)
  await dropPartition(world, table, 'k=5')
  expect((await createPartition(world, table, 'k=x')).created).toBe(true)
  expect((await createPartition(world, table, 'k=x')).created).toBe(false)
})

test('an interrupted drop is finished by its mark, and what it left is removed', async () => {
  const world = testWorld()
  const table = await partitionedTable(world, 2)
  const log = testLog(world)
  await produce(log, table, [[1, 'a']])
  const { items } = world
  const broken: World = {
    ...world,
    items: new Proxy(items, {
      get: (target, name) =>
        name === 'transact'
          ? async () => {
              throw new Error('crashed')
            }
          : (Reflect.get(target, name) as (...args: unknown[]) => unknown).bind(target),
    }),
  }
  await expect(dropPartition(broken, table, 'k=a')).rejects.toThrow()
  await expect(createPartition(world, table, 'k=a')).rejects.toMatchObject({ code: 'conflict' })
  world.time.now += limits.orphanAgeMs
  const marks = await items.query({ partition: `due#${Number.parseInt(table.tableId.slice(-2), 16) % 4}`, limit: 10 })
  const mark = marks.find(({ key }) => key.sort.includes('#purge#'))
  const partition = { id: String(mark?.attributes['p']), name: String(mark?.attributes['q']) }
  const job = {
    kind: 'purge',
    table: { database: 'd', table: 't', tableId: table.tableId },
    buckets: 2,
    partition,
    marks: [],
  } as const
  expect(await purge(world, job, world.time.now + 60_000)).toBe('purged')
  expect(await items.query({ partition: `${table.tableId}#${partition.id}#0`, limit: 10 })).toEqual([])
  expect((await createPartition(world, table, 'k=a')).partition.floor).toBe(1n)
})

test('a collect keeps what partitions refer to, and deletes what a dropped one left', async () => {
  const world = testWorld()
  const table = await partitionedTable(world)
  const log = testLog(world)
  await produce(log, table, [
    [1, 'a'],
    [2, 'b'],
  ])
  await produce(log, table, [[3, 'b']])
  await dropPartition(world, table, 'k=b')
  world.time.now += 2 * limits.orphanAgeMs
  const job = { kind: 'collect', table: { database: 'd', table: 't', tableId: table.tableId }, buckets: 1, marks: [] } as const
  expect(await collect(world, job)).toEqual({ state: 'collected', deleted: 1 })
  expect(await read(testLog(world), table, 'k=a')).toEqual({ from: 0n, values: [1] })
})

test('a dropped table takes its partitions with it', async () => {
  const world = testWorld()
  const table = await partitionedTable(world, 2)
  const log = testLog(world)
  await produce(log, table, [
    [1, 'a'],
    [2, 'b'],
  ])
  expect(await dropTable(world, 'd', 't')).toBe('gone')
  const [late] = await produce(log, table, [[3, 'a']])
  expect(late?.outcome).toMatchObject({ done: false, error: { code: 'not-found', effect: 'none' } })
  world.time.now += limits.orphanAgeMs
  const job = { kind: 'purge', table: { database: 'd', table: 't', tableId: table.tableId }, buckets: 2, marks: [] } as const
  expect(await purge(world, job, world.time.now + 60_000)).toBe('again')
  expect(await purge(world, job, world.time.now + 60_000)).toBe('purged')
  for (const partition of [`p/${table.tableId}`, `pf/${table.tableId}`, `pn/${table.tableId}`])
    expect(await world.items.query({ partition, limit: 10 })).toEqual([])
})
