import { expect, test } from 'vitest'
import { MemoryObjects } from '../../../stores/objects/memory.ts'
import { testTable, testWorld } from '../../log/world.case.ts'
import type { LakeBase } from '../append.ts'
import { intBound } from '../iceberg/bounds.ts'
import { decodeEntries, type ManifestFile } from '../iceberg/manifest.ts'
import { keyOfUri } from '../layout.ts'
import { claimed, commitFiles } from './lake.case.ts'
import { chooseMerge, mergeBytesMax, readMerge } from './merge.ts'

async function lakeAfter(commits: number, buckets: readonly number[] = [0]) {
  const world = testWorld({ objects: new MemoryObjects() })
  const table = await testTable(world, 4, 'iceberg')
  let base = await claimed(world, table)
  let most = 0
  for (let i = 0; i < commits; i++) {
    world.time.now += 20 * 60_000
    base = await commitFiles(world, table, base, { buckets })
    most = Math.max(most, base.manifests.length)
  }
  return { world, table, base, most }
}

async function entriesOf(objects: MemoryObjects, tableId: string, { metadata, manifests }: LakeBase) {
  const [spec] = metadata?.['partition-specs'] ?? []
  if (spec === undefined) throw new Error('the lake has no spec')
  const all = []
  for (const manifest of manifests)
    for (const entry of decodeEntries(await objects.read(keyOfUri(objects, tableId, manifest.manifest_path)), spec) ?? [])
      all.push({ manifest, entry })
  return all
}

test('the manifests of many commits stay few, and have every file once with the numbers of its commit', async () => {
  const { world, table, base, most } = await lakeAfter(1_111)
  expect(most).toBeLessThanOrEqual(40)
  const entries = await entriesOf(world.objects as MemoryObjects, table.tableId, base)
  expect(new Set(entries.map(({ entry }) => entry.data_file.file_path)).size).toBe(1_111)
  const numbers = entries
    .map(({ manifest, entry }) => entry.sequence_number ?? manifest.sequence_number)
    .sort((a, b) => Number(a - b))
  expect(numbers).toEqual(Array.from({ length: 1_111 }, (_, i) => BigInt(i + 1)))
  const byId = new Map(base.metadata?.snapshots.map((each) => [BigInt(each['snapshot-id']), BigInt(each['sequence-number'])]))
  for (const { entry } of entries) {
    const sequence = byId.get(entry.snapshot_id ?? -1n)
    if (sequence !== undefined && entry.sequence_number !== null) expect(entry.sequence_number).toBe(sequence)
    expect(entry.file_sequence_number).toBe(entry.sequence_number)
  }
})

test('a merged manifest says of its buckets and sequence numbers what those before it said together', async () => {
  const { base } = await lakeAfter(11, [3, 1])
  const [merged] = base.manifests
  expect(base.manifests).toHaveLength(2)
  expect(merged).toMatchObject({
    existing_files_count: 20,
    added_files_count: 0,
    existing_rows_count: 20n,
    min_sequence_number: 1n,
    sequence_number: 11n,
    partitions: [{ contains_null: false, lower_bound: Buffer.from(intBound(1)), upper_bound: Buffer.from(intBound(3)) }],
  })
})

test('a manifest whose bytes are not those of its name is not copied on', async () => {
  const { world, table, base } = await lakeAfter(10)
  const key = keyOfUri(world.objects, table.tableId, base.manifests[4]?.manifest_path ?? '')
  const bytes = await world.objects.read(key)
  bytes[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) ^ 1
  await world.objects.delete([key])
  await world.objects.create(key, bytes)
  await expect(commitFiles(world, table, base)).rejects.toThrow('is damaged')
})

test('manifests of others, and of another spec, are carried over as they are', async () => {
  const { world, table, base } = await lakeAfter(10)
  const [spec] = base.metadata?.['partition-specs'] ?? []
  if (spec === undefined) throw new Error('the lake has no spec')
  const foreign = base.manifests.map((each) => ({ ...each, manifest_path: `${each.manifest_path}x` }))
  expect(await readMerge(world.objects, table.tableId, spec, foreign)).toBeUndefined()
  expect(await readMerge(world.objects, table.tableId, { ...spec, 'spec-id': 1 }, base.manifests)).toBeUndefined()
})

test('one commit copies bounded bytes, and what is large stays', () => {
  const sized = (bytes: number): ManifestFile =>
    ({ added_rows_count: 500n, existing_rows_count: 0n, manifest_length: BigInt(bytes) }) as ManifestFile
  const chosen = chooseMerge(Array.from({ length: 12 }, () => sized(mergeBytesMax / 8)))
  expect(chosen).toHaveLength(8)
  expect(chooseMerge(Array.from({ length: 50 }, () => sized(mergeBytesMax / 4)))).toEqual([])
})
