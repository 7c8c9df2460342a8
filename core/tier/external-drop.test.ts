/** Partitions of a table whose lake is in an external catalog are dropped with their rows there, in one commit of that catalog. */
import { expect, test } from 'vitest'
import { createPartition, findPartition } from '../catalog/partitions.ts'
import { encodeManifest, manifestFile } from '../lake/iceberg/manifest.ts'
import { readLakeItem } from '../lake/item.ts'
import { dropPartition } from '../log/drop.ts'
import { purge } from '../log/purge.ts'
import { testLog } from '../log/world.case.ts'
import type { LakeCatalog } from '../ports/lake-catalog.ts'
import {
  type ExternalWorld,
  externalRows,
  externalWorld,
  foreignCommit,
  foreignTable,
  loaded,
  partitioned,
  put,
  rowCommits,
  there,
  unknown,
} from './external.case.ts'
import { lakePoints } from './state.ts'
import { tier, tierJobOf } from './tier.case.ts'

/** `k:v` of every row there, in order. */
async function rowsThere(world: ExternalWorld): Promise<string[]> {
  // The reader takes a snapshot without files for none.
  if (loaded(world).main?.summary['total-records'] === '0') return []
  return (await externalRows(world)).map((row) => `${String(row['k'])}:${String(row['v'])}`).sort()
}

test('a partitioned table has its partitions there too, and one that is dropped takes its rows out, or leaves them', async () => {
  const world = externalWorld()
  const table = await partitioned(world)
  await put(world, table, [1, 'a'], [2, 'b'], [3, 'c'])
  expect(await tier(world, table)).toMatchObject({ state: 'committed', rows: 3n })
  expect(loaded(world).spec.fields.map(({ name, transform }) => [name, transform])).toEqual([
    ['k', 'identity'],
    ['__bucket', 'identity'],
  ])
  await put(world, table, [4, 'a'])
  expect(await dropPartition(world, table, 'k=a')).toBe('gone')
  expect(await rowsThere(world)).toEqual(['b:2', 'c:3'])
  expect(loaded(world).main?.summary).toMatchObject({
    operation: 'delete',
    'deleted-records': '1',
    'total-records': '2',
    'total-data-files': '2',
  })
  expect(await dropPartition(world, table, 'k=b', 'stay')).toBe('gone')
  await put(world, table, [5, 'a'], [6, 'c'])
  expect(await tier(world, table)).toMatchObject({ rows: 2n, remaining: 0n })
  expect(await rowsThere(world)).toEqual(['a:5', 'b:2', 'c:3', 'c:6'])
  const { points } = await lakePoints(world, table)
  expect([...points.values()].map((page) => page.get(0)?.offset).sort()).toEqual([2n, 3n])
  expect(await tier(world, table)).toMatchObject({ state: 'idle' })
})

test.each([
  ['an answer that is lost after the commit', 1],
  ['answers that are lost again and again', 5],
])('%s takes the rows out once', async (_name, times) => {
  let lost = 0
  const world = externalWorld(
    rowCommits(async (go) => {
      const answer = await go()
      if (lost-- > 0) throw unknown()
      return answer
    }),
  )
  const table = await partitioned(world)
  await put(world, table, [1, 'a'], [2, 'b'])
  await tier(world, table)
  lost = times
  const before = loaded(world).snapshots.size
  expect(await dropPartition(world, table, 'k=a')).toBe('gone')
  expect(await rowsThere(world)).toEqual(['b:2'])
  expect(loaded(world).snapshots.size).toBe(before + 1)
})

test('commits of engines meanwhile are built upon', async () => {
  let foreign = 0
  const world = externalWorld(
    rowCommits(async (go) => {
      if (foreign-- > 0) await foreignCommit(world)
      return go()
    }),
  )
  const table = await partitioned(world)
  await put(world, table, [1, 'a'], [2, 'b'])
  await tier(world, table)
  foreign = 3
  expect(await dropPartition(world, table, 'k=a')).toBe('gone')
  expect(await rowsThere(world)).toEqual(['b:2'])
  const { main, snapshots } = loaded(world)
  expect(snapshots.get(main?.parent ?? 0n)?.summary['operation']).toBe('replace')
})

