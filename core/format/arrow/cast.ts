/** A foreign column as one of the table's type: exact, or refused with the column and the row. */
import { assert } from '../../kernel/assert.ts'
import { printType } from '../../model/type-text.ts'
import type { DataType } from '../../model/types.ts'
import { countBits, setBit } from './bits.ts'
import { spend } from './budget.ts'
import { castArray, castMap, castRow, castVector, gatherWithin } from './cast-nested.ts'
import { castDecimal, castFloat, castInt } from './cast-number.ts'
import { castText } from './cast-text.ts'
import { castDate, castTime, castTimestamp } from './cast-time.ts'
import { bufferOf, type Casting, fixedColumn, isNullAt, mismatch, nullColumn, rowProblem } from './casting.ts'
import type { ColumnData } from './column.ts'
import type { IntType } from './foreign.ts'
import type { ForeignColumn } from './foreign-columns.ts'
import { bitmapBytes, int32s, isValid, uint32s } from './layout.ts'
import { concatColumns } from './take.ts'

export function castColumn(source: ForeignColumn, target: DataType, casting: Casting): ColumnData {
  // buffers may be named many times over: what is looked at counts, not what was sent
  for (const buffer of source.buffers) spend(casting.work, buffer.length)
  if (source.field.dictionary !== undefined) return castDictionary(source, source.field.dictionary.index, target, casting)
  if (source.field.type.kind === 'null') return nullColumn(target, source.length, casting.work)
  switch (target.kind) {
    case 'boolean':
      if (source.field.type.kind !== 'bool') throw mismatch(casting, source, target)
      return fixedColumn(target, source, bufferOf(source, 0, bitmapBytes(source.length)))
    case 'tinyint':
    case 'smallint':
    case 'int':
    case 'bigint':
      return castInt(source, target, casting)
    case 'float':
    case 'double':
      return castFloat(source, target, casting)
    case 'decimal':
      return castDecimal(source, target, casting)
    case 'string':
    case 'binary':
      return castText(source, target, casting)
    case 'date':
      return castDate(source, target, casting)
    case 'time':
      return castTime(source, target, casting)
    case 'timestamp':
    case 'timestamp_ltz':
      return castTimestamp(source, target, casting)
    case 'array':
      return castArray(source, target, casting, castColumn)
    case 'map':
      return castMap(source, target, casting, castColumn)
    case 'row':
      return castRow(source, target, casting, castColumn)
    case 'vector':
      return castVector(source, target, casting, castColumn)
  }
}

function castDictionary(source: ForeignColumn, index: IntType, target: DataType, casting: Casting): ColumnData {
  const values = dictionaryValues(source, target, casting)
  if (source.nullCount === source.length || values === undefined) {
    if (source.nullCount < source.length) throw rowProblem(casting, 0, 'its dictionary has not come')
    return nullColumn(target, source.length, casting.work)
  }
  spend(casting.work, 4 * source.length)
  const indices = readIndices(source, index, values.length, casting)
  const gathered = gatherWithin(values, indices, casting)
  if (source.nullCount === 0) return gathered
  return withNulls(gathered, source)
}

/** All values of the column's dictionary as the target type; cast once for all its batches. */
function dictionaryValues(source: ForeignColumn, target: DataType, casting: Casting): ColumnData | undefined {
  if (source.dictionary.length === 0) return undefined
  const casts = casting.dictionaries.get(source.dictionary) ?? new Map<string, ColumnData>()
  casting.dictionaries.set(source.dictionary, casts)
  const key = printType(target)
  const known = casts.get(key)
  if (known !== undefined) return known
  const parts = source.dictionary.map((part) =>
    castColumn(part, target, { ...casting, isNested: true, path: `${casting.path}.dictionary` }),
  )
  if (parts.length > 1)
    spend(
      casting.work,
      parts.reduce((sum, part) => sum + 16 * part.length + (part.values?.length ?? 0), 0),
    )
  const whole = concatColumns(parts)
  casts.set(key, whole)
  return whole.length === 0 ? undefined : whole
}

function readIndices(source: ForeignColumn, { bits, signed }: IntType, size: number, casting: Casting): Uint32Array {
  const { length } = source
  const bytes = bufferOf(source, 0, (length * bits) / 8)
  const out = new Uint32Array(length)
  const words = bits >= 32 ? int32s(bytes, (length * bits) / 32) : undefined
  const unsigned = bits >= 32 ? uint32s(bytes, (length * bits) / 32) : undefined
  for (let i = 0; i < length; i++) {
    if (isNullAt(source, i)) continue
    let at: number
    if (words === undefined || unsigned === undefined) {
      const low = bits === 8 ? (bytes[i] as number) : (bytes[2 * i] as number) | ((bytes[2 * i + 1] as number) << 8)
      at = signed && low >= 2 ** (bits - 1) ? -1 : low
    } else if (bits === 32) at = signed ? (words[i] as number) : (unsigned[i] as number)
    else at = words[2 * i + 1] === 0 ? (unsigned[2 * i] as number) : -1
    if (at < 0 || at >= size) throw rowProblem(casting, i, 'it names a value that its dictionary has not')
    out[i] = at
  }
  return out
}

/** Nulls of the indices added to those of the values. */
function withNulls(column: ColumnData, source: ForeignColumn): ColumnData {
  assert(column.length === source.length, 'a gathered column has the length of its indices')
  const bits = new Uint8Array(bitmapBytes(column.length))
  for (let i = 0; i < column.length; i++) if (!isNullAt(source, i) && isValid(column, i)) setBit(bits, i)
  return { ...column, validity: bits, nullCount: column.length - countBits(bits, column.length) }
}
