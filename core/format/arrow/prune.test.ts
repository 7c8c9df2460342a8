import fc from 'fast-check'
import { expect, test } from 'vitest'
import { raised, viewOf } from '../../kernel/bytes.ts'
import { parseFilter } from '../../model/filter-text.ts'
import { parseType } from '../../model/type-text.ts'
import { type DataType, unitOfPrecision } from '../../model/types.ts'
import { columnOf, fieldOf, type Plain } from './batch.case.ts'
import { askedRows, textOf } from './filter.case.ts'
import { judge } from './filter-judge.case.ts'
import { type ColumnBounds, type Verdict, verdictOf } from './prune.ts'
import { columnStatistics } from './statistics.ts'

/** `others`: values that widen the bounds. */
function boundsOf(type: DataType, values: readonly Plain[], others: readonly Plain[] = []): ColumnBounds {
  const { nulls } = columnStatistics(columnOf(type, values))
  const { nans, min, max } = columnStatistics(columnOf(type, [...values, ...others]))
  return { rows: values.length, nulls, mayHaveNan: nans > 0, ...(min && { min }), ...(max && { max }) }
}

/** Of the rows of one column `v`. */
const verdictFor = (type: string, values: readonly Plain[], where: string): Verdict =>
  verdictOf(parseFilter(where, [fieldOf('v', parseType(type))]), () => boundsOf(parseType(type), values))

const loosenings = ['exact', 'exact', 'cut', 'slack', 'no min', 'no max', 'no bounds', 'nan?', 'unknown'] as const
type Loosening = (typeof loosenings)[number]

/** Bounds that say less, and nothing that is false. */
function loosened(bounds: ColumnBounds, type: DataType, loosening: Loosening): ColumnBounds | undefined {
  const { min, max, mayHaveNan, ...counts } = bounds
  const nan = mayHaveNan === undefined ? {} : { mayHaveNan }
  switch (loosening) {
    case 'exact':
      return bounds
    case 'cut':
      return type.kind === 'string' || type.kind === 'binary' ? cut(bounds) : bounds
    case 'slack':
      return slackened(bounds, type)
    case 'no min':
      return { ...counts, ...nan, ...(max && { max }) }
    case 'no max':
      return { ...counts, ...nan, ...(min && { min }) }
    case 'no bounds':
      return { ...counts, ...nan }
    case 'nan?':
      return { ...counts, ...(min && { min }), ...(max && { max }) }
    case 'unknown':
      return undefined
  }
}

/** To two bytes: the greater bound is raised, or missing where it cannot be. */
function cut({ min, max, ...rest }: ColumnBounds): ColumnBounds {
  const high = max === undefined || max.length <= 2 ? max : raised(max, 2)
  return { ...rest, ...(min && { min: min.subarray(0, 2) }), ...(high && { max: high }) }
}

/** Times lie in seconds or milliseconds, their bounds in microseconds: less than a unit more at both ends. */
function slackened(bounds: ColumnBounds, type: DataType): ColumnBounds {
  const isCoarse = 'precision' in type && type.kind !== 'decimal' && ['s', 'ms'].includes(unitOfPrecision(type.precision))
  const { min, max } = bounds
  if (!isCoarse || min === undefined || max === undefined) return bounds
  return { ...bounds, min: moved(min, -999n), max: moved(max, 999n) }
}

function moved(bound: Uint8Array, by: bigint): Uint8Array {
  const bytes = bound.slice()
  viewOf(bytes).setBigInt64(0, viewOf(bytes).getBigInt64(0, true) + by, true)
  return bytes
}

test('none and all are said only of rows of which it is true, whatever the bounds leave open', () => {
  const loosening = fc.array(fc.constantFrom(...loosenings), { minLength: 3, maxLength: 3 })
  fc.assert(
    fc.property(askedRows, loosening, fc.boolean(), ({ fields, rows, others, asked }, loosenesses, isWide) => {
      const verdict = verdictOf(parseFilter(textOf(asked), fields), ({ id }) => {
        const i = fields.findIndex((field) => field.id === id)
        const type = fields[i]?.type as DataType
        const valuesIn = (each: typeof rows): Plain[] => each.map((row) => row[i] ?? null)
        return loosened(boundsOf(type, valuesIn(rows), isWide ? valuesIn(others) : []), type, loosenesses[i] ?? 'exact')
      })
      const matching = rows.filter((row) => judge(asked, row) === true).length
      if (verdict === 'none') expect(matching).toBe(0)
      if (verdict === 'all') expect(matching).toBe(rows.length)
    }),
    { numRuns: 1500 },
  )
})

