/** `columns=a,b,*,__offset`: the columns of an answer, in that order. Names with a comma or a quote stand in double quotes. */
import { SluiceError } from '../../core/kernel/errors.ts'
import { isSystemColumn } from '../../core/log/read/system.ts'
import { isKeyed, opColumn } from '../../core/model/changelog.ts'
import { quoted, suggestion } from '../../core/model/nearest.ts'
import { systemColumns } from '../../core/model/system-columns.ts'
import type { Table } from '../../core/model/table.ts'
import type { DataType } from '../../core/model/types.ts'
import { namesIn } from '../columns.ts'

/** Of the table, or of the system: those say where a row lies. */
export interface AnswerColumn {
  readonly id: number
  readonly name: string
  readonly type: DataType
  readonly nullable: boolean
}

/** Those that the log reads. */
export const storedColumns = (columns: readonly AnswerColumn[]): readonly AnswerColumn[] =>
  columns.filter((column) => !isSystemColumn(column))

/**
 * All of the table's where `text` is undefined; of a changelog `__op` is last, named or not. Errors: `bad-request`.
 */
export function answerColumns(table: Table, text: string | undefined): readonly AnswerColumn[] {
  const own = isKeyed(table) ? [opColumn] : []
  if (text === undefined) return [...table.schema.columns, ...own]
  const all: readonly AnswerColumn[] = [...table.schema.columns, ...systemColumns, ...own]
  const known = new Map(all.map((column) => [column.name, column]))
  const found = new Set<AnswerColumn>()
  for (const { name, isQuoted } of namesIn(text)) {
    const columns = name === '*' && !isQuoted ? table.schema.columns : [known.get(name)]
    for (const column of columns) {
      if (column === undefined) throw bad(`there is no column ${quoted(name)}${suggestion(name, known.keys())}`)
      if (found.has(column)) throw bad(`${quoted(column.name)} is named twice`)
      found.add(column)
    }
  }
  return [...[...found].filter((column) => column !== opColumn), ...own]
}

const bad = (message: string): SluiceError =>
  new SluiceError('bad-request', `columns: ${message}`, { facts: { parameter: 'columns' } })
