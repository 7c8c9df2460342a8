/**
 * Exact statistics of columns as Iceberg keeps them: null and NaN counts, and bounds in single-value serialisation (spec,
 * appendix D) of the value that Iceberg stores: small integers as int, times and timestamps in µs (ns stays ns), decimals
 * big-endian and minimal, text whole. NaN is no bound, and -0 precedes +0. Nested types have no bounds of their own.
 */
import { compareBytes, copyOf, viewOf } from '../../kernel/bytes.ts'
import { type DataType, type TimeUnit, unitOfPrecision } from '../../model/types.ts'
import { countBits } from './bits.ts'
import { putDecimal } from './bucket.ts'
import type { Batch, ColumnData, Field } from './column.ts'
import { bytesOf, childFields, float32s, float64s, int8s, int16s, int32s, isValid } from './layout.ts'

export interface Statistics {
  readonly nulls: number
  /** float and double; 0 otherwise. */
  readonly nans: number
  /** Both or none: there is none without a value that is neither null nor NaN. */
  readonly min?: Uint8Array
  readonly max?: Uint8Array
}

export function columnStatistics(column: ColumnData): Statistics {
  const nulls = column.nullCount
  if (nulls === column.length) return { nulls, nans: 0 }
  const values = column.values ?? new Uint8Array(0)
  const { type, length } = column
  switch (type.kind) {
    case 'boolean':
      return { nulls, nans: 0, ...booleanBounds(column, values) }
    case 'tinyint':
      return { nulls, nans: 0, ...intBounds(int8s(values, length), column) }
    case 'smallint':
      return { nulls, nans: 0, ...intBounds(int16s(values, length), column) }
    case 'int':
    case 'date':
      return { nulls, nans: 0, ...intBounds(int32s(values, length), column) }
    case 'bigint':
    case 'timestamp':
    case 'timestamp_ltz':
      return { nulls, nans: 0, ...longBounds(int32s(values, 2 * length), column) }
    case 'time':
      return {
        nulls,
        nans: 0,
        ...(type.precision <= 3
          ? shortTimeBounds(int32s(values, length), column)
          : longBounds(int32s(values, 2 * length), column)),
      }
    case 'float':
      return { nulls, ...floatBounds(float32s(values, length), column) }
    case 'double':
      return { nulls, ...floatBounds(float64s(values, length), column) }
    case 'decimal':
      return { nulls, nans: 0, ...decimalBounds(values, column) }
    case 'string':
    case 'binary':
      return { nulls, nans: 0, ...textBounds(values, column) }
    default:
      return { nulls, nans: 0 }
  }
}

/** By field id: every primitive column, and those inside rows (a value inside a null row counts as null). */
export function statisticsById(batch: Batch): ReadonlyMap<number, Statistics> {
  const found = new Map<number, Statistics>()
  for (const [i, field] of batch.fields.entries()) addStatistics(found, field, batch.columns[i] as ColumnData)
  return found
}

/** Of the rows of both. */
export function mergeStatistics(type: DataType, a: Statistics, b: Statistics): Statistics {
  const counts = { nulls: a.nulls + b.nulls, nans: a.nans + b.nans }
  if (a.min === undefined || a.max === undefined) return { ...b, ...counts }
  if (b.min === undefined || b.max === undefined) return { ...a, ...counts }
  return {
    ...counts,
    min: compareBounds(type, a.min, b.min) <= 0 ? a.min : b.min,
    max: compareBounds(type, a.max, b.max) >= 0 ? a.max : b.max,
  }
}

/** Order of two bounds of one type: negative, 0 or positive. */
export function compareBounds(type: DataType, a: Uint8Array, b: Uint8Array): number {
  switch (type.kind) {
    case 'string':
    case 'binary':
    case 'boolean':
      return compareBytes(a, b)
    case 'float':
    case 'double':
      return compareFloats(floatOf(a), floatOf(b))
    case 'decimal':
      return compareIntegers(a, b)
    default:
      return compareIntegers(copyOf(a).reverse(), copyOf(b).reverse())
  }
}

interface Bounds {
  readonly min?: Uint8Array
  readonly max?: Uint8Array
}

