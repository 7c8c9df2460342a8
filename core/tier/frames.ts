/**
 * The rows of one bucket's log in [from, end), as batches were committed, in order and without a hole, one read ahead of its consumer. Memory: two reads.
 * A consumer that stops early leaves nothing running behind it.
 */
import { isSluiceError, SluiceError } from '../kernel/errors.ts'
import { type Offset, offsetOf } from '../kernel/ids.ts'
import type { Log } from '../log/log.ts'
import type { FetchedRows } from '../log/read/rows.ts'
import type { Fetched } from '../log/types.ts'
import type { BucketRef } from '../model/partition.ts'
import type { Table } from '../model/table.ts'

/** What the tier needs of a log. */
export type LogReader = Pick<Log, 'fetch' | 'offsets'>

export interface BucketRange extends BucketRef {
  readonly from: Offset
  readonly end: Offset
}

export async function* readRows(
  log: LogReader,
  table: Table,
  { partition, bucket, from, end }: BucketRange,
): AsyncGenerator<FetchedRows> {
  let expected = from
  let ahead: Promise<Fetched> | undefined = fetchAhead(log, table, { partition, bucket, from, end })
  try {
    while (ahead !== undefined) {
      const { rows, next }: Fetched = await ahead
      if (rows.length === 0) throw hole({ partition, bucket }, expected)
      ahead = next < end ? fetchAhead(log, table, { partition, bucket, from: next, end }) : undefined
      for (const batch of rows) {
        if (batch.offset !== expected || batch.rows === 0) throw hole({ partition, bucket }, expected)
        expected = offsetOf(expected + BigInt(batch.rows))
        yield batch
      }
    }
  } finally {
    await ahead?.catch(() => undefined)
  }
}

/** What a read of a bucket throws whose partition is no more; a table that is no more names none. */
export const isDroppedPartition = (error: unknown): boolean =>
  isSluiceError(error, 'not-found') && error.facts['partition'] !== undefined

const readBytesMax = 8 * 1024 * 1024
const rowsMax = 10_000_000

/** Its failure is thrown where it is awaited; until then it is not unhandled. */
function fetchAhead(...of: Parameters<typeof fetchFrom>): Promise<Fetched> {
  const fetched = fetchFrom(...of)
  fetched.catch(() => undefined)
  return fetched
}

async function fetchFrom(log: LogReader, table: Table, { partition, bucket, from, end }: BucketRange): Promise<Fetched> {
  const left = end - from
  try {
    return await log.fetch(table, {
      partition,
      bucket,
      from,
      rowsMax: left > rowsMax ? rowsMax : Number(left),
      bytesMax: readBytesMax,
    })
  } catch (error) {
    if (!isSluiceError(error, 'offset-out-of-range')) throw error
    throw new SluiceError(
      'internal',
      `rows of ${bucketName({ partition, bucket })} from offset ${from} left the log before they reached the lake`,
      {
        action: 'stop',
        facts: { partition: partition.name, bucket, offset: `${from}`, ...error.facts },
        cause: error,
      },
    )
  }
}

const bucketName = ({ partition, bucket }: BucketRef): string =>
  partition.name === '' ? `bucket ${bucket}` : `bucket ${bucket} of partition ${partition.name}`

const hole = (at: BucketRef, offset: Offset): SluiceError =>
  new SluiceError('internal', `the log of ${bucketName(at)} has no row at offset ${offset} below its end`, {
    action: 'retry',
    facts: { partition: at.partition.name, bucket: at.bucket, offset: `${offset}` },
  })
