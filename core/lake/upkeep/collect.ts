/**
 * The orphans of a lake that lives on (protocol section 3): what rounds left that died or were refused, what superseded commits
 * pointed at, what expired snapshots alone had. List what is old → take out what the lake reaches → nothing left: stop → raise `gc`
 * in the lake item, so that no commit can bring a candidate in any more → take out again, should a commit have come between →
 * delete. Age only chooses candidates. Names that are not ours (files of other engines) are left alone.
 */
import { decodeLakeItem, type LakeItem, lakeItemKey } from '../../format/items/lake.ts'
import { isSluiceError } from '../../kernel/errors.ts'
import { type Label, labelZero } from '../../kernel/ids.ts'
import type { World } from '../../ports/world.ts'
import { readLakeItem } from '../item.ts'
import { labelOfKey, lakeFolder, publishedVersion } from '../layout.ts'
import { unmarkReached } from './reach.ts'

/** So many listed objects are looked at together: with the names of the manifests, the bound of the memory. */
const candidatesMax = 50_000
const deletesAtOnce = 500
const looksMax = 3

/** How many went. `before`: only what is labelled below it. Repeatable, and by any number of workers at once. */
export async function collectLake(world: World, tableId: string, before: Label): Promise<number> {
  let deleted = 0
  let candidates = new Set<string>()
  for await (const { key } of world.objects.list(`${lakeFolder(tableId)}/`)) {
    const label = labelOfKey(key)
    if (label === undefined ? publishedVersion(key) === undefined : label >= before) continue
    candidates.add(key)
    if (candidates.size < candidatesMax) continue
    deleted += await collectChunk(world, tableId, candidates)
    candidates = new Set()
  }
  return deleted + (candidates.size === 0 ? 0 : await collectChunk(world, tableId, candidates))
}

async function collectChunk(world: World, tableId: string, candidates: Set<string>): Promise<number> {
  const seen = await unmarkCurrent(world, tableId, candidates, await readLakeItem(world.items, tableId))
  if (seen === undefined || candidates.size === 0) return 0
  const raised = await raiseLake(world, tableId, greatestLabel(candidates))
  if (raised?.version !== seen.version && (await unmarkCurrent(world, tableId, candidates, raised)) === undefined) return 0
  const keys = [...candidates]
  for (let at = 0; at < keys.length; at += deletesAtOnce) await world.objects.delete(keys.slice(at, at + deletesAtOnce))
  return keys.length
}

/** The item that was looked through; undefined where the table is being dropped. */
async function unmarkCurrent(
  world: World,
  tableId: string,
  candidates: Set<string>,
  first: LakeItem | undefined,
): Promise<LakeItem | undefined> {
  for (let lake = first, look = 1; ; look++) {
    if (lake?.open !== true) return undefined
    try {
      await unmarkReached(world.objects, tableId, lake, candidates)
      return lake
    } catch (error) {
      const now = await readLakeItem(world.items, tableId)
      // Superseded, and collected by another, while this one looked.
      if (!isSluiceError(error, 'not-found') || look === looksMax || now?.version === lake.version) throw error
      lake = now
    }
  }
}

/** The item after the raise, or as it is where it was raised before. */
async function raiseLake(world: World, tableId: string, label: Label): Promise<LakeItem | undefined> {
  const { item } = await world.items.update({
    key: lakeItemKey(tableId),
    set: { gc: { value: label } },
    condition: { is: 'less', path: 'gc', value: label },
  })
  return item === undefined ? undefined : decodeLakeItem(item.attributes)
}

function greatestLabel(candidates: ReadonlySet<string>): Label {
  let greatest: Label = labelZero
  for (const key of candidates) {
    const label = labelOfKey(key)
    if (label !== undefined && label > greatest) greatest = label
  }
  return greatest
}
