/** Rows whose values are in a list: a binary search a row, because a list is sorted and may have a thousand values. */
import type { Literal } from '../../model/filter.ts'
import type { ColumnData } from './column.ts'
import { flagRows } from './filter-range.ts'
import { type RowBits, rowsWhere } from './row-bits.ts'
import { compareText, compareWides, rowValues, wideWords } from './row-values.ts'

/** `literals` are sorted values of the column's type. Rows that are null come out either way. */
export function listRows(column: ColumnData, literals: readonly Literal[]): RowBits {
  const rows = column.length
  const values = rowValues(column)
  switch (values.kind) {
    case 'flags':
      return flagRows(values.bitmap, literals.includes(false), literals.includes(true), rows)
    case 'integers':
    case 'doubles':
      return numberRows(values.numbers, literals, rows)
    case 'wides': {
      const { words, each } = values
      const list = wideWords(literals, each)
      return rowsWhere(rows, (row) => hasMatch(literals.length, (i) => compareWides(words, each * row, list, each * i, each)))
    }
    case 'texts': {
      const { offsets } = values
      const list = literals as readonly Uint8Array[]
      return rowsWhere(rows, (row) =>
        hasMatch(list.length, (i) =>
          compareText(values.values, offsets[row] as number, offsets[row + 1] as number, list[i] as Uint8Array),
        ),
      )
    }
  }
}

/** NaN sorts last, and is in no order of JavaScript. */
function numberRows(numbers: Int32Array | Float32Array | Float64Array, literals: readonly Literal[], rows: number): RowBits {
  const list = Float64Array.from(literals, Number)
  const hasNan = Number.isNaN(list.at(-1))
  const count = hasNan ? list.length - 1 : list.length
  return rowsWhere(rows, (row) => {
    const value = numbers[row] as number
    return Number.isNaN(value) ? hasNan : hasMatch(count, (i) => compareNumbers(value, list[i] as number))
  })
}

/** Infinities too, whose difference is no number. */
const compareNumbers = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : 0)

/** `order(i)`: of what is sought and element i of `count` sorted ones. */
function hasMatch(count: number, order: (i: number) => number): boolean {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    const found = order(middle)
    if (found === 0) return true
    if (found < 0) high = middle
    else low = middle + 1
  }
  return false
}
