/**
 * Reading a snapshot: its manifest, then of the runs that may have a key the metas, then the blocks, each wave at once and each kept; or,
 * for a merge, whole runs in long reads, of which only the metas are kept. What was read damaged or short is read again: the objects are
 * immutable. An object that is gone (`not-found`) was superseded: whoever reads takes the newest snapshot instead.
 */
import { crc32 } from 'node:zlib'
import { objectKey } from '../format/items/entry.ts'
import type { Snapshot } from '../format/items/kv.ts'
import { decodeRunBlock, type KeyState, type RunBlock } from '../format/run/block.ts'
import { decodeManifest, type RunRef } from '../format/run/manifest.ts'
import { decodeRunMeta, type RunMeta } from '../format/run/run.ts'
import { present } from '../kernel/assert.ts'
import { isSluiceError, SluiceError } from '../kernel/errors.ts'
import { mapAtOnce } from '../kernel/parallel.ts'
import { type Memory, memoryOf } from '../log/read/memory.ts'
import { inOrder, merged } from '../log/read/merged.ts'
import type { ByteRange, ObjectStore } from '../ports/objects.ts'
import type { Borrowed, KvCache } from './cache.ts'
import { merged as mergedRecords, type Sorted } from './sorted.ts'

export interface SnapshotReading {
  readonly objects: ObjectStore
  readonly cache: KvCache
  readonly tableId: string
}

const readsMax = 3
export const readsAtOnce = 16

/** Newest first: what an earlier one says of a key goes before what a later one says. */
export async function runsOf(reading: SnapshotReading, { manifest }: Snapshot): Promise<readonly RunRef[]> {
  if (manifest === undefined) return []
  const { object, bytes, crc } = manifest
  const key = objectKey(reading.tableId, object)
  return reading.cache.get(key, () =>
    readAgain(async () => {
      const read = await readRange(reading, key, { start: 0, end: bytes })
      if (crc32(read) !== crc) throw damaged(key)
      return { value: decodeManifest(read, key), bytes: 4 * bytes }
    }),
  )
}

/** What is known of the snapshot's manifest is not read, unless another is reading it: who needs it then meets his error. */
export function learnRuns(reading: SnapshotReading, { manifest }: Snapshot, value: readonly RunRef[]): void {
  if (manifest === undefined) return
  const known = async () => ({ value, bytes: 4 * manifest.bytes })
  reading.cache.get(objectKey(reading.tableId, manifest.object), known).catch(() => undefined)
}

/** A block in which keys may lie. */
interface BlockPlace {
  readonly run: RunRef
  readonly range: ByteRange
  /** In the cache. */
  readonly id: string
}

/** `key`: of the run's object. */
const placeIn = (run: RunRef, key: string, range: ByteRange): BlockPlace => ({ run, range, id: `${key}#${range.start}` })

export interface Sought {
  readonly keys: readonly string[]
  /** Which of them. */
  readonly sought: readonly number[]
}

/**
 * Tells `found` of the newest state of each key, some at a time, in views of what was read; of a key of which the runs know nothing it
 * tells nothing. Of each key the newest block that may have it is read first: the next only where it is not there, so what was told is
 * final, and no block is held behind it.
 */
export async function findInRuns(
  reading: SnapshotReading,
  runs: readonly RunRef[],
  { keys, sought }: Sought,
  found: (states: readonly (readonly [number, KeyState])[]) => Promise<void>,
): Promise<void> {
  const placesOf = await placesFor(reading, runs, { keys, sought })
  let left = sought.filter((i) => placesOf[i] !== undefined)
  for (let depth = 0; left.length > 0; depth++) {
    const byPlace = Map.groupBy(left, (i) => present(placesOf[i]?.[depth], 'the place of a key'))
    const missed: number[] = []
    await eachBlock(reading, [...byPlace.keys()], async (place, block) => {
      const states: (readonly [number, KeyState])[] = []
      for (const i of byPlace.get(place) ?? []) {
        const state = block.find(keys[i] as string)
        if (state !== undefined) states.push([i, state])
        else if ((placesOf[i]?.length ?? 0) > depth + 1) missed.push(i)
      }
      await found(states)
    })
    left = missed
  }
}

/** Those that lie close are read at once, and none is held when it was seen but by the cache. */
async function eachBlock(
  reading: SnapshotReading,
  places: readonly BlockPlace[],
  see: (place: BlockPlace, block: RunBlock) => Promise<void>,
): Promise<void> {
  const { cache, tableId } = reading
  const alone: BlockPlace[] = []
  const missing: (ByteRange & { readonly key: string; readonly place: BlockPlace })[] = []
  for (const place of places) {
    const block = cache.borrow<RunBlock>(place.id)
    if (block !== undefined) await see(place, block.value).finally(block.giveBack)
    else if (cache.isReading(place.id)) alone.push(place)
    else missing.push({ key: objectKey(tableId, place.run.object), ...place.range, place })
  }
  const together = merged(inOrder(missing), togetherBytesMax(cache)).map(({ parts }) => parts.map(({ place }) => place))
  const works = [
    ...alone.map((place) => async () => see(place, await readBlock(reading, place))),
    ...together.map((group) => async () => {
      const blocks = await readTogether(reading, group)
      try {
        for (const [i, place] of group.entries()) await see(place, blocks.value[i] as RunBlock)
      } finally {
        blocks.giveBack()
      }
    }),
  ]
  await mapAtOnce(works, readsAtOnce, (work) => work())
}

/** What sixteen buckets read at once is a quarter of the budget at most. */
const togetherBytesMax = ({ bytesMax }: KvCache): number => Math.min(64 * 1024, bytesMax / (4 * 16 * readsAtOnce))

