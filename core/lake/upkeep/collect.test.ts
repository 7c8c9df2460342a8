import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { lakeItemKey } from '../../format/items/lake.ts'
import { labelOf } from '../../kernel/ids.ts'
import { type TestWorld, testTable, testWorld } from '../../log/world.case.ts'
import type { Table } from '../../model/table.ts'
import type { ObjectStore } from '../../ports/objects.ts'
import { type LakeBase, readBase } from '../append.ts'
import { decodeMetadata, encodeMetadata, type Snapshot } from '../iceberg/metadata.ts'
import { readLakeItem } from '../item.ts'
import { dataKey, keyOfUri, lakeFolder, publishedKey, publishedVersion } from '../layout.ts'
import { readChecked, readPoints } from '../objects.ts'
import { collectLake } from './collect.ts'
import { claimed, commitFiles } from './lake.case.ts'
import { unmarkReached } from './reach.ts'

const minutes = 60_000
const hours = 60 * minutes
const bytes = Uint8Array.of(1, 2, 3)

async function lakeOf(commits: number, everyMs = 10 * minutes) {
  const world = testWorld()
  const table = await testTable(world, 2, 'iceberg')
  let base = await claimed(world, table)
  for (let i = 0; i < commits; i++) {
    world.time.now += everyMs
    base = await commitFiles(world, table, base, { buckets: [i % 2], bytes })
  }
  return { world, table, base }
}

async function keysOf(objects: ObjectStore, table: Table): Promise<Set<string>> {
  const keys = new Set<string>()
  for await (const { key } of objects.list(`${lakeFolder(table.tableId)}/`)) keys.add(key)
  return keys
}

const collectNow = (world: TestWorld, table: Table, ageMs = 0): Promise<number> =>
  collectLake(world, table.tableId, labelOf(world.time.now + 1 - ageMs))

/** The same store, with a moment before each call. */
function through<T extends object>(store: T, before: (name: string) => Promise<void>): T {
  return new Proxy(store, {
    get: (target, name) => {
      const method = Reflect.get(target, name) as ((...args: unknown[]) => unknown) | undefined
      // A port's optional call.
      if (method === undefined) return undefined
      return async (...args: unknown[]) => {
        await before(String(name))
        return method.apply(target, args)
      }
    },
  })
}

/** How many data files an engine finds that loaded the table while `snapshot` was current. Throws where something is missing. */
async function readSnapshot(world: TestWorld, table: Table, snapshot: Snapshot | undefined): Promise<number> {
  const lake = await readLakeItem(world.items, table.tableId)
  const metadata = decodeMetadata(await readChecked(world.objects, lake?.committed?.metadata ?? { key: '', crc32: 0 }))
  if (lake === undefined || snapshot === undefined) throw new Error('no lake')
  const all = await keysOf(world.objects, table)
  const missing = new Set([...all].filter((key) => key.includes('/data/')))
  const found = missing.size
  const only = { ...metadata, snapshots: [snapshot] }
  const held = encodeMetadata(only)
  const key = `${lakeFolder(table.tableId)}/held.json`
  await world.objects.create(key, held)
  const at = {
    ...lake,
    committed: { ...(lake.committed as NonNullable<typeof lake.committed>), metadata: { key, crc32: crc32(held) } },
  }
  await unmarkReached(world.objects, table.tableId, at, missing)
  await world.objects.delete([key])
  return found - missing.size
}

test('what dead rounds left, and what no kept snapshot has, goes; all else stays', async () => {
  const { world, table, base } = await lakeOf(45)
  const orphan = dataKey(table.tableId, labelOf(world.time.now), world.random)
  await world.objects.create(orphan, bytes)
  await collectNow(world, table)
  const kept = await keysOf(world.objects, table)
  expect(kept.has(orphan)).toBe(false)
  expect([...kept].filter((key) => key.includes('/data/'))).toHaveLength(45)
  for (const part of ['/staged/', '/points/', '/snap-'])
    expect([...kept].filter((key) => key.includes(part))).toHaveLength(base.metadata?.snapshots.length ?? -1)
  for (const snapshot of base.metadata?.snapshots ?? []) {
    const rows = Number(snapshot.summary['total-records'])
    expect(await readSnapshot(world, table, snapshot)).toBe(rows)
  }
  expect(await readBase(world.objects, table.tableId, base.lake, await readPoints(world.objects, base.lake))).toMatchObject({
    manifests: base.manifests,
  })
  expect(await collectNow(world, table)).toBe(0)
})

