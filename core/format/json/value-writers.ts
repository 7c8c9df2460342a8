/** One writer a column: the value of a row as the contract writes it in JSON. Null is written by writerOf for all of them. */
import { utf8 } from '../../kernel/bytes.ts'
import { type DataType, unitOfPrecision } from '../../model/types.ts'
import { base64Length, putBase64 } from '../../model/values/base64.ts'
import { putClock, putDate, putDigits } from '../../model/values/calendar.ts'
import type { ColumnData } from '../arrow/column.ts'
import { float32s, float64s, int8s, int16s, int32s } from '../arrow/layout.ts'
import type { Sink } from './sink.ts'

export type ValueWriter = (sink: Sink, row: number) => void

export function writerOf(column: ColumnData): ValueWriter {
  const write = plainWriter(column)
  const { validity } = column
  if (column.nullCount === 0 || validity === undefined) return write
  return (sink, row) => {
    if (((validity[row >>> 3] as number) >>> (row & 7)) & 1) write(sink, row)
    else sink.ascii('null')
  }
}

function plainWriter(column: ColumnData): ValueWriter {
  const { type, length } = column
  const values = column.values ?? new Uint8Array(0)
  const offsets = column.offsets ?? new Int32Array(length + 1)
  switch (type.kind) {
    case 'boolean':
      return (sink, row) => sink.ascii(((values[row >>> 3] as number) >>> (row & 7)) & 1 ? 'true' : 'false')
    case 'tinyint':
      return integers(int8s(values, length))
    case 'smallint':
      return integers(int16s(values, length))
    case 'int':
      return integers(int32s(values, length))
    case 'bigint':
      return longs(int32s(values, 2 * length))
    case 'float':
      return floats(float32s(values, length), shortestFloat)
    case 'double':
      return floats(float64s(values, length), String)
    case 'decimal':
      return decimals(int32s(values, 4 * length), type.scale)
    case 'string':
      return (sink, row) => sink.text(values, offsets[row] as number, offsets[row + 1] as number)
    case 'binary':
      return binaries(values, offsets)
    case 'date':
      return dates(int32s(values, length))
    case 'time':
    case 'timestamp':
    case 'timestamp_ltz':
      return moments(type, values, length)
    case 'array':
      return lists(offsets, column.children)
    case 'map':
      return pairs(offsets, column.children)
    case 'row':
      return objects(column)
    case 'vector':
      return vectors(type.dimension, column.children)
  }
}

const integers =
  (numbers: ArrayLike<number>): ValueWriter =>
  (sink, row) =>
    sink.integer(numbers[row] as number)

/** Quoted: not every reader keeps 64 bits. */
function longs(words: Int32Array): ValueWriter {
  return (sink, row) => {
    sink.byte(0x22)
    putLong(sink, words[2 * row] as number, words[2 * row + 1] as number)
    sink.byte(0x22)
  }
}

function putLong(sink: Sink, low: number, high: number): void {
  if (high >= -0x200000 && high < 0x200000 && !(high === -0x200000 && low === 0)) sink.integer(high * 0x100000000 + (low >>> 0))
  else sink.ascii(((BigInt(high) << 32n) | BigInt(low >>> 0)).toString())
}

function floats(numbers: Float32Array | Float64Array, print: (value: number) => string): ValueWriter {
  return (sink, row) => {
    const value = numbers[row] as number
    if (Number.isInteger(value) && value < 1e15 && value > -1e15) {
      if (value === 0 && Object.is(value, -0)) sink.byte(0x2d)
      sink.integer(value)
    } else sink.ascii(Number.isFinite(value) ? print(value) : `"${value}"`)
  }
}

/** The fewest digits that read back as the same 32-bit float. */
function shortestFloat(value: number): string {
  for (let digits = 6; digits < 9; digits++) {
    const text = value.toPrecision(digits)
    if (Math.fround(Number(text)) === value) return String(Number(text))
  }
  return String(value)
}

function decimals(words: Int32Array, scale: number): ValueWriter {
  return (sink, row) => {
    const at = 4 * row
    const low = words[at] as number
    const high = words[at + 1] as number
    const isShort = (words[at + 2] as number) === high >> 31 && (words[at + 3] as number) === high >> 31
    const isSafe = isShort && high > -0x200000 && high < 0x200000
    const text = isSafe ? String(high * 0x100000000 + (low >>> 0)) : wideDecimal(words, at).toString()
    sink.ascii(`"${pointed(text, scale)}"`)
  }
}

function wideDecimal(words: Int32Array, at: number): bigint {
  let value = BigInt(words[at + 3] as number)
  for (let k = 2; k >= 0; k--) value = (value << 32n) | BigInt((words[at + k] as number) >>> 0)
  return value
}

