/** How fetched rows become the body of an answer. */
import type { FetchedRows } from '../../core/log/read/rows.ts'

export interface RowsWriter {
  /** What a body has besides its rows: it counts too. */
  readonly wrappingBytes: number
  /** `bytesMax`: of the rows; at least one is written if there is one. */
  readonly write: (fetched: readonly FetchedRows[], bytesMax: number) => AnswerRows
}

export interface AnswerRows {
  readonly pieces: readonly Uint8Array[]
  readonly rows: number
  /** Lets memory that was made for the pieces go, when they are sent. */
  readonly release?: () => void
}
