/**
 * Collect: the orphans of one table, then those of its lake (protocol section 3). List what is old → mark what is referred to → nothing left: stop →
 * raise `gc` in the table, then in the heads and claims, so that no commit can refer to a candidate any more → mark again, from the
 * very items that the raise returned → delete what is still unmarked. No clock is trusted for safety: age only chooses candidates.
 */
import { crc32 } from 'node:zlib'
import { findTable } from '../catalog/tables.ts'
import { type Claim, claimKey, decodeClaim } from '../format/items/claim.ts'
import { keyLabel, objectKey } from '../format/items/entry.ts'
import { decodeEvicted, evictedSorts } from '../format/items/evicted.ts'
import { decodeHead, type Head, headKey } from '../format/items/head.ts'
import { decodeIndexItem, indexSort, indexSorts } from '../format/items/index-item.ts'
import { decodeKvItem, type KvItem, kvKey, type ManifestRef, snapshotsIn } from '../format/items/kv.ts'
import { tableKey } from '../format/items/table.ts'
import { decodeManifest, type RunRef } from '../format/run/manifest.ts'
import { dropMarks } from '../jobs/marks.ts'
import { isSluiceError, SluiceError } from '../kernel/errors.ts'
import { type Label, labelOf } from '../kernel/ids.ts'
import { limits } from '../kernel/limits.ts'
import { collectLake } from '../lake/upkeep/collect.ts'
import { expireIdle } from '../lake/upkeep/idle.ts'
import type { UpkeepLimits } from '../lake/upkeep/limits.ts'
import { isKeyed } from '../model/changelog.ts'
import { type BucketId, idOf } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import type { Job } from '../ports/queue.ts'
import type { World } from '../ports/world.ts'
import { bucketsOf } from './buckets.ts'
import { readHead } from './head/birth.ts'
import { readClaim } from './keep/claim.ts'

interface Referrers {
  readonly head: Head
  readonly claim: Claim | undefined
  /** Of a table with a primary key. */
  readonly kv: KvItem | undefined
}

export interface Collected {
  readonly state: 'collected' | 'gone'
  readonly deleted: number
}

/** So many listed objects are looked at together: the bound of this job's memory. */
const candidatesMax = 50_000
const pageItems = 500
/** Of one request, so that a repeat of it repeats little. */
const deletesAtOnce = 500

export async function collect(
  world: World,
  job: Job,
  orphanAgeMs: number = limits.orphanAgeMs,
  upkeep?: UpkeepLimits,
): Promise<Collected> {
  const { database, table: name, tableId } = job.table
  const table = await findTable(world, database, name)
  if (table === undefined || table.tableId !== tableId || table.state !== 'alive') {
    await dropMarks(world, tableId, job.marks)
    return { state: 'gone', deleted: 0 }
  }
  let deleted = 0
  const before = labelOf(world.clock.now() - orphanAgeMs)
  for await (const candidates of oldObjects(world, table, before)) {
    deleted += await collectChunk(world, table, candidates)
  }
  // What an external catalog refers to is its own to collect.
  if (table.options.lakeFormat !== 'none' && table.options.lakeCatalog === undefined) {
    await expireIdle(world, table, upkeep)
    deleted += await collectLake(world, tableId, before)
  }
  await forgetEvicted(world, table)
  await dropMarks(world, tableId, job.marks)
  return { state: 'collected', deleted }
}

async function* oldObjects(world: World, table: Table, before: Label): AsyncIterable<Set<string>> {
  let candidates = new Set<string>()
  for await (const { key } of world.objects.list(`t/${table.tableId}/`)) {
    const label = keyLabel(key)
    if (label === undefined || label >= before) continue
    candidates.add(key)
    if (candidates.size < candidatesMax) continue
    yield candidates
    candidates = new Set()
  }
  if (candidates.size > 0) yield candidates
}

async function collectChunk(world: World, table: Table, candidates: Set<string>): Promise<number> {
  for await (const at of bucketsOf(world, table)) {
    const head = await readHead(world, table.tableId, idOf(at))
    if (head === undefined) continue
    const claim = await readClaim(world, table.tableId, idOf(at))
    const kv = await readKv(world, table, idOf(at))
    await unmarkReferred(world, table, idOf(at), { head, claim, kv }, candidates)
    if (candidates.size === 0) return 0
  }
  await raiseTable(world, table, greatestLabel(candidates))
  for await (const at of bucketsOf(world, table)) {
    const head = await raiseHead(world, table, idOf(at), greatestLabel(candidates))
    const claim = await raiseClaim(world, table, idOf(at), greatestLabel(candidates))
    const kv = await raiseKv(world, table, idOf(at), greatestLabel(candidates))
    if (head !== undefined) await unmarkReferred(world, table, idOf(at), { head, claim, kv }, candidates)
    if (candidates.size === 0) return 0
  }
  const keys = [...candidates]
  for (let at = 0; at < keys.length; at += deletesAtOnce) await world.objects.delete(keys.slice(at, at + deletesAtOnce))
  return keys.length
}

/**
 * Takes out of `candidates` what the bucket refers to: the given head and claim first, then the index. Entries move only that way.
 * Items below the start were given up.
 */
