/** Engines that maintain a lake while we bring rows into it: nothing of either is lost, and nothing else is let through. */
import { describe, expect, test } from 'vitest'
import { batchOf } from '../format/arrow/batch.case.ts'
import { isSluiceError, SluiceError } from '../kernel/errors.ts'
import { labelOf } from '../kernel/ids.ts'
import { loadLake } from '../lake/catalog.ts'
import { commitToLake as commitMarked, type EngineCommit } from '../lake/commit.ts'
import { type Codec, expireSnapshots, mergeManifests } from '../lake/engine.case.ts'
import { currentSnapshot, decodeMetadata, type Snapshot, type TableMetadata } from '../lake/iceberg/metadata.ts'
import type { TableUpdate } from '../lake/iceberg/updates.ts'
import { publishedKey } from '../lake/layout.ts'
import { collectLake } from '../lake/upkeep/collect.ts'
import { dropPartition } from '../log/drop.ts'
import { markCollect } from '../log/keep/lake-mark.ts'
import { routeRows } from '../log/route.ts'
import { partitionedTable, requestOf, type TestWorld, testLog, testTable, testWorld } from '../log/world.case.ts'
import type { Table } from '../model/table.ts'
import type { Update } from '../ports/items.ts'
import { updatesThrough } from './run.case.ts'
import { folderRows, tier, tierJobOf } from './tier.case.ts'

async function produce(world: TestWorld, table: Table, values: readonly number[]): Promise<void> {
  world.time.now += 10
  await testLog(world).append(table, requestOf(values))
}

async function lakeOf(values: readonly (readonly number[])[]): Promise<{ world: TestWorld; table: Table }> {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  for (const some of values) {
    await produce(world, table, some)
    await tier(world, table)
  }
  return { world, table }
}

const metadataOf = async (world: TestWorld, table: Table): Promise<TableMetadata> =>
  decodeMetadata((await loadLake(world, table)).metadata)

async function merge(world: TestWorld, table: Table, codec?: Codec): ReturnType<typeof mergeManifests> {
  return mergeManifests(world, await metadataOf(world, table), { now: world.time.now, ...(codec && { codec }) })
}

async function valuesOf(world: TestWorld, table: Table): Promise<number[]> {
  return (await folderRows(world.objects, table)).map((row) => Number(row['v'])).sort((a, b) => a - b)
}

const commitsThrough = (world: TestWorld, around: Parameters<typeof updatesThrough>[1]): TestWorld =>
  updatesThrough(world, around, isLakeCommit)

const isLakeCommit = (update: Update): boolean => update.key.sort === 'lake' && update.set?.['metadata'] !== undefined

const unknown = (): SluiceError => new SluiceError('unavailable', 'no answer', { effect: 'unknown' })

const commitToLake = (world: TestWorld, table: Table, commit: EngineCommit) =>
  commitMarked(world, table, commit, (lake) => markCollect(world, tierJobOf(table), lake))

async function refusal(promise: Promise<unknown>): Promise<SluiceError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!isSluiceError(error)) throw new Error(`not refused: ${String(error)}`)
  return error
}

describe.each<Codec>(['null', 'deflate', 'zstandard', 'snappy'])('manifests merged by an engine that writes %s', (codec) => {
  test('are read, built on, and every row stays there once', async () => {
    const { world, table } = await lakeOf([[1, 2], [3]])
    const { snapshot, ...commit } = await merge(world, table, codec)
    const after = await commitToLake(world, table, commit)
    expect(after.lake).toMatchObject({ version: 3n, committed: { snapshotId: snapshot['snapshot-id'] } })
    expect(snapshot['snapshot-id']).toBeGreaterThan(2n ** 53n)
    // icebird knows no others
    if (codec === 'null' || codec === 'deflate') expect(await valuesOf(world, table)).toEqual([1, 2, 3])
    await produce(world, table, [4])
    await tier(world, table)
    expect(await valuesOf(world, table)).toEqual([1, 2, 3, 4])
    const metadata = await metadataOf(world, table)
    expect(currentSnapshot(metadata)).toMatchObject({
      'parent-snapshot-id': snapshot['snapshot-id'],
      summary: { 'total-records': '4', 'total-data-files': '3' },
    })
    expect(metadata['metadata-log'].map((each) => each['metadata-file'])).toEqual(
      [1n, 2n, 3n].map((version) => world.objects.uri(publishedKey(table.tableId, version))),
    )
  })
})

