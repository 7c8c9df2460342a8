/** Which runs are merged: few runs of many small folds, few bytes written for each that was folded, levels that do not overlap. */
import { expect, test } from 'vitest'
import { noGuide } from '../../format/run/guide.ts'
import type { RunRef } from '../../format/run/manifest.ts'
import { labelOf } from '../../kernel/ids.ts'
import { isMove, levelLimits, planMerge, withMerged } from './levels.ts'

let made = 0
const run = (level: number, bytes: number, first: string, last: string): RunRef => ({
  level,
  object: { label: labelOf(1), random: String(++made).padStart(16, '0'), inline: false, directory: 0 },
  bytes,
  metaStart: 8,
  records: 1,
  deleted: 0,
  first,
  last,
  guide: noGuide,
})

/** Folds of `bytes` each, over all keys; what is merged has the bytes of its inputs. */
function folded(
  count: number,
  bytes: number,
): { readonly runs: readonly RunRef[]; readonly written: number; readonly most: number } {
  let runs: readonly RunRef[] = []
  let written = 0
  let most = 0
  for (let i = 0; i < count; i++) {
    runs = [run(0, bytes, 'a', 'z'), ...runs]
    written += bytes
    for (let merge = planMerge(runs, levelLimits); merge !== undefined; merge = planMerge(runs, levelLimits)) {
      const sum = merge.inputs.reduce((all, each) => all + each.bytes, 0)
      if (!isMove(merge)) written += sum
      runs = withMerged(runs, merge, [run(merge.level, sum, 'a', 'z')])
    }
    most = Math.max(most, runs.length)
  }
  return { runs, written, most }
}

test('thousands of small folds leave a dozen runs, and write each byte some twenty times', () => {
  const { written, most } = folded(5_000, 3_000)
  expect(most).toBeLessThanOrEqual(levelLimits.level0RunsMax + 2)
  expect(written / (5_000 * 3_000)).toBeLessThan(25)
})

test('large folds go into level 1 four at a time', () => {
  const { written, most } = folded(8, 8 << 20)
  expect(most).toBeLessThanOrEqual(5)
  expect(written / (8 * (8 << 20))).toBeLessThan(4)
})

test('two runs of level 0 are merged there only where four of them would not be enough for level 1', () => {
  const top = [run(0, 2 << 20, 'a', 'z'), run(0, 2 << 20, 'a', 'z')]
  const into = (below: number) => planMerge([...top, run(1, below, 'a', 'z')], levelLimits)
  expect(into(80 << 20)).toBeUndefined()
  expect(into(81 << 20)).toMatchObject({ inputs: top, level: 0 })
})

test('a merge takes in what lies between the keys that it writes, so that a level never overlaps', () => {
  const between = run(1, 10, 'm', 'n')
  const runs = [
    run(0, 10, 'a', 'c'),
    run(0, 10, 'x', 'z'),
    run(0, 10, 'a', 'b'),
    run(0, 10, 'y', 'z'),
    between,
    run(2, 10, 'o', 'p'),
  ]
  const merge = planMerge(runs, levelLimits)
  expect([merge?.inputs.includes(between), merge?.level, merge?.isLowest]).toEqual([true, 1, false])
})
