/**
 * Literals of a filter as values of the type that they are compared with. They are written as in JSON rows (contract, "Values in
 * JSON") and read by the same parsers: exactly, never through a double, and what the type cannot hold is refused.
 */
import { utf8 } from '../kernel/bytes.ts'
import type { LikePart, Literal } from './filter.ts'
import { type DataType, unitOfPrecision } from './types.ts'
import { decodeBase64 } from './values/base64.ts'
import { parseDate } from './values/calendar.ts'
import { type Moment, parseTime, parseTimestamp, putMoment } from './values/moments.ts'
import { exactNumber, scaled, specialDouble } from './values/numbers.ts'

/** As it stands in the filter; `text` without quotes and escapes. */
export interface LiteralText {
  readonly kind: 'number' | 'text' | 'boolean'
  readonly text: string
}

/** Makes the error that says why a literal is refused. */
export type Refusal = (why: string) => Error

/** The literal as a value of `type`, which is neither array, map, row nor vector. */
export function literalOf(type: DataType, literal: LiteralText, refuse: Refusal): Literal {
  switch (type.kind) {
    case 'boolean':
      if (literal.kind !== 'boolean') throw refuse('true or false is needed')
      return literal.text === 'true'
    case 'tinyint':
      return integerOf(8, literal, refuse)
    case 'smallint':
      return integerOf(16, literal, refuse)
    case 'int':
      return integerOf(32, literal, refuse)
    case 'bigint':
      return bigintOf(literal, refuse)
    case 'decimal':
      return decimalOf(type, literal, refuse)
    case 'float':
      return doubleOf(Math.fround, literal, refuse)
    case 'double':
      return doubleOf(Number, literal, refuse)
    case 'string':
      return utf8(textOf(literal, refuse))
    case 'binary':
      return binaryOf(textOf(literal, refuse), refuse)
    case 'date':
      return dateOf(textOf(literal, refuse), refuse)
    case 'time':
    case 'timestamp':
    case 'timestamp_ltz':
      return momentOf(type, textOf(literal, refuse), refuse)
    default:
      throw refuse('it is compared with nothing')
  }
}

/** `%` and `_` are wildcards everywhere: there is no escape. Runs of wildcards are brought into one form. */
export function likePattern(text: string): readonly LikePart[] {
  const parts: LikePart[] = []
  for (const [piece] of text.matchAll(/[%_]+|[^%_]+/g)) {
    if (!/^[%_]/.test(piece)) parts.push(utf8(piece))
    else {
      for (const wildcard of piece) if (wildcard === '_') parts.push('one')
      if (piece.includes('%')) parts.push('any')
    }
  }
  return parts
}

function integerOf(bits: number, literal: LiteralText, refuse: Refusal): number {
  const max = 2 ** (bits - 1)
  if (literal.kind !== 'number') throw refuse('a number is needed')
  const value = scaled(numberOf(literal, refuse), 0, 10)
  if (value === 'rounding') throw refuse('a whole number is needed')
  if (value === 'overflow' || value < -max || value >= max) throw refuse(`it goes from ${-max} to ${max - 1}`)
  return Number(value)
}

function bigintOf(literal: LiteralText, refuse: Refusal): bigint {
  const value = scaled(numberOf(literal, refuse), 0, 19)
  if (value === 'rounding') throw refuse('a whole number is needed')
  if (value === 'overflow' || value !== BigInt.asIntN(64, value))
    throw refuse(`it goes from ${-(2n ** 63n)} to ${2n ** 63n - 1n}`)
  return value
}

function decimalOf({ precision, scale }: Extract<DataType, { kind: 'decimal' }>, literal: LiteralText, refuse: Refusal): bigint {
  const value = scaled(numberOf(literal, refuse), scale, precision)
  if (value === 'rounding') throw refuse(`it has at most ${scale} digits after the point`)
  if (value === 'overflow') throw refuse(`it has at most ${precision - scale} digits before the point`)
  return value
}

/** Adding 0 makes 0 of -0. */
function doubleOf(rounded: (value: number) => number, literal: LiteralText, refuse: Refusal): number {
  if (literal.kind === 'text') {
    const special = specialDouble(literal.text)
    if (special === undefined) throw refuse("a number is needed, or 'NaN', 'Infinity', '-Infinity'")
    return special
  }
  numberOf(literal, refuse)
  const value = rounded(Number(literal.text))
  if (!Number.isFinite(value)) throw refuse('it is too great')
  return value + 0
}

function numberOf(literal: LiteralText, refuse: Refusal): NonNullable<ReturnType<typeof exactNumber>> {
  if (literal.kind === 'boolean') throw refuse('a number is needed')
  const bytes = utf8(literal.text)
  const exact = exactNumber(bytes, 0, bytes.length)
  if (exact === undefined) throw refuse('a number is written as in JSON: 12, -0.5, 1e3')
  return exact
}

function textOf(literal: LiteralText, refuse: Refusal): string {
  if (literal.kind !== 'text') throw refuse('a text between single quotes is needed')
  return literal.text
}

function binaryOf(text: string, refuse: Refusal): Uint8Array {
  const bytes = utf8(text)
  const value = decodeBase64(bytes, 0, bytes.length)
  if (value === undefined) throw refuse('binary is written in base64')
  return value
}

function dateOf(text: string, refuse: Refusal): number {
  const bytes = utf8(text)
  const days = bytes.length === 10 ? parseDate(bytes, 0) : Number.NaN
  if (Number.isNaN(days)) throw refuse('a date is written "2026-11-21"')
  return days
}

function momentOf(type: Extract<DataType, { precision: number; scale?: never }>, text: string, refuse: Refusal): bigint {
  const { kind, precision } = type
  const bytes = utf8(text)
  const moment: Moment = { seconds: 0, groups: [0, 0, 0] }
  const wrong =
    kind === 'time'
      ? parseTime(bytes, 0, bytes.length, precision, moment)
      : parseTimestamp(bytes, 0, bytes.length, precision, kind === 'timestamp_ltz', moment)
  if (wrong !== undefined) throw refuse(wrong)
  const value = new BigInt64Array(1)
  putMoment(new Int32Array(value.buffer), 0, moment, { s: 0, ms: 1, us: 2, ns: 3 }[unitOfPrecision(precision)])
  return value[0] as bigint
}