async function unmarkReferred(
  world: World,
  table: Table,
  at: BucketId,
  { head, claim, kv }: Referrers,
  candidates: Set<string>,
): Promise<void> {
  for (const entry of head.recent) candidates.delete(objectKey(table.tableId, entry))
  for (const entry of claim?.pending?.entries ?? []) candidates.delete(objectKey(table.tableId, entry))
  if (kv !== undefined) await unmarkSnapshots(world, table, at, kv, candidates)
  let from: string = indexSort(head.start + 1n)
  for (;;) {
    const items = await world.items.query({
      partition: headKey(table.tableId, at).partition,
      from,
      to: indexSorts.after,
      limit: pageItems,
    })
    for (const item of items) {
      for (const entry of decodeIndexItem(item).entries) candidates.delete(objectKey(table.tableId, entry))
      from = `${item.key.sort}\u0000`
    }
    if (items.length < pageItems) return
  }
}

/** A head born from here on copies the raised label. */
async function raiseTable(world: World, table: Table, label: Label): Promise<void> {
  await world.items.update({
    key: tableKey(table.database, table.name),
    set: { g: { value: label } },
    condition: {
      is: 'and',
      all: [
        { is: 'equal', path: 'i', value: table.tableId },
        { is: 'less', path: 'g', value: label },
      ],
    },
  })
}

/** The head after the raise, or as it is where it was raised before. */
async function raiseHead(world: World, table: Table, at: BucketId, label: Label): Promise<Head | undefined> {
  const { item } = await world.items.update({
    key: headKey(table.tableId, at),
    set: { g: { value: label } },
    condition: { is: 'less', path: 'g', value: label },
  })
  return item === undefined ? undefined : decodeHead(item)
}

/** The compactor's claim after the raise; one that is born later copies the table's label. */
async function raiseClaim(world: World, table: Table, at: BucketId, label: Label): Promise<Claim | undefined> {
  const { item } = await world.items.update({
    key: claimKey(table.tableId, at),
    set: { g: { value: label } },
    condition: { is: 'less', path: 'g', value: label },
  })
  return item === undefined ? undefined : decodeClaim(item)
}

async function readKv(world: World, table: Table, at: BucketId): Promise<KvItem | undefined> {
  const item = isKeyed(table) ? await world.items.get(kvKey(table.tableId, at)) : undefined
  return item === undefined ? undefined : decodeKvItem(item)
}

/** As a claim's: a fold that comes late is refused, and what was published before it is in the item that returns. */
async function raiseKv(world: World, table: Table, at: BucketId, label: Label): Promise<KvItem | undefined> {
  if (!isKeyed(table)) return undefined
  const { item } = await world.items.update({
    key: kvKey(table.tableId, at),
    set: { g: { value: label } },
    condition: { is: 'less', path: 'g', value: label },
  })
  return item === undefined ? undefined : decodeKvItem(item)
}

/**
 * Takes out the manifests and runs of the snapshots that may be read. A manifest that is gone was superseded and collected meanwhile: a
 * newer item names what is there.
 */
async function unmarkSnapshots(world: World, table: Table, at: BucketId, kv: KvItem, candidates: Set<string>): Promise<void> {
  let item: KvItem | undefined = kv
  for (let attempt = 1; item !== undefined; attempt++) {
    try {
      for (const { manifest } of snapshotsIn(item, world.clock.now())) {
        if (manifest === undefined) continue
        const key = objectKey(table.tableId, manifest.object)
        for (const run of await readManifest(world, key, manifest)) candidates.delete(objectKey(table.tableId, run.object))
        candidates.delete(key)
      }
      return
    } catch (error) {
      if (attempt === manifestReadsMax || !isSluiceError(error)) throw error
      item = await readKv(world, table, at)
    }
  }
}

const manifestReadsMax = 4

async function readManifest(world: World, key: string, { bytes, crc }: ManifestRef): Promise<readonly RunRef[]> {
  const read = await world.objects.read(key, { start: 0, end: bytes })
  if (crc32(read) !== crc)
    throw new SluiceError('internal', `the manifest ${key} is damaged`, { action: 'retry', facts: { object: key } })
  return decodeManifest(read, key)
}

function greatestLabel(candidates: ReadonlySet<string>): Label {
  let greatest = labelOf(0)
  for (const key of candidates) {
    const label = keyLabel(key)
    if (label !== undefined && label > greatest) greatest = label
  }
  return greatest
}

/** Evicted producers are kept for the horizon and a day. */
async function forgetEvicted(world: World, table: Table): Promise<void> {
  const now = world.clock.now()
  for await (const at of bucketsOf(world, table)) {
    let from: string = evictedSorts.first
    for (;;) {
      const items = await world.items.query({
        partition: headKey(table.tableId, idOf(at)).partition,
        from,
        to: evictedSorts.after,
        limit: pageItems,
      })
      for (const item of items) {
        if (decodeEvicted(item).expiresAt < now) {
          await world.items.delete(item.key, { is: 'less', path: 'x', value: BigInt(now) })
        }
        from = `${item.key.sort}\u0000`
      }
      if (items.length < pageItems) break
    }
  }
}
