/** Upserts and deletes of one bucket: what the changelog says, what a lookup finds, who wins. */
import { expect, test } from 'vitest'
import { MemoryItems } from '../../stores/items/memory.ts'
import { alterTable, getTable } from '../catalog/tables.ts'
import { batchOf } from '../format/arrow/batch.case.ts'
import { producerWith } from '../log/world.case.ts'
import type { Table } from '../model/table.ts'
import type { Kv } from './kv.ts'
import { changelogOf, deleteOf, doneOf, keyedTable, plainOf, testKv, testWorld, upsertOf } from './world.case.ts'

async function lookedUp(kv: Kv, table: Table, keys: readonly string[]): Promise<unknown[]> {
  const batch = batchOf(
    table.schema.columns,
    keys.map((key) => [key, null, null]),
  )
  return (await kv.lookup(table, batch, { stale: false, bytesMax: 1 << 20 })).rows.map(plainOf)
}

class CountedItems extends MemoryItems {
  reads = 0

  override get(...asked: Parameters<MemoryItems['get']>): ReturnType<MemoryItems['get']> {
    this.reads += 1
    return super.get(...asked)
  }
}

/** Two of 100 overflow. */
const sums = {
  columns: [
    { name: 'k', type: 'string', nullable: false },
    { name: 'v', type: 'tinyint' },
    { name: 'note', type: 'string' },
  ],
  primaryKey: ['k'],
  options: { 'merge-engine': 'aggregation', 'fields.v.agg': 'sum', 'delete.behavior': 'allow' },
}

test('each operation has its changes, a retraction says where its row was written, and a lookup finds what is left', async () => {
  const world = testWorld()
  const table = await keyedTable(world)
  const { kv, log } = testKv(world)
  expect(
    doneOf(
      await kv.upsert(
        table,
        upsertOf(table, [
          ['a', 1n, 'x'],
          ['b', 2n, 'y'],
          ['a', 3n, 'z'],
        ]),
      ),
    ),
  ).toMatchObject({ base: 0n, end: 4n })
  expect(doneOf(await kv.upsert(table, deleteOf(table, ['b', 'c'])))).toMatchObject({ base: 4n, end: 5n })
  expect(doneOf(await kv.upsert(table, upsertOf(table, [['a', 3n, 'z']])))).toMatchObject({ base: 5n, end: 7n })
  expect(await changelogOf(log, table)).toEqual([
    [1, 'a', 1n, 'x', null],
    [1, 'b', 2n, 'y', null],
    [2, 'a', 1n, 'x', -2n],
    [3, 'a', 3n, 'z', null],
    [4, 'b', 2n, 'y', 1n],
    [2, 'a', 3n, 'z', 3n],
    [3, 'a', 3n, 'z', null],
  ])
  expect(await lookedUp(kv, table, ['a', 'b', 'c', 'a'])).toEqual([['a', 3n, 'z'], undefined, undefined, ['a', 3n, 'z']])
  const cold = testKv(world)
  expect(await lookedUp(cold.kv, table, ['b', 'a'])).toEqual([undefined, ['a', 3n, 'z']])
})

test('a request without effect takes no offset, and its sequence is kept', async () => {
  const world = testWorld()
  const table = await keyedTable(world)
  const { kv } = testKv(world)
  doneOf(await kv.upsert(table, upsertOf(table, [['a', 1n, 'x']])))
  const none = deleteOf(table, ['q'], producerWith('p', 0))
  expect(doneOf(await kv.upsert(table, none))).toEqual({ base: 1n, end: 1n, duplicate: false })
  expect(doneOf(await kv.upsert(table, none))).toEqual({ base: 1n, end: 1n, duplicate: true })
  expect(doneOf(await testKv(world).kv.upsert(table, none))).toEqual({ base: 1n, end: 1n, duplicate: true })
  expect(doneOf(await kv.upsert(table, deleteOf(table, ['q'])))).toEqual({ base: 1n, end: 1n, duplicate: false })
})

