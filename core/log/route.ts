/**
 * Rows to buckets. With a bucket key: Iceberg's bucket transform of the key. Without: one bucket a request, chosen by the
 * producer's id and sequence, so that a retry meets the same head; without a producer, the next in rotation.
 */

import { bucketRows } from '../format/arrow/bucket.ts'
import type { Batch } from '../format/arrow/column.ts'
import { gatherBatch, sliceBatch } from '../format/arrow/take.ts'
import { utf8 } from '../kernel/bytes.ts'
import { SluiceError } from '../kernel/errors.ts'
import { murmur3 } from '../kernel/murmur3.ts'
import type { Table } from '../model/table.ts'
import type { BucketRows } from './types.ts'

export interface Routing {
  readonly producer?: { readonly producerId: string; readonly sequence: bigint }
  /** `?bucket=`: all rows must belong there. */
  readonly bucket?: number
  /** A number that differs from call to call, for requests that nothing else routes. */
  readonly rotate: () => number
}

/** In bucket order; nothing for no rows. Errors: `bad-request` (no such bucket), `invalid-rows` (a row belongs elsewhere). */
export function routeRows(table: Table, batches: readonly Batch[], routing: Routing): readonly BucketRows[] {
  const { count, key } = table.buckets
  if (routing.bucket !== undefined && routing.bucket >= count) {
    throw new SluiceError(
      'bad-request',
      `bucket ${routing.bucket} does not exist: ${table.database}.${table.name} has buckets 0 to ${count - 1}`,
      {
        facts: { parameter: 'bucket', buckets: count },
      },
    )
  }
  const filled = batches.filter((batch) => batch.rows > 0)
  if (filled.length === 0) return []
  if (key === undefined) return [{ partition: '', bucket: keylessBucket(count, routing), batches: filled }]
  return keyedBuckets(filled, key, count, routing.bucket)
}

function keylessBucket(count: number, { bucket, producer, rotate }: Routing): number {
  if (bucket !== undefined) return bucket
  if (producer === undefined) return rotate() % count
  const hash = BigInt(murmur3(utf8(producer.producerId)) & 0x7fffffff)
  return Number((hash + producer.sequence) % BigInt(count))
}

/** One stable sort of the rows by bucket and one gather; the buckets are slices of it. */
function keyedBuckets(
  batches: readonly Batch[],
  key: readonly string[],
  count: number,
  only: number | undefined,
): readonly BucketRows[] {
  const parts = new Map<number, Batch[]>()
  let rowsBefore = 0
  for (const batch of batches) {
    const buckets = bucketRows(batch, key, count)
    const starts = startsOf(buckets, count)
    const gathered = isOneBucket(buckets, starts) ? batch : gatherBatch(batch, permutationOf(buckets, starts))
    for (let bucket = 0; bucket < count; bucket++) {
      const start = starts[bucket] as number
      const end = starts[bucket + 1] as number
      if (start === end) continue
      if (only !== undefined && bucket !== only) throw elsewhere(rowsBefore + buckets.indexOf(bucket), bucket, only)
      const part = gathered === batch ? batch : sliceBatch(gathered, start, end)
      const found = parts.get(bucket)
      if (found === undefined) parts.set(bucket, [part])
      else found.push(part)
    }
    rowsBefore += batch.rows
  }
  return [...parts].sort(([a], [b]) => a - b).map(([bucket, parted]) => ({ partition: '', bucket, batches: parted }))
}

/** Where each bucket's rows begin once they are sorted; one more for the end. */
function startsOf(buckets: Uint16Array, count: number): Uint32Array {
  const starts = new Uint32Array(count + 1)
  for (const bucket of buckets) starts[bucket + 1] = (starts[bucket + 1] as number) + 1
  for (let bucket = 0; bucket < count; bucket++) starts[bucket + 1] = (starts[bucket + 1] as number) + (starts[bucket] as number)
  return starts
}

function isOneBucket(buckets: Uint16Array, starts: Uint32Array): boolean {
  const first = buckets[0] ?? 0
  return (starts[first + 1] as number) - (starts[first] as number) === buckets.length
}

function permutationOf(buckets: Uint16Array, starts: Uint32Array): Uint32Array {
  const next = starts.slice()
  const rows = new Uint32Array(buckets.length)
  for (let row = 0; row < buckets.length; row++) {
    const bucket = buckets[row] as number
    const at = next[bucket] as number
    rows[at] = row
    next[bucket] = at + 1
  }
  return rows
}

const elsewhere = (row: number, bucket: number, only: number): SluiceError =>
  new SluiceError(
    'invalid-rows',
    `row ${row} belongs to bucket ${bucket}, not to ${only}: send it there, or leave out ?bucket=`,
    {
      facts: { row, bucket, asked: only },
    },
  )
