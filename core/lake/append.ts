/**
 * A commit to a lake: read what the lake is, plan the next commit (pure), write its objects, point the lake item at them, copy
 * the metadata to where a folder's reader looks. Only the pointer counts: what is written before it is an orphan until then, what
 * follows it is repaired by the next round. Nothing here deletes.
 */
import { crc32 } from 'node:zlib'
import type { LakeCommit, LakeItem, ObjectRef } from '../format/items/lake.ts'
import { advancePoints, type PlacedPoints, type Points, planPoints } from '../format/items/points.ts'
import { assert } from '../kernel/assert.ts'
import type { Label } from '../kernel/ids.ts'
import type { Table } from '../model/table.ts'
import type { ObjectStore } from '../ports/objects.ts'
import type { World } from '../ports/world.ts'
import {
  type DataFile,
  decodeManifestList,
  encodeEntries,
  encodeManifest,
  encodeManifestList,
  type ManifestFile,
  manifestFile,
} from './iceberg/manifest.ts'
import {
  appendSnapshot,
  currentSnapshot,
  decodeMetadata,
  type EmptyMetadata,
  emptyMetadata,
  encodeMetadata,
  listCrcProperty,
  newSnapshotId,
  type TableMetadata,
} from './iceberg/metadata.ts'
import { type PartitionSpec, partitionSpec } from './iceberg/partition-spec.ts'
import { assignRowIds, type FormatVersion } from './iceberg/row-lineage.ts'
import { type IcebergSchema, icebergSchema } from './iceberg/schema.ts'
import { appendSummary, type FileCounts, totalsIn } from './iceberg/summary.ts'
import { commitLakeItem, type LakeOutcome } from './item.ts'
import { keyOfUri, lakeFolder, manifestKey, manifestListKey, pointsKey, publishedKey, stagedKey } from './layout.ts'
import { createNew, readChecked } from './objects.ts'
import { expireSnapshots } from './upkeep/expire.ts'
import type { UpkeepLimits } from './upkeep/limits.ts'
import { listedManifest, type Merge, readMerge } from './upkeep/merge.ts'

/** What a round builds on: the lake as one version of its item names it. */
export interface LakeBase {
  readonly lake: LakeItem
  readonly placed: PlacedPoints
  /** Absent before the first commit. */
  readonly metadata: TableMetadata | undefined
  readonly manifests: readonly ManifestFile[]
}

export interface CommitPlan {
  readonly label: Label
  readonly commit: LakeCommit
  /** Written in this order before the commit. */
  readonly objects: readonly NewObject[]
  /** The last of them. */
  readonly metadataBytes: Uint8Array
  readonly next: Omit<LakeBase, 'lake'>
}

export interface NewObject {
  readonly key: string
  readonly bytes: Uint8Array
}

export async function readBase(objects: ObjectStore, tableId: string, lake: LakeItem, placed: PlacedPoints): Promise<LakeBase> {
  if (lake.committed === undefined) return { lake, placed, metadata: undefined, manifests: [] }
  const metadata = decodeMetadata(await readChecked(objects, lake.committed.metadata))
  const snapshot = currentSnapshot(metadata)
  const list = await readChecked(objects, {
    key: keyOfUri(objects, tableId, snapshot['manifest-list']),
    crc32: Number(snapshot.summary[listCrcProperty]),
  })
  return { lake, placed, metadata, manifests: decodeManifestList(list, BigInt(snapshot.summary['total-records'] ?? '0')) }
}

export interface Round {
  readonly files: readonly DataFile[]
  readonly reached: Points
  /** Ids of partitions that are no more. */
  readonly gone: ReadonlySet<string>
  /** At most that of every file. */
  readonly label: Label
  /** Of manifests of the base; undefined: they stay as they are. */
  readonly merge: Merge | undefined
  /** ms since 1970 */
  readonly now: number
  readonly limits?: UpkeepLimits | undefined
}

