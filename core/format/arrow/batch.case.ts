/**
 * Batches for tests: plain values to columns and back, and random batches of random schemas. Plain values: bigint for bigint,
 * decimal (unscaled), time and timestamps (in the type's unit); number for the other numbers and days; arrays for arrays,
 * vectors and rows (by position); [key, value] pairs for maps.
 */
import fc from 'fast-check'
import { utf8, utf8Text } from '../../kernel/bytes.ts'
import { anyType, fieldName, scalarType } from '../../model/types.case.ts'
import type { DataType } from '../../model/types.ts'
import { setBit } from './bits.ts'
import type { Batch, ColumnData, Field } from './column.ts'
import { bitmapBytes, bytesOf, childFields, isValid, widthOf } from './layout.ts'

export type Plain = null | boolean | number | bigint | string | Uint8Array | readonly Plain[]

export const fieldOf = (name: string, type: DataType, nullable = true, id = 0): Field => ({ name, type, nullable, id })

export function batchOf(fields: readonly Field[], rows: readonly (readonly Plain[])[]): Batch {
  return {
    rows: rows.length,
    fields,
    columns: fields.map((field, i) =>
      columnOf(
        field.type,
        rows.map((row) => row[i] ?? null),
      ),
    ),
  }
}

export const rowsOf = (batch: Batch): Plain[][] =>
  Array.from({ length: batch.rows }, (_, row) => batch.columns.map((column) => valueAt(column, row)))

export function columnOf(type: DataType, values: readonly Plain[]): ColumnData {
  const length = values.length
  const bits = new Uint8Array(bitmapBytes(length))
  let nullCount = 0
  for (const [i, value] of values.entries()) {
    if (value === null) nullCount++
    else setBit(bits, i)
  }
  const base = {
    type,
    length,
    nullCount,
    validity: nullCount === 0 ? undefined : bits,
    offsets: undefined,
    values: undefined,
    children: [],
  }
  switch (type.kind) {
    case 'string':
    case 'binary': {
      const parts = values.map((value) =>
        typeof value === 'string' ? utf8(value) : value instanceof Uint8Array ? value : new Uint8Array(0),
      )
      return { ...base, offsets: offsetsOf(parts), values: Uint8Array.from(parts.flatMap((part) => [...part])) }
    }
    case 'array':
    case 'map': {
      const lists = values.map((value) => (Array.isArray(value) ? (value as readonly Plain[]) : []))
      const inner = lists.flat()
      const children =
        type.kind === 'array' ? [inner] : [0, 1].map((part) => inner.map((pair) => (pair as readonly Plain[])[part] ?? null))
      return {
        ...base,
        offsets: offsetsOf(lists),
        children: childFields(type).map((child, i) => columnOf(child.type, children[i] ?? [])),
      }
    }
    case 'row':
      return {
        ...base,
        children: type.fields.map((field, i) =>
          columnOf(
            field.type,
            values.map((value) => (value as readonly Plain[] | null)?.[i] ?? null),
          ),
        ),
      }
    case 'vector': {
      const zeros = new Array<number>(type.dimension).fill(0)
      return {
        ...base,
        children: [
          columnOf(
            { kind: 'float' },
            values.flatMap((value) => (value as readonly number[] | null) ?? zeros),
          ),
        ],
      }
    }
    default:
      return { ...base, values: fixedValues(type, values) }
  }
}

export function valueAt(column: ColumnData, row: number): Plain {
  if (!isValid(column, row)) return null
  const { type, children } = column
  const values = column.values ?? new Uint8Array(0)
  const from = column.offsets?.[row] ?? 0
  const to = column.offsets?.[row + 1] ?? 0
  const range = (child: ColumnData | undefined, start: number, end: number): Plain[] =>
    Array.from({ length: end - start }, (_, i) => (child === undefined ? null : valueAt(child, start + i)))
  const view = new DataView(values.buffer, values.byteOffset, values.byteLength)
  switch (type.kind) {
    case 'boolean':
      return (((values[row >>> 3] ?? 0) >>> (row & 7)) & 1) === 1
    case 'tinyint':
      return view.getInt8(row)
    case 'smallint':
      return view.getInt16(row * 2, true)
    case 'int':
    case 'date':
      return view.getInt32(row * 4, true)
    case 'float':
      return view.getFloat32(row * 4, true)
    case 'double':
      return view.getFloat64(row * 8, true)
    case 'time':
      return widthOf(type) === 4 ? BigInt(view.getInt32(row * 4, true)) : view.getBigInt64(row * 8, true)
    case 'bigint':
    case 'timestamp':
    case 'timestamp_ltz':
      return view.getBigInt64(row * 8, true)
    case 'decimal':
      return (view.getBigInt64(row * 16 + 8, true) << 64n) | view.getBigUint64(row * 16, true)
    case 'string':
      return utf8Text(values.subarray(from, to))
    case 'binary':
      return values.slice(from, to)
    case 'array':
      return range(children[0], from, to)
    case 'map':
      return range(children[0], from, to).map((key, i) => [key, range(children[1], from, to)[i] ?? null])
    case 'row':
      return children.map((child) => valueAt(child, row))
    case 'vector':
      return range(children[0], row * type.dimension, (row + 1) * type.dimension)
  }
}