/** Of one run, in order. */
function readTogether(reading: SnapshotReading, places: readonly BlockPlace[]): Promise<Borrowed<readonly RunBlock[]>> {
  const { run } = present(places[0], 'a block')
  const ids = places.map(({ id }) => id)
  return reading.cache.borrowAll(ids, () =>
    readBlocks(
      reading,
      run,
      places.map(({ range }) => range),
    ),
  )
}

/** Of each key, newest first. The metas of all runs together may be large: each is let go at once. */
async function placesFor(
  reading: SnapshotReading,
  runs: readonly RunRef[],
  { keys, sought }: Sought,
): Promise<readonly (readonly BlockPlace[] | undefined)[]> {
  const placed = await mapAtOnce(runs, readsAtOnce, async (run): Promise<readonly (readonly [number, BlockPlace])[]> => {
    const own = sought.filter((i) => (keys[i] as string) >= run.first && (keys[i] as string) <= run.last)
    if (own.length === 0) return []
    const meta = await readMeta(reading, run)
    const object = objectKey(reading.tableId, run.object)
    const blocks = new Map<number, BlockPlace>()
    const places: (readonly [number, BlockPlace])[] = []
    for (const i of own) {
      const key = keys[i] as string
      if (!meta.mayHave(key)) continue
      const index = meta.blockOf(key)
      let place = blocks.get(index)
      if (place === undefined) {
        place = placeIn(run, object, meta.range(index))
        blocks.set(index, place)
      }
      places.push([i, place])
    }
    return places
  })
  const placesOf = new Array<BlockPlace[] | undefined>(keys.length).fill(undefined)
  for (const own of placed)
    for (const [i, place] of own) {
      const known = placesOf[i]
      if (known === undefined) placesOf[i] = [place]
      else known.push(place)
    }
  return placesOf
}

/** Of a run, in one read of what is read whole. */
const aheadBytesMax = 1024 * 1024

/** All records of these runs, as `recordsOf`, in few long reads: metas come from the cache and into it, blocks do not. */
export const allRecordsOf = (reading: SnapshotReading, runs: readonly RunRef[]): Sorted =>
  mergedRecords(byLevel(runs).map((own) => wholeRuns(reading, own)))

async function* wholeRuns(reading: SnapshotReading, runs: readonly RunRef[]): Sorted {
  for (const run of runs) {
    const meta = await readMeta(reading, run)
    for (let first = 0; first < meta.blocks; ) {
      const { start } = meta.range(first)
      let next = first + 1
      while (next < meta.blocks && meta.range(next).end - start <= aheadBytesMax) next++
      const ranges = Array.from({ length: next - first }, (_, i) => meta.range(first + i))
      for (const block of (await readBlocks(reading, run, ranges)).values) yield block.from(0)
      first = next
    }
  }
}

interface ReadBlocks {
  readonly values: readonly RunBlock[]
  readonly bytes: number
  readonly memory: Memory
}

/** Of ranges in their order, that lie close, in one read. */
function readBlocks(reading: SnapshotReading, run: RunRef, ranges: readonly ByteRange[]): Promise<ReadBlocks> {
  const key = objectKey(reading.tableId, run.object)
  const start = present(ranges[0], 'a block').start
  const end = present(ranges.at(-1), 'a block').end
  return readAgain(async () => {
    const bytes = await readRange(reading, key, { start, end })
    const values = ranges.map((range) => decodeRunBlock(bytes.subarray(range.start - start, range.end - start), range.start, key))
    return { values, bytes: bytes.length, memory: memoryOf(bytes) }
  })
}

interface Keys {
  readonly from: string
  /** Undefined: to the end. */
  readonly to: string | undefined
}

/**
 * Records of these runs in one order from the first key that is not below `from`, and few beyond `to`; of a key that several have, the newest. `runs`: newest
 * first, as in a manifest; those of a level that do not overlap are read one after the other.
 */
export function recordsOf(reading: SnapshotReading, runs: readonly RunRef[], { from, to }: Keys): Sorted {
  const own = byLevel(runs.filter(({ first, last }) => last >= from && (to === undefined || first < to)))
  return mergedRecords(own.map((each) => chained(reading, each, { from, to })))
}

/** Each of level 0 by itself, because those may overlap. */
const byLevel = (runs: readonly RunRef[]): readonly (readonly RunRef[])[] => [
  ...Map.groupBy(runs, ({ level, object }) => (level === 0 ? object.random : level)).values(),
]

async function* chained(reading: SnapshotReading, runs: readonly RunRef[], { from, to }: Keys): Sorted {
  for (const run of runs) {
    const meta = await readMeta(reading, run)
    const object = objectKey(reading.tableId, run.object)
    for (let block = meta.blockOf(from); block < meta.blocks; block++) {
      if (to !== undefined && meta.firstOf(block) >= to) return
      const records = await readBlock(reading, placeIn(run, object, meta.range(block)))
      const first = records.lowerBound(from)
      if (first < records.count) yield records.from(first)
    }
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

function readBlock(reading: SnapshotReading, place: BlockPlace): Promise<RunBlock> {
  return reading.cache.get(place.id, async () => {
    const { values, bytes } = await readBlocks(reading, place.run, [place.range])
    return { value: present(values[0], 'a block'), bytes }
  })
}

export async function readRange({ objects }: SnapshotReading, key: string, range: ByteRange): Promise<Uint8Array> {
  const bytes = await objects.read(key, range)
  if (bytes.length !== range.end - range.start) throw damaged(key)
  return bytes
}

export async function readAgain<T>(read: () => Promise<T>): Promise<T> {
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

/** An object that stays away although the newest snapshot names it. */
export const superseded = (error: unknown): unknown =>
  isSluiceError(error, 'not-found')
    ? new SluiceError('internal', error.message, { action: 'retry', facts: error.facts, cause: error })
    : error
