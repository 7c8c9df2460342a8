/**
 * CSV as NDJSON. The first line names the columns; a cell becomes what the contract writes for the type of its column. An empty cell is
 * null, but a quoted one in a column of strings is the empty text.
 */
import type { Readable } from 'node:stream'
import { type CsvError, parse } from 'csv-parse'
import { parseType } from '../../core/model/type-text.ts'
import type { DataType } from '../../core/model/types.ts'
import { Failure } from '../failure.ts'

export interface CsvColumn {
  readonly name: string
  readonly type: string
}

interface Cell {
  readonly text: string
  readonly isQuoted: boolean
}

interface Record {
  readonly record: readonly Cell[]
  readonly info: { readonly lines: number }
}

type Write = (text: string) => string | undefined

interface NamedWriter {
  readonly name: string
  readonly key: string
  readonly isText: boolean
  readonly type: string
  readonly write: Write
}

/** A line each, without its end. Errors: a column that the table lacks, a cell that is not of its column's type, both with the line. */
export async function* csvLines(source: Readable, columns: readonly CsvColumn[]): AsyncGenerator<string> {
  const parser = parse({
    bom: true,
    info: true,
    skip_empty_lines: true,
    cast: (text, { quoting }) => ({ text, isQuoted: quoting }) as unknown as string,
  })
  source.on('error', (error) => parser.destroy(error))
  let writers: readonly (NamedWriter | undefined)[] | undefined
  try {
    for await (const each of source.pipe(parser)) {
      const { record, info } = each as Record
      if (writers === undefined) writers = headWriters(record, columns)
      else yield lineOf(record, writers, info.lines)
    }
  } catch (error) {
    const { code, message } = error as CsvError
    throw typeof code === 'string' && code.startsWith('CSV_') ? new Failure(`the CSV is broken: ${message}`) : error
  }
}

/** Columns of the system are ignored, as in any other format, but for what a row asks of a keyed table. */
function headWriters(head: readonly Cell[], columns: readonly CsvColumn[]): readonly (NamedWriter | undefined)[] {
  return head.map(({ text }) => {
    const name = text.trim()
    if (name === '__op') return { name, key: '"__op"', isText: true, type: 'string', write: writerOf(parseType('string')) }
    if (name.startsWith('__')) return undefined
    const column = columns.find((each) => each.name === name)
    if (column === undefined) {
      const known = columns.map((each) => each.name).join(', ')
      throw new Failure(`the table has no column ${JSON.stringify(name)}, which the first line of the CSV names; it has ${known}`)
    }
    const type = parseType(column.type)
    return { name, key: JSON.stringify(name), isText: type.kind === 'string', type: column.type, write: writerOf(type) }
  })
}

function lineOf(cells: readonly Cell[], writers: readonly (NamedWriter | undefined)[], line: number): string {
  const parts: string[] = []
  for (const [i, { text, isQuoted }] of cells.entries()) {
    const writer = writers[i]
    if (writer === undefined || (text === '' && !(isQuoted && writer.isText))) continue
    const value = writer.write(writer.isText ? text : text.trim())
    if (value === undefined)
      throw new Failure(`line ${line}: ${JSON.stringify(text)} is no ${writer.type}, the type of column ${writer.name}`)
    parts.push(`${writer.key}:${value}`)
  }
  return `{${parts.join()}}`
}

const numberText = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/
const notFinite: ReadonlyMap<string, string> = new Map([
  ['nan', '"NaN"'],
  ['inf', '"Infinity"'],
  ['infinity', '"Infinity"'],
  ['-inf', '"-Infinity"'],
  ['-infinity', '"-Infinity"'],
])

function writerOf({ kind }: DataType): Write {
  switch (kind) {
    case 'boolean':
      return (text) => (/^(true|false)$/i.test(text) ? text.toLowerCase() : undefined)
    case 'tinyint':
    case 'smallint':
    case 'int':
      return (text) => (numberText.test(text) ? text : undefined)
    case 'float':
    case 'double':
      return (text) => (numberText.test(text) ? text : notFinite.get(text.toLowerCase()))
    case 'timestamp':
    case 'timestamp_ltz':
      return (text) => JSON.stringify(text.replace(/^([0-9-]+) (?=[0-9])/, '$1T'))
    case 'array':
    case 'map':
    case 'row':
    case 'vector':
      return (text) => (isJson(text) ? text.replaceAll(/[\r\n]/g, ' ') : undefined)
    default:
      return (text) => JSON.stringify(text)
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
