/**
 * Rows of a request for one bucket as operations on keys. A record's own `__op` goes before that of the request; `-U` says nothing of
 * its own, because the `+U` that follows it says what the row is then.
 */
import type { Batch, ColumnData } from '../../format/arrow/column.ts'
import type { Span } from '../../kernel/bytes.ts'
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

/** `batches`: the table's columns in their order, then `__op` where rows have one. Errors: `invalid-rows`: a key that cannot be one. */
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
      operations.push({ kind: own, key: keys[i] as string, row })
    }
  }
  return operations
}
