/**
 * Rows of a request for one bucket as operations on keys. A record's own `__op` goes before that of the request; `-U` says nothing of
 * its own, because the `+U` that follows it says what the row is then.
 */
import type { Batch, ColumnData } from '../../format/arrow/column.ts'
import { lengthOfSpan, type Span } from '../../kernel/bytes.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { limits } from '../../kernel/limits.ts'
import type { NamedPart } from '../../log/append/appender.ts'
import { changes, opColumn } from '../../model/changelog.ts'
import type { Table } from '../../model/table.ts'
import { keyFormOf, keysOf } from '../key.ts'
import { encodeRows } from '../row-columns.ts'
import { valuesOf } from '../values.ts'

export interface Operation {
  readonly kind: 'upsert' | 'delete'
  readonly key: string
  /** As bytes, in the order of the table's columns. */
  readonly row: Span
}

/** Names of the columns that a request writes · `key`: only keys that are not there. Absent: all columns. */
export type WrittenColumns = readonly string[] | 'key'

/** One request's operations for one bucket, in order. */
export interface KeyedRows extends NamedPart {
  /** As the request's rows were read. */
  readonly table: Table
  readonly operations: readonly Operation[]
  readonly targets: WrittenColumns | undefined
}

/** `batches`: the table's columns in their order, then `__op` where rows have one. Errors: `invalid-rows`: a key that cannot be one, a row that is too large. */
export function operationsOf(table: Table, batches: readonly Batch[], kind: Operation['kind']): readonly Operation[] {
  const form = keyFormOf(table)
  const width = table.schema.columns.length
  const operations: Operation[] = []
  for (const batch of batches) {
    const columns = batch.columns.slice(0, width)
    const ops = batch.fields[width]?.id === opColumn.id ? valuesOf(batch.columns[width] as ColumnData) : undefined
    const keys = keysOf(form, columns, batch.rows)
    for (const [i, row] of encodeRows(columns, batch.rows).entries()) {
      const op = ops?.[i] ?? null
      if (op === changes.updateBefore) continue
      const own = op === null ? kind : op === changes.delete ? 'delete' : 'upsert'
      if (lengthOfSpan(row) > limits.rowBytesMax) throw tooLarge(lengthOfSpan(row))
      operations.push({ kind: own, key: keys[i] as string, row })
    }
  }
  return operations
}

/** As it is kept a row may be larger than as it came: a boolean in a list is a byte. */
const tooLarge = (bytes: number): SluiceError =>
  new SluiceError(
    'invalid-rows',
    `a row takes ${bytes} bytes under its key, at most ${limits.rowBytesMax} are allowed: make it smaller`,
    {
      facts: { limit: 'rowBytesMax', bytes },
    },
  )
