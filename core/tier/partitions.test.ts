import { expect, test } from 'vitest'
import { createPartition } from '../catalog/partitions.ts'
import { createTable } from '../catalog/tables.ts'
import { batchOf, type Plain } from '../format/arrow/batch.case.ts'
import { putMark } from '../jobs/marks.ts'
import { loadLake } from '../lake/catalog.ts'
import { commitToLake } from '../lake/commit.ts'
import { type Codec, mergeManifests } from '../lake/engine.case.ts'
import { currentSnapshot, decodeMetadata } from '../lake/iceberg/metadata.ts'
import { readLakeItem } from '../lake/item.ts'
import { lakeFolder } from '../lake/layout.ts'
import { readChecked, readPoints } from '../lake/objects.ts'
import { tieredHeads } from '../log/buckets.ts'
import { dropPartition } from '../log/drop.ts'
import { markCollect } from '../log/keep/lake-mark.ts'
import { retain } from '../log/keep/retain.ts'
import { purge } from '../log/purge.ts'
import { routeRows } from '../log/route.ts'
import { partitionedTable, type TestWorld, testLog, testWorld } from '../log/world.case.ts'
import { defaultOptions } from '../model/options.ts'
import type { Table } from '../model/table.ts'
import { parseType } from '../model/type-text.ts'
import type { World } from '../ports/world.ts'
import { tierState } from './state.ts'
import { folderRows, tier, tierJobOf } from './tier.case.ts'

type Row = readonly [number, string]

async function produce(world: TestWorld, table: Table, rows: readonly Row[], log = testLog(world)): Promise<void> {
  world.time.now += 10
  const batch = batchOf(
    table.schema.columns,
    rows.map(([v, k]) => [BigInt(v), k]),
  )
  const parts = routeRows(table, [batch], { rotate: () => 0 })
  for (const { outcome } of await log.append(table, { parts })) if (!outcome.done) throw outcome.error
}

/** `k:v` of every row in the lake, in order. */
async function lakeRows(world: World, table: Table): Promise<string[]> {
  // The reader takes a snapshot without files for none.
  if ((await snapshotOf(world, table))?.summary['total-records'] === '0') return []
  return (await folderRows(world.objects, table)).map((row) => `${row['k']}:${row['v']}`).sort()
}

async function snapshotOf(world: World, table: Table) {
  const lake = await readLakeItem(world.items, table.tableId)
  return lake?.committed && currentSnapshot(decodeMetadata(await readChecked(world.objects, lake.committed.metadata)))
}

test('each partition has files of its own, and points by its buckets', async () => {
  const world = testWorld()
  const table = await partitionedTable(world, 2, 'iceberg')
  await produce(world, table, [
    [1, 'a'],
    [2, 'b'],
    [3, 'a'],
  ])
  expect(await tier(world, table)).toMatchObject({ state: 'committed', rows: 3n, snapshots: 1 })
  expect(await tier(world, table)).toMatchObject({ state: 'idle' })
  await produce(world, table, [[4, 'c']])
  expect(await tier(world, table)).toMatchObject({ rows: 1n })
  expect(await lakeRows(world, table)).toEqual(['a:1', 'a:3', 'b:2', 'c:4'])
  const { buckets, lagRows } = await tierState(world, testLog(world), table)
  expect(lagRows).toBe(0)
  expect(buckets.map(({ partition, bucket, tierPoint }) => [partition, bucket, tierPoint])).toEqual([
    ['k=a', 0, '2'],
    ['k=a', 1, null],
    ['k=b', 0, '1'],
    ['k=b', 1, null],
    ['k=c', 0, '1'],
    ['k=c', 1, null],
  ])
  expect((await snapshotOf(world, table))?.summary).toMatchObject({ 'total-records': '4', 'total-data-files': '3' })
})

