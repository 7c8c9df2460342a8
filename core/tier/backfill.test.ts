import { expect, test } from 'vitest'
import { inlineParquet } from '../../stores/parquet/inline.ts'
import { alterTable, createTable } from '../catalog/tables.ts'
import { batchOf, type Plain, rowsOf } from '../format/arrow/batch.case.ts'
import type { Batch } from '../format/arrow/column.ts'
import { type Offset, offsetOf } from '../kernel/ids.ts'
import { LakeIndex } from '../lake/files-at.ts'
import { dropPartition } from '../log/drop.ts'
import { retain } from '../log/keep/retain.ts'
import type { Log } from '../log/log.ts'
import { decodeBuffers } from '../log/read/conform.ts'
import { walkLake } from '../log/read/lake-rows.ts'
import { Ranges } from '../log/read/ranges.ts'
import type { Step } from '../log/read/reading.ts'
import { type FetchedRows, offsetAt } from '../log/read/rows.ts'
import { Schemas } from '../log/schemas.ts'
import { partitionedTable, specOfBuckets, type TestWorld, testLog, testTable, testWorld } from '../log/world.case.ts'
import { parseFilter } from '../model/filter-text.ts'
import { parseOptions } from '../model/options.ts'
import { unpartitioned } from '../model/partition.ts'
import type { ReadPosition } from '../model/selection.ts'
import { systemColumns } from '../model/system-columns.ts'
import type { Table } from '../model/table.ts'
import { everyBatch, everyColumn, tier } from './tier.case.ts'

const day = 86_400_000

function readerWorld(): TestWorld {
  return { ...testWorld(), lakeReader: inlineParquet() }
}

async function produce(
  world: TestWorld,
  table: Table,
  batches: readonly Batch[],
  at = { partition: '', bucket: 0 },
): Promise<void> {
  world.time.now += 7
  const [appended] = await testLog(world).append(table, { parts: [{ ...at, batches }] })
  if (appended?.outcome.done !== true) throw new Error('the append failed')
}

/** Everything that could leave the log has left it. */
async function leave(world: TestWorld, table: Table): Promise<void> {
  const { tableId, database, name, buckets } = table
  world.time.now += 8 * day
  const job = { kind: 'retain', table: { database, table: name, tableId }, buckets: buckets.count, marks: [] } as const
  await retain(world, job, world.time.now + day)
}

type Row = readonly [offset: bigint, time: number, ...values: Plain[]]

const rowsIn = (table: Table, fetched: readonly FetchedRows[]): Row[] =>
  fetched.flatMap((batch) =>
    rowsOf(decodeBuffers(table.schema.columns, batch.rows, batch.columns())).map(
      (values, row): Row => [offsetAt(batch, row), batch.timestamp, ...values],
    ),
  )

interface Reading {
  readonly where?: string
  readonly rowsMax?: number
  readonly bytesMax?: number
}

/** One bucket from an offset to its end. */
async function readFrom(
  log: Log,
  table: Table,
  from: bigint,
  { where, rowsMax = 1_000, bytesMax = 1 << 20 }: Reading = {},
): Promise<Row[]> {
  const filter = where === undefined ? undefined : parseFilter(where, [...table.schema.columns, ...systemColumns])
  const rows: Row[] = []
  for (let next: Offset = offsetOf(from); ; ) {
    const at = { partition: unpartitioned, bucket: 0, from: next, rowsMax, bytesMax }
    const fetched = await log.fetch(table, { ...at, ...(filter && { filter }) })
    expect(fetched.start).toBe(next)
    expect(fetched.rows.reduce((sum, each) => sum + each.rows, 0)).toBeLessThanOrEqual(rowsMax)
    rows.push(...rowsIn(table, fetched.rows))
    if (fetched.next === fetched.end) return rows
    expect(fetched.next).toBeGreaterThan(next)
    next = fetched.next
  }
}

async function startOf(world: TestWorld, table: Table): Promise<bigint> {
  const at = { partition: unpartitioned, bucket: 0, from: 'earliest', rowsMax: 1, bytesMax: 1 } as const
  return (await testLog(world).fetch(table, at)).logStart
}

async function everyTable(world: TestWorld): Promise<Table> {
  await testTable(world)
  return (await createTable(world, 'd', 'every', { ...specOfBuckets(1, 'iceberg'), columns: [...everyColumn] })).table
}

