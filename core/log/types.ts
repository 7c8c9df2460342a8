/** What goes into the log and what comes out of it. */
import type { Batch, Field } from '../format/arrow/column.ts'
import type { SluiceError } from '../kernel/errors.ts'
import type { Offset } from '../kernel/ids.ts'
import type { Filter } from '../model/filter.ts'
import type { BucketRef, Partition } from '../model/partition.ts'
import type { FetchedRows } from './read/rows.ts'
import type { Position } from './read/walk.ts'

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
  readonly from: Position
  /** Of the table; all of them where absent. */
  readonly fields?: readonly Field[]
  readonly filter?: Filter
  readonly rowsMax: number
  /** Of Arrow; at least one row comes whatever it says. */
  readonly bytesMax: number
}

export interface Fetched {
  /** In order; without a hole unless a filter left rows out. */
  readonly rows: readonly FetchedRows[]
  readonly start: Offset
  /** Past what a filter left out. */
  readonly next: Offset
  /** From a strong read. */
  readonly end: Offset
  readonly logStart: Offset
}

export interface BucketOffsets extends BucketRef {
  readonly start: Offset
  readonly end: Offset
  /** Not closed by a drop. */
  readonly isOpen: boolean
  readonly sizes: LogSizes
}

/** What a head says of the bytes of its rows, as they were appended. */
export interface LogSizes {
  /** All rows before the recent ones, from the bucket's first on. */
  readonly older: RowsAndBytes
  /** The latest commits, oldest first. */
  readonly recent: readonly RowsAndBytes[]
}

export interface RowsAndBytes {
  readonly rows: bigint
  readonly bytes: bigint
}
