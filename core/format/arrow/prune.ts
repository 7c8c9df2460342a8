/**
 * What a filter does to rows of which only bounds are known: it selects all, none, or some have to be looked at. All and none are
 * proofs. They hold for every part of the rows too, because each says something of every row. A null is selected by `is null` alone,
 * and bounds leave NaN out, which is greater than everything.
 */
import { viewOf } from '../../kernel/bytes.ts'
import {
  compareLiterals,
  type Filter,
  type FilterColumn,
  isAboveLow,
  isBelowHigh,
  type LikePart,
  type Literal,
  type Range,
  type Test,
} from '../../model/filter.ts'
import { type DataType, unitOfPrecision } from '../../model/types.ts'

/** Of a column's own values; `min` and `max` are single values of Iceberg as statistics.ts writes them, not always attained. */
export interface ColumnBounds {
  readonly rows: number
  readonly nulls: number
  readonly min?: Uint8Array
  readonly max?: Uint8Array
  /** Only false says that no value is NaN. Types other than float and double have none. */
  readonly mayHaveNan?: boolean
}

export type Verdict = 'all' | 'none' | 'some'

/** `boundsOf`: undefined where nothing is known. Nothing is known of values inside rows. */
export function verdictOf(filter: Filter, boundsOf: (column: FilterColumn) => ColumnBounds | undefined): Verdict {
  return verdict(filter, true, boundsOf)
}

/** Of the rows for which the filter has this outcome (as in filter.ts). */
function verdict(filter: Filter, outcome: boolean, boundsOf: (column: FilterColumn) => ColumnBounds | undefined): Verdict {
  if (filter.kind === 'not') return verdict(filter.filter, !outcome, boundsOf)
  if (filter.kind !== 'and' && filter.kind !== 'or') {
    const bounds = filter.ref.path.length > 0 ? undefined : boundsOf(filter.ref.column)
    return bounds === undefined ? 'some' : testVerdict(filter, outcome, bounds)
  }
  const isEveryNeeded = (filter.kind === 'and') === outcome
  const deciding = isEveryNeeded ? 'none' : 'all'
  let joint: Verdict = isEveryNeeded ? 'all' : 'none'
  for (const each of filter.filters) {
    const found = verdict(each, outcome, boundsOf)
    if (found === deciding) return found
    if (found === 'some') joint = 'some'
  }
  return joint
}

function testVerdict(test: Test, outcome: boolean, bounds: ColumnBounds): Verdict {
  const { rows, nulls } = bounds
  if (test.kind === 'null') {
    if (nulls > 0 && nulls < rows) return 'some'
    return (nulls === 0) === outcome ? 'none' : 'all'
  }
  if (nulls === rows) return 'none'
  const passing = passingVerdict(test, knownOf(test.ref.type, bounds))
  if (passing === 'some') return 'some'
  if ((passing === 'none') === outcome) return 'none'
  return nulls === 0 ? 'all' : 'some'
}

/** What is known of the values that are not null; there is one. */
interface Known {
  readonly min: Literal | undefined
  readonly max: Literal | undefined
  readonly mayHaveNan: boolean
}

function passingVerdict(test: Exclude<Test, { kind: 'null' }>, known: Known): Verdict {
  switch (test.kind) {
    case 'range':
      return rangeVerdict(test, known)
    case 'list':
      return listVerdict(test.literals, known)
    case 'like':
      return likeVerdict(test.pattern, known)
  }
}

function rangeVerdict(range: Range, { min, max, mayHaveNan }: Known): Verdict {
  const takesNan = mayHaveNan && isAboveLow(range, Number.NaN) && isBelowHigh(range, Number.NaN)
  const isOutside = (max !== undefined && !isAboveLow(range, max)) || (min !== undefined && !isBelowHigh(range, min))
  if (isOutside && !takesNan) return 'none'
  const isInside = (range.low === undefined || (min !== undefined && isAboveLow(range, min))) && isBelow(range, max)
  return isInside && (takesNan || !mayHaveNan) ? 'all' : 'some'
}

const isBelow = (range: Range, max: Literal | undefined): boolean =>
  range.high === undefined || (max !== undefined && isBelowHigh(range, max))

function listVerdict(literals: readonly Literal[], { min, max, mayHaveNan }: Known): Verdict {
  const takesNan = mayHaveNan && Number.isNaN(literals.at(-1))
  const isReachable = (literal: Literal): boolean =>
    (min === undefined || compareLiterals(literal, min) >= 0) && (max === undefined || compareLiterals(literal, max) <= 0)
  const reachable = literals.filter(isReachable)
  if (reachable.length === 0 && !takesNan) return 'none'
  const isSingle = min !== undefined && max !== undefined && compareLiterals(min, max) === 0
  return isSingle && reachable.length > 0 && (takesNan || !mayHaveNan) ? 'all' : 'some'
}

/** Only what stands before the first wildcard is compared with bounds: texts that begin with it lie side by side. */
function likeVerdict([prefix, ...rest]: readonly LikePart[], { min, max }: Known): Verdict {
  if (prefix === 'any' && rest.length === 0) return 'all'
  if (!(prefix instanceof Uint8Array)) return 'some'
  if (isBytes(max) && compareLiterals(max, prefix) < 0) return 'none'
  if (isBytes(min) && compareLiterals(min, prefix) > 0 && !beginsWith(min, prefix)) return 'none'
  const isPrefixAll = rest.length === 1 && rest[0] === 'any'
  return isPrefixAll && isBytes(min) && isBytes(max) && beginsWith(min, prefix) && beginsWith(max, prefix) ? 'all' : 'some'
}

const isBytes = (value: Literal | undefined): value is Uint8Array => value instanceof Uint8Array
const beginsWith = (text: Uint8Array, prefix: Uint8Array): boolean =>
  compareLiterals(text.subarray(0, prefix.length), prefix) === 0

/** Bounds in the form of literals. */
function knownOf(type: DataType, { min, max, mayHaveNan }: ColumnBounds): Known {
  const isDouble = type.kind === 'float' || type.kind === 'double'
  return {
    min: min === undefined ? undefined : boundLiteral(type, min),
    max: max === undefined ? undefined : boundLiteral(type, max),
    mayHaveNan: isDouble && mayHaveNan !== false,
  }
}

/** A single value of Iceberg. Of times and timestamps the rest below the column's unit is dropped, towards zero: still a bound. */
function boundLiteral(type: DataType, bytes: Uint8Array): Literal {
  switch (type.kind) {
    case 'boolean':
      return bytes[0] !== 0
    case 'float':
    case 'double':
      return bytes.length === 4 ? viewOf(bytes).getFloat32(0, true) : viewOf(bytes).getFloat64(0, true)
    case 'string':
    case 'binary':
      return bytes
    case 'decimal':
      return integerOf(bytes)
    case 'bigint':
      return integerOf(bytes.toReversed())
    case 'time':
    case 'timestamp':
    case 'timestamp_ltz':
      return integerOf(bytes.toReversed()) / { s: 1_000_000n, ms: 1000n, us: 1n, ns: 1n }[unitOfPrecision(type.precision)]
    default:
      return Number(integerOf(bytes.toReversed()))
  }
}

/** Big-endian two's complement of any length. */
function integerOf(bytes: Uint8Array): bigint {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return BigInt.asIntN(8 * bytes.length, value)
}