test.each([
  ['which has rows there already', true],
  ['which has none there yet', false],
])('a worker that staged rows of a partition, %s, brings none back after it was dropped', async (_name, hasRows) => {
  let isDropping = false
  const world: ExternalWorld = externalWorld(
    rowCommits(async (go) => {
      if (!isDropping) return go()
      isDropping = false
      expect(await dropPartition(world, table, 'k=a')).toBe('gone')
      return go()
    }),
  )
  const table = await partitioned(world)
  await put(world, table, [0, 'b'], ...(hasRows ? [[1, 'a'] as const] : []))
  await tier(world, table)
  await put(world, table, [2, 'a'], [3, 'b'])
  isDropping = true
  expect(await tier(world, table)).toMatchObject({ state: 'fenced' })
  expect(await rowsThere(world)).toEqual(['b:0'])
  expect(await tier(world, table)).toMatchObject({ state: 'committed', rows: 1n, remaining: 0n })
  expect(await rowsThere(world)).toEqual(['b:0', 'b:3'])
})

test('a drop of a partition without rows, there or in the log, commits nothing', async () => {
  const world = externalWorld()
  const table = await partitioned(world)
  await createPartition(world, table, 'k=x')
  expect(await dropPartition(world, table, 'k=x')).toBe('gone')
  expect(world.state.load(there)).toBeUndefined()
  await put(world, table, [1, 'a'])
  await tier(world, table)
  const { main } = loaded(world)
  await createPartition(world, table, 'k=x')
  expect(await dropPartition(world, table, 'k=x')).toBe('gone')
  expect(loaded(world).main).toEqual(main)
})

test('a catalog that is down refuses a drop before anything has begun', async () => {
  let isDown = false
  const world = externalWorld((catalog) => ({
    ...catalog,
    load: async (name) => {
      if (isDown) throw unknown()
      return catalog.load(name)
    },
  }))
  const table = await partitioned(world)
  await put(world, table, [1, 'a'])
  await tier(world, table)
  isDown = true
  await expect(dropPartition(world, table, 'k=a')).rejects.toMatchObject({ code: 'unavailable' })
  expect((await findPartition(world, table, 'k=a'))?.state).toBe('alive')
  isDown = false
  expect(await dropPartition(world, table, 'k=a')).toBe('gone')
  expect(await rowsThere(world)).toEqual([])
})

test('a drop that died at any call is finished, by hand or by its purge', async () => {
  for (const finish of ['by hand', 'by its purge'] as const) {
    let calls = 0
    for (let finished = false; !finished; ) {
      calls += 1
      const life = { left: Number.POSITIVE_INFINITY }
      const world = externalWorld((catalog) => dying(catalog, life))
      const table = await partitioned(world)
      await put(world, table, [1, 'a'], [2, 'b'])
      await tier(world, table)
      const { id } = (await createPartition(world, table, 'k=a')).partition
      life.left = calls
      const mortal = { ...world, objects: dying(world.objects, life), items: dying(world.items, life) }
      finished = await dropPartition(mortal, table, 'k=a').then(
        () => true,
        () => false,
      )
      life.left = Number.POSITIVE_INFINITY
      world.time.now += 2 * 86_400_000
      const job = { ...tierJobOf(table), kind: 'purge' as const, partition: { id, name: 'k=a' } }
      if (finish === 'by hand') await dropPartition(world, table, 'k=a').catch(() => undefined)
      else expect(['purged', 'alive']).toContain(await purge(world, job, world.time.now + 60_000))
      const isAlive = (await testLog(world).partitions(table)).some(({ name }) => name === 'k=a')
      expect(await rowsThere(world), `${finish}, call ${calls}`).toEqual(isAlive ? ['a:1', 'b:2'] : ['b:2'])
      await put(world, table, [3, 'a'])
      expect(await tier(world, table), `${finish}, call ${calls}`).toMatchObject({ remaining: 0n })
      expect(await rowsThere(world)).toEqual(isAlive ? ['a:1', 'a:3', 'b:2'] : ['a:3', 'b:2'])
    }
    expect(calls).toBeGreaterThan(20)
  }
}, 120_000)