/** What the next commit does with the manifests of its base, beside adding one. */
export async function planMerge(
  objects: ObjectStore,
  tableId: string,
  base: LakeBase,
  limits?: UpkeepLimits,
): Promise<Merge | undefined> {
  const [spec] = base.metadata?.['partition-specs'] ?? []
  return spec === undefined ? undefined : readMerge(objects, tableId, spec, base.manifests.filter(hasFiles), limits)
}

/** Pure but for the random parts of names. */
export function planAppend(world: CommitWorld, table: Table, base: LakeBase, round: Round): CommitPlan {
  const { objects, random } = world
  const { files, label, merge } = round
  assert(files.length > 0 && round.reached.size > 0, 'an append has rows')
  const snapshot = newSnapshot(world, table, base)
  const bytes = encodeManifest(files, { ...snapshot, random })
  const manifest = named(manifestKey(table.tableId, label, random, bytes), bytes)
  const merged = merge && mergedManifest(world, table.tableId, merge, { ...snapshot, label })
  return planCommit(world, table, base, {
    ...snapshot,
    label,
    now: round.now,
    limits: round.limits,
    objects: [...(merged ? [merged.object] : []), manifest],
    manifests: [
      ...base.manifests.filter((each) => hasFiles(each) && merge?.from.includes(each) !== true),
      ...(merged ? [merged.listed] : []),
      manifestFile(files, { ...snapshot, uri: objects.uri(manifest.key), bytes: manifest.bytes.length }),
    ],
    points: advancePoints(base.placed.points, round.reached, round.gone),
    touched: round.reached.keys(),
    summary: appendSummary(totalsIn(base.metadata), countsOf(files)),
  })
}

/** One manifest in the place of those of `merge`, and its entry of the list. Pure but for the random part of its name. */
export function mergedManifest(
  { objects, random }: CommitWorld,
  tableId: string,
  { from, entries }: Merge,
  snapshot: NewSnapshot & { readonly label: Label },
): { readonly object: NewObject; readonly listed: ManifestFile } {
  const bytes = encodeEntries(entries, { ...snapshot, random })
  const object = named(manifestKey(tableId, snapshot.label, random, bytes), bytes)
  return { object, listed: listedManifest(from, entries, { ...snapshot, uri: objects.uri(object.key), bytes: bytes.length }) }
}

export type CommitWorld = Pick<World, 'objects' | 'random'>

export interface NewSnapshot {
  readonly schema: IcebergSchema
  readonly spec: PartitionSpec
  /** Of the table after it: what the table asks for, and never less than it was. */
  readonly formatVersion: FormatVersion
  readonly snapshotId: bigint
  readonly sequence: bigint
}

export function newSnapshot({ random }: Pick<World, 'random'>, table: Table, { metadata }: LakeBase): NewSnapshot {
  return {
    schema: icebergSchema(table.schema),
    spec: metadata?.['partition-specs'][0] ?? partitionSpec(table),
    formatVersion: metadata?.['format-version'] === 3 ? 3 : (table.options.lakeFormatVersion ?? 2),
    snapshotId: newSnapshotId(metadata, random),
    sequence: BigInt(metadata?.['last-sequence-number'] ?? 0) + 1n,
  }
}

export interface Change extends NewSnapshot {
  readonly label: Label
  readonly now: number
  /** What the manifests of the change are. */
  readonly objects: readonly NewObject[]
  /** All of the snapshot's. */
  readonly manifests: readonly ManifestFile[]
  /** After it. */
  readonly points: Points
  /** Partitions whose points differ from those before. */
  readonly touched: Iterable<string>
  readonly summary: Readonly<Record<string, string>>
  readonly limits?: UpkeepLimits | undefined
}

