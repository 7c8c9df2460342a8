/**
 * Keys in the runs of a snapshot. In runs that were never looked into, few keys are found in one wave of reads: the guides of the manifest
 * say where each would lie, and all of that is read at once. Whoever looks again goes by metas (snapshot.ts), which spare most reads.
 */
import { objectKey } from '../format/items/entry.ts'
import { decodeRunBlocks, type KeyState } from '../format/run/block.ts'
import { partOf } from '../format/run/guide.ts'
import type { RunRef } from '../format/run/manifest.ts'
import { mapAtOnce } from '../kernel/parallel.ts'
import type { ByteRange } from '../ports/objects.ts'
import type { KvCache } from './cache.ts'
import { findInRuns, readAgain, readRange, readsAtOnce, type SnapshotReading, type Sought } from './snapshot.ts'

/** As `findInRuns`. */
export async function findKeys(...asked: Parameters<typeof findInRuns>): Promise<void> {
  const [reading, runs, sought, found] = asked
  const parts = await partsFor(reading, runs, sought)
  return parts === undefined ? findInRuns(...asked) : found(await findInParts(reading, parts, sought.keys))
}

/** A part of a run, and the keys that may lie in it. */
interface Part {
  readonly run: RunRef
  readonly range: ByteRange
  readonly sought: number[]
}

/** Of all parts that are read at once. What sixteen buckets read at once is a quarter of the budget at most. */
const partsBytesMax = ({ bytesMax }: KvCache): number => Math.min(1024 * 1024, bytesMax / (4 * 16))

/**
 * Newest first: where the keys lie by the guides, if one wave reads all of it. Undefined: it is more, or a run was looked into before:
 * who comes again reads its meta, which then spares it most reads.
 */
async function partsFor(
  reading: SnapshotReading,
  runs: readonly RunRef[],
  { keys, sought }: Sought,
): Promise<readonly Part[] | undefined> {
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
        own.set(range.start, { run, range, sought: [i] })
        bytes += range.end - range.start
      }
    }
    parts.push(...own.values())
    if (parts.length > readsAtOnce || bytes > partsBytesMax(reading.cache)) return undefined
  }
  return (await isFirstLook(reading, new Set(parts.map(({ run }) => run)))) ? parts : undefined
}

/** True once, as far as the cache remembers. */
async function isFirstLook({ cache, tableId }: SnapshotReading, runs: ReadonlySet<RunRef>): Promise<boolean> {
  let isFirst = true
  for (const run of runs) {
    const key = objectKey(tableId, run.object)
    if (cache.peek(`${key}#meta`) !== undefined || cache.peek(`${key}#looked`) !== undefined) isFirst = false
    await cache.get(`${key}#looked`, async () => ({ value: true, bytes: 0 }))
  }
  return isFirst
}

async function findInParts(
  reading: SnapshotReading,
  parts: readonly Part[],
  keys: readonly string[],
): Promise<readonly (readonly [number, KeyState])[]> {
  const found = await mapAtOnce(parts, readsAtOnce, async ({ run, range: { start, end }, sought }) => {
    const object = objectKey(reading.tableId, run.object)
    const blocks = await readAgain(async () => [
      ...decodeRunBlocks(await readRange(reading, object, { start, end }), start, object),
    ])
    return sought.flatMap((i): (readonly [number, KeyState])[] => {
      for (const block of blocks) {
        const state = block.find(keys[i] as string)
        if (state !== undefined) return [[i, state]]
      }
      return []
    })
  })
  const newest = new Map<number, KeyState>()
  for (const [i, state] of found.flat()) if (!newest.has(i)) newest.set(i, state)
  return [...newest]
}
