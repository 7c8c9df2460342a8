/**
 * What `where` asks for, as values: tests of columns joined by and, or, not, with SQL's three-valued logic. A test of a null is
 * unknown, and only a row for which the whole is true is selected. The text form is parsed by filter-text.ts.
 * One form for one meaning: comparisons and `between` are ranges, `<>` and `not in` are negations, lists are sorted.
 */
import { compareBytes } from '../kernel/bytes.ts'
import type { DataType } from './types.ts'

/** A column that a filter may name: of the table, or of the system (`__offset`, …). */
export interface FilterColumn {
  readonly name: string
  readonly type: DataType
  readonly id: number
}

/** A column, or a value inside it; null where a row on the way is null. */
export interface ColumnRef {
  readonly column: FilterColumn
  /** Indexes of fields, each inside the row type before; empty: the column itself. */
  readonly path: readonly number[]
  /** Of what the path ends at. */
  readonly type: DataType
}

/**
 * A value of a column's type: boolean · number for tinyint, smallint, int, float (rounded to 32 bits), double (never -0) and
 * date (days) · bigint for bigint, decimal (× 10^scale), time and timestamps (in the unit of the precision) · bytes for
 * binary, and for string in UTF-8.
 */
export type Literal = boolean | number | bigint | Uint8Array

export interface Bound {
  readonly value: Literal
  readonly inclusive: boolean
}

/** `any`: any run of characters, also none · `one`: exactly one code point · bytes: this UTF-8. */
export type LikePart = 'any' | 'one' | Uint8Array

export type Filter =
  | { readonly kind: 'and'; readonly filters: readonly Filter[] }
  | { readonly kind: 'or'; readonly filters: readonly Filter[] }
  | { readonly kind: 'not'; readonly filter: Filter }
  | Test

export type Test = NullTest | RangeTest | ListTest | LikeTest

export interface NullTest {
  readonly kind: 'null'
  readonly ref: ColumnRef
}

/** At least one bound; it may hold nothing. */
export interface RangeTest extends Range {
  readonly kind: 'range'
  readonly ref: ColumnRef
}

export interface Range {
  readonly low?: Bound
  readonly high?: Bound
}

/** In ascending order, without duplicates, at least one. */
export interface ListTest {
  readonly kind: 'list'
  readonly ref: ColumnRef
  readonly literals: readonly Literal[]
}

/** With at least one wildcard, never two `any` side by side, no bytes side by side. */
export interface LikeTest {
  readonly kind: 'like'
  readonly ref: ColumnRef
  readonly pattern: readonly LikePart[]
}

/** The distinct columns that it reads, in the order of the text. */
export function columnsOf(filter: Filter): readonly FilterColumn[] {
  const found = new Set<FilterColumn>()
  addColumns(found, filter)
  return [...found]
}

function addColumns(found: Set<FilterColumn>, filter: Filter): void {
  if (filter.kind === 'not') addColumns(found, filter.filter)
  else if (filter.kind === 'and' || filter.kind === 'or') for (const each of filter.filters) addColumns(found, each)
  else found.add(filter.ref.column)
}

/** The total order of literals of one type: false before true, -0 equals 0, NaN equals itself and follows everything. */
export function compareLiterals(a: Literal, b: Literal): number {
  if (a instanceof Uint8Array || b instanceof Uint8Array) return compareBytes(a as Uint8Array, b as Uint8Array)
  if (a < b) return -1
  if (a > b) return 1
  return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
}

/** Whether the value is above the low bound. */
export function isAboveLow({ low }: Range, value: Literal): boolean {
  if (low === undefined) return true
  const order = compareLiterals(value, low.value)
  return order > 0 || (order === 0 && low.inclusive)
}

/** Whether the value is below the high bound. */
export function isBelowHigh({ high }: Range, value: Literal): boolean {
  if (high === undefined) return true
  const order = compareLiterals(value, high.value)
  return order < 0 || (order === 0 && high.inclusive)
}
