/**
 * A row as bytes, under the columns of one schema: a bit for each that is null (lowest first), then the others in order. Little-endian:
 * boolean, tinyint 1 byte · smallint 2 · int, date, float 4 · bigint, double, times 8 · decimal 16 · string, binary, lists: length u32,
 * then bytes or values · row: its fields · vector: its floats. Lists of values and rows begin with their own bits.
 */
import { viewOf } from '../kernel/bytes.ts'
import { SluiceError } from '../kernel/errors.ts'
import { limits } from '../kernel/limits.ts'
import type { DataType } from '../model/types.ts'
import type { Row, Value } from './values.ts'

type Types = readonly DataType[]

let scratch = new Uint8Array(64 * 1024)
let view = viewOf(scratch)
let at = 0

/** A copy of the scratch: the caller's to keep. */
export function encodeRow(types: Types, row: Row): Uint8Array {
  at = 0
  putValues(types.length, (i) => types[i] as DataType, row)
  return scratch.slice(0, at)
}

/** As it lies in a row. A copy. */
export function encodeValue(type: DataType, value: NonNullable<Value>): Uint8Array {
  at = 0
  putValue(type, value)
  return scratch.slice(0, at)
}

/** Text is a view of `bytes`. Errors: `internal`: they are not a row of these types. */
export function decodeRow(types: Types, bytes: Uint8Array): Row {
  return decoded(bytes, (reader) => {
    const row = readValues(reader, types.length, (i) => types[i] as DataType)
    if (reader.at !== bytes.length) throw new RangeError('length')
    return row
  })
}

/** The value that `bytes` begin with, and how many of them it takes. Errors: `internal`. */
export const decodeValue = (type: DataType, bytes: Uint8Array): { readonly value: Value; readonly bytes: number } =>
  decoded(bytes, (reader) => ({ value: readValue(reader, type), bytes: reader.at }))

function decoded<T>(bytes: Uint8Array, read: (reader: RowReader) => T): T {
  try {
    return read({ bytes, view: viewOf(bytes), at: 0 })
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw damagedRow(cause)
  }
}

export const damagedRow = (cause?: unknown): SluiceError =>
  new SluiceError('internal', 'a stored row is damaged', { action: 'stop', cause })

function reserve(more: number): void {
  if (at + more <= scratch.length) return
  const grown = new Uint8Array(Math.max(2 * scratch.length, at + more))
  grown.set(scratch.subarray(0, at))
  scratch = grown
  view = viewOf(scratch)
}

type TypeAt = (index: number) => DataType

function putValues(count: number, typeAt: TypeAt, values: readonly Value[]): void {
  const bits = (count + 7) >>> 3
  reserve(bits)
  const bitsAt = at
  scratch.fill(0, at, at + bits)
  at += bits
  for (let i = 0; i < count; i++) {
    const value = values[i] ?? null
    if (value === null) scratch[bitsAt + (i >>> 3)] = (scratch[bitsAt + (i >>> 3)] as number) | (1 << (i & 7))
    else putValue(typeAt(i), value)
  }
}

function putValue(type: DataType, value: NonNullable<Value>): void {
  reserve(16)
  switch (type.kind) {
    case 'boolean':
      scratch[at++] = value === true ? 1 : 0
      return
    case 'tinyint':
      view.setInt8(at++, value as number)
      return
    case 'smallint':
      view.setInt16(at, value as number, true)
      at += 2
      return
    case 'int':
    case 'date':
      view.setInt32(at, value as number, true)
      at += 4
      return
    case 'float':
      view.setFloat32(at, value as number, true)
      at += 4
      return
    case 'double':
      view.setFloat64(at, value as number, true)
      at += 8
      return
    case 'decimal':
      view.setBigInt64(at, BigInt.asIntN(64, value as bigint), true)
      view.setBigInt64(at + 8, (value as bigint) >> 64n, true)
      at += 16
      return
    case 'string':
    case 'binary':
      putBytes(value as Uint8Array)
      return
    case 'array':
      putList(value as Row, () => type.element)
      return
    case 'map':
      putLength((value as Row).length)
      for (const pair of value as Row) putValues(2, (i) => (i === 0 ? type.key : type.value), pair as Row)
      return
    case 'row':
      putValues(type.fields.length, (i) => (type.fields[i] as { type: DataType }).type, value as Row)
      return
    case 'vector':
      for (let i = 0; i < type.dimension; i++) putValue({ kind: 'float' }, (value as Row)[i] as number)
      return
    default:
      view.setBigInt64(at, value as bigint, true)
      at += 8
  }
}