test('a manifest that was merged away stays while a snapshot has it, and goes with the last of them', async () => {
  const { world, table, base } = await lakeOf(12)
  const [first] = base.metadata?.snapshots ?? []
  const old = [...(await keysOf(world.objects, table))].filter((key) => key.endsWith('-m0.avro'))
  expect(base.manifests.length).toBeLessThan(old.length)
  world.time.now += 5 * hours
  await collectNow(world, table)
  expect(await readSnapshot(world, table, first)).toBe(1)
  let next = base
  for (let i = 0; i < 20; i++) {
    world.time.now += hours
    next = await commitFiles(world, table, next, { bytes })
  }
  await collectNow(world, table)
  const left = await keysOf(world.objects, table)
  expect(old.every((key) => left.has(key))).toBe(false)
})

test('a snapshot that was current within six hours is readable whatever its age', async () => {
  const { world, table, base } = await lakeOf(3, 100 * hours)
  const held = base.metadata?.snapshots.at(-1)
  let next = base
  for (let i = 0; i < 300; i++) {
    world.time.now += minutes
    next = await commitFiles(world, table, next, { bytes })
  }
  await collectNow(world, table, 24 * hours)
  expect(await readSnapshot(world, table, held)).toBe(3)
})

test('a commit whose objects were collected before it came is refused, and its worker goes on with new ones', async () => {
  const { world, table, base } = await lakeOf(1)
  let collected = 0
  const stalled: TestWorld = {
    ...world,
    items: through(world.items, async (name) => {
      if (name === 'update' && collected === 0) collected = await collectNow(world, table)
    }),
  }
  await expect(commitFiles(stalled, table, base, { bytes })).rejects.toThrow('the commit is lost')
  expect(collected).toBeGreaterThan(0)
  const lake = await readLakeItem(world.items, table.tableId)
  expect(lake).toMatchObject({ version: 1n, gc: labelOf(world.time.now) })
  const next = await commitFiles(world, table, { ...base, lake: lake as NonNullable<typeof lake> }, { bytes })
  expect(await readSnapshot(world, table, next.metadata?.snapshots.at(-1))).toBe(2)
})

test('only what is older than asked is looked at', async () => {
  const { world, table } = await lakeOf(1)
  await world.objects.create(dataKey(table.tableId, labelOf(world.time.now), world.random), bytes)
  world.time.now += 23 * hours
  expect(await collectNow(world, table, 24 * hours)).toBe(0)
  expect((await readLakeItem(world.items, table.tableId))?.gc).toBe(labelOf(0))
})

test('published copies stay as long as the metadata log names them', async () => {
  const { world, table, base } = await lakeOf(130, hours)
  await collectNow(world, table)
  const versions = [...(await keysOf(world.objects, table))].flatMap((key) => publishedVersion(key) ?? [])
  expect(versions.sort((a, b) => Number(a - b))).toEqual(Array.from({ length: 101 }, (_, i) => BigInt(30 + i)))
  for (const { 'metadata-file': uri } of base.metadata?.['metadata-log'] ?? [])
    expect(await world.objects.read(keyOfUri(world.objects, table.tableId, uri))).toBeDefined()
  expect(await world.objects.read(publishedKey(table.tableId, 130n))).toBeDefined()
})

test('files of other engines are left alone', async () => {
  const { world, table } = await lakeOf(1)
  const foreign = `${lakeFolder(table.tableId)}/data/00000-0-4d5c5a7e-7a5e-4f0e-8d0e-0d4c5a7e4f0e-00001.parquet`
  await world.objects.create(foreign, bytes)
  await collectNow(world, table)
  expect(await world.objects.read(foreign)).toEqual(bytes)
})

test('a commit that comes between the first look and the raise keeps what it refers to', async () => {
  const { world, table, base } = await lakeOf(3)
  await world.objects.create(dataKey(table.tableId, labelOf(world.time.now - 1), world.random), bytes)
  let next: LakeBase | undefined
  const late: TestWorld = {
    ...world,
    items: through(world.items, async (name) => {
      if (name === 'update') next ??= await commitFiles(world, table, base, { bytes })
    }),
  }
  await collectNow(late, table)
  expect(await readSnapshot(world, table, next?.metadata?.snapshots.at(-1))).toBe(4)
})

test('a lake that is closed, or gone, is left to the purge', async () => {
  const { world, table } = await lakeOf(1)
  await world.objects.create(dataKey(table.tableId, labelOf(world.time.now), world.random), bytes)
  await world.items.update({ key: lakeItemKey(table.tableId), set: { open: { value: false } } })
  expect(await collectNow(world, table)).toBe(0)
  await world.items.delete(lakeItemKey(table.tableId))
  expect(await collectNow(world, table)).toBe(0)
})
