/**
 * A commit to an external table, over one snapshot of it: objects to write, then requirements and updates in the
 * specification's words. The fence is `assert-ref-snapshot-id` of the very snapshot whose points it continues from. Pure
 * but for the random parts of names.
 */
import { crc32 } from 'node:zlib'
import type { ObjectRef } from '../../format/items/lake.ts'
import { advancePoints, type PlacedPoints, type Points, planPoints } from '../../format/items/points.ts'
import type { Label } from '../../kernel/ids.ts'
import type { Table } from '../../model/table.ts'
import type { CatalogChange } from '../../ports/lake-catalog.ts'
import type { ObjectStore } from '../../ports/objects.ts'
import type { World } from '../../ports/world.ts'
import { countsOf, hasFiles, mergedManifest, type NewObject, named } from '../append.ts'
import { type DataFile, encodeManifest, encodeManifestList, type ManifestFile, manifestFile } from '../iceberg/manifest.ts'
import { randomSnapshotId } from '../iceberg/metadata.ts'
import { assignRowIds } from '../iceberg/row-lineage.ts'
import { appendSummary, noTotals } from '../iceberg/summary.ts'
import { manifestKey, manifestListKey, pointsKey } from '../layout.ts'
import type { Merge } from '../upkeep/merge.ts'
import type { ExternalTable } from './answer.ts'
import { pointsCrcProperty, pointsProperty, pointsSequenceProperty } from './points.ts'

/** One snapshot of an external table, and how far the log is in that snapshot. */
export interface ExternalBase {
  readonly table: ExternalTable
  readonly placed: PlacedPoints
  readonly manifests: readonly ManifestFile[]
}

export interface ExternalPlan {
  readonly snapshotId: bigint
  readonly placed: PlacedPoints
  readonly pointsRef: ObjectRef
  readonly manifests: readonly ManifestFile[]
  readonly change: CatalogChange
  readonly objects: readonly NewObject[]
  /** In our own store, not in the table's. */
  readonly pointsObject: NewObject
}

export interface ExternalRound {
  readonly files: readonly DataFile[]
  readonly reached: Points
  readonly gone: ReadonlySet<string>
  readonly label: Label
  /** Of manifests of the base; undefined: they stay as they are. */
  readonly merge: Merge | undefined
  /** ms since 1970 */
  readonly now: number
}

/** `objects`: the table's own, by our layout of keys. */
export function planExternal(
  world: PlanWorld,
  { tableId }: Table,
  base: ExternalBase,
  { files, reached, gone, label, merge, now, epoch }: ExternalRound & { readonly epoch: bigint },
): ExternalPlan {
  const { objects, random } = world
  const { table, placed, manifests } = base
  const { schema, spec, formatVersion } = table
  const next = nextSnapshot(world, table)
  const isSorted = sortsByOffset(table)
  const context = { schema, spec, formatVersion, random, sortOrderId: isSorted ? table.sortOrderId : 0 }
  const bytes = encodeManifest(files, { ...context, snapshotId: next.snapshotId })
  const manifest = { key: manifestKey(tableId, label, random, bytes), bytes }
  const listed = manifestFile(files, { uri: objects.uri(manifest.key), bytes: bytes.length, spec, schema, ...next })
  const merged = merge && mergedManifest(world, tableId, merge, { schema, spec, formatVersion, ...next, label })
  return planChange(world, tableId, base, {
    ...next,
    manifests: [
      ...manifests.filter((each) => hasFiles(each) && merge?.from.includes(each) !== true),
      ...(merged ? [merged.listed] : []),
      listed,
    ],
    objects: [...(merged ? [merged.object] : []), manifest],
    points: advancePoints(placed.points, reached, gone),
    touched: reached.keys(),
    summary: appendSummary(totalsOf(table), countsOf(files)),
    label,
    now,
    epoch,
  })
}

export type PlanWorld = Pick<World, 'random'> & { readonly objects: ObjectStore }

export const nextSnapshot = ({ random }: Pick<World, 'random'>, { snapshots, lastSequence }: ExternalTable) => ({
  snapshotId: randomSnapshotId(snapshots, random),
  sequence: lastSequence + 1n,
})

