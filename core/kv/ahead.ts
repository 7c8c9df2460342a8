/**
 * What one who knows nothing of a bucket reads of it beside its head: the snapshot item, and the copy of a manifest that the last fold left
 * next to it, so that nobody has to wait for the manifest before he looks into the runs.
 */
import { type KvItem, nameOf } from '../format/items/kv.ts'
import { decodeManifestCopy, encodeManifestCopy, type ManifestCopy, manifestCopyKey } from '../format/items/manifest-copy.ts'
import { decodeManifest, type RunRef } from '../format/run/manifest.ts'
import { isSluiceError } from '../kernel/errors.ts'
import { bear } from '../log/claim.ts'
import { type BucketId, type BucketRef, idOf } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import type { World } from '../ports/world.ts'
import { readKvItem } from './item.ts'

export interface Ahead {
  readonly item: KvItem
  /** Of its manifest; undefined: it has to be read. */
  readonly runs: readonly RunRef[] | undefined
}

/** Undefined before the first fold or scan of the bucket. */
export async function readAhead(world: World, tableId: string, at: BucketId): Promise<Ahead | undefined> {
  const [item, copy] = await Promise.all([readKvItem(world, tableId, at), readCopy(world, tableId, at).catch(unlessDamaged)])
  if (item === undefined) return undefined
  const isOfThis = item.manifest !== undefined && copy?.name === nameOf(item.manifest.object)
  return { item, runs: isOfThis ? await runsIn(copy).catch(unlessDamaged) : undefined }
}

async function readCopy(world: World, tableId: string, at: BucketId): Promise<ManifestCopy | undefined> {
  const item = await world.items.get(manifestCopyKey(tableId, at))
  return item && decodeManifestCopy(item)
}

const runsIn = async ({ name, bytes }: ManifestCopy): Promise<readonly RunRef[]> => decodeManifest(bytes, name)

/** Nobody needs the copy. */
function unlessDamaged(error: unknown): undefined {
  if (!isSluiceError(error, 'internal')) throw error
}

/** One that is newer stays. Nothing happens where the table or the partition is gone. */
export async function putManifestCopy(world: World, table: Table, at: BucketRef, copy: ManifestCopy): Promise<void> {
  const key = manifestCopyKey(table.tableId, idOf(at))
  const attributes = encodeManifestCopy(copy)
  const set = Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, { value }]))
  const { item } = await world.items.update({ key, set, condition: { is: 'less', path: 'v', value: copy.version } })
  if (item === undefined) await bear(world, table, at, { key, attributes })
}
