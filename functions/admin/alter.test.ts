import { expect, test } from 'vitest'
import { sweep } from '../../core/jobs/sweep.ts'
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
