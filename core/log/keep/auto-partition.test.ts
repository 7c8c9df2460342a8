/** Auto partitions, a period after another: made ahead, dropped when they are too old, and never forgotten. */
import { describe, expect, test } from 'vitest'
import { createDatabase } from '../../catalog/databases.ts'
import { createPartition, listPartitions } from '../../catalog/partitions.ts'
import { alterTable, createTable } from '../../catalog/tables.ts'
import { sweep } from '../../jobs/sweep.ts'
import { parseOptions } from '../../model/options.ts'
import type { Table, TableSpec } from '../../model/table.ts'
import { dropTable } from '../drop.ts'
import { type TestWorld, testWorld } from '../world.case.ts'
import { autoPartition } from './auto-partition.ts'

const begin = Date.parse('2026-11-27T23:20:00Z')
const hour = 3_600_000

async function site(): Promise<TestWorld> {
  const world = testWorld()
  world.time.now = begin
  await createDatabase(world, 'd')
  return world
}

const specOf = (options: Readonly<Record<string, string>>): TableSpec => ({
  columns: [
    { name: 'v', type: { kind: 'bigint' }, nullable: false },
    { name: 'p', type: { kind: 'string' }, nullable: false },
  ],
  partitionBy: ['p'],
  buckets: { count: 1 },
  options: parseOptions({ 'auto-partition.enabled': 'true', 'auto-partition.time-unit': 'hour', ...options }),
})

const hourly = async (world: TestWorld, options: Readonly<Record<string, string>> = {}): Promise<Table> =>
  (await createTable(world, 'd', 't', specOf(options))).table

/** As the sweep of a schedule does; returns how many jobs there were. */
async function turn(world: TestWorld): Promise<number> {
  await sweep(world)
  const due = world.jobs.splice(0)
  for (const job of due) if (job.kind === 'auto-partition') await autoPartition(world, job, world.time.now + hour)
  return due.length
}

const names = async (world: TestWorld, table: Table): Promise<readonly string[]> =>
  (await listPartitions(world, table, { limit: 1_000 })).map(({ name }) => name)

describe('a table with a partition an hour', () => {
  test('has the current one and those ahead from its first turn, and one more an hour', async () => {
    const at = await site()
    const table = await hourly(at)
    expect(await turn(at)).toBe(1)
    expect(await names(at, table)).toEqual(['p=2026112723', 'p=2026112800'])
    expect(await turn(at)).toBe(0)
    at.time.now += hour
    expect(await turn(at)).toBe(1)
    expect(await names(at, table)).toEqual(['p=2026112723', 'p=2026112800', 'p=2026112801'])
  })

  test('gives up those that are older than it keeps, however long nobody came', async () => {
    const at = await site()
    const table = await hourly(at, { 'auto-partition.num-retention': '2' })
    await turn(at)
    at.time.now += 3 * hour
    await turn(at)
    expect(await names(at, table)).toEqual(['p=2026112800', 'p=2026112802', 'p=2026112803'])
    at.time.now += 1_000 * hour
    await turn(at)
    expect(await names(at, table)).toEqual(['p=2027010818', 'p=2027010819'])
  })

  test('keeps all of them where its retention says so', async () => {
    const at = await site()
    const table = await hourly(at, { 'auto-partition.num-retention': '-1', 'auto-partition.num-precreate': '1' })
    await turn(at)
    at.time.now += 1_000 * hour
    await turn(at)
    expect(await names(at, table)).toEqual(['p=2026112723', 'p=2027010815'])
    await createPartition(at, table, 'p=1970010100')
  })

  test('makes none while it is full, and goes on when there is room', async () => {
    const at = await site()
    const table = await hourly(at, { 'auto-partition.num-retention': '900' })
    await turn(at)
    const later = Array.from({ length: 998 }, (_, i) => `p=${3000 + i}010100`)
    for (const name of later) await createPartition(at, table, name)
    at.time.now += hour
    await turn(at)
    expect(await names(at, table)).toHaveLength(1_000)
    at.time.now += 900 * hour
    await turn(at)
    expect(await names(at, table)).toEqual(expect.arrayContaining(['p=2027010412', 'p=2026112800']))
  })

  test('refuses a name that is no hour, and one that is older than it keeps', async () => {
    const at = await site()
    const table = await hourly(at)
    for (const name of ['p=20261127', 'p=2026112725', 'p=today', 'p=__HIVE_DEFAULT_PARTITION__'])
      await expect(createPartition(at, table, name)).rejects.toMatchObject({
        code: 'invalid-name',
        message: expect.stringContaining('2026112723'),
      })
    await expect(createPartition(at, table, 'p=2026112715')).rejects.toMatchObject({
      code: 'invalid-name',
      message: expect.stringContaining('the oldest is 2026112716'),
    })
    expect((await createPartition(at, table, 'p=2026112716')).created).toBe(true)
    expect((await createPartition(at, table, 'p=2999010100')).created).toBe(true)
  })
})

