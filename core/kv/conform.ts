/** Rows of one schema as rows of another of the same table: columns by id, missing ones null, narrower ones widened. Pure. */
import type { Schema } from '../model/table.ts'
import { printType } from '../model/type-text.ts'
import type { DataType } from '../model/types.ts'
import type { Row, Value } from './values.ts'

export type Conform = (row: Row) => Row

export function conformOf(from: Schema, to: Schema): Conform {
  if (from.schemaId === to.schemaId) return (row) => row
  const sources = to.columns.map((wanted) => {
    const index = from.columns.findIndex(({ id }) => id === wanted.id)
    const found = from.columns[index]
    const isSame = found !== undefined && printType(found.type) === printType(wanted.type)
    return { index, type: isSame ? undefined : wanted.type }
  })
  return (row) =>
    sources.map(({ index, type }) => {
      const value = index < 0 ? null : (row[index] ?? null)
      return type === undefined ? value : widened(value, type)
    })
}

/** A whole number becomes the wider kind; a float is a double, and a decimal one of more digits, as it is. */
const widened = (value: Value, { kind }: DataType): Value =>
  kind === 'bigint' && typeof value === 'number' ? BigInt(value) : value