function addStatistics(found: Map<number, Statistics>, field: Field, column: ColumnData): void {
  if (field.type.kind !== 'row') {
    if (childFields(field.type).length === 0) found.set(field.id, columnStatistics(column))
    return
  }
  for (const [i, child] of childFields(field.type).entries())
    addStatistics(found, child, under(column, column.children[i] as ColumnData))
}

/** A child with the nulls of its row added to its own. */
function under(parent: ColumnData, child: ColumnData): ColumnData {
  if (parent.validity === undefined) return child
  const bits = copyOf(parent.validity, 0, (parent.length + 7) >>> 3)
  if (child.validity !== undefined)
    for (let i = 0; i < bits.length; i++) bits[i] = (bits[i] as number) & (child.validity[i] as number)
  return { ...child, validity: bits, nullCount: child.length - countBits(bits, child.length) }
}

/** The first row that is not null; there is one. */
function firstValid(column: ColumnData): number {
  let row = 0
  if (column.nullCount > 0) while (!isValid(column, row)) row++
  return row
}

function booleanBounds(column: ColumnData, values: Uint8Array): Bounds {
  let some = 0
  for (let i = 0; i < column.length && some !== 3; i++)
    if (isValid(column, i)) some |= ((values[i >>> 3] as number) >>> (i & 7)) & 1 ? 2 : 1
  return { min: Uint8Array.of(some & 1 ? 0 : 1), max: Uint8Array.of(some & 2 ? 1 : 0) }
}

function intRange(numbers: Int8Array | Int16Array | Int32Array, column: ColumnData): { min: number; max: number } {
  const { length, validity } = column
  let min = numbers[firstValid(column)] as number
  let max = min
  if (validity === undefined || column.nullCount === 0) {
    for (let i = 0; i < length; i++) {
      const value = numbers[i] as number
      if (value < min) min = value
      if (value > max) max = value
    }
    return { min, max }
  }
  for (let i = 0; i < length; i++) {
    if ((((validity[i >>> 3] as number) >>> (i & 7)) & 1) === 0) continue
    const value = numbers[i] as number
    if (value < min) min = value
    if (value > max) max = value
  }
  return { min, max }
}

function intBounds(numbers: Int8Array | Int16Array | Int32Array, column: ColumnData): Bounds {
  const { min, max } = intRange(numbers, column)
  return { min: bytesOf(Int32Array.of(min)), max: bytesOf(Int32Array.of(max)) }
}

/** time(0) to time(3): 32 bits of s or ms, bounds in µs. */
function shortTimeBounds(numbers: Int32Array, column: ColumnData): Bounds {
  const { min, max } = intRange(numbers, column)
  return { min: micros(BigInt(min), column.type), max: micros(BigInt(max), column.type) }
}

function longBounds(words: Int32Array, column: ColumnData): Bounds {
  const { validity, length } = column
  const first = firstValid(column)
  let minAt = 2 * first
  let minHigh = words[minAt + 1] as number
  // low words with the sign bit turned, so that signed 32-bit compares order them
  let minLow = (words[minAt] as number) ^ 0x80000000
  let maxAt = minAt
  let maxHigh = minHigh
  let maxLow = minLow
  const checked = column.nullCount > 0 && validity !== undefined
  for (let i = first; i < length; i++) {
    if (checked && (((validity[i >>> 3] as number) >>> (i & 7)) & 1) === 0) continue
    const high = words[2 * i + 1] as number
    const low = (words[2 * i] as number) ^ 0x80000000
    if (high < minHigh || (high === minHigh && low < minLow)) {
      minHigh = high
      minLow = low
      minAt = 2 * i
    } else if (high > maxHigh || (high === maxHigh && low > maxLow)) {
      maxHigh = high
      maxLow = low
      maxAt = 2 * i
    }
  }
  return { min: longBytes(words, minAt, column.type), max: longBytes(words, maxAt, column.type) }
}