describe('the mark of a table', () => {
  test('outlives a worker that dies, and a run without it', async () => {
    const at = await site()
    const table = await hourly(at)
    await sweep(at)
    const [job] = at.jobs.splice(0)
    if (job === undefined) throw new Error('no job')
    await autoPartition(at, { ...job, marks: [] }, at.time.now + hour)
    expect(await turn(at)).toBe(1)
    at.time.now += hour
    await autoPartition(at, { ...job, marks: [] }, at.time.now)
    expect(await names(at, table)).toContain('p=2026112801')
    expect(await turn(at)).toBe(1)
    expect(await turn(at)).toBe(0)
  })

  test('is due at once where a run had no time to drop all', async () => {
    const at = await site()
    const table = await hourly(at, { 'auto-partition.num-retention': '0' })
    await turn(at)
    at.time.now += 2 * hour
    await sweep(at)
    for (const job of at.jobs.splice(0)) await autoPartition(at, job, at.time.now)
    expect(await names(at, table)).toEqual(['p=2026112723', 'p=2026112800'])
    expect(await turn(at)).toBe(1)
    expect(await names(at, table)).toEqual(['p=2026112801', 'p=2026112802'])
  })

  test('goes with the table, and when its partitions are made by rows alone', async () => {
    const at = await site()
    const table = await hourly(at)
    const alter = (setOptions: Readonly<Record<string, string>>) => alterTable(at, 'd', 't', { setOptions })
    await turn(at)
    await alter({ 'auto-partition.enabled': 'false' })
    at.time.now += hour
    expect(await turn(at)).toBe(1)
    at.time.now += hour
    expect(await turn(at)).toBe(0)
    expect(await names(at, table)).toEqual(['p=2026112723', 'p=2026112800'])
    await alter({ 'auto-partition.enabled': 'true', 'auto-partition.num-retention': '1', 'auto-partition.num-precreate': '1' })
    expect(await turn(at)).toBe(1)
    expect(await names(at, table)).toEqual(['p=2026112800', 'p=2026112801'])
    await dropTable(at, 'd', 't')
    at.time.now += hour
    await turn(at)
    at.time.now += hour
    expect(await turn(at)).toBe(0)
  })

  test('of several alterations are one from the next hour on', async () => {
    const at = await site()
    await hourly(at)
    for (const keep of ['3', '4', '5']) await alterTable(at, 'd', 't', { setOptions: { 'auto-partition.num-retention': keep } })
    await turn(at)
    at.time.now += hour
    await sweep(at)
    expect(at.jobs).toHaveLength(1)
  })
})

test('the period of a table with several levels is its key', async () => {
  const at = await site()
  const several: TableSpec = {
    ...specOf({ 'auto-partition.key': 'p', 'auto-partition.num-retention': '1' }),
    partitionBy: ['city', 'p'],
    columns: [...specOf({}).columns, { name: 'city', type: { kind: 'string' }, nullable: true }],
  }
  const { table } = await createTable(at, 'd', 't', several)
  await turn(at)
  expect(await names(at, table)).toEqual([])
  for (const name of ['city=Ulm/p=2026112723', 'city=Bonn/p=2026112723', 'city=Ulm/p=2026112801'])
    await createPartition(at, table, name)
  await expect(createPartition(at, table, 'city=2026112723/p=Ulm')).rejects.toMatchObject({ code: 'invalid-name' })
  at.time.now += 2 * hour
  await turn(at)
  expect(await names(at, table)).toEqual(['city=Ulm/p=2026112801'])
})
