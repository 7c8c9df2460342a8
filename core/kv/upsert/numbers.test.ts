/** Numbers of an autoIncrement column: drawn once, in whatever process, and lost rather than given twice. */
import { describe, expect, test } from 'vitest'
import { MemoryItems } from '../../../stores/items/memory.ts'
import { markTableDropping, removeTable } from '../../catalog/tables.ts'
import type { Plain } from '../../format/arrow/batch.case.ts'
import { batchOf } from '../../format/arrow/batch.case.ts'
import { tableKey } from '../../format/items/table.ts'
import { SluiceError } from '../../kernel/errors.ts'
import type { TableBody } from '../../model/spec.ts'
import type { Table } from '../../model/table.ts'
import type { ItemStore } from '../../ports/items.ts'
import type { World } from '../../ports/world.ts'
import type { Kv } from '../kv.ts'
import { changelogOf, deleteOf, doneOf, keyedTable, plainOf, testKv, testWorld, upsertOf } from '../world.case.ts'

const counted = (type = 'bigint', cacheSize = '10'): TableBody => ({
  columns: [
    { name: 'k', type: 'string' },
    { name: 'v', type: 'bigint' },
    { name: 'n', type, autoIncrement: true, nullable: false },
  ],
  primaryKey: ['k'],
  options: { 'auto-increment.cache-size': cacheSize },
})

const put = async (kv: Kv, table: Table, ...keys: string[]) =>
  doneOf(
    await kv.upsert(
      table,
      upsertOf(
        table,
        keys.map((key): Plain[] => [key, 1n, null]),
      ),
    ),
  )

async function numbersOf(kv: Kv, table: Table, ...keys: string[]): Promise<unknown[]> {
  const batch = batchOf(
    table.schema.columns,
    keys.map((key) => [key, null, null]),
  )
  return (await kv.lookup(table, batch, { stale: false, bytesMax: 1 << 20 })).rows.map((row) => plainOf(row?.[2]))
}

const nextOf = async ({ items }: World, { database, name }: Table) => (await items.get(tableKey(database, name)))?.attributes['n']
const setNext = ({ items }: World, { database, name }: Table, n: bigint) =>
  items.update({ key: tableKey(database, name), set: { n: { value: n } } })

test('a row that is new draws the next number and keeps it; one that comes back draws another', async () => {
  const world = testWorld()
  const table = await keyedTable(world, counted())
  const { kv, log } = testKv(world)
  await put(kv, table, 'a', 'b', 'a')
  await kv.upsert(table, deleteOf(table, ['a']))
  await put(kv, table, 'a', 'b')
  expect(await changelogOf(log, table)).toEqual([
    [1, 'a', 1n, 1n, null],
    [1, 'b', 1n, 2n, null],
    [2, 'a', 1n, 1n, -2n],
    [3, 'a', 1n, 1n, null],
    [4, 'a', 1n, 1n, 3n],
    [1, 'a', 1n, 3n, null],
    [2, 'b', 1n, 2n, 1n],
    [3, 'b', 1n, 2n, null],
  ])
  expect(await nextOf(world, table)).toBe(11n)
})

test('each process has numbers of its own, and what it had not drawn when it ended is never given', async () => {
  const world = testWorld()
  const table = await keyedTable(world, counted())
  const [one, two] = [testKv(world), testKv(world)]
  await put(one.kv, table, 'a')
  await put(two.kv, table, 'b')
  await put(one.kv, table, 'c')
  await put(testKv(world).kv, table, 'd')
  expect(await numbersOf(one.kv, table, 'a', 'b', 'c', 'd')).toEqual([1n, 11n, 2n, 21n])
})

test('a batch that needs more than are taken at once takes them in one update, in all buckets', async () => {
  const world = testWorld()
  const table = await keyedTable(world, counted())
  const { kv } = testKv(world)
  const keys = Array.from({ length: 25 }, (_, i) => `k${i}`)
  await put(kv, table, ...keys)
  expect(await nextOf(world, table)).toBe(26n)
  expect(await numbersOf(kv, table, ...keys)).toEqual(keys.map((_, i) => BigInt(i + 1)))
})

test('what was reserved and not drawn is drawn by the next', async () => {
  const world = testWorld()
  const table = await keyedTable(world, counted())
  const { kv } = testKv(world)
  await put(kv, table, 'a')
  await Promise.all([kv.upsert(table, deleteOf(table, ['a', 'x'])), put(kv, table, 'x', 'a', 'x')])
  await put(kv, table, 'b', 'c')
  const numbers = await numbersOf(kv, table, 'a', 'x', 'b', 'c')
  expect(new Set(numbers).size).toBe(4)
  expect(Math.max(...numbers.map(Number))).toBe(5)
})

test('an update whose answer is lost loses its numbers', async () => {
  const items: ItemStore = new MemoryItems()
  const world = testWorld({ items })
  const table = await keyedTable(world, counted())
  const update = items.update.bind(items)
  let isLost = true
  items.update = async (wanted) => {
    const result = await update(wanted)
    if (!isLost || wanted.key.sort !== 't') return result
    isLost = false
    throw new SluiceError('unavailable', 'the answer is lost', { effect: 'unknown' })
  }
  const { kv } = testKv(world)
  const first = (await kv.upsert(table, upsertOf(table, [['a', 1n, null]])))[0]?.outcome
  expect(first).toMatchObject({ done: false, error: { code: 'unavailable', effect: 'none' } })
  await put(kv, table, 'a')
  expect(await numbersOf(kv, table, 'a')).toEqual([11n])
})

test('a table that is made again under the name begins anew, and the one that was dropped draws no more', async () => {
  const world = testWorld()
  const before = await keyedTable(world, counted())
  const { kv } = testKv(world)
  await put(kv, before, ...Array.from({ length: 12 }, (_, i) => `k${i}`))
  await markTableDropping(world, before)
  await expect(put(testKv(world).kv, before, 'late')).rejects.toMatchObject({ code: 'not-found', effect: 'none' })
  await removeTable(world, before)
  const table = await keyedTable(world, counted())
  await put(kv, table, 'a')
  expect(await numbersOf(kv, table, 'a')).toEqual([1n])
})

describe('the last numbers', () => {
  test.each([
    ['int', 2n ** 31n - 1n, 'widen it to bigint'],
    ['bigint', 2n ** 63n - 1n, 'create a new table'],
  ])('%s draws its greatest number, then a row that is new is refused and one that is there is not', async (type, max, fix) => {
    const world = testWorld()
    const table = await keyedTable(world, counted(type))
    await setNext(world, table, max - 1n)
    const { kv } = testKv(world)
    await put(kv, table, 'a', 'b')
    expect((await numbersOf(kv, table, 'a', 'b')).map(String)).toEqual([`${max - 1n}`, `${max}`])
    await expect(put(kv, table, 'c')).rejects.toMatchObject({ code: 'full', effect: 'none', facts: { column: 'n' } })
    await expect(put(kv, table, 'c')).rejects.toThrow(fix)
    await put(kv, table, 'a', 'b')
    expect(await nextOf(world, table)).toBe(max + 9n)
  })
})
