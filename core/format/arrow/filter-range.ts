/**
 * Rows whose values lie in a range, a loop for each layout of values. Every comparison is such a range, made closed first: integers
 * go one up or down, doubles to their neighbour. Conditions become bits without a branch, because on values in no order a branch
 * that is mistaken half the time costs five times as much.
 */
import { compareLiterals, isAboveLow, isBelowHigh, type Range } from '../../model/filter.ts'
import type { ColumnData } from './column.ts'
import { complement, everyRow, noRows, type RowBits, rowsOfBitmap, rowsWhere } from './row-bits.ts'
import { compareText, compareWides, rowValues, wideWords } from './row-values.ts'

/** The range holds values of the column's type. Rows that are null come out either way. */
export function rangeRows(column: ColumnData, range: Range): RowBits {
  const rows = column.length
  const values = rowValues(column)
  switch (values.kind) {
    case 'flags':
      return flagRows(values.bitmap, isInRange(range, false), isInRange(range, true), rows)
    case 'integers':
      return closedRows(values.numbers, ...closedNumbers(range), rows)
    case 'doubles':
      return doubleRows(values.numbers, range, rows)
    case 'wides':
      return wideRows(values.words, values.each, range, rows)
    case 'texts':
      return textRows(values.values, values.offsets, range, rows)
  }
}

const isInRange = (range: Range, value: boolean): boolean => isAboveLow(range, value) && isBelowHigh(range, value)

/** The rows of one of two values, of both or of none. */
export function flagRows(bitmap: Uint8Array, takesFalse: boolean, takesTrue: boolean, rows: number): RowBits {
  if (takesFalse === takesTrue) return takesTrue ? everyRow(rows) : noRows(rows)
  const bits = rowsOfBitmap(bitmap, rows)
  return takesTrue ? bits : complement(bits)
}

/** Rows from `low` to `high`, both included; never NaN, and none where a bound is NaN. */
function closedRows(numbers: Int32Array | Float32Array | Float64Array, low: number, high: number, rows: number): RowBits {
  const bits = noRows(rows)
  for (let word = 0; word < bits.length; word++) {
    const start = 32 * word
    const count = Math.min(32, rows - start)
    let found = 0
    for (let i = 0; i < count; i++) {
      const value = numbers[start + i] as number
      found |= (Number(value >= low) & Number(value <= high)) << i
    }
    bits[word] = found
  }
  return bits
}

function closedNumbers({ low, high }: Range): [low: number, high: number] {
  return [
    low === undefined ? Number.NEGATIVE_INFINITY : Number(low.value) + (low.inclusive ? 0 : 1),
    high === undefined ? Number.POSITIVE_INFINITY : Number(high.value) - (high.inclusive ? 0 : 1),
  ]
}

/** NaN is the greatest value: where there is no other end above, the rows are all but those below. */
function doubleRows(numbers: Float32Array | Float64Array, range: Range, rows: number): RowBits {
  const [low, high] = closedDoubles(range)
  if (!isBelowHigh(range, Number.NaN)) return closedRows(numbers, low, high, rows)
  if (!isAboveLow(range, Number.NaN)) return noRows(rows)
  if (range.low === undefined) return everyRow(rows)
  const { value, inclusive } = range.low
  const below = { high: { value, inclusive: !inclusive } }
  return complement(closedRows(numbers, ...closedDoubles(below), rows))
}

/** Without NaN: below it lies everything up to infinity. */
function closedDoubles({ low, high }: Range): [low: number, high: number] {
  const least = low === undefined ? Number.NEGATIVE_INFINITY : low.inclusive ? Number(low.value) : neighbour(Number(low.value), 1)
  if (high === undefined || Number.isNaN(high.value)) return [least, Number.POSITIVE_INFINITY]
  return [least, high.inclusive ? Number(high.value) : neighbour(Number(high.value), -1)]
}

/** The next double in a direction (1 up, -1 down); NaN past an infinity. Doubles of one sign are ordered as their bits are. */
function neighbour(value: number, direction: 1 | -1): number {
  if (value === 0) return direction * Number.MIN_VALUE
  const double = Float64Array.of(value)
  const bits = new BigInt64Array(double.buffer)
  bits[0] = (bits[0] as bigint) + BigInt(value > 0 ? direction : -direction)
  return double[0] as number
}

/** A bound that is missing is the last integer of the width. */
function wideRows(words: Int32Array, each: 2 | 4, range: Range, rows: number): RowBits {
  const bits = BigInt(32 * each - 1)
  const low = range.low === undefined ? -(1n << bits) : (range.low.value as bigint) + (range.low.inclusive ? 0n : 1n)
  const high = range.high === undefined ? (1n << bits) - 1n : (range.high.value as bigint) - (range.high.inclusive ? 0n : 1n)
  if (low > high) return noRows(rows)
  const bounds = wideWords([low, high], each)
  if (each === 2) return longRows(words, bounds, rows)
  return rowsWhere(
    rows,
    (row) => compareWides(words, each * row, bounds, 0, each) >= 0 && compareWides(words, each * row, bounds, each, each) <= 0,
  )
}

/** Low words with the sign bit turned, so that signed compares order them. */
function longRows(words: Int32Array, bounds: Int32Array, rows: number): RowBits {
  const turn = 0x80000000
  const lowLow = (bounds[0] as number) ^ turn
  const lowHigh = bounds[1] as number
  const highLow = (bounds[2] as number) ^ turn
  const highHigh = bounds[3] as number
  const bits = noRows(rows)
  for (let word = 0; word < bits.length; word++) {
    const start = 32 * word
    const count = Math.min(32, rows - start)
    let found = 0
    for (let i = 0; i < count; i++) {
      const low = (words[2 * (start + i)] as number) ^ turn
      const high = words[2 * (start + i) + 1] as number
      const isAbove = Number(high > lowHigh) | (Number(high === lowHigh) & Number(low >= lowLow))
      const isBelow = Number(high < highHigh) | (Number(high === highHigh) & Number(low <= highLow))
      found |= (isAbove & isBelow) << i
    }
    bits[word] = found
  }
  return bits
}

function textRows(values: Uint8Array, offsets: Int32Array, range: Range, rows: number): RowBits {
  const { low, high } = range
  if (low?.inclusive && high?.inclusive && compareLiterals(low.value, high.value) === 0)
    return equalRows(values, offsets, low.value as Uint8Array, rows)
  const above = low === undefined ? undefined : (low.value as Uint8Array)
  const below = high === undefined ? undefined : (high.value as Uint8Array)
  // an order of 0 is enough where the bound is included
  const least = low?.inclusive ? 0 : 1
  const most = high?.inclusive ? 0 : -1
  return rowsWhere(rows, (row) => {
    const start = offsets[row] as number
    const end = offsets[row + 1] as number
    return (
      (above === undefined || compareText(values, start, end, above) >= least) &&
      (below === undefined || compareText(values, start, end, below) <= most)
    )
  })
}

function equalRows(values: Uint8Array, offsets: Int32Array, text: Uint8Array, rows: number): RowBits {
  return rowsWhere(rows, (row) => {
    const start = offsets[row] as number
    if ((offsets[row + 1] as number) - start !== text.length) return false
    for (let i = 0; i < text.length; i++) if (values[start + i] !== text[i]) return false
    return true
  })
}