/** As micros, of the long that lies at `at`: most are in Iceberg's unit already. */
function longBytes(words: Int32Array, at: number, type: DataType): Uint8Array {
  if (type.kind !== 'bigint' && unitOf(type) !== 'us') return micros(longAt(words, at), type)
  const bytes = new Uint8Array(8)
  for (let i = 0; i < 4; i++) {
    bytes[i] = (words[at] as number) >>> (8 * i)
    bytes[i + 4] = (words[at + 1] as number) >>> (8 * i)
  }
  return bytes
}

const longAt = (words: Int32Array, at: number): bigint =>
  (BigInt(words[at + 1] as number) << 32n) | BigInt((words[at] as number) >>> 0)

/** A long of the type's unit as Iceberg's eight bytes. */
function micros(value: bigint, type: DataType): Uint8Array {
  const factor = { s: 1_000_000n, ms: 1_000n, us: 1n, ns: 1n }[unitOf(type)]
  return bytesOf(BigInt64Array.of(value * factor))
}

function unitOf(type: DataType): TimeUnit {
  return unitOfPrecision(type.kind === 'time' || type.kind === 'timestamp' || type.kind === 'timestamp_ltz' ? type.precision : 6)
}

function floatBounds(numbers: Float32Array | Float64Array, column: ColumnData): Bounds & { readonly nans: number } {
  let min = Number.POSITIVE_INFINITY
  let max = Number.NEGATIVE_INFINITY
  let nans = 0
  const hasNulls = column.nullCount > 0
  for (let i = 0; i < column.length; i++) {
    if (hasNulls && !isValid(column, i)) continue
    const value = numbers[i] as number
    if (value >= min && value <= max) continue
    if (value < min) min = value
    if (value > max) max = value
    if (Number.isNaN(value)) nans++
  }
  if (nans === column.length - column.nullCount) return { nans }
  if (min === 0 || max === 0) ({ min, max } = signedZeros(numbers, column, min, max))
  const bytes = (value: number): Uint8Array => {
    if (numbers instanceof Float32Array) scratch.setFloat32(0, value, true)
    else scratch.setFloat64(0, value, true)
    return scratchBytes.slice(0, numbers.BYTES_PER_ELEMENT)
  }
  return { nans, min: bytes(min), max: bytes(max) }
}

const scratchBytes = new Uint8Array(8)
const scratch = viewOf(scratchBytes)

/** -0 before +0, where a bound is zero. */
function signedZeros(
  numbers: Float32Array | Float64Array,
  column: ColumnData,
  min: number,
  max: number,
): { min: number; max: number } {
  let negative = false
  let positive = false
  for (let i = 0; i < column.length; i++) {
    if (numbers[i] !== 0 || !isValid(column, i)) continue
    if (Object.is(numbers[i], -0)) negative = true
    else positive = true
  }
  return { min: min === 0 ? (negative ? -0 : 0) : min, max: max === 0 ? (positive ? 0 : -0) : max }
}

function decimalBounds(values: Uint8Array, column: ColumnData): Bounds {
  const words = int32s(values, 4 * column.length)
  let min = firstValid(column)
  let max = min
  for (let i = min + 1; i < column.length; i++) {
    if (column.nullCount > 0 && !isValid(column, i)) continue
    if (compareDecimals(words, i, min) < 0) min = i
    else if (compareDecimals(words, i, max) > 0) max = i
  }
  return { min: decimalBytes(values, min), max: decimalBytes(values, max) }
}

function compareDecimals(words: Int32Array, a: number, b: number): number {
  const high = (words[4 * a + 3] as number) - (words[4 * b + 3] as number)
  if (high !== 0) return high
  for (let k = 2; k >= 0; k--) {
    const difference = ((words[4 * a + k] as number) >>> 0) - ((words[4 * b + k] as number) >>> 0)
    if (difference !== 0) return difference
  }
  return 0
}

function decimalBytes(values: Uint8Array, row: number): Uint8Array {
  const out = new Uint8Array(16)
  return out.slice(putDecimal(out, values, row))
}

/**
 * Texts of a column often begin alike. A row that begins with what the two bounds share is decided by the four bytes behind it;
 * only rows that are shorter, begin otherwise or tie there with a bound are compared in full.
 */