test.each<[type: string, values: readonly Plain[], where: string, verdict: Verdict]>([
  ['int', [1, 3], 'v = 2', 'some'],
  ['int', [1, 3], 'v = 4', 'none'],
  ['int', [1, 3], 'v < 4', 'all'],
  ['int', [1, 3], 'v < 1', 'none'],
  ['int', [1, 3], 'v <= 1', 'some'],
  ['int', [1, 3], 'v <> 4', 'all'],
  ['int', [2, 2], 'v = 2', 'all'],
  ['int', [2, 2], 'v not in (1, 2)', 'none'],
  ['int', [4, 6], 'v in (1, 3, 7)', 'none'],
  ['int', [1, 3], 'v between 0 and 9', 'all'],
  ['int', [1, 3], 'v not between 0 and 9', 'none'],
  ['int', [1, 3], 'v > 9 or v < 2', 'some'],
  ['int', [1, 3], 'v > 9 or v < 0', 'none'],
  ['int', [1, 3], 'v > 0 and v < 9', 'all'],
  ['int', [1, 3], 'v > 9 and v = 2', 'none'],
  ['int', [1, 3], 'not (v > 9 and v = 2)', 'all'],
  ['int', [1, null], 'v = 1', 'some'],
  ['int', [1, null], 'v <> 1', 'none'],
  ['int', [1, null], 'not v = 2', 'some'],
  ['int', [1, null], 'v is null', 'some'],
  ['int', [1, 2], 'v is null', 'none'],
  ['int', [null, null], 'v is null', 'all'],
  ['int', [null, null], 'v = 1', 'none'],
  ['int', [null, null], 'not v = 1', 'none'],
  ['boolean', [false, false], 'v = true', 'none'],
  ['bigint', [2n ** 53n, 2n ** 53n], 'v = 9007199254740993', 'none'],
  ['decimal(38,2)', [-150n, 150n], 'v >= -1.50', 'all'],
  ['decimal(38,2)', [-150n, 150n], 'v < -1.5', 'none'],
  ['timestamp(0)', [0n, 1n], "v > '1970-01-01T00:00:01'", 'none'],
  ['timestamp(3)', [-1n, 0n], "v >= '1969-12-31T23:59:59.999'", 'all'],
  ['timestamp(9)', [1n], "v > '1970-01-01T00:00:00'", 'all'],
  ['float', [0.1], 'v = 0.1', 'all'],
  ['double', [1, Number.NaN], 'v <= 1', 'some'],
  ['double', [1, Number.NaN], 'v >= 1', 'all'],
  ['double', [1, Number.NaN], 'v > 1', 'some'],
  ['double', [1, Number.NaN], 'v < 1', 'none'],
  ['double', [Number.NaN, Number.NaN], 'v < 1', 'some'],
  ['double', [1, Number.NaN], 'v in (1)', 'some'],
  ['double', [1, Number.NaN], "v in ('NaN')", 'some'],
  ['double', [-0, 0], 'v = 0', 'all'],
  ['string', ['ab', 'ad'], "v like 'a%'", 'all'],
  ['string', ['ab', 'ad'], "v like 'a%b'", 'some'],
  ['string', ['ab', 'ad'], "v like 'b%'", 'none'],
  ['string', ['ab', 'ad'], "v like 'aa_'", 'none'],
  ['string', ['ab', 'ad'], "v like '%'", 'all'],
  ['string', ['a', 'b'], "v like 'a%'", 'some'],
  ['string', ['a', 'b'], "v like 'b%'", 'some'],
  ['string', ['ab', 'ad'], "v like '%z'", 'some'],
  ['string', ['a', 'b', null], "v not like '%'", 'none'],
  ['array<int>', [[1], null], 'v is null', 'some'],
  ['row<a int>', [[1]], 'v.a = 2', 'some'],
])('of %s %o, %s selects %s', (type, values, where, verdict) => {
  expect(verdictFor(type, values, where)).toBe(verdict)
})

test('of a column of which nothing is known some rows are looked at, unless another one decides', () => {
  const fields = [fieldOf('known', { kind: 'int' }, true, 4), fieldOf('unknown', { kind: 'int' }, true, 5)]
  const bounds = boundsOf({ kind: 'int' }, [1, 3])
  const verdict = (where: string): Verdict =>
    verdictOf(parseFilter(where, fields), ({ name }) => (name === 'known' ? bounds : undefined))
  expect(verdict('unknown = 1')).toBe('some')
  expect(verdict('unknown is null')).toBe('some')
  expect(verdict('unknown = 1 and known > 3')).toBe('none')
  expect(verdict('unknown = 1 or known > 0')).toBe('all')
})

test('a bound that was stored under a narrower type still bounds', () => {
  const filter = parseFilter('v > 3', [fieldOf('v', { kind: 'bigint' })])
  expect(verdictOf(filter, () => boundsOf({ kind: 'int' }, [-1, 3]))).toBe('none')
  const double = parseFilter('v > 3', [fieldOf('v', { kind: 'double' })])
  expect(verdictOf(double, () => boundsOf({ kind: 'float' }, [-1, 3]))).toBe('none')
})

test('bounds that do not speak of NaN leave it open', () => {
  const where = (text: string): Verdict =>
    verdictOf(parseFilter(text, [fieldOf('v', { kind: 'double' })]), () => {
      const { mayHaveNan, ...silent } = boundsOf({ kind: 'double' }, [1, 3])
      expect(mayHaveNan).toBe(false)
      return silent
    })
  expect(where('v > 3')).toBe('some')
  expect(where('v < 4')).toBe('some')
  expect(where('v < 1')).toBe('none')
})
