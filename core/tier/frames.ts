/**
 * The rows of one bucket's log in [from, end), as batches were committed, in order and without a hole, one read ahead of its consumer. Memory: two reads.
 * A consumer that stops early leaves nothing running behind it.
 */
import { isSluiceError, SluiceError } from '../kernel/errors.ts'
import { type Offset, offsetOf } from '../kernel/ids.ts'
import type { Log } from '../log/log.ts'
import type { FetchedRows } from '../log/read/rows.ts'
import type { Fetched } from '../log/types.ts'
import { unpartitioned } from '../model/partition.ts'
import type { Table } from '../model/table.ts'

/** What the tier needs of a log. */
export type LogReader = Pick<Log, 'fetch' | 'offsets'>

export interface BucketRange {
  readonly bucket: number
  readonly from: Offset
  readonly end: Offset
}

export async function* readRows(log: LogReader, table: Table, { bucket, from, end }: BucketRange): AsyncGenerator<FetchedRows> {
  let expected = from
  let ahead: Promise<Fetched> | undefined = fetchAhead(log, table, bucket, from, end)
  try {
    while (ahead !== undefined) {
      const { rows, next }: Fetched = await ahead
      if (rows.length === 0) throw hole(bucket, expected)
      ahead = next < end ? fetchAhead(log, table, bucket, next, end) : undefined
      for (const batch of rows) {
        if (batch.offset !== expected || batch.rows === 0) throw hole(bucket, expected)
        expected = offsetOf(expected + BigInt(batch.rows))
        yield batch
      }
    }
  } finally {
    await ahead?.catch(() => undefined)
  }
}

const readBytesMax = 8 * 1024 * 1024
const rowsMax = 10_000_000

/** Its failure is thrown where it is awaited; until then it is not unhandled. */
function fetchAhead(...of: Parameters<typeof fetchFrom>): Promise<Fetched> {
  const fetched = fetchFrom(...of)
  fetched.catch(() => undefined)
  return fetched
}

async function fetchFrom(log: LogReader, table: Table, bucket: number, from: Offset, end: Offset): Promise<Fetched> {
  const left = end - from
  try {
    return await log.fetch(table, {
      partition: unpartitioned,
      bucket,
      from,
      rowsMax: left > rowsMax ? rowsMax : Number(left),
      bytesMax: readBytesMax,
    })
  } catch (error) {
    if (!isSluiceError(error, 'offset-out-of-range')) throw error
    throw new SluiceError('internal', `rows of bucket ${bucket} from offset ${from} left the log before they reached the lake`, {
      action: 'stop',
      facts: { bucket, offset: `${from}`, ...error.facts },
      cause: error,
    })
  }
}

const hole = (bucket: number, at: Offset): SluiceError =>
  new SluiceError('internal', `the log of bucket ${bucket} has no row at offset ${at} below its end`, {
    action: 'retry',
    facts: { bucket, offset: `${at}` },
  })
