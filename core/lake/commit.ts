/**
 * An engine's commit: read what the lake is, check what the engine demands, apply its updates (pure), write the new metadata, point the
 * lake item at it, copy the metadata to where a folder's reader looks. Only the pointer counts. Whoever else commits meanwhile
 * makes us begin again from what is there then. A crash before the commit leaves an orphan, after it a late copy.
 */
import { crc32 } from 'node:zlib'
import type { LakeCommit, LakeItem } from '../format/items/lake.ts'
import { present } from '../kernel/assert.ts'
import { equalBytes } from '../kernel/bytes.ts'
import { isSluiceError, SluiceError } from '../kernel/errors.ts'
import type { Table } from '../model/table.ts'
import type { World } from '../ports/world.ts'
import { type LoadedLake, lakeVersion, loadLake } from './catalog.ts'
import { decodeMetadata, encodeMetadata, metadataLog, type TableMetadata } from './iceberg/metadata.ts'
import { checkRequirements, type TableRequirement } from './iceberg/requirements.ts'
import { applyUpdates, type TableUpdate } from './iceberg/updates.ts'
import { commitMetadata, nextLabel } from './item.ts'
import { publishedKey, stagedKey } from './layout.ts'
import { createNew } from './objects.ts'
import { publish, repairPublished } from './publish.ts'
import { verifyUpdates } from './verify.ts'

export interface EngineCommit {
  readonly requirements: readonly TableRequirement[]
  readonly updates: readonly TableUpdate[]
}

/** Puts a collect mark for what the commit leaves behind, where none stands; when it is due, ms since 1970. */
export type MarkCollect = (lake: LakeItem) => Promise<number>

/**
 * The table after the commit. Errors: `bad-request` (what is not maintenance), `conflict` (a requirement, or others were faster again
 * and again), `not-found`; of effect `unknown` where the outcome could not be found out.
 */
export async function commitToLake(
  world: World,
  table: Table,
  commit: EngineCommit,
  markCollect: MarkCollect,
): Promise<LoadedLake> {
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    const committed = await attemptCommit(world, table, commit, markCollect)
    if (committed !== undefined) return committed
  }
  throw new SluiceError('conflict', 'others were faster again and again: load the table again')
}

const attemptsMax = 5

async function attemptCommit(
  world: World,
  table: Table,
  { requirements, updates }: EngineCommit,
  markCollect: MarkCollect,
): Promise<LoadedLake | undefined> {
  const { objects, clock } = world
  const { tableId } = table
  const loaded = await loadLake(world, table)
  const { lake } = loaded
  if (lake.committed === undefined)
    throw new SluiceError(
      'bad-request',
      `table ${table.database}.${table.name} has no snapshot yet: there is nothing to maintain`,
    )
  const base = decodeMetadata(loaded.metadata)
  checkRequirements(base, requirements)
  const applied = applyUpdates(base, await verifyUpdates(objects, tableId, base, updates), clock.now())
  return applied === base ? loaded : commitChanged(world, table, { loaded, base, next: applied }, markCollect)
}

/** `next`: what becomes of `base`, the metadata of `loaded`, which has a commit. Undefined: others were faster. Errors as above. */
export async function commitChanged(
  world: World,
  table: Table,
  { loaded, base, next }: { readonly loaded: LoadedLake; readonly base: TableMetadata; readonly next: TableMetadata },
  markCollect: MarkCollect,
): Promise<LoadedLake | undefined> {
  const { objects, clock, random } = world
  const { tableId } = table
  const { lake } = loaded
  await repairPublished(world, tableId, lake)
  const metadata = encodeMetadata({
    ...next,
    'metadata-log': metadataLog(base, objects.uri(publishedKey(tableId, lake.version))),
  })
  if (metadata.length > metadataBytesMax)
    throw new SluiceError('bad-request', `table metadata has at most ${metadataBytesMax} bytes: expire snapshots first`)
  const collectDue = await markCollect(lake)
  const label = nextLabel(clock.now(), lake.gc)
  const key = stagedKey(tableId, label, random)
  await createNew(objects, key, metadata) // crash here: an orphan
  const commit: LakeCommit = {
    metadata: { key, crc32: crc32(metadata) },
    points: present(lake.committed, 'the commit of a lake that has metadata').points,
    snapshotId: next['current-snapshot-id'],
  }
  const outcome = await commitMetadata(world, tableId, lake, commit, { label, collectDue }) // COMMIT POINT
  if (outcome.is === 'gone') {
    await lakeVersion(world, table)
    return undefined
  }
  const committed = { lake: outcome.lake, key, metadata }
  const copied = { ...committed, uri: objects.uri(publishedKey(tableId, lake.version + 1n)) }
  if (outcome.is === 'done')
    return (await isCopied(world, tableId, outcome.lake, metadata)) ? copied : { ...committed, uri: objects.uri(key) }
  return outcome.isAmbiguous && (await wasOurs(world, tableId, { seen: lake, now: outcome.lake }, metadata)) ? copied : undefined
}

const metadataBytesMax = 64 * 1024 * 1024

/** The commit is done, whatever becomes of its copy: the next to commit repairs it first. */
async function isCopied(world: World, tableId: string, lake: LakeItem, metadata: Uint8Array): Promise<boolean> {
  try {
    await publish(world, tableId, lake, metadata)
    return true
  } catch (error) {
    if (!isSluiceError(error) || error.code === 'internal') throw error
    return false
  }
}

/**
 * Refused after an attempt whose answer was lost: had that one been done, and have others built on it since? Then its copy is there,
 * for who builds on a commit first sees to its copy.
 */
async function wasOurs(
  world: World,
  tableId: string,
  { seen, now }: { readonly seen: LakeItem; readonly now: LakeItem },
  metadata: Uint8Array,
): Promise<boolean> {
  if (now.version <= seen.version + 1n) return false
  try {
    return equalBytes(await world.objects.read(publishedKey(tableId, seen.version + 1n)), metadata)
  } catch (cause) {
    if (!isSluiceError(cause, 'not-found')) throw cause
    const message = 'the outcome of the commit is not known: load the table and look'
    throw new SluiceError('unavailable', message, { effect: 'unknown', action: 'refresh', cause })
  }
}