test('rows of every type are the same before and after they left the log, whatever is read of them at once', async () => {
  const world = readerWorld()
  const table = await everyTable(world)
  for (let i = 0; i < 20; i++) {
    await produce(world, table, [everyBatch(table, 3 * i, 3)])
    if (i % 6 === 5) await tier(world, table)
  }
  await tier(world, table)
  const before = await readFrom(testLog(world), table, 0n)
  await leave(world, table)
  const start = await startOf(world, table)
  expect(start).toBeGreaterThan(30n)
  expect(start).toBeLessThan(60n)
  for (const reading of [{}, { rowsMax: 1 }, { rowsMax: 7 }, { bytesMax: 1 }, { bytesMax: 3_000 }])
    expect(await readFrom(testLog(world), table, 0n, reading)).toEqual(before)
  for (const from of [1n, 17n, 18n, 19n, start - 1n, start, 60n])
    expect(await readFrom(testLog(world), table, from)).toEqual(before.slice(Number(from)))
}, 60_000)

test('rows of a lake of version 3 that were joined are the same, nanoseconds too', async () => {
  const world = readerWorld()
  await testTable(world)
  const columns = [{ name: 'at', type: { kind: 'timestamp', precision: 9 }, nullable: true }] as const
  const options = parseOptions({ 'lake.format': 'iceberg', 'lake.format-version': '3' })
  const { table } = await createTable(world, 'd', 'fine', { ...specOfBuckets(1), columns: [...columns], options })
  for (let i = 0; i < 30; i++) {
    await produce(world, table, [batchOf(table.schema.columns, [[1_700_000_000_000_000_001n + BigInt(i)], [null]])])
    await tier(world, table)
  }
  const before = await readFrom(testLog(world), table, 0n)
  await leave(world, table)
  expect(await startOf(world, table)).toBeGreaterThan(20n)
  expect(await readFrom(testLog(world), table, 0n)).toEqual(before)
})

test('a filter selects the same rows of the lake as of the log', async () => {
  const world = readerWorld()
  const table = await everyTable(world)
  for (let i = 0; i < 20; i++) await produce(world, table, [everyBatch(table, 3 * i, 3)])
  await tier(world, table)
  const filters = [
    'id >= 7 and id < 50',
    'tiny is null',
    'yes = true',
    '"größe.m" like \'text 1%\'',
    '__offset > 11',
    'row.x = 21',
    'id < 0',
  ]
  const times = (await readFrom(testLog(world), table, 0n)).map(([, time]) => new Date(time).toISOString())
  filters.push(`__timestamp >= '${times[20]}'`)
  const before: Row[][] = []
  for (const where of filters) before.push(await readFrom(testLog(world), table, 0n, { where, rowsMax: 4 }))
  expect(before.map((rows) => rows.length > 0)).toEqual(filters.map((where) => where !== 'id < 0'))
  await leave(world, table)
  for (const [i, where] of filters.entries())
    expect(await readFrom(testLog(world), table, 0n, { where, rowsMax: 4 })).toEqual(before[i])
})

test('columns that were added, dropped, renamed and widened since are as the table has them now', async () => {
  const world = readerWorld()
  await testTable(world)
  const columns = [
    { name: 'id', type: { kind: 'tinyint' }, nullable: false },
    { name: 'text', type: { kind: 'string' }, nullable: true },
    { name: 'gone', type: { kind: 'float' }, nullable: true },
  ] as const
  const { table } = await createTable(world, 'd', 'e', { ...specOfBuckets(1, 'iceberg'), columns: [...columns] })
  for (let i = 0; i < 12; i++) await produce(world, table, [batchOf(table.schema.columns, [[i, `t${i}`, 0.5]])])
  await tier(world, table)
  const change = { addColumns: [{ name: 'more', type: 'int' }], dropColumns: ['gone'], renameColumns: { text: 'words' } }
  const altered = await alterTable(world, 'd', 'e', { ...change, widenColumns: { id: 'bigint' } })
  for (let i = 12; i < 30; i++) await produce(world, altered, [batchOf(altered.schema.columns, [[BigInt(i), `t${i}`, i]])])
  await tier(world, altered)
  const before = await readFrom(testLog(world), altered, 0n)
  await leave(world, altered)
  expect(await startOf(world, altered)).toBeGreaterThan(12n)
  expect(await readFrom(testLog(world), altered, 0n)).toEqual(before)
  expect(before[0]?.slice(2)).toEqual([0n, 't0', null])
})

