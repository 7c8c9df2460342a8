/**
 * Rows of a request for one bucket as operations on keys. A record's own `__op` goes before that of the request; `-U` says nothing of
 * its own, because the `+U` that follows it says what the row is then.
 */
import type { Batch } from '../../format/arrow/column.ts'
import type { NamedPart } from '../../log/append/appender.ts'
import { changes, opColumn } from '../../model/changelog.ts'
import type { Table } from '../../model/table.ts'
import { keyFormOf, keyOf } from '../key.ts'
import { type Row, rowsOf } from '../values.ts'

export interface Operation {
  readonly kind: 'upsert' | 'delete'
  readonly key: string
  /** In the order of the table's columns. */
  readonly row: Row
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

/** `batches`: the table's columns in their order, then `__op` where rows have one. Errors: `invalid-rows`: a key that cannot be one. */
export function operationsOf(table: Table, batches: readonly Batch[], kind: Operation['kind']): readonly Operation[] {
  const form = keyFormOf(table)
  const width = table.schema.columns.length
  const operations: Operation[] = []
  for (const batch of batches) {
    const hasOp = batch.fields[width]?.id === opColumn.id
    for (const row of rowsOf(batch)) {
      const op = hasOp ? row[width] : null
      if (op === changes.updateBefore) continue
      const own = op === null || op === undefined ? kind : op === changes.delete ? 'delete' : 'upsert'
      operations.push({ kind: own, key: keyOf(form, row), row: hasOp ? row.slice(0, width) : row })
    }
  }
  return operations
}
