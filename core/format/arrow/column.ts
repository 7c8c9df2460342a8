/**
 * Rows in memory: Arrow buffers of the table's own types, never dictionaries, never compressed. This is the one
 * representation between JSON, Arrow IPC, the log and Parquet. Buffers may be views into a larger body (zero copy);
 * nobody writes into a Column after it is made.
 */
import type { DataType } from '../../model/types.ts'

export interface ColumnData {
  readonly type: DataType
  readonly length: number
  readonly nullCount: number
  /** Arrow validity bitmap (LSB first), at least ceil(length / 8) bytes; undefined when nullCount is 0. */
  readonly validity: Uint8Array | undefined
  /** length + 1 offsets for string, binary, array, map, from 0 (rebased). */
  readonly offsets: Int32Array | undefined
  /** Little-endian fixed-width values, bits for boolean, the characters of string and binary; undefined for nested types. */
  readonly values: Uint8Array | undefined
  /** array: [element] · map: [key, value] · row: a child a field · vector: [element] (length × dimension, float). */
  readonly children: readonly ColumnData[]
}

/** Named columns of equal length; names and types as in a table's schema, or a projection of it with system columns. */
export interface Batch {
  readonly rows: number
  readonly fields: readonly Field[]
  readonly columns: readonly ColumnData[]
}

export interface Field {
  readonly name: string
  readonly type: DataType
  readonly nullable: boolean
  /** Iceberg field id, written as PARQUET:field_id where a schema message is made with ids. */
  readonly id: number
}
