/**
 * What a round brings into the lake: per bucket of each partition the rows between its tier point and the end of its log as it was
 * read, frozen. Buckets whose last row in the lake is oldest come first, so that rounds cut short by bytes or time starve none.
 */
import { type Points, pointAt } from '../format/items/points.ts'
import { assert } from '../kernel/assert.ts'
import { SluiceError } from '../kernel/errors.ts'
import { offsetOf } from '../kernel/ids.ts'
import type { BucketOffsets } from '../log/types.ts'
import { idOf } from '../model/partition.ts'
import type { BucketRange } from './frames.ts'

export function planRanges(heads: readonly BucketOffsets[], points: Points): readonly BucketRange[] {
  const ranges = heads.map(({ partition, bucket, start, end }) => {
    const point = pointAt(points, idOf({ partition, bucket }))
    const from = point?.offset ?? start
    if (from < start) throw setBack(partition.name, bucket, from, start)
    return { partition, bucket, from, end, since: point?.time ?? 0 }
  })
  for (const { partition, bucket, from, end } of ranges) {
    assert(from <= end, 'a tier point is not past the end of its log', {
      partition: partition.name,
      bucket,
      tierPoint: `${from}`,
      end: `${end}`,
    })
  }
  return ranges
    .filter(({ from, end }) => from < end)
    .sort((a, b) => a.since - b.since || compareNames(a, b) || a.bucket - b.bucket)
}

/** Only an external table can be: ours goes on alone. */
const setBack = (partition: string, bucket: number, from: bigint, start: bigint): SluiceError =>
  new SluiceError(
    'offset-out-of-range',
    `the lake ends at offset ${from} of bucket ${bucket}, and the log begins at ${start}: the table was set back, set it forward again`,
    { action: 'stop', facts: { partition, bucket, tierPoint: `${from}`, start: `${start}` } },
  )

export const rowsIn = (ranges: readonly BucketRange[]): bigint =>
  ranges.reduce((sum, { from, end }) => offsetOf(sum + (end - from)), 0n)

function compareNames({ partition: a }: BucketRange, { partition: b }: BucketRange): number {
  return a.name === b.name ? 0 : a.name < b.name ? -1 : 1
}