test('a process that knows an old end loses, reads what came, and commits on it', async () => {
  const world = testWorld()
  const table = await keyedTable(world)
  const [one, two] = [testKv(world), testKv(world)]
  doneOf(await one.kv.upsert(table, upsertOf(table, [['a', 1n, 'x']])))
  doneOf(await two.kv.upsert(table, upsertOf(table, [['b', 1n, 'y']])))
  doneOf(await one.kv.upsert(table, upsertOf(table, [['c', 1n, 'z']])))
  doneOf(await two.kv.upsert(table, upsertOf(table, [['c', 2n, 'z']])))
  expect(await changelogOf(one.log, table)).toEqual([
    [1, 'a', 1n, 'x', null],
    [1, 'b', 1n, 'y', null],
    [1, 'c', 1n, 'z', null],
    [2, 'c', 1n, 'z', 2n],
    [3, 'c', 2n, 'z', null],
  ])
  expect([one.kv.conflicts, two.kv.conflicts]).toEqual([1, 1])
})

test('what does not fit the row that a process knows is refused only where that is still the row', async () => {
  const world = testWorld()
  const table = await keyedTable(world, sums)
  const [one, two] = [testKv(world), testKv(world)]
  doneOf(await one.kv.upsert(table, upsertOf(table, [['a', 100, 'x']])))
  doneOf(await two.kv.upsert(table, deleteOf(table, ['a'])))
  expect(doneOf(await one.kv.upsert(table, upsertOf(table, [['a', 100, 'y']])))).toMatchObject({ base: 2n, end: 3n })
  const [refused] = await two.kv.upsert(table, upsertOf(table, [['a', 100, 'z']]))
  expect(refused?.outcome).toMatchObject({ done: false, error: { code: 'invalid-rows', effect: 'none' } })
  expect(await lookedUp(two.kv, table, ['a'])).toEqual([['a', 100, 'y']])
})

test('requests of one group that are refused ask each bucket once whether it is still as they saw it', async () => {
  const items = new CountedItems()
  const world = testWorld({ items })
  const table = await keyedTable(world, sums)
  const { kv } = testKv(world)
  doneOf(await kv.upsert(table, upsertOf(table, [['a', 100, 'x']])))
  items.reads = 0
  const good = upsertOf(table, [['b', 1, 'y']])
  const bad = Array.from({ length: 40 }, () => upsertOf(table, [['a', 100, 'y']]))
  const answers = await Promise.all([good, ...bad, good].map((request) => kv.upsert(table, request)))
  expect(answers.slice(1, -1).map(([answer]) => answer?.outcome)).toEqual(
    bad.map(() => expect.objectContaining({ done: false, error: expect.objectContaining({ code: 'invalid-rows' }) })),
  )
  for (const answer of [answers[0], answers.at(-1)]) doneOf(answer ?? [])
  expect(items.reads).toBe(1)
  expect(await lookedUp(kv, table, ['a', 'b'])).toEqual([
    ['a', 100, 'x'],
    ['b', 2, 'y'],
  ])
})

test('requests of one group see each other, and a repeated one counts once', async () => {
  const world = testWorld()
  const table = await keyedTable(world)
  const { kv, log } = testKv(world)
  const [p, q] = [producerWith('p', 0), producerWith('q', 0)]
  await kv.upsert(table, upsertOf(table, [['z', 0n, '']]))
  const answers = await Promise.all([
    kv.upsert(table, upsertOf(table, [['a', 1n, 'p']], p)),
    kv.upsert(table, upsertOf(table, [['a', 2n, 'q']], q)),
    kv.upsert(table, deleteOf(table, ['a'])),
  ])
  expect(answers.map(doneOf).map(({ base, end }) => [base, end])).toEqual([
    [1n, 2n],
    [2n, 4n],
    [4n, 5n],
  ])
  expect((await changelogOf(log, table)).slice(1)).toEqual([
    [1, 'a', 1n, 'p', null],
    [2, 'a', 1n, 'p', 1n],
    [3, 'a', 2n, 'q', null],
    [4, 'a', 2n, 'q', -1n],
  ])
  const other = testKv(world)
  await other.kv.upsert(table, upsertOf(table, [['a', 9n, 'new']]))
  const again = await Promise.all([
    kv.upsert(table, upsertOf(table, [['a', 1n, 'p']], p)),
    kv.upsert(table, upsertOf(table, [['b', 5n, 'r']], producerWith('r', 0))),
  ])
  expect(again.map(doneOf).map(({ duplicate }) => duplicate)).toEqual([true, false])
  expect(await lookedUp(kv, table, ['a', 'b'])).toEqual([
    ['a', 9n, 'new'],
    ['b', 5n, 'r'],
  ])
})