test('a reader of the table whose place has left the log goes on from the lake, in turn with the buckets that are in the log', async () => {
  const world = readerWorld()
  const table = await partitionedTable(world, 2, 'iceberg')
  const ofPartition = (name: string, value: number): Batch => batchOf(table.schema.columns, [[BigInt(value), name]])
  for (let i = 0; i < 20; i++)
    for (const name of ['a', 'b'])
      for (const bucket of [0, 1]) await produce(world, table, [ofPartition(name, i)], { partition: `k=${name}`, bucket })
  await tier(world, table)
  const selection = { buckets: [], partitions: { kind: 'all' } } as const
  const read = async (from: ReadPosition | undefined) => {
    const page = { selection, fields: table.schema.columns, rowsMax: 9, bytesMax: 1 << 20 }
    return testLog(world).readPage(table, { ...page, from: from ?? { first: 'earliest' } })
  }
  const seen: string[] = []
  const first = await read(undefined)
  const note = (rows: readonly FetchedRows[]) => {
    for (const each of rows)
      for (const [offset, , ...values] of rowsIn(table, [each]))
        seen.push(`${each.partition.name}#${each.bucket}@${offset} ${values}`)
  }
  note(first.rows)
  let position = first.after(9)
  await leave(world, table)
  await produce(world, table, [ofPartition('a', 20)], { partition: 'k=a', bucket: 0 })
  for (let pages = 0; pages < 100; pages++) {
    const page = await read(position)
    note(page.rows)
    position = page.after(page.rows.reduce((sum, { rows }) => sum + rows, 0))
    if (page.isCaughtUp) break
  }
  const expected = ['a', 'b'].flatMap((name) =>
    [0, 1].flatMap((bucket) => Array.from({ length: 20 }, (_, i) => `k=${name}#${bucket}@${i} ${i},${name}`)),
  )
  expect([...seen].sort()).toEqual([...expected, 'k=a#0@20 20,a'].sort())
})

test('what is neither in the log nor in the lake is refused with where the log begins, as is what another partition left', async () => {
  const world = readerWorld()
  const table = await partitionedTable(world, 1, 'iceberg')
  const log = testLog(world)
  const at = { partition: 'k=a', bucket: 0 }
  const rowOf = (value: number): Batch => batchOf(table.schema.columns, [[BigInt(value), 'a']])
  for (let i = 0; i < 20; i++) await produce(world, table, [rowOf(i)], at)
  await tier(world, table)
  await dropPartition(world, table, 'k=a', 'stay')
  for (let i = 20; i < 40; i++) await produce(world, table, [rowOf(i)], at)
  await tier(world, table)
  await leave(world, table)
  const partition = await log.partition(table, 'k=a')
  const fetch = (from: bigint) =>
    testLog(world).fetch(table, { partition, bucket: 0, from: offsetOf(from), rowsMax: 5, bytesMax: 1 << 20 })
  expect(rowsIn(table, (await fetch(21n)).rows).map(([offset, , value]) => [offset, value])).toEqual(
    [21n, 22n, 23n, 24n, 25n].map((each) => [each, each]),
  )
  await expect(fetch(19n)).rejects.toMatchObject({ code: 'offset-out-of-range', facts: { end: '40' } })
  const withoutReader = { ...world, lakeReader: undefined }
  await expect(
    testLog(withoutReader as never).fetch(table, { partition, bucket: 0, from: offsetOf(21n), rowsMax: 5, bytesMax: 1 }),
  ).rejects.toMatchObject({ code: 'offset-out-of-range' })
})

test('files whose offsets overlap, in any order, are read as one', async () => {
  const world = readerWorld()
  const table = await everyTable(world)
  for (let i = 0; i < 20; i++) {
    await produce(world, table, [everyBatch(table, i, 1)])
    if (i % 10 === 9) await tier(world, table)
  }
  const before = await readFrom(testLog(world), table, 0n)
  await leave(world, table)
  const index = new LakeIndex(world)
  const at = { partition: unpartitioned, bucket: 0 }
  const files = [...(await index.filesAt(table, at, 10n)), ...(await index.filesAt(table, at, 0n))]
  const lake = Object.assign(new LakeIndex(world), { filesAt: async () => files })
  const reading = { world, lake, ranges: new Ranges(world.objects, 1), schemas: new Schemas(world) }
  const steps: Step[] = []
  const range = { ...at, index: 0, from: offsetOf(3n), to: offsetOf(18n) }
  await walkLake(reading, table, range, { fields: table.schema.columns, rowsMax: 100, bytesMax: 1 << 20 }, steps)
  expect(
    rowsIn(
      table,
      steps.flatMap(({ rows }) => rows ?? []),
    ),
  ).toEqual(before.slice(3, 18))
})

test('a data file that is not what the lake says is no row of anybody, and says which', async () => {
  const world = readerWorld()
  const table = await everyTable(world)
  for (let i = 0; i < 20; i++) await produce(world, table, [everyBatch(table, i, 1)])
  await tier(world, table)
  await leave(world, table)
  const bad: readonly (readonly [string, (stream: Uint8Array) => Uint8Array])[] = [
    ['cannot be read on from', (stream) => stream.slice(0, -1_000)],
    ['the rows that its manifest says', (stream) => stream.slice(0, 8 + new DataView(stream.buffer).getInt32(4, true))],
  ]
  for (const [why, damage] of bad) {
    const lakeReader = { read: async (file: Uint8Array) => damage((await inlineParquet().read(file)).slice()) }
    await expect(readFrom(testLog({ ...world, lakeReader }), table, 0n)).rejects.toThrow(why)
  }
})
