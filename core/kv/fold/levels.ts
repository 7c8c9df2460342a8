/**
 * Which runs are merged next, pure. Level 0 has what was folded, newest first, runs that may overlap; each level below has runs that
 * do not, and room for ten times what is above it. Level 0 goes into level 1, with the runs there that lie between, once it has several
 * runs and is large enough for that: a byte is not written more often than the growth of levels for it. Until then its newest runs are
 * merged whenever together they are as large as the one behind, so that there are few even of many small folds; not where several as large as
 * the newest will be enough. Once a level below is full,
 * the run of it that overlaps least goes down. A run that none of this touches is never written again.
 */
import type { RunRef } from '../../format/run/manifest.ts'

export interface LevelLimits {
  /** Runs of level 0 before they go into level 1, if they are large enough. */
  readonly level0RunsMin: number
  /** Then they go in any case. */
  readonly level0RunsMax: number
  readonly level1BytesMax: number
  readonly levelGrowth: number
  /** Of records in one run, about. */
  readonly runBytesMax: number
}

const MiB = 1024 * 1024

export const levelLimits: LevelLimits = {
  level0RunsMin: 4,
  level0RunsMax: 12,
  level1BytesMax: 96 * MiB,
  levelGrowth: 10,
  runBytesMax: 16 * MiB,
}

export interface Merge {
  /** Newest first: of a key that several have, the first one's state stays. */
  readonly inputs: readonly RunRef[]
  /** Of the merged runs. */
  readonly level: number
  /** No level below has any of the keys: what is deleted may be forgotten. */
  readonly isLowest: boolean
}

/** Undefined: every level has room. */
export function planMerge(runs: readonly RunRef[], limits: LevelLimits): Merge | undefined {
  const top = runs.filter(({ level }) => level === 0)
  if (top.length >= limits.level0RunsMin) {
    const merge = mergeInto(runs, top, 1)
    const isWorth = bytesOf(top) * (1 + limits.levelGrowth) >= bytesOf(merge.inputs)
    if (isWorth || top.length >= limits.level0RunsMax) return merge
  }
  const newest = newestAlike(top)
  if (newest.length > 1 && bytesOf(newest) < limits.runBytesMax && !areSoonWorth(runs, top, limits))
    return { inputs: newest, level: 0, isLowest: false }
  const deepest = runs.reduce((most, { level }) => Math.max(most, level), 0)
  let bytesMax = limits.level1BytesMax
  for (let level = 1; level <= deepest; level++) {
    const own = runs.filter((run) => run.level === level)
    if (bytesOf(own) > bytesMax) {
      const costs = own.map((run) => bytesOf(overlapping(runs, [run], level + 1)) / run.bytes)
      const cheapest = costs.indexOf(Math.min(...costs))
      return mergeInto(runs, own.slice(cheapest, cheapest + 1), level + 1)
    }
    bytesMax *= limits.levelGrowth
  }
  return undefined
}

/** As many as the newest is large go into level 1 as they are. */
function areSoonWorth(runs: readonly RunRef[], top: readonly RunRef[], limits: LevelLimits): boolean {
  const expected = limits.level0RunsMin * (top[0]?.bytes ?? 0)
  return expected * limits.levelGrowth >= bytesOf(overlapping(runs, top, 1))
}

/** As large together as the next one behind: so each byte of level 0 is written a few times, and its runs double in size. */
function newestAlike(top: readonly RunRef[]): readonly RunRef[] {
  let count = 1
  while (count < top.length && (top[count] as RunRef).bytes <= bytesOf(top.slice(0, count))) count++
  return top.slice(0, count)
}

const bytesOf = (runs: readonly RunRef[]): number => runs.reduce((sum, { bytes }) => sum + bytes, 0)

/** The manifest with `merged` in the place of the inputs; those that stay in level 0 are the newest. */
export function withMerged(runs: readonly RunRef[], { inputs }: Merge, merged: readonly RunRef[]): readonly RunRef[] {
  return ordered([...merged, ...runs.filter((run) => !inputs.includes(run))])
}

/** A run that overlaps nothing there goes down as it is, unless it has what may be forgotten there. */
export const isMove = ({ inputs, level, isLowest }: Merge): boolean =>
  level > 0 && inputs.length === 1 && !(isLowest && (inputs[0]?.deleted ?? 0) > 0)

/** Level 0 keeps its order, which is by age; the others are in key order. */
function ordered(runs: readonly RunRef[]): readonly RunRef[] {
  const below = runs.filter(({ level }) => level > 0)
  below.sort((a, b) => a.level - b.level || (a.first < b.first ? -1 : 1))
  return [...runs.filter(({ level }) => level === 0), ...below]
}

/** What is written spans all keys between the first and the last of what goes in, so the runs there that lie between go in as well. */
function mergeInto(runs: readonly RunRef[], from: readonly RunRef[], level: number): Merge {
  const inputs = [...from, ...overlapping(runs, from, level)]
  const span = spanOf(inputs)
  return { inputs, level, isLowest: !runs.some((run) => run.level > level && overlaps(run, span)) }
}

function overlapping(runs: readonly RunRef[], from: readonly RunRef[], level: number): readonly RunRef[] {
  const span = spanOf(from)
  return runs.filter((run) => run.level === level && overlaps(run, span))
}

type Span = Pick<RunRef, 'first' | 'last'>

const spanOf = (runs: readonly RunRef[]): Span =>
  runs.reduce<Span>(
    (span, { first, last }) => ({ first: first < span.first ? first : span.first, last: last > span.last ? last : span.last }),
    runs[0] as RunRef,
  )

const overlaps = (a: Span, b: Span): boolean => a.first <= b.last && b.first <= a.last
