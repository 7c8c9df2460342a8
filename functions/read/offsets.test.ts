/** What is said of the buckets of a table with a primary key: how far each has been folded. */
import { expect, test } from 'vitest'
import { foldNow, keyedTable, testKv, testWorld, upsertOf } from '../../core/kv/world.case.ts'
import { TableCache } from '../tables.ts'
import type { FunctionWorld } from '../world.ts'
import { offsets } from './offsets.ts'

test('the offsets of a keyed table say how far its snapshots are', async () => {
  const world = testWorld()
  const table = await keyedTable(world, undefined, 2)
  const { kv, log } = testKv(world)
  const functionWorld = { ...world, kv, log, tables: new TableCache(world) } as unknown as FunctionWorld
  const said = async (): Promise<unknown> => {
    const { body } = await offsets({ params: { db: 'd', table: 't' }, query: {} } as never, functionWorld)
    return JSON.parse(new TextDecoder().decode(body as Uint8Array)).buckets.map(
      ({ end, snapshot }: Record<'end' | 'snapshot', unknown>) => [end, snapshot],
    )
  }
  await kv.upsert(table, upsertOf(table, [['a', 1n, 'x']]))
  expect(await said()).toEqual([
    ['1', null],
    ['0', null],
  ])
  await foldNow(world, { log, kv }, table)
  await kv.upsert(table, upsertOf(table, [['b', 1n, 'x']]))
  expect(await said()).toEqual([
    ['2', '1'],
    ['0', null],
  ])
})
