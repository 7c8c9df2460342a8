import { expect, test } from 'vitest'
import { createDatabase } from '../catalog/databases.ts'
import { createTable } from '../catalog/tables.ts'
import { testLog, testWorld } from '../log/world.case.ts'
import { defaultOptions } from '../model/options.ts'
import { everyBatch, everyColumn, folderRows, tier } from './tier.case.ts'

async function tieredWorld() {
  const world = testWorld()
  await createDatabase(world, 'd')
  const { table } = await createTable(world, 'd', 't', {
    columns: everyColumn,
    buckets: { count: 2 },
    options: { ...defaultOptions, lakeFormat: 'iceberg' },
  })
  const log = testLog(world)
  for (const [bucket, from, count] of [
    [0, 0, 7],
    [1, 7, 6],
    [0, 13, 3],
  ] as const) {
    await log.append(table, { parts: [{ partition: '', bucket, batches: [everyBatch(table, from, count)] }] })
    world.time.now += 1000
  }
  return { world, table, outcome: await tier(world, table) }
}

test('icebird reads every kind of column, and where each row was in the log, from the folder alone', async () => {
  const { world, table, outcome } = await tieredWorld()
  expect(outcome).toEqual({ state: 'committed', snapshots: 1, rows: 16n, remaining: 0n })
  const rows = await folderRows(world.objects, table)
  expect(rows.map((row) => [row['__bucket'], row['__offset']])).toEqual([
    ...Array.from({ length: 10 }, (_, i) => [0, BigInt(i)]),
    ...Array.from({ length: 6 }, (_, i) => [1, BigInt(i)]),
  ])
  const [first] = rows
  expect(first).toMatchObject({
    id: 0n,
    yes: true,
    tiny: -128,
    small: -32768,
    int: 0,
    float: 0.5,
    double: 0,
    price: -5,
    'größe.m': 'text 0',
    day: new Date(20_000 * 86_400_000),
    at3: 1000n,
    ts0: new Date(1_700_000_000_000),
    ts6: new Date(1_700_000_000_000),
    ltz3: new Date(1_700_000_000_123),
    list: [0, null, -1],
    row: { x: 0, y: 'y0' },
    vector: [0, 0.5, -1],
    __timestamp: new Date(1_700_000_000_000),
  })
  expect(first).toMatchObject({ raw: expect.anything() })
})
