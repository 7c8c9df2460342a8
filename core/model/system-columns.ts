/** The columns that every row has besides its table's: where it lies in the log, and when it was committed. */
import type { DataType } from './types.ts'

export interface SystemColumn {
  readonly name: string
  readonly type: DataType
  readonly nullable: false
  /** Of the lake's columns where it has one; no table's column has it. */
  readonly id: number
}

export const bucketColumn: SystemColumn = { name: '__bucket', type: { kind: 'int' }, nullable: false, id: 1 }
export const offsetColumn: SystemColumn = { name: '__offset', type: { kind: 'bigint' }, nullable: false, id: 2 }
/** ms, the committer's clock. */
export const timestampColumn: SystemColumn = {
  name: '__timestamp',
  type: { kind: 'timestamp_ltz', precision: 3 },
  nullable: false,
  id: 3,
}
/** Its name; empty where the table is not partitioned. */
export const partitionColumn: SystemColumn = { name: '__partition', type: { kind: 'string' }, nullable: false, id: -1 }

/** In the order in which answers have them. */
export const systemColumns: readonly SystemColumn[] = [offsetColumn, timestampColumn, partitionColumn, bucketColumn]
