/**
 * Keys in the runs of a snapshot. In runs that were never looked into, few keys are found in one wave of reads: the guides of the manifest
 * say where each would lie, and all of that is read at once, by the first who comes; who comes meanwhile for the same waits for it.
 * Whoever else looks again goes by metas (snapshot.ts), which spare most reads.
 */
import { objectKey } from '../format/items/entry.ts'
import { decodeRunBlocks, type KeyState, type RunBlock } from '../format/run/block.ts'
import { partOf, partsBytesMax } from '../format/run/guide.ts'
import type { RunRef } from '../format/run/manifest.ts'
import { mapAtOnce } from '../kernel/parallel.ts'
import { type Memory, memoryOf } from '../log/read/memory.ts'
import type { ByteRange } from '../ports/objects.ts'
import type { Borrowed, KvCache } from './cache.ts'
import { findInRuns, readAgain, readRange, readsAtOnce, type SnapshotReading, type Sought } from './snapshot.ts'

/** As `findInRuns`. */
export async function findKeys(...asked: Parameters<typeof findInRuns>): Promise<void> {
  const [reading, runs, sought, found] = asked
  const parts = partsFor(reading, runs, sought)
  return parts === undefined ? findInRuns(...asked) : findInParts(reading, parts, sought.keys, found)
}

/** A part of a run, and the keys that may lie in it. */
interface Part {
  /** The run's object. */
  readonly object: string
  readonly range: ByteRange
  readonly sought: number[]
}

/** In the cache. A run's parts are others where another manifest has its guide coarser. */
const idOf = ({ object, range: { start, end } }: Part): string => `${object}#${start}-${end}`

/** Of all parts that are read at once. What sixteen buckets read at once is a quarter of the budget at most. */
const bytesAtOnceMax = ({ bytesMax }: KvCache): number => Math.min(partsBytesMax, bytesMax / (4 * 16))

/**
 * Newest first: where the keys lie by the guides, if one wave reads all of it. Undefined: it is more, or has to be read of a run that was
 * looked into before: who comes again reads its meta, which then spares it most reads. The runs count as looked into from here on.
 */
function partsFor(
  { cache, tableId }: SnapshotReading,
  runs: readonly RunRef[],
  { keys, sought }: Sought,
): readonly Part[] | undefined {
  if (sought.length > readsAtOnce) return undefined
  const parts: Part[] = []
  let bytes = 0
  for (const run of runs) {
    const own = new Map<number, Part>()
    for (const i of sought) {
      const key = keys[i] as string
      if (key < run.first || key > run.last) continue
      const range = partOf(run, key)
      const known = own.get(range.start)
      if (known !== undefined) known.sought.push(i)
      else {
        own.set(range.start, { object: objectKey(tableId, run.object), range, sought: [i] })
        bytes += range.end - range.start
      }
    }
    parts.push(...own.values())
    if (parts.length > readsAtOnce || bytes > bytesAtOnceMax(cache)) return undefined
  }
  if (!parts.every((part) => isAtHand(cache, idOf(part)) || !wasLookedInto(cache, part.object))) return undefined
  // Before anything is waited for, so that of many who come at once one is the first.
  for (const { object } of parts) void cache.get(`${object}#looked`, async () => ({ value: true, bytes: 0 }))
  return parts
}

/** As far as the cache remembers. */
const wasLookedInto = (cache: KvCache, object: string): boolean =>
  isAtHand(cache, `${object}#meta`) || isAtHand(cache, `${object}#looked`)

/** Kept, or being read. */
function isAtHand(cache: KvCache, id: string): boolean {
  const kept = cache.borrow(id)
  kept?.giveBack()
  return kept !== undefined || cache.isReading(id)
}

/** What is told lies in the parts, which are held until it was taken. */
async function findInParts(
  reading: SnapshotReading,
  parts: readonly Part[],
  keys: readonly string[],
  found: Parameters<typeof findInRuns>[3],
): Promise<void> {
  const held: Borrowed<unknown>[] = []
  try {
    const states = await mapAtOnce(parts, readsAtOnce, async (part) => {
      const blocks = await borrowPart(reading, part)
      held.push(blocks)
      return part.sought.flatMap((i): (readonly [number, KeyState])[] => {
        for (const block of blocks.value) {
          const state = block.find(keys[i] as string)
          if (state !== undefined) return [[i, state]]
        }
        return []
      })
    })
    const newest = new Map<number, KeyState>()
    for (const [i, state] of states.flat()) if (!newest.has(i)) newest.set(i, state)
    await found([...newest])
  } finally {
    for (const { giveBack } of held) giveBack()
  }
}

/** What another is reading is waited for, and then left to a collector. */
async function borrowPart(reading: SnapshotReading, part: Part): Promise<Borrowed<readonly RunBlock[]>> {
  const { cache } = reading
  const id = idOf(part)
  const kept = cache.borrow<readonly RunBlock[]>(id)
  if (kept !== undefined) return kept
  const read = () => readPart(reading, part)
  if (cache.isReading(id)) return { value: await cache.get(id, read), giveBack: () => undefined }
  const { value, giveBack } = await cache.borrowAll([id], async () => {
    const { value: blocks, ...rest } = await read()
    return { values: [blocks], ...rest }
  })
  return { value: value[0] as readonly RunBlock[], giveBack }
}

interface ReadPart {
  readonly value: readonly RunBlock[]
  readonly bytes: number
  readonly memory: Memory
}

const readPart = (reading: SnapshotReading, { object, range }: Part): Promise<ReadPart> =>
  readAgain(async () => {
    const bytes = await readRange(reading, object, range)
    return { value: [...decodeRunBlocks(bytes, range.start, object)], bytes: bytes.length, memory: memoryOf(bytes) }
  })
