/**
 * The frames of one bucket's log in [from, end), in order and without a hole, one read ahead of its consumer. Memory: two reads.
 * A consumer that stops early leaves nothing running behind it.
 */
import { isSluiceError, SluiceError } from '../kernel/errors.ts'
import { type Offset, offsetOf } from '../kernel/ids.ts'
import type { Log } from '../log/log.ts'
import type { Fetched, FetchedFrame } from '../log/types.ts'
import { unpartitioned } from '../model/partition.ts'
import type { Table } from '../model/table.ts'

/** What the tier needs of a log. */
export type LogReader = Pick<Log, 'fetch' | 'offsets'>

export interface BucketRange {
  readonly bucket: number
  readonly from: Offset
  readonly end: Offset
}

export async function* readFrames(
  log: LogReader,
  table: Table,
  { bucket, from, end }: BucketRange,
): AsyncGenerator<FetchedFrame> {
  let expected = from
  let ahead: Promise<Fetched> | undefined = fetchFrom(log, table, bucket, from, end)
  try {
    while (ahead !== undefined) {
      const { frames }: Fetched = await ahead
      const last: FetchedFrame | undefined = frames.at(-1)
      const next: Offset = last === undefined ? end : offsetOf(last.offset + BigInt(last.rows))
      if (last === undefined) throw hole(bucket, expected)
      ahead = next < end ? fetchFrom(log, table, bucket, next, end) : undefined
      for (const frame of frames) {
        if (frame.offset !== expected || frame.rows === 0) throw hole(bucket, expected)
        expected = offsetOf(expected + BigInt(frame.rows))
        yield frame
      }
    }
  } finally {
    await ahead?.catch(() => undefined)
  }
}

const readBytesMax = 8 * 1024 * 1024
const rowsMax = 10_000_000

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
