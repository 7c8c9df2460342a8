/**
 * Rows to buckets. With a bucket key: Iceberg's bucket transform of the key. Without: one bucket a request, chosen by the
 * producer's id and sequence, so that a retry meets the same head; without a producer, the next in rotation.
 */

import { bucketRows } from '../format/arrow/bucket.ts'
import type { Batch } from '../format/arrow/column.ts'
import { gatherBatch } from '../format/arrow/take.ts'
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
    const rows = new Uint32Array(count)
    for (const bucket of buckets) rows[bucket] = (rows[bucket] as number) + 1
    for (let bucket = 0; bucket < count; bucket++) {
      const wanted = rows[bucket] as number
      if (wanted === 0) continue
      if (only !== undefined && bucket !== only) throw elsewhere(rowsBefore + buckets.indexOf(bucket), bucket, only)
      const part = wanted === batch.rows ? batch : gatherBatch(batch, indicesOf(buckets, bucket, wanted))
      const found = parts.get(bucket)
      if (found === undefined) parts.set(bucket, [part])
      else found.push(part)
    }
    rowsBefore += batch.rows
  }
  return [...parts].sort(([a], [b]) => a - b).map(([bucket, parted]) => ({ partition: '', bucket, batches: parted }))
}

function indicesOf(buckets: Uint16Array, bucket: number, count: number): Uint32Array {
  const indices = new Uint32Array(count)
  let at = 0
  for (let row = 0; row < buckets.length; row++) if (buckets[row] === bucket) indices[at++] = row
  return indices
}

const elsewhere = (row: number, bucket: number, only: number): SluiceError =>
  new SluiceError(
    'invalid-rows',
    `row ${row} belongs to bucket ${bucket}, not to ${only}: send it there, or leave out ?bucket=`,
    {
      facts: { row, bucket, asked: only },
    },
  )
