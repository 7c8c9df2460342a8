/** `columns=a,b,*,__offset`: the columns of an answer, in that order. Names with a comma or a quote stand in double quotes. */
import { SluiceError } from '../../core/kernel/errors.ts'
import { isSystemColumn } from '../../core/log/read/system.ts'
import { quoted, suggestion } from '../../core/model/nearest.ts'
import { systemColumns } from '../../core/model/system-columns.ts'
import type { Table } from '../../core/model/table.ts'
import type { DataType } from '../../core/model/types.ts'

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

/** All of the table's where `text` is undefined. Errors: `bad-request`. */
export function answerColumns(table: Table, text: string | undefined): readonly AnswerColumn[] {
  if (text === undefined) return table.schema.columns
  const known = new Map<string, AnswerColumn>([...table.schema.columns, ...systemColumns].map((column) => [column.name, column]))
  const found = new Set<AnswerColumn>()
  for (const { name, isQuoted } of namesIn(text)) {
    const columns = name === '*' && !isQuoted ? table.schema.columns : [known.get(name)]
    for (const column of columns) {
      if (column === undefined) throw bad(`there is no column ${quoted(name)}${suggestion(name, known.keys())}`)
      if (found.has(column)) throw bad(`${quoted(column.name)} is named twice`)
      found.add(column)
    }
  }
  return [...found]
}

interface Name {
  readonly name: string
  readonly isQuoted: boolean
}

/** Sticky: a quoted name in which two quotes stand for one, or anything else up to a comma. */
const namePattern = /"(?:[^"]|"")*"|[^,"]+/y

function namesIn(text: string): readonly Name[] {
  const names: Name[] = []
  for (let at = 0; at <= text.length; at++) {
    namePattern.lastIndex = at
    const [token] = namePattern.exec(text) ?? []
    if (token === undefined) throw bad('a name is missing: write columns=a,b')
    at += token.length
    if (at < text.length && text[at] !== ',') throw bad('names are separated by commas: write columns=a,b')
    const isQuoted = token.startsWith('"')
    names.push({ name: isQuoted ? token.slice(1, -1).replaceAll('""', '"') : token.trim(), isQuoted })
  }
  return names
}

const bad = (message: string): SluiceError =>
  new SluiceError('bad-request', `columns: ${message}`, { facts: { parameter: 'columns' } })
