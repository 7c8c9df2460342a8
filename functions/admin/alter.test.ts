import { expect, test } from 'vitest'
import { alterTable } from '../../core/catalog/tables.ts'
import { sweep } from '../../core/jobs/sweep.ts'
import { keyedTable } from '../../core/kv/world.case.ts'
import { requestOf, testLog, testTable, testWorld } from '../../core/log/world.case.ts'
import { TableCache } from '../tables.ts'
import type { FunctionWorld } from '../world.ts'
import { alter } from './tables.ts'

test('a shorter freshness holds for rows that wait under a mark of the longer one', async () => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  await testLog(world).append(table, requestOf([1]))
  const call = { params: { db: 'd', table: 't' }, headers: {}, value: { setOptions: { 'lake.freshness': '5s' } } }
  const reply = await alter(call as never, { ...world, tables: new TableCache(world) } as unknown as FunctionWorld)
  expect(reply.status).toBe(200)
  expect(await sweep(world)).toEqual({ jobs: 0 })
  world.time.now += 5_000
  expect(await sweep(world)).toEqual({ jobs: 1 })
})

test('a shorter time to live is looked after as soon as no process knows the old one', async () => {
  const world = testWorld()
  await testTable(world)
  const call = { params: { db: 'd', table: 't' }, headers: {}, value: { setOptions: { 'log.ttl': '1h' } } }
  const functionWorld = { ...world, tables: new TableCache(world) } as unknown as FunctionWorld
  const reply = await alter(call as never, functionWorld)
  expect(JSON.parse(new TextDecoder().decode(reply.body as Uint8Array))).toMatchObject({ options: { 'log.ttl': '1h' } })
  world.time.now += 60_000
  expect(await sweep(world)).toEqual({ jobs: 1 })
  expect(world.jobs[0]).toMatchObject({ kind: 'retain' })
})

const text = (name: string) => ({ addColumns: [{ name, type: 'string' }] })

test.each<[string, readonly object[], object, number]>([
  ['is dropped by the same change', [], { dropColumns: ['note'], ...text('note') }, 1_000],
  ['was dropped before', [{ dropColumns: ['note'] }], text('note'), 1_000],
  ['was renamed before', [{ renameColumns: { note: 'text' } }], text('note'), 1_000],
  ['is renamed as another takes it', [], { renameColumns: { v: 'note', note: 'v' } }, 1_000],
  ['takes it back', [{ renameColumns: { note: 'text' } }], { renameColumns: { text: 'note' } }, 0],
  ['is the first that has it', [], text('more'), 0],
])('no process knows a name by the column of before once it is answered that it is of another: one that %s', async (...row) => {
  const [, before, change, waitedMs] = row
  const world = testWorld()
  await keyedTable(world)
  for (const each of before) await alterTable(world, 'd', 't', each)
  const call = { params: { db: 'd', table: 't' }, headers: {}, value: change }
  const began = world.time.now
  const reply = await alter(call as never, { ...world, tables: new TableCache(world) } as unknown as FunctionWorld)
  expect([reply.status, world.time.now - began]).toEqual([200, waitedMs])
})
