/** What a client must know of a table: its columns' types, asked for when first needed and again when an answer shows that they changed. */
import type { Field } from '../core/format/arrow/column.ts'
import { systemColumns } from '../core/model/system-columns.ts'
import { parseType } from '../core/model/type-text.ts'
import type { DataType } from '../core/model/types.ts'
import type { TableDescription } from './answers.ts'
import { type Row, readRow, type Types } from './values.ts'

export function fieldsOf(table: TableDescription): readonly Field[] {
  return table.columns.flatMap(({ id, name, type, nullable }) => {
    const known = typeOf(type)
    return known === undefined ? [] : [{ id, name, nullable, type: known }]
  })
}

export function typesOf(table: TableDescription): Types {
  const system = systemColumns.map(({ name, type }) => [name, type] as const)
  return new Map([...table.columns.map(({ name, type }) => [name, typeOf(type)] as const), ...system])
}

/** Undefined for a type that a newer server has. */
function typeOf(text: string): DataType | undefined {
  try {
    return parseType(text)
  } catch {
    return undefined
  }
}

export class RowReader {
  readonly #describe: () => Promise<TableDescription>
  #types: Promise<Types> | undefined
  constructor(describe: () => Promise<TableDescription>) {
    this.#describe = describe
  }

  /** As they were when last asked for. */
  types(): Promise<Types> {
    this.#types ??= this.#ask()
    return this.#types
  }

  async read(rows: readonly Row[]): Promise<readonly Row[]> {
    if (rows.length === 0) return []
    const asked = this.types()
    const known = await asked
    const typed = rows.map((row) => readRow(row, known))
    if (typed.every((row) => row !== undefined)) return typed
    // unless another reader of the same rows was quicker
    if (this.#types === asked) this.#types = this.#ask()
    const fresh = await this.types()
    // what is still not known passes as it is
    return rows.map((row) => readRow(row, fresh) ?? row)
  }

  #ask(): Promise<Types> {
    const types = this.#describe().then(typesOf)
    types.catch(() => {
      if (this.#types === types) this.#types = undefined
    })
    return types
  }
}
