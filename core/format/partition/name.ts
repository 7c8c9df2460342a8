/**
 * Partition names ↔ typed values. A value stands in a name as the contract writes it in JSON, without quotes; reading goes by the
 * decoder of rows, and a name is accepted only in the one form that printing gives, so that a partition has one name.
 */
import { utf8, utf8Text } from '../../kernel/bytes.ts'
import { isSluiceError, SluiceError } from '../../kernel/errors.ts'
import { limits } from '../../kernel/limits.ts'
import { quoted } from '../../model/nearest.ts'
import { partitionLevels, partitionName } from '../../model/partition.ts'
import type { DataType } from '../../model/types.ts'
import type { Batch, Field } from '../arrow/column.ts'
import { isValid } from '../arrow/layout.ts'
import { decodeRows } from '../json/decode.ts'
import { Sink } from '../json/sink.ts'
import { writerOf } from '../json/value-writers.ts'

/** The partition of a row. `by`: columns of the batch. Errors: `invalid-rows` (a name too long). */
export function printPartitionName(batch: Batch, by: readonly string[], row: number): string {
  const name = partitionName(by.map((column) => ({ column, value: valueText(batch, column, row) })))
  if (utf8(name).length <= limits.partitionNameBytesMax) return name
  throw new SluiceError(
    'invalid-rows',
    `row ${row}: its partition's name has more than ${limits.partitionNameBytesMax} bytes: use shorter values`,
    { facts: { row } },
  )
}

/** A name as one row of the partition columns. Errors: `invalid-name`. */
export function readPartitionName(fields: readonly Field[], name: string): Batch {
  const columns = fields.map((field) => field.name)
  const levels = utf8(name).length <= limits.partitionNameBytesMax ? partitionLevels(name) : undefined
  if (levels === undefined || levels.length !== columns.length || levels.some(({ column }, i) => column !== columns[i]))
    throw invalid(name, `it is written ${columns.map((column) => `${column}=…`).join('/')}, with special characters as %XX`)
  const row = fields.map((field, i) => `${JSON.stringify(field.name)}:${jsonOf(field.type, levels[i]?.value ?? null)}`)
  const [batch] = readRow(fields, name, `{${row.join(',')}}`)
  if (batch === undefined) throw invalid(name, 'it has no values')
  const printed = printPartitionName(batch, columns, 0)
  if (printed !== name) throw invalid(name, `write it as ${quoted(printed)}`)
  return batch
}

function readRow(fields: readonly Field[], name: string, text: string): readonly Batch[] {
  try {
    return decodeRows(utf8(text), fields, 'ndjson')
  } catch (error) {
    if (!isSluiceError(error)) throw error
    throw invalid(name, error.message.replace(/^line 1, column \d+: /, ''))
  }
}

function valueText(batch: Batch, column: string, row: number): string | null {
  const found = batch.columns[batch.fields.findIndex((field) => field.name === column)]
  if (found === undefined || !isValid(found, row)) return null
  const sink = new Sink(64)
  writerOf(found)(sink, row)
  const text = utf8Text(sink.finish())
  return text.startsWith('"') ? (JSON.parse(text) as string) : text
}

/** As text where the type is written as text; a number or a word stands for itself, and the decoder refuses what is none. */
function jsonOf(type: DataType, value: string | null): string {
  if (value === null) return 'null'
  const isBare =
    type.kind === 'boolean' || type.kind === 'tinyint' || type.kind === 'smallint' || type.kind === 'int' || isNumber(type, value)
  return isBare && /^[-+.0-9A-Za-z]{1,40}$/.test(value) ? value : JSON.stringify(value)
}

const isNumber = ({ kind }: DataType, value: string): boolean => (kind === 'float' || kind === 'double') && /^-?[0-9]/.test(value)

const invalid = (name: string, fix: string): SluiceError =>
  new SluiceError('invalid-name', `partition name ${quoted(name)} is not allowed: ${fix}`, {
    facts: { partition: name.slice(0, 256) },
  })