test('expired snapshots are gone, their points are not, and rows go on', async () => {
  const { world, table } = await lakeOf([[1], [2], [3]])
  await commitToLake(world, table, expireSnapshots(await metadataOf(world, table)))
  expect((await metadataOf(world, table)).snapshots).toHaveLength(1)
  await produce(world, table, [4])
  await tier(world, table)
  expect(await valuesOf(world, table)).toEqual([1, 2, 3, 4])
  expect((await metadataOf(world, table)).snapshots).toHaveLength(2)
})

test('a tag and a property of an engine outlive what we commit', async () => {
  const { world, table } = await lakeOf([[1]])
  const id = (await metadataOf(world, table))['current-snapshot-id']
  const updates: TableUpdate[] = [
    { action: 'set-snapshot-ref', 'ref-name': 'monday', type: 'tag', 'snapshot-id': id },
    { action: 'set-properties', updates: { owner: 'b' } },
  ]
  await commitToLake(world, table, { requirements: [], updates })
  await produce(world, table, [2])
  await tier(world, table)
  const metadata = await metadataOf(world, table)
  expect(metadata.refs['monday']).toEqual({ type: 'tag', 'snapshot-id': id })
  expect(metadata.properties).toMatchObject({ owner: 'b', 'sluice.points': expect.any(String) })
})

test('an engine that commits while a round is staged is built on, and its commit stays', async () => {
  const { world, table } = await lakeOf([[1], [2]])
  await produce(world, table, [3])
  let interrupted = 0
  const slow = commitsThrough(world, async (update, go) => {
    if (interrupted++ < 2) {
      const { snapshot: _, ...commit } = await merge(world, table)
      await commitToLake(world, table, commit)
    }
    return go(update)
  })
  expect(await tier(slow, table)).toMatchObject({ state: 'committed', rows: 1n, snapshots: 1 })
  expect(await valuesOf(world, table)).toEqual([1, 2, 3])
  const operations = (await metadataOf(world, table)).snapshots.map((snapshot) => snapshot.summary['operation'])
  expect(operations).toEqual(['append', 'append', 'replace', 'replace', 'append'])
})

test('a round whose answer was lost, and over which an engine has committed, counts once and goes on from there', async () => {
  const { world, table } = await lakeOf([[1]])
  await produce(world, table, [2])
  let lost = false
  const slow = commitsThrough(world, async (update, go) => {
    if (lost) return go(update)
    lost = true
    await go(update)
    await commitToLake(world, table, {
      requirements: [],
      updates: [{ action: 'set-properties', updates: { owner: 'c' } }],
    })
    throw unknown()
  })
  expect(await tier(slow, table)).toMatchObject({ state: 'committed', rows: 1n })
  await produce(world, table, [3])
  await tier(world, table)
  expect(await valuesOf(world, table)).toEqual([1, 2, 3])
  expect((await metadataOf(world, table)).properties).toMatchObject({ owner: 'c' })
})

test('a dropped partition leaves the lake also where an engine has merged the manifests', async () => {
  const world = testWorld()
  const table = await partitionedTable(world, 1, 'iceberg')
  const rows = [
    [1, 'a'],
    [2, 'b'],
    [3, 'a'],
  ] as const
  const add = async (v: number, k: string): Promise<void> => {
    world.time.now += 10
    const parts = routeRows(table, [batchOf(table.schema.columns, [[BigInt(v), k]])], { rotate: () => 0 })
    await testLog(world).append(table, { parts })
    await tier(world, table)
  }
  for (const [v, k] of rows) await add(v, k)
  const { snapshot: _, ...commit } = await merge(world, table)
  await commitToLake(world, table, commit)
  await add(4, 'b')
  expect(await valuesOf(world, table)).toEqual([1, 2, 3, 4])
  expect(await dropPartition(world, table, 'k=a')).toBe('gone')
  expect(await valuesOf(world, table)).toEqual([2, 4])
})

test('what an engine’s manifests refer to is not collected, what it let go is', async () => {
  const { world, table } = await lakeOf([[1], [2], [3]])
  const { snapshot: _, ...commit } = await merge(world, table)
  await commitToLake(world, table, commit)
  await commitToLake(world, table, expireSnapshots(await metadataOf(world, table)))
  expect(await collectLake(world, table.tableId, labelOf(world.time.now + 1))).toBeGreaterThan(0)
  expect(await valuesOf(world, table)).toEqual([1, 2, 3])
  await produce(world, table, [4])
  await tier(world, table)
  expect(await valuesOf(world, table)).toEqual([1, 2, 3, 4])
})

