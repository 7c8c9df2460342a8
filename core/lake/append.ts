/**
 * An append to a lake: read what the lake is, plan the next commit (pure), write its objects, point the lake item at them, copy
 * the metadata to where a folder's reader looks. Only the pointer counts: what is written before it is an orphan until then, what
 * follows it is repaired by the next round. Nothing here deletes.
 */
import { crc32 } from 'node:zlib'
import type { LakeCommit, LakeItem, ObjectRef } from '../format/items/lake.ts'
import { advancePoints, encodePoints, type Points } from '../format/items/points.ts'
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
  appendSummary,
  currentSnapshot,
  decodeMetadata,
  type EmptyMetadata,
  emptyMetadata,
  encodeMetadata,
  listCrcProperty,
  newSnapshotId,
  type TableMetadata,
} from './iceberg/metadata.ts'
import { partitionSpec } from './iceberg/partition-spec.ts'
import { icebergSchema } from './iceberg/schema.ts'
import { commitLakeItem, type LakeOutcome } from './item.ts'
import { keyOfUri, lakeFolder, manifestKey, manifestListKey, pointsKey, publishedKey, stagedKey } from './layout.ts'
import { createNew, readChecked } from './objects.ts'
import { expireSnapshots } from './upkeep/expire.ts'
import type { UpkeepLimits } from './upkeep/limits.ts'
import { type Merge, mergedFile, readMerge } from './upkeep/merge.ts'

/** What a round builds on: the lake as one version of its item names it. */
export interface LakeBase {
  readonly lake: LakeItem
  readonly points: Points
  /** Absent before the first commit. */
  readonly metadata: TableMetadata | undefined
  readonly manifests: readonly ManifestFile[]
}

export interface Round {
  readonly files: readonly DataFile[]
  readonly reached: Points
  /** At most that of every file. */
  readonly label: Label
  /** Of manifests of the base; undefined: they stay as they are. */
  readonly merge: Merge | undefined
  /** ms since 1970 */
  readonly now: number
  readonly limits?: UpkeepLimits | undefined
}

export interface AppendPlan {
  readonly label: Label
  readonly commit: LakeCommit
  /** Written in this order before the commit. */
  readonly objects: readonly Named[]
  /** The last of them. */
  readonly metadataBytes: Uint8Array
  readonly next: Omit<LakeBase, 'lake'>
}

export async function readBase(objects: ObjectStore, tableId: string, lake: LakeItem, points: Points): Promise<LakeBase> {
  if (lake.committed === undefined) return { lake, points, metadata: undefined, manifests: [] }
  const metadata = decodeMetadata(await readChecked(objects, lake.committed.metadata))
  const snapshot = currentSnapshot(metadata)
  const list = await readChecked(objects, {
    key: keyOfUri(objects, tableId, snapshot['manifest-list']),
    crc32: Number(snapshot.summary[listCrcProperty]),
  })
  return { lake, points, metadata, manifests: decodeManifestList(list, BigInt(snapshot.summary['total-records'] ?? '0')) }
}

/** What the next commit does with the manifests of its base, beside adding one. */
export async function planMerge(
  objects: ObjectStore,
  tableId: string,
  base: LakeBase,
  limits?: UpkeepLimits,
): Promise<Merge | undefined> {
  const [spec] = base.metadata?.['partition-specs'] ?? []
  return spec === undefined ? undefined : readMerge(objects, tableId, spec, base.manifests, limits)
}

/** Pure but for the random parts of names. */
export function planAppend(world: Pick<World, 'objects' | 'random'>, table: Table, base: LakeBase, round: Round): AppendPlan {
  const { objects, random } = world
  const { tableId } = table
  const { files, label, merge } = round
  assert(files.length > 0 && round.reached.size > 0, 'an append has rows')
  const schema = icebergSchema(table.schema)
  const spec = base.metadata?.['partition-specs'][0] ?? partitionSpec(table)
  const snapshotId = newSnapshotId(base.metadata, random)
  const sequence = BigInt(base.metadata?.['last-sequence-number'] ?? 0) + 1n

  const keep = (bytes: Uint8Array) => named(manifestKey(tableId, label, random, bytes), bytes)
  const placed = ({ key, bytes }: Named) => ({ uri: objects.uri(key), bytes: bytes.length, snapshotId, sequence })
  const manifest = keep(encodeManifest(files, { schema, spec, snapshotId, random }))
  const merged = merge && keep(encodeEntries(merge.entries, { schema, spec, random }))
  const manifests = [
    ...base.manifests.filter((each) => merge?.from.includes(each) !== true),
    ...(merged && merge ? [mergedFile(merge, placed(merged))] : []),
    manifestFile(files, { ...placed(manifest), specId: spec['spec-id'] }),
  ]
  const parentId = base.lake.committed?.snapshotId
  const list = named(
    manifestListKey(tableId, snapshotId, label, random),
    encodeManifestList(manifests, { snapshotId, parentId, sequence, random }),
  )
  const reached = advancePoints(base.points, round.reached)
  const points = named(pointsKey(tableId, label, random), encodePoints(reached))
  const offsets = { 'sluice.points': points.key, 'sluice.points-crc32': String(crc32(points.bytes)) }
  const appended = appendSnapshot(
    base.metadata === undefined
      ? { metadata: tableMetadata(objects, table) }
      : { metadata: base.metadata, uri: objects.uri(publishedKey(tableId, base.lake.version)) },
    {
      snapshotId,
      sequence,
      schema,
      manifestList: objects.uri(list.key),
      lastColumnId: lastColumnId(table),
      summary: {
        ...appendSummary(base.metadata, {
          files: files.length,
          rows: files.reduce((sum, { rows }) => sum + BigInt(rows), 0n),
          bytes: files.reduce((sum, { bytes }) => sum + BigInt(bytes), 0n),
          partitions: new Set(files.map(({ bucket }) => bucket)).size,
        }),
        ...offsets,
        'sluice.epoch': String(base.lake.epoch),
        [listCrcProperty]: String(crc32(list.bytes)),
      },
      properties: offsets,
      now: round.now,
    },
  )
  const metadata = expireSnapshots(appended, round.now, round.limits)
  const staged = named(stagedKey(tableId, label, random), encodeMetadata(metadata))
  return {
    label,
    commit: { metadata: refOf(staged), points: refOf(points), snapshotId },
    objects: [...(merged ? [merged] : []), manifest, points, list, staged],
    metadataBytes: staged.bytes,
    next: { points: reached, metadata, manifests },
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
  })
}

/** The system columns count too. */
const lastColumnId = (table: Table): number => Math.max(table.lastColumnId, 3)

/** `lost` and `gone`: the plan had no effect, its objects are orphans. Errors of effect `unknown` leave everything in place. */
export async function commitAppend(world: World, tableId: string, base: LakeBase, plan: AppendPlan): Promise<LakeOutcome> {
  for (const { key, bytes } of plan.objects) await createNew(world.objects, key, bytes) // crash here: orphans
  return commitLakeItem(world, tableId, base.lake, plan.commit, plan.label) // COMMIT POINT
}

interface Named {
  readonly key: string
  readonly bytes: Uint8Array
}
const named = (key: string, bytes: Uint8Array): Named => ({ key, bytes })
const refOf = ({ key, bytes }: Named): ObjectRef => ({ key, crc32: crc32(bytes) })
