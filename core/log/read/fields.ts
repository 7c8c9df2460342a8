/** The fields of stored frames: a frame was written under a schema id, and its columns are those of that schema, in order. */
import type { Field } from '../../format/arrow/column.ts'
import { assert } from '../../kernel/assert.ts'
import type { Table } from '../../model/table.ts'

export function schemaFields(table: Table, schemaId: number): readonly Field[] {
  assert(schemaId === table.schema.schemaId, 'a frame has the schema of its table', { schemaId, tableId: table.tableId })
  return table.schema.columns
}
