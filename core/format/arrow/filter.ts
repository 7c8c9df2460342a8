/**
 * Which rows of a batch a filter selects: one pass over a column for each test, one bitmap for each part of the filter. SQL's
 * three-valued logic takes no third value here: a part is asked either for the rows where it is true or for those where it is
 * false, a null is in neither, and `not` asks for the other ones.
 */
import { assert } from '../../kernel/assert.ts'
import type { ColumnRef, Filter, FilterColumn, Test } from '../../model/filter.ts'
import type { ColumnData } from './column.ts'
import { likeRows } from './filter-like.ts'
import { listRows } from './filter-list.ts'
import { rangeRows } from './filter-range.ts'
import {
  complement,
  countRows,
  everyRow,
  indicesOf,
  intersect,
  intersectBitmap,
  noRows,
  type RowBits,
  unite,
} from './row-bits.ts'

/**
 * Ascending indices of the rows for which the filter is true, or the word where that is every row or none, so that a batch passes
 * as it is. `columnOf` gives a column of `rows` rows in the column's own type; it is asked once for a test, and not for tests
 * that cannot matter any more.
 */
export function selectRows(
  filter: Filter,
  rows: number,
  columnOf: (column: FilterColumn) => ColumnData,
): Uint32Array | 'all' | 'none' {
  const bits = rowsWith(filter, true, { rows, columnOf })
  const count = countRows(bits, rows)
  return count === 0 ? 'none' : count === rows ? 'all' : indicesOf(bits, count)
}

interface Rows {
  readonly rows: number
  readonly columnOf: (column: FilterColumn) => ColumnData
}

/** The rows for which the filter has this outcome, neither the other nor unknown; the caller may write into them. */
function rowsWith(filter: Filter, outcome: boolean, source: Rows): RowBits {
  switch (filter.kind) {
    case 'not':
      return rowsWith(filter.filter, !outcome, source)
    // all have to be true for `and` to be true, and all have to be false for `or` to be false
    case 'and':
      return outcome ? inEvery(filter.filters, outcome, source) : inSome(filter.filters, outcome, source)
    case 'or':
      return outcome ? inSome(filter.filters, outcome, source) : inEvery(filter.filters, outcome, source)
    default:
      return testRows(filter, outcome, source)
  }
}

function inEvery(filters: readonly Filter[], outcome: boolean, source: Rows): RowBits {
  let bits = everyRow(source.rows)
  for (const filter of filters) {
    bits = intersect(rowsWith(filter, outcome, source), bits)
    if (countRows(bits, source.rows) === 0) break
  }
  return bits
}

function inSome(filters: readonly Filter[], outcome: boolean, source: Rows): RowBits {
  let bits = noRows(source.rows)
  for (const filter of filters) {
    bits = unite(rowsWith(filter, outcome, source), bits)
    if (countRows(bits, source.rows) === source.rows) break
  }
  return bits
}

function testRows(test: Test, outcome: boolean, { rows, columnOf }: Rows): RowBits {
  const { column, validities } = valuesAt(test.ref, columnOf(test.ref.column))
  assert(column.length === rows, 'a column has the rows of its batch', { rows, length: column.length })
  assert(column.type.kind === test.ref.type.kind, 'a column has its own type', { is: column.type.kind, of: test.ref.type.kind })
  if (test.kind === 'null') {
    const bits = withoutNulls(everyRow(rows), validities, rows)
    return outcome ? complement(bits) : bits
  }
  const bits = satisfying(test, column)
  return withoutNulls(outcome ? bits : complement(bits), validities, rows)
}

/** The rows whose values pass the test; those that are null may be among them. */
function satisfying(test: Exclude<Test, { kind: 'null' }>, column: ColumnData): RowBits {
  switch (test.kind) {
    case 'range':
      return rangeRows(column, test)
    case 'list':
      return listRows(column, test.literals)
    case 'like':
      return likeRows(column, test.pattern)
  }
}

function withoutNulls(bits: RowBits, validities: readonly (Uint8Array | undefined)[], rows: number): RowBits {
  for (const validity of validities) if (validity !== undefined) intersectBitmap(bits, validity, rows)
  return bits
}

/** What the reference ends at, and the bitmaps on the way: a value inside a null row is null. */
function valuesAt(ref: ColumnRef, top: ColumnData): { column: ColumnData; validities: readonly (Uint8Array | undefined)[] } {
  let column = top
  const validities = [top.validity]
  for (const index of ref.path) {
    const child = column.children[index]
    assert(child !== undefined, 'a path goes along the fields of rows', { column: ref.column.name, path: ref.path })
    column = child
    validities.push(child.validity)
  }
  return { column, validities }
}
