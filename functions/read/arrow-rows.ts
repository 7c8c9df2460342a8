/**
 * Rows as an Arrow stream: schema, a record batch for each run of rows, end. Stored messages pass through, only their metadata is
 * patched; columns that are a part of a message go into a new one as they lie.
 */
import { buffersOf, type ColumnBuffers } from '../../core/format/arrow/column-buffers.ts'
import { assembleFrame, patchedPieces } from '../../core/format/arrow/frame.ts'
import { encodeSchemaMessage, endOfStream } from '../../core/format/arrow/schema.ts'
import { present } from '../../core/kernel/assert.ts'
import { lengthOf } from '../../core/kernel/bytes.ts'
import type { FetchedRows } from '../../core/log/read/rows.ts'
import { isSystemColumn, systemData } from '../../core/log/read/system.ts'
import type { AnswerColumn } from './columns.ts'
import type { AnswerRows, RowsWriter } from './rows-writer.ts'

export function arrowWriter(columns: readonly AnswerColumn[]): RowsWriter {
  const schema = encodeSchemaMessage(columns)
  return {
    wrappingBytes: schema.length + endOfStream.length,
    write: (fetched, bytesMax) => {
      const frames = takeFrames(columns, fetched, bytesMax)
      return { pieces: [schema, ...frames.pieces, endOfStream], rows: frames.rows }
    },
  }
}

/** As many as fit, at least one. */
function takeFrames(columns: readonly AnswerColumn[], fetched: readonly FetchedRows[], bytesMax: number): AnswerRows {
  const pieces: Uint8Array[] = []
  let rows = 0
  let left = bytesMax
  for (const batch of fetched) {
    const frame = framePieces(columns, batch)
    left -= lengthOf(frame)
    if (left < 0 && rows > 0) break
    pieces.push(...frame)
    rows += batch.rows
  }
  return { pieces, rows }
}

function framePieces(columns: readonly AnswerColumn[], batch: FetchedRows): readonly Uint8Array[] {
  const { partition, bucket, offset, timestamp, rows, message } = batch
  const isPlaced = columns.some(isSystemColumn)
  if (message !== undefined && !isPlaced) return patchedPieces(message, { bucket, offset, timestamp })
  const stored = batch.columns()
  const buffers = isPlaced ? withSystem(columns, batch, stored) : stored
  return assembleFrame(rows, buffers, { partition: partition.name, bucket, offset, timestamp }).pieces
}

function withSystem(
  columns: readonly AnswerColumn[],
  batch: FetchedRows,
  stored: readonly ColumnBuffers[],
): readonly ColumnBuffers[] {
  const place = { ...batch, partition: batch.partition.name }
  let next = 0
  return columns.map((column) =>
    isSystemColumn(column) ? buffersOf(systemData(column, place)) : present(stored[next++], 'a stored column'),
  )
}
