/**
 * What a round brings into the lake: per bucket the rows between its tier point and the end of its log as it was read, frozen.
 * Buckets whose last row in the lake is oldest come first, so that rounds cut short by bytes or time starve none.
 */
import type { Points } from '../format/items/points.ts'
import { assert } from '../kernel/assert.ts'
import { offsetOf } from '../kernel/ids.ts'
import type { BucketOffsets } from '../log/types.ts'
import type { BucketRange } from './frames.ts'

export function planRanges(heads: readonly BucketOffsets[], points: Points): readonly BucketRange[] {
  const ranges = heads.map(({ bucket, start, end }) => ({
    bucket,
    from: points.get(bucket)?.offset ?? start,
    end,
    since: points.get(bucket)?.time ?? 0,
  }))
  for (const { bucket, from, end } of ranges) {
    assert(from <= end, 'a tier point is not past the end of its log', { bucket, tierPoint: `${from}`, end: `${end}` })
  }
  return ranges.filter(({ from, end }) => from < end).sort((a, b) => a.since - b.since || a.bucket - b.bucket)
}

export const rowsIn = (ranges: readonly BucketRange[]): bigint =>
  ranges.reduce((sum, { from, end }) => offsetOf(sum + (end - from)), 0n)
