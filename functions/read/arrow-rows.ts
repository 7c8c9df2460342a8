/**
 * Rows as an Arrow stream: schema, a record batch for each run of rows, end. Stored messages pass through, only their metadata is
 * patched; columns that are a part of a message go into a new one as they lie.
 */
import { buffersOf, type ColumnBuffers } from '../../core/format/arrow/column-buffers.ts'
import { assembleFrame, patchedPieces } from '../../core/format/arrow/frame.ts'
import { encodeSchemaMessage, endOfStream } from '../../core/format/arrow/schema.ts'
import { present } from '../../core/kernel/assert.ts'
import { fewer, lengthOf } from '../../core/kernel/bytes.ts'
import type { FetchedRows } from '../../core/log/read/rows.ts'
import { isSystemColumn, type Lend, systemData } from '../../core/log/read/system.ts'
import type { AnswerColumn } from './columns.ts'
import type { AnswerRows, RowsWriter } from './rows-writer.ts'

export function arrowWriter(columns: readonly AnswerColumn[]): RowsWriter {
  const schema = encodeSchemaMessage(columns)
  return {
    wrappingBytes: schema.length + endOfStream.length,
    write: (fetched, bytesMax) => {
      const lent: ArrayBuffer[] = []
      const { pieces, rows } = takeFrames(columns, fetched, bytesMax, (bytes) => {
        const memory = new ArrayBuffer(bytes)
        lent.push(memory)
        return memory
      })
      const release = (): void => {
        for (const memory of lent.splice(0)) memory.transfer(0)
      }
      return { pieces: fewer([schema, ...pieces, endOfStream]), rows, release }
    },
  }
}

/** As many as fit, at least one. */
function takeFrames(
  columns: readonly AnswerColumn[],
  fetched: readonly FetchedRows[],
  bytesMax: number,
  lend: Lend,
): Pick<AnswerRows, 'pieces' | 'rows'> {
  const pieces: Uint8Array[] = []
  let rows = 0
  let left = bytesMax
  for (const batch of fetched) {
    const frame = framePieces(columns, batch, lend)
    left -= lengthOf(frame)
    if (left < 0 && rows > 0) break
    pieces.push(...frame)
    rows += batch.rows
  }
  return { pieces, rows }
}

function framePieces(columns: readonly AnswerColumn[], batch: FetchedRows, lend: Lend): readonly Uint8Array[] {
  const { partition, bucket, offset, timestamp, rows, message, room } = batch
  const isPlaced = columns.some(isSystemColumn)
  if (message !== undefined && !isPlaced) return patchedPieces(message, { bucket, offset, timestamp })
  const stored = batch.columns()
  const buffers = isPlaced ? withSystem(columns, batch, stored, lend) : stored
  return assembleFrame(rows, buffers, { partition: partition.name, bucket, offset, timestamp }, room).pieces
}

function withSystem(
  columns: readonly AnswerColumn[],
  batch: FetchedRows,
  stored: readonly ColumnBuffers[],
  lend: Lend,
): readonly ColumnBuffers[] {
  const place = { ...batch, partition: batch.partition.name }
  let next = 0
  return columns.map((column) =>
    isSystemColumn(column) ? buffersOf(systemData(column, place, lend)) : present(stored[next++], 'a stored column'),
  )
}