test('partition fields that an engine named are told by what they hold, not by their names', async () => {
  const world = externalWorld()
  foreignTable(world, [
    { 'source-id': 2, name: 'by key', transform: 'identity' },
    { 'source-id': 3, name: 'shard', transform: 'identity' },
  ])
  const table = await partitioned(world, 'string', { 'lake.table': 't' })
  await put(world, table, [1, 'a'], [2, 'b'], [3, null])
  await tier(world, table)
  expect(await dropPartition(world, table, 'k=a')).toBe('gone')
  expect(await rowsThere(world)).toEqual(['b:2', 'null:3'])
})

const values = {
  boolean: true,
  int: -3,
  bigint: 4n,
  float: -0,
  double: Number.NaN,
  string: 'a/b=ü',
  binary: Uint8Array.of(0, 255),
  date: 20_000,
}

test.each(Object.entries(values))(
  'of a table that has no partitions there the rows of one by %s go, told by bounds',
  async (type, value) => {
    const world = externalWorld()
    foreignTable(world, [], type === 'bigint' ? 'long' : type)
    const table = await partitioned(world, type, { 'lake.table': 't' })
    await put(world, table, [1, value], [2, null], [3, value])
    await tier(world, table)
    const names = (await testLog(world).partitions(table)).map(({ name }) => name)
    const isNull = (name: string): boolean => name.includes('__HIVE_DEFAULT') || name.includes('null')
    const name = names.find((each) => !isNull(each)) ?? ''
    expect(names).toHaveLength(2)
    expect(await dropPartition(world, table, name)).toBe('gone')
    expect((await externalRows(world)).map((row) => Number(row['v']))).toEqual([2])
    expect(await dropPartition(world, table, names.find((each) => each !== name) ?? '')).toBe('gone')
    expect(loaded(world).main?.summary['total-records']).toBe('0')
  },
)

test('a file with rows of several partitions refuses the drop before anything has begun, and names the way out', async () => {
  const world = externalWorld()
  foreignTable(world, [])
  const table = await partitioned(world, 'string', { 'lake.table': 't' })
  await put(world, table, [1, 'a'], [2, 'd'])
  await tier(world, table)
  await foreignFile(world, 'b', 'c')
  expect(await dropPartition(world, table, 'k=a')).toBe('gone')
  await put(world, table, [3, 'b'])
  await expect(dropPartition(world, table, 'k=b')).rejects.toMatchObject({
    code: 'not-supported',
    message: expect.stringContaining('keepLake=true'),
    facts: { file: expect.stringContaining('foreign.parquet') },
  })
  expect((await findPartition(world, table, 'k=b'))?.state).toBe('alive')
  expect(await dropPartition(world, table, 'k=b', 'stay')).toBe('gone')
  expect((await readLakeItem(world.items, table.tableId))?.lastError).toBeUndefined()
})

/** A file of an engine, of which nothing but its manifest is there: keys from `lower` to `upper`. */
async function foreignFile(world: ExternalWorld, lower: string, upper: string): Promise<void> {
  const { location, schema, spec, lastSequence, formatVersion } = loaded(world)
  const store = world.catalog.objectsAt(location)
  const id = schema.fields.find(({ name }) => name === 'k')?.id ?? 0
  const bound = (text: string) => new TextEncoder().encode(text)
  const files = [
    {
      uri: store.uri('data/foreign.parquet'),
      bytes: 10,
      rows: 2,
      partition: [],
      bucket: 0,
      columns: [{ id, nulls: 0, lower: bound(lower), upper: bound(upper) }],
    },
  ]
  const bytes = encodeManifest(files, { schema, spec, snapshotId: 1n, random: world.random, formatVersion })
  await store.create('metadata/foreign-m0.avro', bytes)
  const uri = store.uri('metadata/foreign-m0.avro')
  const listed = manifestFile(files, { uri, bytes: bytes.length, spec, schema, snapshotId: 1n, sequence: lastSequence + 1n })
  await foreignCommit(world, [], [listed])
}

/** Every call fails once none is left, as of a process that is gone. */
function dying<T extends object>(store: T, life: { left: number }): T {
  return new Proxy(store, {
    get: (target, name) => {
      const member = Reflect.get(target, name) as unknown
      if (typeof member !== 'function') return member
      return (...given: unknown[]) => {
        if (name === 'uri' || name === 'locationFor') return member.apply(target, given)
        if (name === 'objectsAt') return dying((target as LakeCatalog).objectsAt(given[0] as string), life)
        if (life.left-- <= 0) throw new Error('the process is gone')
        return member.apply(target, given)
      }
    },
  })
}
