/**
 * The folder's own view of a lake (Hadoop layout): after commit n the metadata is copied to `metadata/v<n>.metadata.json` and
 * `version-hint.text` says n. Readers that know only the folder thus never see an uncommitted snapshot. Nothing of ours reads
 * the hint to decide anything. A crash in between leaves an older committed version visible; the next round repairs it first.
 */
import type { LakeItem } from '../format/items/lake.ts'
import { utf8, utf8Text } from '../kernel/bytes.ts'
import type { ObjectStore } from '../ports/objects.ts'
import type { World } from '../ports/world.ts'
import { readLakeItem } from './item.ts'
import { hintKey, publishedKey } from './layout.ts'
import { createNew, orAbsent, readChecked } from './objects.ts'

/** `metadata`: the bytes that the committed item names. */
export async function publish(world: World, tableId: string, lake: LakeItem, metadata: Uint8Array): Promise<void> {
  await createNew(world.objects, publishedKey(tableId, lake.version), metadata) // crash here: the hint is one version late
  // A worker that slept here must not turn the hint back; one that sleeps past this read can, until the next round looks.
  const now = await readLakeItem(world.items, tableId)
  if (now?.version === lake.version) await world.objects.replace(hintKey(tableId), utf8(String(lake.version)))
}

/** Publishes the committed version where an earlier round could not. */
export async function repairPublished(world: World, tableId: string, lake: LakeItem): Promise<void> {
  if (lake.committed === undefined) return
  const [copied, hinted] = await Promise.all([
    exists(world.objects, publishedKey(tableId, lake.version)),
    hintOf(world.objects, tableId),
  ])
  if (copied && hinted === String(lake.version)) return
  await publish(world, tableId, lake, await readChecked(world.objects, lake.committed.metadata))
}

async function exists(objects: ObjectStore, key: string): Promise<boolean> {
  return (await orAbsent(objects.read(key, { start: 0, end: 1 }))) !== undefined
}

async function hintOf(objects: ObjectStore, tableId: string): Promise<string | undefined> {
  const bytes = await orAbsent(objects.read(hintKey(tableId)))
  return bytes === undefined ? undefined : utf8Text(bytes).trim()
}