/** The commit that makes `change` the lake's current snapshot. */
export function planCommit(world: CommitWorld, table: Table, base: LakeBase, change: Change): CommitPlan {
  const { objects, random } = world
  const { tableId } = table
  const { label, snapshotId, sequence, schema, formatVersion } = change
  const { manifests, rowIds } =
    formatVersion === 3
      ? assignRowIds(change.manifests, base.metadata?.['next-row-id'] ?? 0n)
      : { manifests: change.manifests, rowIds: undefined }
  const parentId = base.lake.committed?.snapshotId
  const list = named(
    manifestListKey(tableId, snapshotId, label, random),
    encodeManifestList(manifests, { snapshotId, parentId, sequence, random, formatVersion, firstRowId: rowIds?.first }),
  )
  const placing = { points: change.points, touched: change.touched, key: pointsKey(tableId, label, random) }
  const { bytes, placed } = planPoints(base.placed, placing)
  const points = named(placing.key, bytes)
  const offsets = { 'sluice.points': points.key, 'sluice.points-crc32': String(crc32(points.bytes)) }
  const changed = appendSnapshot(
    base.metadata === undefined
      ? { metadata: tableMetadata(objects, table) }
      : { metadata: base.metadata, uri: objects.uri(publishedKey(tableId, base.lake.version)) },
    {
      snapshotId,
      sequence,
      schema,
      manifestList: objects.uri(list.key),
      lastColumnId: lastColumnId(table),
      rowIds,
      summary: {
        ...change.summary,
        ...offsets,
        'sluice.epoch': String(base.lake.epoch),
        [listCrcProperty]: String(crc32(list.bytes)),
      },
      properties: offsets,
      now: change.now,
    },
  )
  const metadata = expireSnapshots(changed, change.now, change.limits)
  const staged = named(stagedKey(tableId, label, random), encodeMetadata(metadata))
  return {
    label,
    commit: { metadata: refOf(staged), points: refOf(points), snapshotId },
    objects: [...change.objects, points, list, staged],
    metadataBytes: staged.bytes,
    next: { placed, metadata, manifests },
  }
}

/** Of a table before its first commit. */
export function tableMetadata(objects: ObjectStore, table: Table): EmptyMetadata {
  return emptyMetadata({
    tableId: table.tableId,
    location: objects.uri(lakeFolder(table.tableId)),
    spec: partitionSpec(table),
    schema: icebergSchema(table.schema),
    lastColumnId: lastColumnId(table),
    createdAt: table.createdAt,
    formatVersion: table.options.lakeFormatVersion ?? 2,
  })
}

/** The system columns count too. */
export const lastColumnId = (table: Table): number => Math.max(table.lastColumnId, 3)

/** `lost` and `gone`: the plan had no effect, its objects are orphans. Errors of effect `unknown` leave everything in place. */
export async function commitAppend(world: World, tableId: string, base: LakeBase, plan: CommitPlan): Promise<LakeOutcome> {
  for (const { key, bytes } of plan.objects) await createNew(world.objects, key, bytes) // crash here: orphans
  return commitLakeItem(world, tableId, base.lake, plan.commit, plan.label) // COMMIT POINT
}

/** A manifest of nothing but deleted files belongs to the snapshot that deleted them, and to none after it. */
export const hasFiles = (manifest: ManifestFile): boolean => manifest.added_files_count + manifest.existing_files_count > 0

export const countsOf = (files: readonly DataFile[]): FileCounts => ({
  files: files.length,
  rows: files.reduce((sum, { rows }) => sum + BigInt(rows), 0n),
  bytes: files.reduce((sum, { bytes }) => sum + BigInt(bytes), 0n),
  partitions: new Set(
    files.map(({ partition, bucket }) =>
      [...partition.map((value) => value && Buffer.from(value).toString('hex')), bucket].join(),
    ),
  ).size,
})

export const named = (key: string, bytes: Uint8Array): NewObject => ({ key, bytes })
const refOf = ({ key, bytes }: NewObject): ObjectRef => ({ key, crc32: crc32(bytes) })
