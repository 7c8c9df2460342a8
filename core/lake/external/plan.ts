/**
 * The commit of a round to an external table, over one snapshot of it: objects to write, then requirements and updates in the
 * specification's words. The fence is `assert-ref-snapshot-id` of the very snapshot whose points the round continues from. Pure
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
import { hasFiles, listedTuples } from '../append.ts'
import { type DataFile, encodeManifest, encodeManifestList, type ManifestFile, manifestFile } from '../iceberg/manifest.ts'
import { randomSnapshotId } from '../iceberg/metadata.ts'
import { assignRowIds } from '../iceberg/row-lineage.ts'
import { manifestKey, manifestListKey, pointsKey } from '../layout.ts'
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
  readonly objects: readonly { readonly key: string; readonly bytes: Uint8Array }[]
  /** In our own store, not in the table's. */
  readonly pointsObject: { readonly key: string; readonly bytes: Uint8Array }
}

export interface ExternalRound {
  readonly files: readonly DataFile[]
  readonly reached: Points
  readonly gone: ReadonlySet<string>
  readonly label: Label
  /** ms since 1970 */
  readonly now: number
}

/** `objects`: the table's own, by our layout of keys. */
export function planExternal(
  world: Pick<World, 'random'> & { readonly objects: ObjectStore },
  { tableId }: Table,
  { table, placed: before, manifests }: ExternalBase,
  { files, reached, gone, label, now, epoch }: ExternalRound & { readonly epoch: bigint },
): ExternalPlan {
  const { objects, random } = world
  const { schema, spec, main, formatVersion } = table
  const snapshotId = randomSnapshotId(table.snapshots, random)
  const sequence = table.lastSequence + 1n
  const isSorted = sortsByOffset(table)
  const bytes = encodeManifest(files, {
    schema,
    spec,
    snapshotId,
    random,
    formatVersion,
    sortOrderId: isSorted ? table.sortOrderId : 0,
  })
  const manifest = { key: manifestKey(tableId, label, random, bytes), bytes }
  const listed = manifestFile(files, {
    uri: objects.uri(manifest.key),
    bytes: manifest.bytes.length,
    spec,
    schema,
    snapshotId,
    sequence,
  })
  const all = [...manifests.filter(hasFiles), listed]
  const { manifests: carried, rowIds } =
    formatVersion === 3 ? assignRowIds(all, table.nextRowId) : { manifests: all, rowIds: undefined }
  const list = {
    key: manifestListKey(tableId, snapshotId, label, random),
    bytes: encodeManifestList(carried, {
      snapshotId,
      parentId: main?.id,
      sequence,
      random,
      formatVersion,
      firstRowId: rowIds?.first,
    }),
  }
  const points = advancePoints(before.points, reached, gone)
  const placing = { points, touched: reached.keys(), key: pointsKey(tableId, label, random) }
  const { bytes: pointsBytes, placed } = planPoints(before, placing)
  const pointsObject = { key: placing.key, bytes: pointsBytes }
  const pointsRef = { key: pointsObject.key, crc32: crc32(pointsObject.bytes) }
  const named = { [pointsProperty]: pointsRef.key, [pointsCrcProperty]: String(pointsRef.crc32) }
  const snapshot = {
    'snapshot-id': snapshotId,
    ...(main !== undefined && { 'parent-snapshot-id': main.id }),
    'sequence-number': Number(sequence),
    'timestamp-ms': now,
    'manifest-list': objects.uri(list.key),
    summary: { ...appendedSummary(table, files), ...named, 'sluice.epoch': String(epoch) },
    'schema-id': schema['schema-id'],
    ...(rowIds && { 'first-row-id': rowIds.first, 'added-rows': rowIds.added }),
  }
  return {
    snapshotId,
    placed,
    pointsRef,
    manifests: carried,
    objects: [manifest, list],
    pointsObject,
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
        { action: 'set-properties', updates: { ...named, [pointsSequenceProperty]: String(sequence) } },
      ],
    },
  }
}

/** Totals that an engine did not say are left out: one that is wrong is worse. */
function appendedSummary({ main }: ExternalTable, files: readonly DataFile[]): Record<string, string> {
  const rows = files.reduce((sum, each) => sum + BigInt(each.rows), 0n)
  const bytes = files.reduce((sum, each) => sum + BigInt(each.bytes), 0n)
  const total = (name: string, added: bigint): Record<string, string> => {
    const before = main === undefined ? '0' : (main.summary[name] ?? '')
    return /^[0-9]{1,18}$/.test(before) ? { [name]: String(BigInt(before) + added) } : {}
  }
  return {
    operation: 'append',
    'added-data-files': String(files.length),
    'added-records': String(rows),
    'added-files-size': String(bytes),
    'changed-partition-count': String(listedTuples(files)),
    ...total('total-records', rows),
    ...total('total-files-size', bytes),
    ...total('total-data-files', BigInt(files.length)),
    ...total('total-delete-files', 0n),
    ...total('total-position-deletes', 0n),
    ...total('total-equality-deletes', 0n),
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
