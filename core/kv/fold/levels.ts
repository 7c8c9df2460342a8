/**
 * Which runs are merged next, pure. Level 0 has what was folded, newest first, runs that may overlap; each level below has runs that
 * do not, and room for ten times what is above it. Once level 0 is full, all of it goes into level 1 with the runs there that it overlaps;
 * once a level is full, the run of it that overlaps least goes down. A run that none of this touches is never written again.
 */
import type { RunRef } from '../../format/run/manifest.ts'

export interface LevelLimits {
  /** Runs of level 0 before they are merged. */
  readonly level0RunsMax: number
  readonly level1BytesMax: number
  readonly levelGrowth: number
  /** Of records in one run, about. */
  readonly runBytesMax: number
}

const MiB = 1024 * 1024

export const levelLimits: LevelLimits = { level0RunsMax: 4, level1BytesMax: 96 * MiB, levelGrowth: 10, runBytesMax: 16 * MiB }

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
  if (top.length >= limits.level0RunsMax) return mergeInto(runs, top, 1)
  const deepest = runs.reduce((most, { level }) => Math.max(most, level), 0)
  let bytesMax = limits.level1BytesMax
  for (let level = 1; level <= deepest; level++) {
    const own = runs.filter((run) => run.level === level)
    if (own.reduce((sum, { bytes }) => sum + bytes, 0) > bytesMax) {
      const costs = own.map((run) => overlapping(runs, [run], level + 1).reduce((sum, { bytes }) => sum + bytes, 0) / run.bytes)
      const cheapest = costs.indexOf(Math.min(...costs))
      return mergeInto(runs, own.slice(cheapest, cheapest + 1), level + 1)
    }
    bytesMax *= limits.levelGrowth
  }
  return undefined
}

/** The manifest with `merged` in the place of the inputs. */
export function withMerged(runs: readonly RunRef[], { inputs }: Merge, merged: readonly RunRef[]): readonly RunRef[] {
  return ordered([...runs.filter((run) => !inputs.includes(run)), ...merged])
}

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