describe('an engine’s commit', () => {
  const owner: EngineCommit = { requirements: [], updates: [{ action: 'set-properties', updates: { owner: 'd' } }] }

  test('whose requirement no longer holds is a conflict', async () => {
    const { world, table } = await lakeOf([[1]])
    const { snapshot: _, ...commit } = await merge(world, table)
    await produce(world, table, [2])
    await tier(world, table)
    expect(await refusal(commitToLake(world, table, commit))).toMatchObject({ code: 'conflict', effect: 'none' })
    expect(await refusal(commitToLake(world, table, { ...commit, requirements: [] }))).toMatchObject({ code: 'conflict' })
    expect(await valuesOf(world, table)).toEqual([1, 2])
  })

  test('begins again where we were faster', async () => {
    const { world, table } = await lakeOf([[1]])
    await produce(world, table, [2])
    let passed = 0
    const slow = commitsThrough(world, async (update, go) => {
      if (passed++ === 0) await tier(world, table)
      return go(update)
    })
    await commitToLake(slow, table, owner)
    expect((await metadataOf(world, table)).properties).toMatchObject({ owner: 'd' })
    expect(await valuesOf(world, table)).toEqual([1, 2])
  })

  test('with a lost answer or a lost request is done once', async () => {
    for (const isDone of [true, false]) {
      const { world, table } = await lakeOf([[1]])
      let calls = 0
      const slow = commitsThrough(world, async (update, go) => {
        if (++calls > 1) return go(update)
        if (isDone) await go(update)
        throw unknown()
      })
      expect((await commitToLake(slow, table, owner)).lake.version).toBe(2n)
    }
  })

  test('with a lost answer, over which others have built, is found in its copy', async () => {
    const { world, table } = await lakeOf([[1]])
    await produce(world, table, [2])
    let calls = 0
    const slow = commitsThrough(world, async (update, go) => {
      if (++calls > 1) return go(update)
      await go(update)
      await tier(world, table)
      throw unknown()
    })
    expect((await commitToLake(slow, table, owner)).lake.version).toBe(3n)
    expect(calls).toBe(2)
    expect(await valuesOf(world, table)).toEqual([1, 2])
  })

  test('whose outcome stays unknown says so', async () => {
    const { world, table } = await lakeOf([[1]])
    const deaf = commitsThrough(world, async () => {
      throw unknown()
    })
    expect(await refusal(commitToLake(deaf, table, owner))).toMatchObject({ effect: 'unknown' })
  })

  test('before the first snapshot has nothing to maintain', async () => {
    const { world, table } = await lakeOf([])
    expect(await refusal(commitToLake(world, table, owner))).toMatchObject({ code: 'bad-request' })
  })

  test('that changes nothing writes nothing', async () => {
    const { world, table } = await lakeOf([[1]])
    expect((await commitToLake(world, table, { requirements: [], updates: [] })).lake.version).toBe(1n)
  })
})

test('an engine that spells places as Hadoop does merges manifests, and the next round builds on them', async () => {
  const { world, table } = await lakeOf([[1, 2], [3]])
  const hadoops = (place: string) => place.replace(':///', ':/')
  const how = { now: world.time.now, rename: hadoops }
  const { snapshot, ...commit } = await mergeManifests(world, await metadataOf(world, table), how)
  const spelled = { ...snapshot, 'manifest-list': hadoops(snapshot['manifest-list']) }
  const updates = commit.updates.map((update) => (update.action === 'add-snapshot' ? { ...update, snapshot: spelled } : update))
  await commitToLake(world, table, { ...commit, updates })
  await produce(world, table, [4])
  await tier(world, table)
  expect(await valuesOf(world, table)).toEqual([1, 2, 3, 4])
})

