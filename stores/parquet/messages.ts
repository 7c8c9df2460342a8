/** What the pool and its workers say to each other. One request at a time per worker. Buffers are transferred, never copied. */
import type { JoinOptions } from '../../core/ports/parquet.ts'

export interface ParquetRequest {
  /** An Arrow stream to write, or files to join; a file to read where there are no options. */
  readonly source: Uint8Array<ArrayBuffer> | readonly Uint8Array<ArrayBuffer>[]
  readonly options?: JoinOptions
}

/** `file`: Arrow IPC where one was read. */
export type ParquetReply = { readonly file: Uint8Array<ArrayBuffer>; readonly files: number } | { readonly error: string }
