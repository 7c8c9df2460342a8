/** What a client must know of a table: its columns' types, asked for when first needed and again when an answer shows that they changed. */
import type { Field } from '../core/format/arrow/column.ts'
import { systemColumns } from '../core/model/system-columns.ts'
import { parseType } from '../core/model/type-text.ts'
import type { DataType } from '../core/model/types.ts'
import type { TableDescription } from './answers.ts'
import type { Row, Types } from './values.ts'
import { readRow } from './values.ts'

export function fieldsOf(table: TableDescription): readonly Field[] {
  return table.columns.flatMap(({ id, name, type, nullable }) => {
    const known = typeOf(type)
    return known === undefined ? [] : [{ id, name, nullable, type: known }]
  })
}

export function typesOf(table: TableDescription): Types {
  const system = systemColumns.map(({ name, type }) => [name, type] as const)
  return new Map([...fieldsOf(table).map(({ name, type }) => [name, type] as const), ...system])
}

/** Undefined for a type that a newer server has: its values pass as they are. */
function typeOf(text: string): DataType | undefined {
  try {
    return parseType(text)
  } catch {
    return undefined
  }
}

export class RowReader {
  readonly #describe: () => Promise<TableDescription>
  #types: Types | undefined
  constructor(describe: () => Promise<TableDescription>) {
    this.#describe = describe
  }

  async read(rows: readonly Row[]): Promise<readonly Row[]> {
    if (rows.length === 0) return []
    this.#types ??= typesOf(await this.#describe())
    const known = this.#types
    const typed = rows.map((row) => readRow(row, known))
    if (typed.every((row) => row !== undefined)) return typed
    const fresh = typesOf(await this.#describe())
    this.#types = fresh
    // what is still not known passes as it is
    return rows.map((row) => readRow(row, fresh) ?? row)
  }
}
