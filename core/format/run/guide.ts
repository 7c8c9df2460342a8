/**
 * The way into a run, kept in its manifest beside its name: from which bytes on the keys are not below some text, so that a reader who
 * has the manifest alone reads at once where a key lies, if it lies anywhere. A part between two of these is some blocks. The guides of a
 * manifest are bounded: the larger the runs, the longer the parts; where that is not enough, the deepest levels have none, and are read
 * by their metas.
 */

export interface BlockRange {
  /** [start, end) in the object. */
  readonly start: number
  readonly end: number
}

export interface Guide {
  /** Rising: the keys from `starts[i]` on are not below `keys[i]`, all keys before are. The first part begins with the first block. */
  readonly keys: readonly string[]
  readonly starts: readonly number[]
}

export const noGuide: Guide = { keys: [], starts: [] }

/** Of all guides of a manifest, as they are encoded: a part of what one more fold reads and writes. */
const guidesBytesMax = 64 * 1024
/** What parts are joined up to: more would take longer to read than to ask twice. */
const partBytesMost = 128 * 1024
/** Of all parts that a reader who has the manifest alone reads at once. */
export const partsBytesMax = 1024 * 1024
const partBytesLeast = 32 * 1024
/** Where the first block of a run begins. */
export const firstBlockAt = 8

/** The shortest text that is above `before` and not above `first`, where `before` is below it. */
export function separatorOf(before: string, first: string): string {
  let same = 0
  while (same < before.length && before.charCodeAt(same) === first.charCodeAt(same)) same++
  return first.slice(0, same + 1)
}

/** The part in which the key lies, if it lies anywhere in the run. */
export function partOf(
  { guide: { keys, starts }, metaStart }: { readonly guide: Guide; readonly metaStart: number },
  key: string,
): BlockRange {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] as string) <= key) low = middle + 1
    else high = middle
  }
  return { start: starts[low - 1] ?? firstBlockAt, end: starts[low] ?? metaStart }
}

export const guideBytes = ({ keys }: Guide): number => keys.reduce((sum, { length }) => sum + 6 + length, 0)

/** The same runs, their guides made coarser where together they are too large; what was made coarser before stays as it is. */
export function withGuidesBounded<T extends { readonly guide: Guide }>(runs: readonly T[]): readonly T[] {
  let bounded = runs
  for (let bytes = partBytesLeast; bytesOf(bounded) > guidesBytesMax && bytes <= partBytesMost; bytes *= 2)
    bounded = withParts(runs, bytes)
  let left = guidesBytesMax
  return bounded.map((run) => {
    left -= guideBytes(run.guide)
    return left >= 0 ? run : { ...run, guide: noGuide }
  })
}

/** The same runs, their guides with parts of so many bytes and a block. */
export const withParts = <T extends { readonly guide: Guide }>(runs: readonly T[], partBytes: number): readonly T[] =>
  runs.map((run) => ({ ...run, guide: coarser(run.guide, partBytes) }))

const bytesOf = (runs: readonly { readonly guide: Guide }[]): number =>
  runs.reduce((sum, { guide }) => sum + guideBytes(guide), 0)

function coarser({ keys, starts }: Guide, partBytes: number): Guide {
  const kept = { keys: [] as string[], starts: [] as number[] }
  let last = firstBlockAt
  for (const [i, start] of starts.entries()) {
    if (start - last < partBytes) continue
    kept.keys.push(keys[i] as string)
    kept.starts.push(start)
    last = start
  }
  return kept
}