test('a partition that is dropped takes its rows out of the lake; created again it holds only its own', async () => {
  const world = testWorld()
  const table = await partitionedTable(world, 1, 'iceberg')
  await produce(world, table, [
    [1, 'a'],
    [2, 'b'],
  ])
  await tier(world, table)
  await produce(world, table, [[3, 'a']])
  expect(await dropPartition(world, table, 'k=a')).toBe('gone')
  expect(await lakeRows(world, table)).toEqual(['b:2'])
  expect((await snapshotOf(world, table))?.summary).toMatchObject({
    operation: 'delete',
    'deleted-records': '1',
    'total-records': '1',
    'total-data-files': '1',
  })
  await produce(world, table, [[4, 'a']])
  expect(await tier(world, table)).toMatchObject({ rows: 1n, remaining: 0n })
  expect(await lakeRows(world, table)).toEqual(['a:4', 'b:2'])
  const lake = await readLakeItem(world.items, table.tableId)
  const { points } = await readPoints(world.objects, lake ?? fail())
  expect([...points.values()].map((page) => page.get(0)?.offset)).toEqual(expect.arrayContaining([1n, 3n]))
  expect(points.size).toBe(2)
})

const fail = (): never => {
  throw new Error('no lake')
}

test('a partition that is dropped with keepLake leaves its rows in the lake', async () => {
  const world = testWorld()
  const table = await partitionedTable(world, 1, 'iceberg')
  await produce(world, table, [[1, 'a']])
  await tier(world, table)
  await produce(world, table, [[2, 'a']])
  expect(await dropPartition(world, table, 'k=a', 'stay')).toBe('gone')
  await produce(world, table, [[3, 'a']])
  expect(await tier(world, table)).toMatchObject({ rows: 1n })
  expect(await lakeRows(world, table)).toEqual(['a:1', 'a:3'])
  expect(await dropPartition(world, table, 'k=a')).toBe('gone')
  expect(await lakeRows(world, table)).toEqual([])
  await produce(world, table, [[4, 'a']])
  await tier(world, table)
  expect(await lakeRows(world, table)).toEqual(['a:4'])
})

test.each<Codec>(['null', 'zstandard'])('rows are taken out of manifests that an engine wrote with codec %s', async (codec) => {
  const world = testWorld()
  const table = await partitionedTable(world, 1, 'iceberg')
  for (const rows of [[[1, 'a']], [[2, 'b']], [[3, 'a']]] as const) {
    await produce(world, table, rows)
    await tier(world, table)
  }
  const { metadata } = await loadLake(world, table)
  const merged = await mergeManifests(world, decodeMetadata(metadata), { now: world.time.now, codec })
  await commitToLake(world, table, merged, (lake) => markCollect(world, tierJobOf(table), lake))
  expect(await dropPartition(world, table, 'k=a')).toBe('gone')
  expect(await lakeRows(world, table)).toEqual(['b:2'])
  await produce(world, table, [[4, 'a']])
  await tier(world, table)
  expect(await lakeRows(world, table)).toEqual(['a:4', 'b:2'])
})

test('a partition that retention drops waits until the lake has its rows, and they stay', async () => {
  const world = testWorld()
  const table = await partitionedTable(world, 2, 'iceberg')
  const log = testLog(world)
  await produce(world, table, [[1, 'a']], log)
  expect(await dropPartition(world, table, 'k=a', 'first')).toBe('closing')
  await produce(world, table, [[2, 'a']], log)
  expect(await tier(world, table)).toMatchObject({ rows: 2n, remaining: 0n })
  expect(await dropPartition(world, table, 'k=a', 'first')).toBe('gone')
  expect(await testLog(world).partitions(table)).toEqual([])
  expect(await lakeRows(world, table)).toEqual(['a:1', 'a:2'])
})

test('a drop by hand goes before one by retention', async () => {
  const world = testWorld()
  const table = await partitionedTable(world, 1, 'iceberg')
  await produce(world, table, [[1, 'a']])
  await tier(world, table)
  await produce(world, table, [[2, 'a']])
  expect(await dropPartition(world, table, 'k=a', 'first')).toBe('closing')
  expect(await dropPartition(world, table, 'k=a', 'go')).toBe('gone')
  expect(await lakeRows(world, table)).toEqual([])
})

test('a worker that staged rows of a partition before it was dropped brings none of them back', async () => {
  const world = testWorld()
  const table = await partitionedTable(world, 1, 'iceberg')
  await produce(world, table, [
    [1, 'a'],
    [2, 'b'],
  ])
  let dropped = false
  const items = before(world.items, 'update', async ({ key, set }) => {
    if (key.sort !== 'lake' || set?.['metadata'] === undefined || dropped) return
    dropped = true
    expect(await dropPartition(world, table, 'k=a')).toBe('gone')
  })
  expect(await tier({ ...world, items }, table)).toMatchObject({ state: 'fenced' })
  expect(await tier(world, table)).toMatchObject({ state: 'committed', rows: 1n, remaining: 0n })
  expect(await lakeRows(world, table)).toEqual(['b:2'])
})