test('a row of a megabyte key fails alone, and nothing of its request happens', async () => {
  const world = testWorld()
  const table = await keyedTable(world)
  const { kv } = testKv(world)
  await expect(
    kv.upsert(
      table,
      upsertOf(table, [
        ['a', 1n, 'x'],
        ['k'.repeat(1 << 20), 1n, 'x'],
      ]),
    ),
  ).rejects.toThrow(/8192 bytes/)
  expect(await lookedUp(kv, table, ['a'])).toEqual([undefined])
})

test('a request that was committed is told so by a process that remembers older rows, though on those it would be refused', async () => {
  const world = testWorld()
  const table = await keyedTable(world, sums)
  const [one, two] = [testKv(world), testKv(world)]
  doneOf(await one.kv.upsert(table, upsertOf(table, [['a', 100, 'x']])))
  await lookedUp(two.kv, table, ['a'])
  doneOf(await one.kv.upsert(table, deleteOf(table, ['a'])))
  const request = upsertOf(table, [['a', 100, 'y']], producerWith('p', 0))
  const { base, end } = doneOf(await one.kv.upsert(table, request))
  expect(doneOf(await two.kv.upsert(table, request))).toMatchObject({ base, end, duplicate: true })
})

test('a row that is too large refuses no request once it is gone, whatever a process remembers', async () => {
  const world = testWorld()
  const table = await keyedTable(world)
  const [one, two] = [testKv(world), testKv(world, 1 << 24, { upsertBytesMax: 48 * 1024 })]
  doneOf(await one.kv.upsert(table, upsertOf(table, [['a', 1n, 'x'.repeat(40_000)]])))
  await lookedUp(two.kv, table, ['a'])
  expect((await two.kv.upsert(table, deleteOf(table, ['a'])))[0]?.outcome).toMatchObject({ error: { code: 'too-large' } })
  doneOf(await one.kv.upsert(table, deleteOf(table, ['a'])))
  expect(doneOf(await two.kv.upsert(table, upsertOf(table, [['a', 1n, 'y']])))).toMatchObject({ duplicate: false })
})

test('a tail that takes half of the memory at which its writers wait asks for its fold, once', async () => {
  const world = testWorld()
  const table = await keyedTable(world)
  const { kv } = testKv(world, 16_384)
  const folds = () => world.jobs.filter(({ kind }) => kind === 'fold').length
  for (let n = 0; n < 4; n++) doneOf(await kv.upsert(table, upsertOf(table, [[`k${n}`, 1n, 'x'.repeat(500)]])))
  expect(folds()).toBe(0)
  for (let n = 4; n < 9; n++) doneOf(await kv.upsert(table, upsertOf(table, [[`k${n}`, 1n, 'x'.repeat(500)]])))
  expect(folds()).toBe(1)
})

test('a partial update of a client that knows older names is done beside requests of newer ones, to the columns that it meant', async () => {
  const world = testWorld()
  const before = await keyedTable(world)
  const { kv } = testKv(world)
  doneOf(await kv.upsert(before, upsertOf(before, [['a', 1n, 'x']])))
  await alterTable(world, 'd', 't', { renameColumns: { v: 'w' } })
  await alterTable(world, 'd', 't', { renameColumns: { note: 'v' } })
  const after = await getTable(world, 'd', 't')
  const first = kv.upsert(after, upsertOf(after, [['b', 1n, 'x']]))
  const partial = kv.upsert(before, { ...upsertOf(before, [['a', 2n, null]]), targets: ['k', 'v'] })
  const third = kv.upsert(after, upsertOf(after, [['c', 1n, 'x']]))
  for (const appended of await Promise.all([first, partial, third])) doneOf(appended)
  expect(await lookedUp(kv, after, ['a'])).toEqual([['a', 2n, 'x']])
})

test('a row is measured as it is kept: what could not be updated any more is not taken', async () => {
  const world = testWorld()
  const columns = [
    { name: 'k', type: 'string', nullable: false },
    { name: 'flags', type: 'array<boolean>' },
  ]
  const table = await keyedTable(world, { columns, primaryKey: ['k'] })
  const { kv } = testKv(world)
  const flags = (count: number) => upsertOf(table, [['a', new Array(count).fill(true)]])
  await expect(kv.upsert(table, flags(1_000_000))).rejects.toMatchObject({
    code: 'invalid-rows',
    facts: { limit: 'rowBytesMax' },
  })
  doneOf(await kv.upsert(table, flags(900_000)))
  doneOf(await kv.upsert(table, flags(900_000)))
})
