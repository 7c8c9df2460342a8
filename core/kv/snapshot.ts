/**
 * Reading a snapshot: its manifest, then of the runs that may have a key the metas, then the blocks, each wave at once and each kept.
 * What was read damaged or short is read again: the objects are immutable. An object that is gone (`not-found`) was superseded: whoever
 * reads takes the newest snapshot instead.
 */
import { crc32 } from 'node:zlib'
import { objectKey } from '../format/items/entry.ts'
import type { Snapshot } from '../format/items/kv.ts'
import { decodeRunBlock, type KeyState, type RunBlock, type RunRecord } from '../format/run/block.ts'
import { decodeManifest, type RunRef } from '../format/run/manifest.ts'
import { decodeRunMeta, type RunMeta } from '../format/run/run.ts'
import { isSluiceError, SluiceError } from '../kernel/errors.ts'
import { mapAtOnce } from '../kernel/parallel.ts'
import type { ByteRange, ObjectStore } from '../ports/objects.ts'
import type { KvCache } from './cache.ts'

export interface SnapshotReading {
  readonly objects: ObjectStore
  readonly cache: KvCache
  readonly tableId: string
}

const readsMax = 3
const readsAtOnce = 16

/** Newest first: what an earlier one says of a key goes before what a later one says. */
export async function runsOf(reading: SnapshotReading, { manifest }: Snapshot): Promise<readonly RunRef[]> {
  if (manifest === undefined) return []
  const { object, bytes, crc } = manifest
  const key = objectKey(reading.tableId, object)
  return reading.cache.get(key, () =>
    readAgain(async () => {
      const read = await readRange(reading, key, { start: 0, end: bytes })
      if (crc32(read) !== crc) throw damaged(key)
      return { value: decodeManifest(read, key), bytes: 2 * bytes }
    }),
  )
}

/** States by key; a key of which the runs know nothing is not there. */
export async function findInRuns(
  reading: SnapshotReading,
  runs: readonly RunRef[],
  keys: Iterable<string>,
): Promise<ReadonlyMap<string, KeyState>> {
  const found = new Map<string, KeyState>()
  const sought = [...keys]
  const metas = await metasFor(reading, runs, sought)
  const places = new Map<string, { readonly run: RunRef; readonly meta: RunMeta; readonly block: number }>()
  const placesOf = new Map<string, string[]>()
  for (const key of sought)
    for (const [i, run] of runs.entries()) {
      const meta = key >= run.first && key <= run.last ? metas.get(i) : undefined
      if (meta?.mayHave(key) !== true) continue
      const block = meta.blockOf(key)
      const id = `${i}#${block}`
      places.set(id, { run, meta, block })
      const own = placesOf.get(key)
      if (own === undefined) placesOf.set(key, [id])
      else own.push(id)
    }
  const blocks = new Map<string, RunBlock>()
  await mapAtOnce([...places], readsAtOnce, async ([id, { run, meta, block }]) => {
    blocks.set(id, await readBlock(reading, run, meta, block))
  })
  for (const [key, ids] of placesOf)
    for (const id of ids) {
      const record = blocks.get(id)?.find(key)
      if (record === undefined) continue
      found.set(key, record)
      break
    }
  return found
}

async function metasFor(
  reading: SnapshotReading,
  runs: readonly RunRef[],
  keys: readonly string[],
): Promise<ReadonlyMap<number, RunMeta>> {
  const metas = new Map<number, RunMeta>()
  const needed = [...runs.entries()].filter(([, { first, last }]) => keys.some((key) => key >= first && key <= last))
  await mapAtOnce(needed, readsAtOnce, async ([i, run]) => {
    metas.set(i, await readMeta(reading, run))
  })
  return metas
}

/**
 * Records of these runs in one order from the first key that is not below `from`; of a key that several have, the newest. `runs`: newest
 * first, as in a manifest; those of a level that do not overlap are read one after the other.
 */
export function recordsOf(reading: SnapshotReading, runs: readonly RunRef[], from = ''): AsyncIterable<RunRecord> {
  const byLevel = Map.groupBy(
    runs.filter(({ last }) => last >= from),
    ({ level, object }) => (level === 0 ? object.random : level),
  )
  return mergedRecords([...byLevel.values()].map((own) => chained(reading, own, from)))
}

async function* chained(reading: SnapshotReading, runs: readonly RunRef[], from: string): AsyncIterable<RunRecord> {
  for (const run of runs) {
    const meta = await readMeta(reading, run)
    for (let block = meta.blockOf(from); block < meta.blocks; block++) {
      const records = await readBlock(reading, run, meta, block)
      for (let i = records.lowerBound(from); i < records.count; i++) yield records.at(i)
    }
  }
}

/** Each source in key order; what an earlier one says of a key goes before what a later one says. */
export async function* mergedRecords(
  sources: readonly (AsyncIterable<RunRecord> | Iterable<RunRecord>)[],
): AsyncIterable<RunRecord> {
  const waiting = await mapAtOnce(sources, readsAtOnce, async (source) => {
    const records = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
    return { records, next: await records.next() }
  })
  for (;;) {
    let least: RunRecord | undefined
    for (const { next } of waiting)
      if (next.done !== true && (least === undefined || next.value.key < least.key)) least = next.value
    if (least === undefined) return
    for (const one of waiting)
      while (one.next.done !== true && one.next.value.key === least.key) one.next = await one.records.next()
    yield least
  }
}

function readMeta(reading: SnapshotReading, run: RunRef): Promise<RunMeta> {
  const key = objectKey(reading.tableId, run.object)
  return reading.cache.get(`${key}#meta`, () =>
    readAgain(async () => {
      const bytes = await readRange(reading, key, { start: run.metaStart, end: run.bytes })
      const meta = decodeRunMeta(bytes, run.metaStart, key)
      return { value: meta, bytes: meta.heldBytes }
    }),
  )
}

function readBlock(reading: SnapshotReading, run: RunRef, meta: RunMeta, block: number): Promise<RunBlock> {
  const key = objectKey(reading.tableId, run.object)
  return reading.cache.get(`${key}#${block}`, () =>
    readAgain(async () => {
      const range = meta.range(block)
      const bytes = await readRange(reading, key, range)
      return { value: decodeRunBlock(bytes, range.start, key), bytes: bytes.length }
    }),
  )
}

async function readRange({ objects }: SnapshotReading, key: string, range: ByteRange): Promise<Uint8Array> {
  const bytes = await objects.read(key, range)
  if (bytes.length !== range.end - range.start) throw damaged(key)
  return bytes
}

async function readAgain<T>(read: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await read()
    } catch (error) {
      if (attempt === readsMax || !isSluiceError(error, 'internal')) throw error
    }
  }
}

const damaged = (key: string): SluiceError =>
  new SluiceError('internal', `${key} was read short or damaged`, { action: 'retry', facts: { object: key } })
