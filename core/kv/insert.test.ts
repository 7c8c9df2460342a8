/** Lookups that insert: one row a key however many ask, and a row that is there stays as it is. */
import { describe, expect, test } from 'vitest'
import { batchOf, type Plain } from '../format/arrow/batch.case.ts'
import { SluiceError } from '../kernel/errors.ts'
import { offsetOf } from '../kernel/ids.ts'
import type { BucketAppended } from '../log/types.ts'
import type { TableBody } from '../model/spec.ts'
import type { Table } from '../model/table.ts'
import { KvBuckets } from './buckets.ts'
import { KvCache } from './cache.ts'
import { type InsertContext, lookupOrInsert } from './insert.ts'
import { changelogOf, deleteOf, keyedTable, plainOf, type TestKv, testKv, testWorld, upsertOf } from './world.case.ts'

const counted = (options: Record<string, string> = {}): TableBody => ({
  columns: [
    { name: 'k', type: 'string' },
    { name: 'v', type: 'bigint' },
    { name: 'n', type: 'bigint', autoIncrement: true, nullable: false },
  ],
  primaryKey: ['k'],
  options,
})

const options = { stale: false, bytesMax: 1 << 20 }
const keysOf = (table: Table, ...keys: string[]) =>
  batchOf(
    table.schema.columns.slice(0, 1),
    keys.map((key): Plain[] => [key]),
  )

async function asked({ kv }: TestKv, table: Table, ...keys: string[]): Promise<unknown> {
  const { rows } = await kv.lookupOrInsert(table, keysOf(table, ...keys), options)
  return rows.map(plainOf)
}

test('keys that are not there are inserted once, and found from then on', async () => {
  const world = testWorld()
  const table = await keyedTable(world, counted())
  const one = testKv(world)
  await one.kv.upsert(table, upsertOf(table, [['a', 5n, null]]))
  expect(await asked(one, table, 'b', 'a', 'b')).toEqual([
    ['b', null, 2n],
    ['a', 5n, 1n],
    ['b', null, 2n],
  ])
  expect(await asked(one, table, 'a', 'b')).toEqual([
    ['a', 5n, 1n],
    ['b', null, 2n],
  ])
  expect(await asked(testKv(world), table, 'b')).toEqual([['b', null, 2n]])
  expect(await changelogOf(one.log, table)).toEqual([
    [1, 'a', 5n, 1n, null],
    [1, 'b', null, 2n, null],
  ])
})

test('of those that race in one process and in others one inserts, and all find its row', async () => {
  const world = testWorld()
  const table = await keyedTable(world, counted())
  const processes = [testKv(world), testKv(world), testKv(world)]
  for (const each of processes) await each.kv.lookup(table, keysOf(table, 'a'), options)
  const found = await Promise.all([...processes, ...processes].map((each) => asked(each, table, 'a', 'b')))
  for (const each of found) expect(each).toEqual(found[0])
  const changes = await changelogOf((processes[0] as TestKv).log, table)
  expect(changes.map(([op, key]) => [op, key]).sort()).toEqual([
    [1, 'a'],
    [1, 'b'],
  ])
})

describe('a row that is there stays as it is', () => {
  test.each([
    ['last-row', {}],
    ['first-row', {}],
    ['versioned', { 'merge-engine.version-column': 'v' }],
    ['aggregation', { 'fields.v.agg': 'last_value' }],
  ])('%s', async (engine, more) => {
    const world = testWorld()
    const table = await keyedTable(world, counted({ 'merge-engine': engine, ...more }))
    const [one, two] = [testKv(world), testKv(world)]
    expect(await asked(one, table, 'a', 'b')).toEqual([
      ['a', null, 1n],
      ['b', null, 2n],
    ])
    await two.kv.upsert(
      table,
      upsertOf(table, [
        ['a', 7n, null],
        ['c', 7n, null],
      ]),
    )
    // The process knows nothing of it.
    const stale = await one.kv.lookupOrInsert(table, keysOf(table, 'c'), { ...options, stale: true })
    expect(stale.rows.map((row) => row[1])).toEqual([7n])
    expect((await changelogOf(one.log, table)).filter(([, key]) => key === 'c')).toHaveLength(1)
  })
})

test('a key that was deleted is inserted again, as another row', async () => {
  const world = testWorld()
  const table = await keyedTable(world, counted())
  const one = testKv(world)
  await asked(one, table, 'a')
  await testKv(world).kv.upsert(table, deleteOf(table, ['a']))
  expect(await asked(one, table, 'a')).toEqual([['a', null, 2n]])
})

test('a table with another column that has to be there is refused before anything is asked', async () => {
  const world = testWorld()
  const body = counted()
  const table = await keyedTable(world, { ...body, columns: [...body.columns, { name: 'w', type: 'int', nullable: false }] })
  await expect(testKv(world).kv.lookupOrInsert(table, keysOf(table), options)).rejects.toThrow('"w" is not nullable')
})

describe('what fails says what is known', () => {
  async function contextWith(insert: InsertContext['insert']): Promise<{ context: InsertContext; table: Table }> {
    const world = testWorld()
    const table = await keyedTable(world, counted(), 4)
    const { log } = testKv(world)
    return {
      context: { world, log, buckets: new KvBuckets({ reading: log.reading, cache: new KvCache(1 << 20) }), insert },
      table,
    }
  }
  const place = { partition: '', bucket: 0 }
  const done: BucketAppended = { ...place, outcome: { done: true, base: offsetOf(0), end: offsetOf(1), duplicate: false } }
  const failed: BucketAppended = { ...place, outcome: { done: false, error: new SluiceError('unavailable', 'why') } }

  test('keys that are deleted again and again', async () => {
    let inserts = 0
    const { context, table } = await contextWith(async () => {
      inserts += 1
      return [done]
    })
    await expect(lookupOrInsert(context, table, keysOf(table, 'a'), options)).rejects.toMatchObject({
      code: 'conflict',
      action: 'retry',
      effect: 'done',
    })
    expect(inserts).toBe(4)
  })

  test.each([
    [[failed], 'none'],
    [[done, failed], 'partial'],
  ] as const)('buckets that fail', async (appended, effect) => {
    const { context, table } = await contextWith(async () => appended)
    await expect(lookupOrInsert(context, table, keysOf(table, 'a', 'b'), options)).rejects.toMatchObject({
      code: 'unavailable',
      action: 'retry',
      effect,
    })
  })
})
