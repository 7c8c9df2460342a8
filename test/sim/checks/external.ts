/**
 * An independent reader of a lake in an external catalog: the catalog's metadata → manifest list → manifests → data files. What
 * any of its snapshots needs must exist; the rows of the main branch must be the log's up to the points that its snapshot names;
 * and after a claimant's first commit none comes from an earlier claim.
 */
import { decodeLakeItem, lakeItemKey, type ObjectRef } from '../../../core/format/items/lake.ts'
import { decodePoints, type Points, pointAt } from '../../../core/format/items/points.ts'
import type { History } from '../history.ts'
import type { FieldIds } from '../parquet.ts'
import type { Stores } from '../product.ts'
import type { BucketLog } from '../reader.ts'
import { databaseName, tableName } from '../stage.ts'
import { checkRowIds, checkRows, filesOf, type Lake, pointsOf, uriPrefix } from './lake.ts'

export const there = { namespace: [databaseName], table: tableName }

export interface ExternalView {
  readonly metadata: {
    readonly location: string
    readonly 'format-version': 2 | 3
    readonly 'next-row-id'?: bigint
    readonly 'last-sequence-number': number
    readonly 'current-schema-id': number
    readonly properties: Readonly<Record<string, string>>
    readonly snapshots: readonly ViewedSnapshot[]
  }
  readonly main: ViewedSnapshot | undefined
}

interface ViewedSnapshot {
  readonly 'snapshot-id': bigint
  readonly 'parent-snapshot-id'?: bigint
  readonly 'sequence-number': number
  readonly 'manifest-list': string
  readonly summary: Readonly<Record<string, string>>
}

export const keyIn = (uri: string): string => uri.slice(uriPrefix.length)

export function viewOf(stores: Stores): ExternalView | undefined {
  const answer = stores.catalog.load(there)
  if (answer === undefined) return undefined
  const metadata = answer.metadata as ExternalView['metadata'] & { readonly 'current-snapshot-id': bigint }
  return { metadata, main: metadata.snapshots.find((each) => each['snapshot-id'] === metadata['current-snapshot-id']) }
}

/** As the table notes them: a catalog gives fields ids of its own. */
const idsOf = (view: ExternalView | undefined): FieldIds =>
  JSON.parse(view?.metadata.properties['sluice.columns'] ?? '{}') as FieldIds

/** Of all its snapshots, and the points of the last of ours. */
export function externalReferences(stores: Stores): ReadonlySet<string> {
  const view = viewOf(stores)
  const references = new Set<string>()
  for (const snapshot of view?.metadata.snapshots ?? []) filesOf(stores, snapshot['manifest-list'], references, idsOf(view))
  const points = view?.metadata.properties['sluice.points']
  if (points !== undefined) references.add(points)
  return references
}

/** Nothing but what the main branch says: properties where its own snapshots of ours are expired. */
function pointsNamed({ metadata, main }: ExternalView): Readonly<Record<string, string>> | undefined {
  for (let at = main; at !== undefined; ) {
    if (at.summary['sluice.points'] !== undefined) return at.summary
    const parent: bigint | undefined = at['parent-snapshot-id']
    if (parent === undefined) return undefined
    at = metadata.snapshots.find((each) => each['snapshot-id'] === parent)
  }
  return metadata.properties
}

function readPointsOf(stores: Stores, view: ExternalView): Points {
  const named = pointsNamed(view)
  const key = named?.['sluice.points']
  if (key === undefined) return new Map()
  return pointsAt(stores, { key, crc32: Number(named?.['sluice.points-crc32']) })
}

function pointsAt(stores: Stores, place: ObjectRef): Points {
  const read = ({ key }: ObjectRef): Uint8Array => {
    const bytes = stores.objects.objects.get(key)
    if (bytes === undefined) throw new Error(`${key} is absent`)
    return bytes
  }
  return pointsOf(decodePoints(read(place), place.crc32), read)
}

export function readExternal(stores: Stores): Lake | undefined {
  const view = viewOf(stores)
  if (view?.main === undefined) return undefined
  const references = new Set<string>()
  const rows = filesOf(stores, view.main['manifest-list'], references, idsOf(view))
  return { points: readPointsOf(stores, view), rows, references }
}

export function laggingThere(stores: Stores, ends: ReadonlyMap<number, bigint>): readonly number[] {
  const points: Points = readExternal(stores)?.points ?? new Map()
  return [...ends]
    .filter(([bucket, end]) => (pointAt(points, { partition: '', bucket })?.offset ?? -1n) < end)
    .map(([bucket]) => bucket)
}

export function checkExternal(history: History, stores: Stores, tableId: string, logs: readonly BucketLog[]): void {
  let lake: Lake | undefined
  try {
    externalReferences(stores)
    lake = readExternal(stores)
    const next = viewOf(stores)?.metadata['next-row-id']
    if (lake !== undefined && next !== undefined) checkRowIds(stores, tableId, lake.rows, next)
  } catch (error) {
    return history.break('G10', 'reach', `the external lake: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (lake === undefined) return
  checkRows(history, tableId, logs, lake)
  checkEpochs(history, stores)
  const item = stores.items.get(lakeItemKey(tableId), 'plain')
  const { committed } = item === undefined ? { committed: undefined } : decodeLakeItem(item.attributes)
  const remembered: Points = committed === undefined ? new Map() : pointsAt(stores, committed.points)
  for (const [bucket, { offset }] of remembered.get('') ?? []) {
    if (offset > (pointAt(lake.points, { partition: '', bucket })?.offset ?? 0n))
      history.break(
        'G8',
        'tier',
        `the lake item has the tier point ${offset} of bucket ${bucket}, which the external lake has not`,
      )
  }
}

/** What any snapshot needs is there, and no claimant came after a later one. */
export function checkSnapshots(history: History, stores: Stores): void {
  try {
    externalReferences(stores)
  } catch (error) {
    return history.break('G10', 'reach', `the external lake: ${error instanceof Error ? error.message : String(error)}`)
  }
  checkEpochs(history, stores)
}

/** fence: in the order of commits, epochs never go back. */
function checkEpochs(history: History, stores: Stores): void {
  let last = 0n
  for (const { summary, ...snapshot } of viewOf(stores)?.metadata.snapshots ?? []) {
    const epoch = BigInt(summary['sluice.epoch'] ?? last)
    if (epoch < last)
      history.break(
        'G9',
        'fence',
        `snapshot ${snapshot['snapshot-id']} is of epoch ${epoch}, and comes after one of epoch ${last}`,
      )
    last = epoch
  }
}