function textBounds(values: Uint8Array, column: ColumnData): Bounds {
  const offsets = column.offsets ?? new Int32Array(column.length + 1)
  const view = viewOf(values)
  let min = firstValid(column)
  let max = min
  let shared = 0
  let minNext = nextFour(view, offsets, min, shared)
  let maxNext = minNext
  for (let i = min + 1; i < column.length; i++) {
    const start = offsets[i] as number
    if ((offsets[i + 1] as number) - start >= shared + 4 && beginsAlike(view, start, offsets[min] as number, shared)) {
      const next = view.getUint32(start + shared)
      if (next > minNext && next < maxNext) continue
      if (next < minNext || next > maxNext) {
        if (column.nullCount > 0 && !isValid(column, i)) continue
        if (next < minNext) {
          min = i
          minNext = next
        } else {
          max = i
          maxNext = next
        }
        continue
      }
    }
    if (column.nullCount > 0 && !isValid(column, i)) continue
    if (compareRows(values, offsets, i, min) < 0) min = i
    else if (compareRows(values, offsets, i, max) > 0) max = i
    else continue
    shared = sharedBytes(values, offsets, min, max)
    minNext = nextFour(view, offsets, min, shared)
    maxNext = nextFour(view, offsets, max, shared)
  }
  const text = (row: number): Uint8Array => copyOf(values, offsets[row] as number, offsets[row + 1] as number)
  return { min: text(min), max: text(max) }
}

/** The first `count` bytes at both places are the same; four at a time, the last four overlapping. */
function beginsAlike(view: DataView, a: number, b: number, count: number): boolean {
  if (count < 4) {
    for (let k = 0; k < count; k++) if (view.getUint8(a + k) !== view.getUint8(b + k)) return false
    return true
  }
  for (let k = 0; k + 4 < count; k += 4) if (view.getInt32(a + k) !== view.getInt32(b + k)) return false
  return view.getInt32(a + count - 4) === view.getInt32(b + count - 4)
}

/** Four bytes of a text from `skip` on, zeroes behind its end, as an unsigned number: it never orders two texts the wrong way round. */
function nextFour(view: DataView, offsets: Int32Array, row: number, skip: number): number {
  const start = (offsets[row] as number) + skip
  const length = (offsets[row + 1] as number) - start
  if (length >= 4) return view.getUint32(start)
  let next = 0
  for (let i = 0; i < 4; i++) next = next * 256 + (i < length ? view.getUint8(start + i) : 0)
  return next
}

function sharedBytes(values: Uint8Array, offsets: Int32Array, a: number, b: number): number {
  const startA = offsets[a] as number
  const startB = offsets[b] as number
  const most = Math.min((offsets[a + 1] as number) - startA, (offsets[b + 1] as number) - startB)
  let shared = 0
  while (shared < most && values[startA + shared] === values[startB + shared]) shared++
  return shared
}

function compareRows(values: Uint8Array, offsets: Int32Array, a: number, b: number): number {
  const startA = offsets[a] as number
  const startB = offsets[b] as number
  const lengthA = (offsets[a + 1] as number) - startA
  const lengthB = (offsets[b + 1] as number) - startB
  const common = lengthA < lengthB ? lengthA : lengthB
  for (let i = 0; i < common; i++) {
    const difference = (values[startA + i] as number) - (values[startB + i] as number)
    if (difference !== 0) return difference
  }
  return lengthA - lengthB
}

function floatOf(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return bytes.length === 4 ? view.getFloat32(0, true) : view.getFloat64(0, true)
}

const compareFloats = (a: number, b: number): number => (a === b ? (Object.is(a, b) ? 0 : Object.is(a, -0) ? -1 : 1) : a - b)

/** Big-endian two's complement, of any lengths. */
function compareIntegers(a: Uint8Array, b: Uint8Array): number {
  const length = Math.max(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const left = extended(a, i - (length - a.length))
    const right = extended(b, i - (length - b.length))
    if (left !== right) return i === 0 ? ((left << 24) >> 24) - ((right << 24) >> 24) : left - right
  }
  return 0
}

/** Byte `i`, or the sign where `i` is before the first. */
const extended = (bytes: Uint8Array, i: number): number => (i >= 0 ? (bytes[i] as number) : (bytes[0] ?? 0) >= 128 ? 255 : 0)
