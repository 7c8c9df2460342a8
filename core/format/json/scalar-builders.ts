/** Builders of columns of single values, one class a family of types. What does not fit exactly is refused where it stands. */
import { type DataType, unitOfPrecision } from '../../model/types.ts'
import { decodeBase64 } from '../../model/values/base64.ts'
import { parseDate } from '../../model/values/calendar.ts'
import { type Moment, parseTime, parseTimestamp, putMoment } from '../../model/values/moments.ts'
import {
  asciiText,
  exactNumber,
  lastDoubleEnd,
  numberEnd,
  readDouble,
  scaled,
  specialDouble,
} from '../../model/values/numbers.ts'
import { setBit } from '../arrow/bits.ts'
import type { Budget } from '../arrow/budget.ts'
import type { ColumnData } from '../arrow/column.ts'
import { bitmapBytes, bytesOf, widthOf } from '../arrow/layout.ts'
import { Builder, grown, grownWords } from './builder.ts'
import { passWord, problem, readText, type Source } from './source.ts'

type Parts = Pick<ColumnData, 'offsets' | 'values' | 'children'>

export class BooleanBuilder extends Builder {
  #values = new Uint8Array(0)
  read(source: Source): void {
    const first = source.bytes[source.at]
    if (first !== 0x74 && first !== 0x66) throw problem(source, 'true or false is expected here')
    passWord(source, first === 0x74 ? 'true' : 'false')
    if (this.rows >>> 3 >= this.#values.length) this.#values = grown(this.#values, (this.rows >>> 3) + 1, this.budget)
    if (first === 0x74) setBit(this.#values, this.rows)
    this.appended()
  }
  protected appendZeros(count: number): void {
    const bytes = bitmapBytes(this.rows + count)
    if (bytes > this.#values.length) this.#values = grown(this.#values, bytes, this.budget)
  }
  protected parts(): Parts {
    return { offsets: undefined, values: this.#values.subarray(0, bitmapBytes(this.rows)), children: [] }
  }
}

const noWords = new Int32Array(0)
const noFloats = new Float32Array(0)

/** Values of 4, 8 or 16 bytes as 32-bit words. */
abstract class WordsBuilder extends Builder {
  protected words: Int32Array = noWords
  readonly #wordsEach: number
  constructor(type: DataType, budget: Budget) {
    super(type, budget)
    this.#wordsEach = Math.max(4, widthOf(type)) / 4
  }
  /** Index of the next value's first word; take it before `words`, which it may replace. */
  protected slot(): number {
    const at = this.rows * this.#wordsEach
    if (at + this.#wordsEach > this.words.length) this.words = grownWords(this.words, at + this.#wordsEach, this.budget)
    return at
  }
  protected appendZeros(count: number): void {
    const words = (this.rows + count) * this.#wordsEach
    if (words > this.words.length) this.words = grownWords(this.words, words, this.budget)
  }
  protected parts(): Parts {
    const values = new Uint8Array(this.words.buffer, 0, this.rows * this.#wordsEach * 4)
    return { offsets: undefined, values, children: [] }
  }
}

/** tinyint, smallint, int; kept as 32 bits until the end. */
export class IntBuilder extends WordsBuilder {
  readonly #max: number
  constructor(type: DataType, budget: Budget) {
    super(type, budget)
    this.#max = 2 ** (8 * widthOf(type) - 1)
  }
  read(source: Source): void {
    const value = readSmallInteger(source)
    const number = Number.isNaN(value) ? Number(readInteger(source, 10)) : value
    if (number >= this.#max || number < -this.#max) throw problem(source, `it does not fit ${this.type.kind}`)
    const at = this.slot()
    this.words[at] = number
    this.appended()
  }
  protected override parts(): Parts {
    const parts = super.parts()
    if (this.type.kind === 'int') return parts
    const words = this.words.subarray(0, this.rows)
    return { ...parts, values: bytesOf(this.type.kind === 'tinyint' ? Int8Array.from(words) : Int16Array.from(words)) }
  }
}

/** Numbers or texts with digits. */
export class BigintBuilder extends WordsBuilder {
  read(source: Source): void {
    const at = this.slot()
    const value = source.bytes[source.at] === 0x22 ? readSmallText(source) : readSmallInteger(source)
    if (Number.isNaN(value)) putBigint(this.words, at, checkedBigint(source))
    else {
      this.words[at] = value | 0
      this.words[at + 1] = Math.floor(value / 0x100000000)
    }
    this.appended()
  }
}

export class DecimalBuilder extends WordsBuilder {
  readonly #precision: number
  readonly #scale: number
  constructor(type: Extract<DataType, { kind: 'decimal' }>, budget: Budget) {
    super(type, budget)
    this.#precision = type.precision
    this.#scale = type.scale
  }
  read(source: Source): void {
    const at = this.slot()
    const value = readExact(source, this.#scale, this.#precision)
    putBigint(this.words, at, value)
    putBigint(this.words, at + 2, value >> 64n)
    this.appended()
  }
}

export class FloatBuilder extends WordsBuilder {
  #floats: Float32Array | Float64Array = noFloats
  read(source: Source): void {
    const isFloat = this.type.kind === 'float'
    const start = source.at
    const value = source.bytes[start] === 0x22 ? readSpecial(source) : readDouble(source.bytes, start, source.end)
    if (source.at === start) {
      const end = lastDoubleEnd()
      if (end === start) throw problem(source, 'a number is expected here')
      if (!Number.isFinite(isFloat ? Math.fround(value) : value)) throw problem(source, `it does not fit ${this.type.kind}`)
      source.at = end
    }
    this.#put(value)
    this.appended()
  }
  /** Elements of null vectors: zero, not null. */
  appendZeroValues(count: number): void {
    this.appendZeros(count)
    this.rows += count
  }
  #put(value: number): void {
    const isFloat = this.type.kind === 'float'
    this.slot()
    if (this.#floats.buffer !== this.words.buffer) {
      this.#floats = isFloat
        ? new Float32Array(this.words.buffer)
        : new Float64Array(this.words.buffer, 0, this.words.length >>> 1)
    }
    this.#floats[this.rows] = value
  }
}

export class DateBuilder extends WordsBuilder {
  read(source: Source): void {
    const start = textStart(source)
    const { text, from, to } = source
    const days = to - from === 10 ? parseDate(text, from) : Number.NaN
    if (Number.isNaN(days)) throw problem(source, 'a date is written "2026-11-21"', start)
    const at = this.slot()
    this.words[at] = days
    this.appended()
  }
}

/** time and timestamps. */
export class MomentBuilder extends WordsBuilder {
  readonly #kind: 'time' | 'timestamp' | 'timestamp_ltz'
  readonly #precision: number
  readonly #thousands: number
  readonly #moment: Moment = { seconds: 0, groups: [0, 0, 0] }
  constructor(type: Extract<DataType, { precision: number; scale?: never }>, budget: Budget) {
    super(type, budget)
    this.#kind = type.kind
    this.#precision = type.precision
    this.#thousands = { s: 0, ms: 1, us: 2, ns: 3 }[unitOfPrecision(type.precision)]
  }
  read(source: Source): void {
    const start = textStart(source)
    const { text, from, to } = source
    const moment = this.#moment
    const wrong =
      this.#kind === 'time'
        ? parseTime(text, from, to, this.#precision, moment)
        : parseTimestamp(text, from, to, this.#precision, this.#kind === 'timestamp_ltz', moment)
    if (wrong !== undefined) throw problem(source, wrong, start)
    const at = this.slot()
    if (widthOf(this.type) === 8) putMoment(this.words, at, moment, this.#thousands)
    else this.words[at] = this.#thousands === 0 ? moment.seconds : moment.seconds * 1000 + moment.groups[0]
    this.appended()
  }
}

/** string and binary. */
export class TextBuilder extends Builder {
  #offsets = new Int32Array(16)
  #values = new Uint8Array(64)
  #size = 0
  read(source: Source): void {
    const start = textStart(source)
    if (this.type.kind === 'binary') this.#readBase64(source, start)
    else this.#append(source.text, source.from, source.to)
    const row = this.rows + 1
    if (row >= this.#offsets.length) this.#offsets = grownWords(this.#offsets, row + 1, this.budget)
    this.#offsets[row] = this.#size
    this.appended()
  }
  #append(text: Uint8Array, from: number, to: number): void {
    const length = to - from
    if (this.#size + length > this.#values.length) this.#values = grown(this.#values, this.#size + length, this.budget)
    const values = this.#values
    if (length > 48) {
      values.set(text.subarray(from, to), this.#size)
      this.#size += length
      return
    }
    let at = this.#size
    for (let i = from; i < to; i++) values[at++] = text[i] as number
    this.#size = at
  }
  #readBase64(source: Source, start: number): void {
    const bytes = decodeBase64(source.text, source.from, source.to)
    if (bytes === undefined) throw problem(source, 'binary is written in base64', start)
    this.#append(bytes, 0, bytes.length)
  }
  protected appendZeros(count: number): void {
    const end = this.rows + count + 1
    if (end > this.#offsets.length) this.#offsets = grownWords(this.#offsets, end, this.budget)
    this.#offsets.fill(this.#size, this.rows + 1, end)
  }
  protected parts(): Parts {
    return { offsets: this.#offsets.subarray(0, this.rows + 1), values: this.#values.subarray(0, this.#size), children: [] }
  }
}

/** Passes the text that has to stand here; returns where it began. */
function textStart(source: Source): number {
  const start = source.at
  if (source.bytes[start] !== 0x22) throw problem(source, 'a text is expected here')
  readText(source)
  return start
}

/** An integer of at most 15 digits without point or exponent, passed; NaN, nothing passed, where there is none. */
function readSmallInteger(source: Source, start = source.at): number {
  const { bytes, end } = source
  const negative = bytes[start] === 0x2d
  const first = negative ? start + 1 : start
  let at = first
  let value = 0
  while (at < end) {
    const digit = (bytes[at] as number) - 0x30
    if (digit < 0 || digit > 9) break
    value = value * 10 + digit
    at++
  }
  const count = at - first
  const next = at < end ? (bytes[at] as number) : 0
  if (count === 0 || count > 15 || next === 0x2e || (next | 0x20) === 0x65 || (count > 1 && bytes[first] === 0x30))
    return Number.NaN
  source.at = at
  return negative ? 0 - value : value
}

/** The same between quotes. */
function readSmallText(source: Source): number {
  const start = source.at
  const value = readSmallInteger(source, start + 1)
  if (!Number.isNaN(value) && source.bytes[source.at] === 0x22) {
    source.at++
    return value
  }
  source.at = start
  return Number.NaN
}

function checkedBigint(source: Source): bigint {
  const start = source.at
  const value = readExact(source, 0, 19)
  if (value !== BigInt.asIntN(64, value)) throw problem(source, 'it does not fit bigint', start)
  return value
}

/** A number that is a whole one, in any notation. */
function readInteger(source: Source, precision: number): bigint {
  if (source.bytes[source.at] === 0x22) throw problem(source, 'a number is expected here')
  return readExact(source, 0, precision)
}

/** The number, or the text with one, that stands here × 10^scale. */
function readExact(source: Source, scale: number, precision: number): bigint {
  const start = source.at
  let { bytes, at: from } = source
  let to: number
  if (bytes[start] === 0x22) {
    readText(source)
    bytes = source.text
    from = source.from
    to = source.to
  } else {
    to = numberEnd(bytes, start, source.end)
    source.at = to
  }
  const exact = exactNumber(bytes, from, to)
  if (exact === undefined) throw problem(source, 'a number is expected here', start)
  const value = scaled(exact, scale, precision)
  if (value === 'rounding')
    throw problem(
      source,
      scale === 0 ? 'a whole number is expected here' : `it has more than ${scale} digits after the point`,
      start,
    )
  if (value === 'overflow') throw problem(source, 'it has more digits than the column', start)
  return value
}

function putBigint(words: Int32Array, at: number, value: bigint): void {
  words[at] = Number(BigInt.asIntN(32, value))
  words[at + 1] = Number(BigInt.asIntN(32, value >> 32n))
}

function readSpecial(source: Source): number {
  const start = source.at
  readText(source)
  const text = source.to - source.from > 9 ? '' : asciiText(source.text, source.from, source.to)
  const value = specialDouble(text)
  if (value === undefined) throw problem(source, 'a number is expected here, or "NaN", "Infinity", "-Infinity"', start)
  return value
}