function pointed(text: string, scale: number): string {
  if (scale === 0) return text
  const sign = text.startsWith('-') ? '-' : ''
  const digits = text.slice(sign.length).padStart(scale + 1, '0')
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

function binaries(values: Uint8Array, offsets: Int32Array): ValueWriter {
  return (sink, row) => {
    const start = offsets[row] as number
    const end = offsets[row + 1] as number
    const out = sink.reserve(base64Length(end - start) + 2)
    out[sink.at] = 0x22
    sink.at = putBase64(out, sink.at + 1, values, start, end)
    sink.byte(0x22)
  }
}

function dates(days: Int32Array): ValueWriter {
  return (sink, row) => {
    const out = sink.reserve(12)
    out[sink.at] = 0x22
    sink.at = putDate(out, sink.at + 1, days[row] as number)
    sink.byte(0x22)
  }
}

type TimeType = Extract<DataType, { readonly precision: number; readonly scale?: never }>

function moments({ kind, precision }: TimeType, values: Uint8Array, length: number): ValueWriter {
  const thousands = { s: 0, ms: 1, us: 2, ns: 3 }[unitOfPrecision(precision)]
  const isShort = kind === 'time' && precision <= 3
  const words = int32s(values, isShort ? length : 2 * length)
  const groups = [0, 0, 0]
  return (sink, row) => {
    let low = (isShort ? (words[row] as number) : (words[2 * row] as number)) >>> 0
    let high = isShort ? 0 : (words[2 * row + 1] as number)
    for (let i = thousands - 1; i >= 0; i--) {
      const quotient = Math.floor(high / 1000)
      const middle = (high - quotient * 1000) * 0x100000000 + low
      low = Math.floor(middle / 1000)
      groups[i] = middle - low * 1000
      high = quotient
    }
    const seconds = high * 0x100000000 + low
    const out = sink.reserve(34)
    let { at } = sink
    out[at++] = 0x22
    let clock = seconds
    if (kind !== 'time') {
      const day = Math.floor(seconds / 86_400)
      at = putDate(out, at, day)
      out[at++] = 0x54
      clock = seconds - day * 86_400
    }
    at = putClock(out, at, clock)
    if (precision > 0) {
      out[at++] = 0x2e
      for (let i = 0; i < thousands; i++) putDigits(out, at + 3 * i, groups[i] as number, 3)
      at += precision
    }
    if (kind === 'timestamp_ltz') out[at++] = 0x5a
    out[at++] = 0x22
    sink.at = at
  }
}

function lists(offsets: Int32Array, children: readonly ColumnData[]): ValueWriter {
  const element = childWriter(children[0])
  return (sink, row) => {
    const start = offsets[row] as number
    const end = offsets[row + 1] as number
    sink.byte(0x5b)
    for (let i = start; i < end; i++) {
      if (i > start) sink.byte(0x2c)
      element(sink, i)
    }
    sink.byte(0x5d)
  }
}

function pairs(offsets: Int32Array, children: readonly ColumnData[]): ValueWriter {
  const key = childWriter(children[0])
  const value = childWriter(children[1])
  return (sink, row) => {
    const start = offsets[row] as number
    const end = offsets[row + 1] as number
    sink.byte(0x5b)
    for (let i = start; i < end; i++) {
      sink.ascii(i > start ? ',[' : '[')
      key(sink, i)
      sink.byte(0x2c)
      value(sink, i)
      sink.byte(0x5d)
    }
    sink.byte(0x5d)
  }
}

function objects(column: ColumnData): ValueWriter {
  const fields = column.type.kind === 'row' ? column.type.fields : []
  const writers = column.children.map(writerOf)
  const keys = fields.map((field, i) => utf8(`${i === 0 ? '{' : ','}${JSON.stringify(field.name)}:`))
  return (sink, row) => {
    for (let i = 0; i < keys.length; i++) {
      sink.put(keys[i] as Uint8Array)
      ;(writers[i] as ValueWriter)(sink, row)
    }
    sink.byte(0x7d)
  }
}

function vectors(dimension: number, children: readonly ColumnData[]): ValueWriter {
  const element = childWriter(children[0])
  return (sink, row) => {
    sink.byte(0x5b)
    for (let i = row * dimension; i < (row + 1) * dimension; i++) {
      if (i > row * dimension) sink.byte(0x2c)
      element(sink, i)
    }
    sink.byte(0x5d)
  }
}

const childWriter = (child: ColumnData | undefined): ValueWriter =>
  child === undefined ? (sink) => sink.ascii('null') : writerOf(child)
