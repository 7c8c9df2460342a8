/** A table as the catalog keeps it. Column ids start at 4 (1 to 3 are __bucket, __offset, __timestamp) and are never reused. */
import type { Label, TableId } from '../kernel/ids.ts'
import type { TableOptions } from './options.ts'
import type { DataType } from './types.ts'

export interface Column {
  readonly id: number
  readonly name: string
  readonly type: DataType
  readonly nullable: boolean
  readonly comment?: string
  /** Its values are drawn as rows are inserted, and rows bring none. */
  readonly autoIncrement?: true
}

export interface Schema {
  /** From 1. */
  readonly schemaId: number
  readonly columns: readonly Column[]
}

export interface Buckets {
  /** 1 to 1,024. */
  readonly count: number
  /** Column names; absent: rows have no bucket key. */
  readonly key?: readonly string[]
}

/** What a person asks for; ids of types are 0. */
export interface TableSpec {
  readonly columns: readonly Omit<Column, 'id'>[]
  /** Column names, in the order of the key; absent: a log table. With it, `options.keyed` is there too. */
  readonly primaryKey?: readonly string[]
  /** Columns, in the order of the levels; empty: not partitioned. */
  readonly partitionBy: readonly string[]
  readonly buckets: Buckets
  readonly options: TableOptions
}

export interface Table {
  readonly database: string
  readonly name: string
  readonly tableId: TableId
  readonly schema: Schema
  /** As in the specification. */
  readonly primaryKey?: readonly string[]
  readonly partitionBy: readonly string[]
  readonly buckets: Buckets
  readonly options: TableOptions
  /** The greatest label below which a late commit is refused; copied into a head at its birth. */
  readonly gc: Label
  readonly state: 'alive' | 'dropping'
  /** ms since 1970. */
  readonly createdAt: number
  /** Greatest column or nested field id given so far. */
  readonly lastColumnId: number
  /** Names that columns had under older schemas, to their ids; none that a column has now. */
  readonly formerNames?: Readonly<Record<string, number>>
  /** ms since 1970: since then rows are kept past `log.ttl`, because the lake does not have them yet. */
  readonly lakeBehindSince?: number
}