export interface ExternalChange {
  readonly snapshotId: bigint
  readonly sequence: bigint
  /** All of the snapshot's. */
  readonly manifests: readonly ManifestFile[]
  /** What the manifests of the change are. */
  readonly objects: readonly NewObject[]
  /** After it. */
  readonly points: Points
  /** Partitions whose points differ from those before. */
  readonly touched: Iterable<string>
  readonly summary: Readonly<Record<string, string>>
  readonly label: Label
  /** ms since 1970 */
  readonly now: number
  readonly epoch: bigint
}

/** The commit that makes `change` the table's main snapshot, fenced by the one of `base`. */
export function planChange(
  { objects, random }: PlanWorld,
  tableId: string,
  { table, placed: before, manifests: listed }: ExternalBase,
  change: ExternalChange,
): ExternalPlan {
  const { schema, spec, main, formatVersion } = table
  const { snapshotId, sequence, label } = change
  const { manifests, rowIds } =
    formatVersion === 3 ? assignRowIds(change.manifests, table.nextRowId) : { manifests: change.manifests, rowIds: undefined }
  const list = named(
    manifestListKey(tableId, snapshotId, label, random),
    encodeManifestList(manifests, {
      snapshotId,
      parentId: main?.id,
      sequence,
      random,
      formatVersion,
      firstRowId: rowIds?.first,
    }),
  )
  const placing = { points: change.points, touched: change.touched, key: pointsKey(tableId, label, random) }
  const { bytes, placed } = planPoints(before, placing)
  const pointsRef = { key: placing.key, crc32: crc32(bytes) }
  const properties = { [pointsProperty]: pointsRef.key, [pointsCrcProperty]: String(pointsRef.crc32) }
  const snapshot = {
    'snapshot-id': snapshotId,
    ...(main !== undefined && { 'parent-snapshot-id': main.id }),
    'sequence-number': Number(sequence),
    'timestamp-ms': change.now,
    'manifest-list': objects.uri(list.key),
    summary: { ...change.summary, ...manifestCounts(listed, change), ...properties, 'sluice.epoch': String(change.epoch) },
    'schema-id': schema['schema-id'],
    ...(rowIds && { 'first-row-id': rowIds.first, 'added-rows': rowIds.added }),
  }
  return {
    snapshotId,
    placed,
    pointsRef,
    manifests,
    objects: [...change.objects, list],
    pointsObject: named(placing.key, bytes),
    change: {
      requirements: [
        { type: 'assert-table-uuid', uuid: table.uuid },
        { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': main?.id ?? null },
        { type: 'assert-current-schema-id', 'current-schema-id': schema['schema-id'] },
        { type: 'assert-default-spec-id', 'default-spec-id': spec['spec-id'] },
      ],
      updates: [
        { action: 'add-snapshot', snapshot },
        { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': snapshotId },
        { action: 'set-properties', updates: { ...properties, [pointsSequenceProperty]: String(sequence) } },
      ],
    },
  }
}

export const totalsOf = ({ main }: ExternalTable): Readonly<Record<string, string>> => main?.summary ?? noTotals

/** In the words of Iceberg's own writers. */
function manifestCounts(before: readonly ManifestFile[], { manifests, snapshotId }: ExternalChange): Record<string, string> {
  const created = manifests.filter((each) => each.added_snapshot_id === snapshotId).length
  const kept = new Set(manifests)
  return {
    'manifests-created': String(created),
    'manifests-kept': String(manifests.length - created),
    'manifests-replaced': String(before.filter((each) => hasFiles(each) && !kept.has(each)).length),
  }
}

/** Our files are in the order of their offsets. */
function sortsByOffset({ sortFields, schema }: ExternalTable): boolean {
  const [first, ...others] = sortFields
  const offset = schema.fields.find(({ name }) => name === '__offset')
  return (
    others.length === 0 &&
    first?.['source-id'] === offset?.id &&
    first?.['transform'] === 'identity' &&
    first?.['direction'] === 'asc'
  )
}