describe('a snapshot is refused', () => {
  const changed = (commit: EngineCommit & { readonly snapshot: Snapshot }, more: Partial<Snapshot>): EngineCommit => ({
    requirements: commit.requirements,
    updates: commit.updates.map((update) =>
      update.action === 'add-snapshot' ? { ...update, snapshot: { ...update.snapshot, ...more } } : update,
    ),
  })
  const summary = (name: string, value: string) => ({ summary: { operation: 'replace', [name]: value } })

  test.each<[string, Partial<Snapshot>, RegExp]>([
    ['that appends', summary('operation', 'append'), /only replace is taken/],
    ['that overwrites', summary('operation', 'overwrite'), /only replace is taken/],
    ['that deletes', summary('operation', 'delete'), /only replace is taken/],
    ['that counts other rows than its manifests', summary('total-records', '7'), /its manifests count 3/],
    ['with points of its own', summary('sluice.points', 'x'), /belongs to sluice/],
    ['whose list is elsewhere', { 'manifest-list': 'file:///etc/passwd' }, /outside the table/],
    ['whose list is above the table', { 'manifest-list': 'UP' }, /outside the table/],
    ['whose list is not there', { 'manifest-list': 'NONE' }, /is not there/],
    ['whose list is one of ours', { 'manifest-list': 'OURS' }, /has a name of ours and is not in the table/],
    ['whose list has a name that no object has', { 'manifest-list': 'NUL' }, /cannot be read: object key/],
    ['whose list is none', { 'manifest-list': 'METADATA' }, /cannot be read/],
  ])('%s', async (_, more, why) => {
    const { world, table } = await lakeOf([[1, 2], [3]])
    const { location } = await metadataOf(world, table)
    const places: Record<string, string> = {
      UP: `${location}/../x.avro`,
      NONE: `${location}/metadata/none.avro`,
      NUL: `${location}/metadata/\u0000`,
      METADATA: world.objects.uri(publishedKey(table.tableId, 2n)),
      OURS: `${location}/metadata/snap-1-${'0'.repeat(12)}-${'0'.repeat(16)}.avro`,
    }
    const list = more['manifest-list']
    const commit = changed(await merge(world, table), {
      ...more,
      ...(list !== undefined && { 'manifest-list': places[list] ?? list }),
    })
    const error = await refusal(commitToLake(world, table, commit))
    expect(error).toMatchObject({ code: 'bad-request', effect: 'none', message: expect.stringMatching(why) })
    expect(await valuesOf(world, table)).toEqual([1, 2, 3])
  })

  test('that brings back a file of ours that is not in the table', async () => {
    const { world, table } = await lakeOf([[1], [2]])
    const metadata = await metadataOf(world, table)
    const orphan = `${metadata.location}/data/${labelOf(world.time.now)}-${'0'.repeat(16)}.parquet`
    const how = { now: world.time.now, rename: (path: string, at: number) => (at === 0 ? orphan : path) }
    const { snapshot: _, ...commit } = await mergeManifests(world, metadata, how)
    expect((await refusal(commitToLake(world, table, commit))).message).toMatch(/has a name of ours and is not in the table/)
  })

  test('that has a file twice, spelled in two ways', async () => {
    const { world, table } = await lakeOf([[1], [2]])
    let first = ''
    const rename = (path: string, at: number) => {
      if (at === 0) first = path
      return first.replace(':///', at === 0 ? ':///' : ':/')
    }
    const { snapshot: _, ...commit } = await mergeManifests(world, await metadataOf(world, table), {
      now: world.time.now,
      rename,
    })
    expect((await refusal(commitToLake(world, table, commit))).message).toMatch(/is in the snapshot twice/)
  })

  test.each(['file:///elsewhere/x.parquet', '../x.parquet', 'data/%2e%2e/x.parquet', 'data//x.parquet'])(
    'whose data file is at %s',
    async (place) => {
      const { world, table } = await lakeOf([[1]])
      const metadata = await metadataOf(world, table)
      const uri = place.startsWith('file:') ? place : `${metadata.location}/${place}`
      const { snapshot: _, ...commit } = await mergeManifests(world, metadata, { now: world.time.now, rename: () => uri })
      expect((await refusal(commitToLake(world, table, commit))).message).toMatch(/lies outside the table/)
    },
  )

  test('that has a file twice', async () => {
    const { world, table } = await lakeOf([[1], [2]])
    const metadata = await metadataOf(world, table)
    let first: string | undefined
    const rename = (path: string): string => {
      first ??= path
      return first
    }
    const { snapshot: _, ...commit } = await mergeManifests(world, metadata, { now: world.time.now, rename })
    expect((await refusal(commitToLake(world, table, commit))).message).toMatch(/is in the snapshot twice/)
  })

  test('that loses a file, however well its list and its summary agree', async () => {
    const { world, table } = await lakeOf([[1, 2], [3]])
    const how = { now: world.time.now, keep: (at: number) => at > 0 }
    const { snapshot: _, ...commit } = await mergeManifests(world, await metadataOf(world, table), how)
    expect((await refusal(commitToLake(world, table, commit))).message).toMatch(/has 1 rows, the table has 3/)
  })
})
