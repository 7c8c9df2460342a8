/**
 * Rows to buckets. First to partitions, by the values of the partition columns. Then, with a bucket key: Iceberg's bucket
 * transform of the key. Without: one bucket a request, chosen by the producer's id and sequence, so that a retry meets the same
 * heads; without a producer, the next in rotation.
 */

import { bucketRows } from '../format/arrow/bucket.ts'
import type { Batch } from '../format/arrow/column.ts'
import { gatherBatch, sliceBatch } from '../format/arrow/take.ts'
import { partitionRows } from '../format/partition/rows.ts'
import { utf8 } from '../kernel/bytes.ts'
import { SluiceError } from '../kernel/errors.ts'
import { limits } from '../kernel/limits.ts'
import { murmur3 } from '../kernel/murmur3.ts'
import { quoted } from '../model/nearest.ts'
import type { Table } from '../model/table.ts'
import type { BucketRows } from './types.ts'

export interface Routing {
  readonly producer?: { readonly producerId: string; readonly sequence: bigint }
  /** `?bucket=`, `?partition=`: all rows must belong there. */
  readonly bucket?: number
  readonly partition?: string
  /** A number that differs from call to call, for requests that nothing else routes. */
  readonly rotate: () => number
}

/**
 * In the order of partitions as they first come, then of buckets; nothing for no rows. Errors: `bad-request` (no such bucket),
 * `invalid-rows` (a row belongs elsewhere), `too-large` (more buckets than one request may touch).
 */
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
  const parts = new Parts()
  const bucket = key === undefined ? keylessBucket(count, routing) : undefined
  let rowsBefore = 0
  for (const batch of batches) {
    for (const { name, rows, indices } of partitionsOf(table, batch)) {
      const at = (row: number): number => rowsBefore + (indices?.[row] ?? row)
      if (routing.partition !== undefined && name !== routing.partition)
        throw elsewhere(at(0), `partition ${quoted(name)}`, `partition ${quoted(routing.partition)}`)
      if (bucket !== undefined) parts.add(name, bucket, rows)
      else if (key !== undefined) addKeyed(parts, name, rows, { key, count, only: routing.bucket, at })
    }
    rowsBefore += batch.rows
  }
  const routed = parts.all()
  if (routed.length <= limits.produceBucketsMax) return routed
  throw new SluiceError(
    'too-large',
    `the rows touch ${routed.length} buckets, a request at most ${limits.produceBucketsMax}: send fewer at once`,
  )
}

interface PartitionRows {
  readonly name: string
  readonly rows: Batch
  /** Of the rows in their batch; absent where it is the whole. */
  readonly indices?: Uint32Array
}

function partitionsOf(table: Table, batch: Batch): readonly PartitionRows[] {
  if (batch.rows === 0) return []
  if (table.partitionBy.length === 0) return [{ name: '', rows: batch }]
  const { names, codes } = partitionRows(batch, table.partitionBy)
  const [only] = names
  if (names.length === 1 && only !== undefined) return [{ name: only, rows: batch }]
  const starts = startsOf(codes, names.length)
  const order = permutationOf(codes, starts)
  const gathered = gatherBatch(batch, order)
  return names.map((name, code) => {
    const [start, end] = [starts[code] as number, starts[code + 1] as number]
    return { name, rows: sliceBatch(gathered, start, end), indices: order.subarray(start, end) }
  })
}

function keylessBucket(count: number, { bucket, producer, rotate }: Routing): number {
  if (bucket !== undefined) return bucket
  if (producer === undefined) return rotate() % count
  const hash = BigInt(murmur3(utf8(producer.producerId)) & 0x7fffffff)
  return Number((hash + producer.sequence) % BigInt(count))
}

interface Keyed {
  readonly key: readonly string[]
  readonly count: number
  readonly only: number | undefined
  /** A row's place in the request. */
  readonly at: (row: number) => number
}

/** One stable sort of the rows by bucket and one gather; the buckets are slices of it. */
function addKeyed(parts: Parts, partition: string, batch: Batch, { key, count, only, at }: Keyed): void {
  const buckets = bucketRows(batch, key, count)
  const starts = startsOf(buckets, count)
  const gathered = isOneBucket(buckets, starts) ? batch : gatherBatch(batch, permutationOf(buckets, starts))
  for (let bucket = 0; bucket < count; bucket++) {
    const start = starts[bucket] as number
    const end = starts[bucket + 1] as number
    if (start === end) continue
    if (only !== undefined && bucket !== only) throw elsewhere(at(buckets.indexOf(bucket)), `bucket ${bucket}`, `${only}`)
    parts.add(partition, bucket, gathered === batch ? batch : sliceBatch(gathered, start, end))
  }
}

class Parts {
  readonly #partitions = new Map<string, Map<number, Batch[]>>()

  add(partition: string, bucket: number, rows: Batch): void {
    const buckets = this.#partitions.get(partition) ?? new Map<number, Batch[]>()
    this.#partitions.set(partition, buckets)
    const found = buckets.get(bucket)
    if (found === undefined) buckets.set(bucket, [rows])
    else found.push(rows)
  }

  all(): readonly BucketRows[] {
    return [...this.#partitions].flatMap(([partition, buckets]) =>
      [...buckets].sort(([a], [b]) => a - b).map(([bucket, batches]) => ({ partition, bucket, batches })),
    )
  }
}

/** Where the rows of each code begin once they are sorted; one more for the end. */
function startsOf(codes: Uint16Array, count: number): Uint32Array {
  const starts = new Uint32Array(count + 1)
  for (const code of codes) starts[code + 1] = (starts[code + 1] as number) + 1
  for (let code = 0; code < count; code++) starts[code + 1] = (starts[code + 1] as number) + (starts[code] as number)
  return starts
}

function isOneBucket(buckets: Uint16Array, starts: Uint32Array): boolean {
  const first = buckets[0] ?? 0
  return (starts[first + 1] as number) - (starts[first] as number) === buckets.length
}

function permutationOf(codes: Uint16Array, starts: Uint32Array): Uint32Array {
  const next = starts.slice()
  const rows = new Uint32Array(codes.length)
  for (let row = 0; row < codes.length; row++) {
    const code = codes[row] as number
    const at = next[code] as number
    rows[at] = row
    next[code] = at + 1
  }
  return rows
}

const elsewhere = (row: number, where: string, asked: string): SluiceError =>
  new SluiceError('invalid-rows', `row ${row} belongs to ${where}, not to ${asked}: send it there, or leave out the parameter`, {
    facts: { row },
  })