test('a drop that slept until its partition was gone and created again takes nothing of the new one', async () => {
  const world = testWorld()
  const table = await partitionedTable(world, 1, 'iceberg')
  await produce(world, table, [[1, 'a']])
  await tier(world, table)
  let slept = false
  const items = before(world.items, 'update', async ({ key, set }) => {
    if (key.sort !== 'lake' || set?.['holder'] === undefined || slept) return
    slept = true
    expect(await dropPartition(world, table, 'k=a')).toBe('gone')
    await produce(world, table, [[2, 'a']])
    expect(await tier(world, table)).toMatchObject({ rows: 1n })
  })
  expect(await dropPartition({ ...world, items }, table, 'k=a')).toBe('gone')
  expect(await lakeRows(world, table)).toEqual(['a:2'])
  await produce(world, table, [[3, 'a']])
  expect(await tier(world, table)).toMatchObject({ rows: 1n })
  expect(await lakeRows(world, table)).toEqual(['a:2', 'a:3'])
})

test('a partition that is dropped while its rows are staged is left out of the round', async () => {
  const world = testWorld()
  const table = await partitionedTable(world, 1, 'iceberg')
  await produce(world, table, [
    [1, 'a'],
    [2, 'b'],
  ])
  let dropped = false
  const objects = before(world.objects, 'create', async (key) => {
    if (!key.startsWith(`${lakeFolder(table.tableId)}/data/`) || dropped) return
    dropped = true
    expect(await dropPartition(world, table, 'k=b', 'stay')).toBe('gone')
  })
  const mark = await putMark(world, { kind: 'tier', table: tierJobOf(table).table, buckets: 1, due: 0 })
  const cut = { fileBytesMax: 1, marks: [mark] }
  const outcome = await tier({ ...world, objects }, table, cut)
  expect(outcome).toMatchObject({ state: 'committed', remaining: 0n })
  expect(await lakeRows(world, table)).toContain('a:1')
  expect(await tier(world, table)).toMatchObject({ state: 'idle' })
})

test('a drop that died at any call is finished, by hand or by its purge', async () => {
  for (const finish of ['by hand', 'by its purge'] as const) {
    let calls = 0
    for (let finished = false; !finished; ) {
      calls += 1
      const world = testWorld()
      const table = await partitionedTable(world, 1, 'iceberg')
      await produce(world, table, [
        [1, 'a'],
        [2, 'b'],
      ])
      await tier(world, table)
      const { id } = (await createPartition(world, table, 'k=a')).partition
      finished = await dropPartition(crashing(world, calls), table, 'k=a').then(
        () => true,
        () => false,
      )
      world.time.now += 2 * 86_400_000
      const job = { ...tierJobOf(table), kind: 'purge' as const, partition: { id, name: 'k=a' } }
      if (finish === 'by hand') await dropPartition(world, table, 'k=a').catch(() => undefined)
      else expect(['purged', 'alive']).toContain(await purge(world, job, world.time.now + 60_000))
      const isAlive = (await testLog(world).partitions(table)).some(({ name }) => name === 'k=a')
      expect(await lakeRows(world, table), `${finish}, call ${calls}`).toEqual(isAlive ? ['a:1', 'b:2'] : ['b:2'])
      await produce(world, table, [[3, 'a']])
      expect(await tier(world, table), `${finish}, call ${calls}`).toMatchObject({ remaining: 0n })
      expect(await lakeRows(world, table)).toEqual(isAlive ? ['a:1', 'a:3', 'b:2'] : ['a:3', 'b:2'])
    }
    expect(calls).toBeGreaterThan(15)
  }
}, 120_000)

test('the log keeps rows of a partition that are not in the lake, whatever its namesake and its neighbour have there', async () => {
  const world = testWorld()
  const table = await partitionedTable(world, 1, 'iceberg')
  const log = testLog(world)
  const many = async (from: number, k: string): Promise<void> => {
    for (let i = from; i < from + 20; i++) await produce(world, table, [[i, k]], log)
  }
  await many(0, 'a')
  await many(0, 'b')
  await tier(world, table)
  await dropPartition(world, table, 'k=a', 'stay')
  await many(20, 'a')
  await many(20, 'b')
  world.time.now += 30 * 86_400_000
  const job = { ...tierJobOf(table), kind: 'retain' as const }
  await retain(world, job, world.time.now + 60_000)
  const starts = async () => (await tieredHeads(world, table)).map(({ partition, start }) => [partition.name, start])
  expect(await starts()).toEqual([
    ['k=a', 20n],
    ['k=b', 16n],
  ])
  await tier(world, table)
  await retain(world, job, world.time.now + 60_000)
  expect(await starts()).toEqual([
    ['k=a', 36n],
    ['k=b', 32n],
  ])
})

