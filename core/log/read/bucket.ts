/** Fetch of one bucket: a walk of it alone. */
import { partitionNotFound } from '../../catalog/partitions.ts'
import { present } from '../../kernel/assert.ts'
import type { Table } from '../../model/table.ts'
import type { Fetched, FetchRequest } from '../types.ts'
import type { Reading } from './reading.ts'
import { positionsAfter, walk } from './walk.ts'

/** Errors: those of a walk, and `not-found`: the partition was dropped meanwhile. */
export async function fetchBucket(reading: Reading, table: Table, request: FetchRequest): Promise<Fetched> {
  const { partition, bucket, from, fields = table.schema.columns, filter, rowsMax, bytesMax } = request
  const buckets = [{ partition, bucket, from }]
  const walked = await walk(reading, table, { buckets, fields, rowsMax, bytesMax, ...(filter && { filter }) })
  const { start, logStart, end, isGone } = present(walked.buckets[0], 'the bucket of a walk')
  if (isGone) throw partitionNotFound(table, partition.name)
  const rows = walked.steps.flatMap((step) => (step.rows === undefined ? [] : [step.rows]))
  const [next] = positionsAfter(walked, rowsMax)
  return { rows, start, next: present(next, 'the position of the bucket'), end, logStart }
}
