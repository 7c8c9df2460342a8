/**
 * What a record of a keyed table's log has beside its row: what it does, and, where it takes a row back, at which offset that row was
 * written. `__prev` below zero counts back from the record itself, for a row of the same commit, because a commit that is tried again
 * gets other offsets.
 */
import type { Schema, Table } from './table.ts'
import type { DataType } from './types.ts'

export interface ChangelogColumn {
  readonly name: string
  readonly type: DataType
  readonly nullable: boolean
  /** No table's column has it, nor any that says where a row lies. */
  readonly id: number
}

/** As in the contract: `__op` int8. */
export const changeKinds = ['+A', '+I', '-U', '+U', '-D'] as const
export const changes = { append: 0, insert: 1, updateBefore: 2, updateAfter: 3, delete: 4 } as const
export type ChangeCode = (typeof changes)[keyof typeof changes]

export const opColumn: ChangelogColumn = { name: '__op', type: { kind: 'tinyint' }, nullable: false, id: -2 }
export const prevColumn: ChangelogColumn = { name: '__prev', type: { kind: 'bigint' }, nullable: true, id: -3 }

export const isKeyed = (table: Pick<Table, 'primaryKey'>): boolean => (table.primaryKey?.length ?? 0) > 0

/** As the rows of a table lie in its log. */
export function logSchemaOf(table: Pick<Table, 'primaryKey'>, schema: Schema): Schema {
  if (!isKeyed(table)) return schema
  return { ...schema, columns: [...schema.columns, opColumn, prevColumn] }
}
