/** Fetched rows as JSON, up to a number of bytes but at least one row. */
import type { Batch } from '../../core/format/arrow/column.ts'
import { int8s } from '../../core/format/arrow/layout.ts'
import type { PlacedBatch } from '../../core/format/json/encode.ts'
import { joinedByCommas, linesOf, takeLines } from '../../core/format/json/lines.ts'
import { present } from '../../core/kernel/assert.ts'
import { utf8 } from '../../core/kernel/bytes.ts'
import { decodeBuffers } from '../../core/log/read/conform.ts'
import type { FetchedRows } from '../../core/log/read/rows.ts'
import { opColumn } from '../../core/model/changelog.ts'
import { bucketColumn, partitionColumn } from '../../core/model/system-columns.ts'
import { type AnswerColumn, storedColumns } from './columns.ts'
import type { RowsWriter } from './rows-writer.ts'

export interface JsonForm {
  /** `lines`: NDJSON · `object`: `{"rows":[…]}` */
  readonly wrapping: 'lines' | 'object'
  /** Rows end with partition and bucket too. */
  readonly isTable: boolean
}

/** Rows always end with where they lie, so `columns` need not name that. */
export function jsonWriter(columns: readonly AnswerColumn[], { wrapping, isTable }: JsonForm): RowsWriter {
  const isPlaced = isTable || columns.some(({ id }) => id === partitionColumn.id || id === bucketColumn.id)
  const stored = storedColumns(columns)
  const opIndex = stored.findIndex(({ id }) => id === opColumn.id)
  const [head, tail] = wrappings[wrapping]
  return {
    // the last line's end is not in it
    wrappingBytes: wrapping === 'lines' ? 0 : head.length + tail.length - 1,
    write: (fetched, bytesMax) => {
      const { pieces, rows } = takeLines(linesOf(placedBatches({ stored, opIndex, isPlaced }, fetched)), bytesMax)
      return { pieces: wrapping === 'lines' ? pieces : [head, ...joinedByCommas(pieces), tail], rows }
    },
  }
}

const wrappings = {
  lines: [new Uint8Array(0), new Uint8Array(0)],
  object: [utf8('{"rows":['), utf8(']}')],
} as const

interface Placing {
  readonly stored: readonly AnswerColumn[]
  /** Of `__op` among them; below zero: rows of no changelog. */
  readonly opIndex: number
  readonly isPlaced: boolean
}

function* placedBatches({ stored, opIndex, isPlaced }: Placing, fetched: readonly FetchedRows[]): Iterable<PlacedBatch> {
  for (const rows of fetched) {
    const whole = decodeBuffers(stored, rows.rows, rows.columns())
    const ops = opIndex < 0 ? undefined : int8s(present(whole.columns[opIndex]?.values, 'the values of __op'), rows.rows)
    const { offset, timestamp, picked, partition, bucket } = rows
    const place = isPlaced ? { partition: partition.name, bucket } : undefined
    yield {
      batch: opIndex < 0 ? whole : without(whole, opIndex),
      position: { offset, timestamp, ...(picked && { picked }), ...(ops && { ops }), ...place },
    }
  }
}

const without = ({ rows, fields, columns }: Batch, index: number): Batch => ({
  rows,
  fields: fields.filter((_, i) => i !== index),
  columns: columns.filter((_, i) => i !== index),
})
