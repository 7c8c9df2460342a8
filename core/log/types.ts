/** What goes into the log and what comes out of it. */
import type { Batch } from '../format/arrow/column.ts'
import type { SluiceError } from '../kernel/errors.ts'
import type { Offset } from '../kernel/ids.ts'
import type { Partition } from '../model/partition.ts'

/** A producer as the head knows it; `id` = base64url of the first 8 bytes of SHA-256(principal, NUL, Producer-Id). */
export interface Producer {
  readonly id: string
  readonly epoch: bigint
  readonly sequence: bigint
  /** CRC-32 of the request body after Content-Encoding. */
  readonly crc: number
  /** Gap detection: sequence must be last + 1 (requests with `?bucket=`). */
  readonly gapDetection: boolean
}

/** The rows of one request for one bucket, in order. The partition is named; one that is missing is created. */
export interface BucketRows {
  readonly partition: string
  readonly bucket: number
  readonly batches: readonly Batch[]
}

export interface AppendRequest {
  readonly parts: readonly BucketRows[]
  readonly producer?: Producer
}

/** Per touched bucket, in the order of the request's parts. */
export interface BucketAppended {
  /** Its name. */
  readonly partition: string
  readonly bucket: number
  /** `done`: rows are at [base, end) · otherwise why not; its effect says what is known. */
  readonly outcome:
    | { readonly done: true; readonly base: Offset; readonly end: Offset; readonly duplicate: boolean }
    | { readonly done: false; readonly error: SluiceError }
}

export interface FetchRequest {
  readonly partition: Partition
  readonly bucket: number
  readonly from: Offset | 'earliest' | 'latest'
  readonly rowsMax: number
  /** Of stored frames; at least one row comes whatever it says. */
  readonly bytesMax: number
}

/** Stored frames, first and last cut to the rows asked for. */
export interface FetchedFrame {
  /** One Arrow RecordBatch message, metadata patched: partition, bucket, offset of its first row, timestamp. */
  readonly bytes: Uint8Array
  readonly schemaId: number
  readonly rows: number
  readonly offset: Offset
  /** ms since 1970: the committer's clock. */
  readonly timestamp: number
}

export interface Fetched {
  readonly frames: readonly FetchedFrame[]
  readonly start: Offset
  readonly next: Offset
  /** From a strong read. */
  readonly end: Offset
  readonly logStart: Offset
}

export interface BucketOffsets {
  readonly partition: Partition
  readonly bucket: number
  readonly start: Offset
  readonly end: Offset
}