test('a partition that was created again and has no rows yet keeps no mark alive', async () => {
  const world = testWorld()
  const table = await partitionedTable(world, 1, 'iceberg')
  await produce(world, table, [[1, 'a']])
  await dropPartition(world, table, 'k=a')
  await createPartition(world, table, 'k=a')
  const mark = await putMark(world, { kind: 'tier', table: tierJobOf(table).table, buckets: 1, due: 0 })
  expect(await tier(world, table, { marks: [mark] })).toMatchObject({ state: 'idle' })
  const marks = await world.items.query({ partition: mark.split(' ')[0] ?? '', limit: 99 })
  expect(marks.filter(({ key }) => key.sort.includes('tier'))).toEqual([])
})

/** Of every type but decimals and times, for which this reader knows no Avro: test/interop has those. */
const types = {
  boolean: true,
  tinyint: -1,
  smallint: 2,
  int: 3,
  bigint: 4n,
  float: 0.5,
  double: 0.25,
  string: 'a/b=ü',
  binary: Uint8Array.of(0, 255),
  date: 20_000,
  'timestamp(0)': 1n,
  'timestamp_ltz(6)': -1n,
} as const satisfies Record<string, Plain>

test.each(Object.entries(types))('a table that is partitioned by %s is read from its folder', async (type, value) => {
  const world = testWorld()
  await partitionedTable(world)
  const column = { name: 'k', type: parseType(type), nullable: true }
  const spec = {
    columns: [{ name: 'v', type: { kind: 'bigint' as const }, nullable: false }, column],
    partitionBy: ['k'],
    buckets: { count: 1 },
    options: { ...defaultOptions, lakeFormat: 'iceberg' as const },
  }
  const { table } = await createTable(world, 'd', 'typed', spec)
  const rows: Plain[][] = [
    [1n, value],
    [2n, null],
    [3n, value],
  ]
  const batch = batchOf(table.schema.columns, rows)
  const parts = routeRows(table, [batch], { rotate: () => 0 })
  expect(parts).toHaveLength(2)
  await testLog(world).append(table, { parts })
  expect(await tier(world, table)).toMatchObject({ rows: 3n, snapshots: 1 })
  const read = (await folderRows(world.objects, table)).sort((a, b) => Number(a['v']) - Number(b['v']))
  expect(read.map((row) => [Number(row['v']), row['k'] == null])).toEqual([
    [1, false],
    [2, true],
    [3, false],
  ])
  expect(await dropPartition(world, table, parts[0]?.partition ?? '')).toBe('gone')
  expect((await folderRows(world.objects, table)).map((row) => Number(row['v']))).toEqual([2])
})

/** The same store, whose calls of one kind come after `look`. */
function before<T extends object, N extends keyof T>(
  store: T,
  name: N,
  look: (...given: T[N] extends (...given: infer G) => unknown ? G : never) => Promise<void>,
): T {
  return new Proxy(store, {
    get: (target, member) => {
      const method = Reflect.get(target, member) as ((...given: never[]) => Promise<unknown>) | undefined
      if (member !== name || method === undefined) return method?.bind(target)
      return async (...given: never[]) => {
        await look(...(given as never))
        return method.apply(target, given)
      }
    },
  })
}

/** Fails every call of the stores from the nth on, as a process that is gone. */
function crashing(world: TestWorld, callsMax: number): TestWorld {
  let calls = 0
  const dying = <T extends object>(store: T): T =>
    new Proxy(store, {
      get: (target, name) => {
        const member = Reflect.get(target, name) as unknown
        if (typeof member !== 'function') return member
        return (...given: unknown[]) => {
          if (name === 'uri') return member.apply(target, given)
          calls += 1
          if (calls > callsMax) throw new Error('the process is gone')
          return member.apply(target, given)
        }
      },
    })
  return { ...world, objects: dying(world.objects), items: dying(world.items) }
}