function putLength(length: number): void {
  reserve(4)
  view.setUint32(at, length, true)
  at += 4
}

function putBytes(bytes: Uint8Array): void {
  putLength(bytes.length)
  reserve(bytes.length)
  scratch.set(bytes, at)
  at += bytes.length
}

function putList(values: readonly Value[], typeAt: TypeAt): void {
  putLength(values.length)
  putValues(values.length, typeAt, values)
}

interface RowReader {
  readonly bytes: Uint8Array
  readonly view: DataView
  at: number
}

function take(reader: RowReader, bytes: number): number {
  const from = reader.at
  if (from + bytes > reader.bytes.length) throw new RangeError('truncated')
  reader.at += bytes
  return from
}

function readValues(reader: RowReader, count: number, typeAt: TypeAt): Value[] {
  const bitsAt = take(reader, (count + 7) >>> 3)
  const values = new Array<Value>(count)
  for (let i = 0; i < count; i++) {
    const isNull = (((reader.bytes[bitsAt + (i >>> 3)] as number) >>> (i & 7)) & 1) === 1
    values[i] = isNull ? null : readValue(reader, typeAt(i))
  }
  return values
}

function readValue(reader: RowReader, type: DataType): Value {
  const { view: bytes } = reader
  switch (type.kind) {
    case 'boolean':
      return reader.bytes[take(reader, 1)] === 1
    case 'tinyint':
      return bytes.getInt8(take(reader, 1))
    case 'smallint':
      return bytes.getInt16(take(reader, 2), true)
    case 'int':
    case 'date':
      return bytes.getInt32(take(reader, 4), true)
    case 'float':
      return bytes.getFloat32(take(reader, 4), true)
    case 'double':
      return bytes.getFloat64(take(reader, 8), true)
    case 'decimal': {
      const from = take(reader, 16)
      const [low, high] = [bytes.getBigInt64(from, true), bytes.getBigInt64(from + 8, true)]
      return high === (low < 0n ? -1n : 0n) ? low : (high << 64n) | BigInt.asUintN(64, low)
    }
    case 'string':
    case 'binary': {
      const length = readLength(reader, 1)
      const from = take(reader, length)
      return reader.bytes.subarray(from, from + length)
    }
    case 'array':
      return readValues(reader, readLength(reader, 0), () => type.element)
    case 'map': {
      const count = readLength(reader, 1)
      return Array.from({ length: count }, () => readValues(reader, 2, (i) => (i === 0 ? type.key : type.value)))
    }
    case 'row':
      return readValues(reader, type.fields.length, (i) => (type.fields[i] as { type: DataType }).type)
    case 'vector':
      return Array.from({ length: type.dimension }, () => bytes.getFloat32(take(reader, 4), true))
    default:
      return bytes.getBigInt64(take(reader, 8), true)
  }
}

/** Of a list whose values take at least `bytesEach`; those of an array of nulls take a bit. */
function readLength(reader: RowReader, bytesEach: number): number {
  const length = reader.view.getUint32(take(reader, 4), true)
  const left = reader.bytes.length - reader.at
  if (length > (bytesEach === 0 ? 8 * left : left) || length > limits.rowBytesMax * 8)
    throw new RangeError('a length is not possible')
  return length
}