function offsetsOf(parts: readonly { readonly length: number }[]): Int32Array {
  let at = 0
  return Int32Array.of(0, ...parts.map((part) => (at += part.length)))
}

function fixedValues(type: DataType, values: readonly Plain[]): Uint8Array {
  if (type.kind === 'boolean') {
    const bits = new Uint8Array(bitmapBytes(values.length))
    for (const [i, value] of values.entries()) if (value === true) setBit(bits, i)
    return bits
  }
  const width = widthOf(type)
  const view = new DataView(new ArrayBuffer(values.length * width))
  for (const [i, value] of values.entries()) {
    if (value === null) continue
    if (type.kind === 'float') view.setFloat32(i * 4, value as number, true)
    else if (type.kind === 'double') view.setFloat64(i * 8, value as number, true)
    else {
      const whole = BigInt(value as number | bigint)
      if (width === 1) view.setInt8(i, Number(whole))
      else if (width === 2) view.setInt16(i * 2, Number(whole), true)
      else if (width === 4) view.setInt32(i * 4, Number(whole), true)
      else view.setBigInt64(i * width, BigInt.asIntN(64, whole), true)
      if (width === 16) view.setBigInt64(i * 16 + 8, whole >> 64n, true)
    }
  }
  return bytesOf(view)
}

const dayMicros = 86_400_000_000n
/** Within the years 1 to 9999, so that every printer can write it. */
const daysMin = -719_162
const daysMax = 2_932_896

/** Of every length in UTF-8, and all that JSON escapes. (fast-check's own units take a second to set up.) */
const letter = fc.constantFrom(...'abcXYZ019 "\\/\b\f\n\r\t\0\u001f\u007f\u0080é߿ࠀ列\u2028\ud7ff\ue000\uffff😀', '\u{10ffff}')

export function valueOfType(type: DataType): fc.Arbitrary<Plain> {
  switch (type.kind) {
    case 'boolean':
      return fc.boolean()
    case 'tinyint':
      return fc.integer({ min: -128, max: 127 })
    case 'smallint':
      return fc.integer({ min: -32768, max: 32767 })
    case 'int':
      return fc.integer()
    case 'bigint':
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    case 'float':
      return fc.float()
    case 'double':
      return fc.double()
    case 'date':
      return fc.integer({ min: daysMin, max: daysMax })
    case 'time':
      return stepped(type.precision, 0n, dayMicros - 1n)
    case 'timestamp':
    case 'timestamp_ltz': {
      const nanos = type.precision > 6
      return stepped(
        type.precision,
        nanos ? -9_223_372_036_854_775n : BigInt(daysMin) * dayMicros,
        nanos ? 9_223_372_036_854_774n : BigInt(daysMax) * dayMicros,
      )
    }
    case 'decimal': {
      const max = 10n ** BigInt(type.precision) - 1n
      return fc.bigInt({ min: -max, max })
    }
    case 'string':
      return fc.string({ unit: letter, maxLength: 12 })
    case 'binary':
      return fc.uint8Array({ maxLength: 12 })
    case 'array':
      return fc.array(nullable(valueOfType(type.element)), { maxLength: 3 })
    case 'map':
      return fc.array(fc.tuple(valueOfType(type.key), nullable(valueOfType(type.value))), { maxLength: 3 })
    case 'row':
      return fc.tuple(...type.fields.map((field) => nullable(valueOfType(field.type))))
    case 'vector':
      return fc.array(fc.float(), { minLength: type.dimension, maxLength: type.dimension })
  }
}

/** Micros in [min, max], in the unit of this precision and a multiple of its step. */
function stepped(precision: number, min: bigint, max: bigint): fc.Arbitrary<bigint> {
  return fc.tuple(fc.bigInt({ min, max }), fc.bigInt({ min: 0n, max: 999n })).map(([micros, nanos]) => {
    const unit = precision === 0 ? 9 : precision <= 3 ? 6 : precision <= 6 ? 3 : 0
    const step = 10n ** BigInt(9 - precision)
    const value = micros * 1000n + nanos
    return (value - (((value % step) + step) % step) + (value < 0n && min < 0n ? step : 0n)) / 10n ** BigInt(unit)
  })
}

const nullable = (value: fc.Arbitrary<Plain>): fc.Arbitrary<Plain> => fc.option(value, { freq: 4 })

/** A random schema with random rows. */
export const anyBatch: fc.Arbitrary<Batch> = batchOfTypes(anyType)
export const scalarBatch: fc.Arbitrary<Batch> = batchOfTypes(scalarType)

function batchOfTypes(type: fc.Arbitrary<DataType>): fc.Arbitrary<Batch> {
  const field = fc.tuple(fieldName, type, fc.boolean()).map(([name, kind, isNullable]) => fieldOf(name, kind, isNullable))
  return fc.uniqueArray(field, { minLength: 1, maxLength: 4, selector: (each) => each.name }).chain(batchOfFields)
}

export function batchOfFields(fields: readonly Field[]): fc.Arbitrary<Batch> {
  const row = fc.tuple(...fields.map((field) => (field.nullable ? nullable(valueOfType(field.type)) : valueOfType(field.type))))
  return fc.array(row, { maxLength: 20 }).map((rows) => batchOf(fields, rows))
}
