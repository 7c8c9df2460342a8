/**
 * Primary keys as bytes whose order is the order of the values, column by column: whole numbers and times in 8 bytes, dates in 4,
 * decimals in 16, big-endian with the sign turned; floats as doubles by their bits, negative ones turned whole, -0 as 0, NaN above all;
 * boolean one byte; text and binary with 00 as 00 FF, and 00 00 at their end. A column that is widened keeps the bytes of its keys. So the key of the first columns is a prefix of the key of all. In memory a key is text of one
 * character a byte.
 */
import type { ColumnData } from '../format/arrow/column.ts'
import { textOf } from '../format/run/text.ts'
import { viewOf } from '../kernel/bytes.ts'
import { SluiceError } from '../kernel/errors.ts'
import { limits } from '../kernel/limits.ts'
import { quoted } from '../model/nearest.ts'
import type { Column, Table } from '../model/table.ts'
import { printType } from '../model/type-text.ts'
import type { DataType } from '../model/types.ts'
import { type Row, type Value, valuesOf } from './values.ts'

/** `indices`: of the key's columns in a row. */
export interface KeyForm {
  readonly names: readonly string[]
  readonly types: readonly DataType[]
  readonly indices: readonly number[]
}

/** Of the primary key without the partition's columns, in which the rows of a partition agree. `columns`: those of the rows. */
export function keyFormOf(table: Table, columns: readonly Pick<Column, 'name' | 'type'>[] = table.schema.columns): KeyForm {
  const names = (table.primaryKey ?? []).filter((name) => !table.partitionBy.includes(name))
  const indices = names.map((name) => columns.findIndex((column) => column.name === name))
  return { names, indices, types: indices.map((index) => columns[index]?.type as DataType) }
}

/** Of a row. Errors: `invalid-rows`: a null, or more than `keyBytesMax`. */
export const keyOf = (form: KeyForm, row: Row): string => keyWith(form, (i) => row[form.indices[i] as number])

/** Of each row. Errors: as `keyOf`. */
export function keysOf(form: KeyForm, columns: readonly ColumnData[], rows: number): readonly string[] {
  const values = form.indices.map((index) => valuesOf(columns[index] as ColumnData))
  return Array.from({ length: rows }, (_, row) => keyWith(form, (i) => (values[i] as readonly Value[])[row]))
}

function keyWith({ names, types, indices }: KeyForm, valueAt: (i: number) => Value | undefined): string {
  at = 0
  for (let i = 0; i < indices.length; i++) {
    const value = valueAt(i)
    if (value === null || value === undefined)
      throw new SluiceError(
        'invalid-rows',
        `the key column ${quoted(names[i] as string)} is null: a row needs its whole primary key`,
        {
          facts: { column: names[i] },
        },
      )
    const isLong = value instanceof Uint8Array && value.length > limits.keyBytesMax
    if (!isLong) putValue(types[i] as DataType, value)
    if (isLong || at > limits.keyBytesMax)
      throw new SluiceError(
        'invalid-rows',
        `a primary key, up to its column ${quoted(names[i] as string)}, has more than ${limits.keyBytesMax} bytes: use a shorter one`,
        { facts: { column: names[i], bytesMax: limits.keyBytesMax } },
      )
  }
  return textOf(scratch, 0, at)
}

/** Of the key's first values: what every key with them begins with. */
export const keyPrefixOf = (form: KeyForm, values: readonly Value[]): string =>
  keyOf({ ...form, indices: values.map((_, i) => i) }, values)

let scratch = new Uint8Array(4096)
let view = viewOf(scratch)
let at = 0

function reserve(more: number): void {
  if (at + more <= scratch.length) return
  const grown = new Uint8Array(Math.max(2 * scratch.length, at + more))
  grown.set(scratch.subarray(0, at))
  scratch = grown
  view = viewOf(scratch)
}

function putValue(type: DataType, value: NonNullable<Value>): void {
  reserve(16)
  switch (type.kind) {
    case 'boolean':
      scratch[at++] = value === true ? 1 : 0
      return
    case 'tinyint':
    case 'smallint':
    case 'int':
      putBigint(BigInt(value as number))
      return
    case 'date':
      view.setUint32(at, ((value as number) ^ 0x80000000) >>> 0)
      at += 4
      return
    case 'bigint':
    case 'time':
    case 'timestamp':
    case 'timestamp_ltz':
      putBigint(value as bigint)
      return
    case 'decimal':
      putBigint((value as bigint) >> 64n)
      view.setBigUint64(at, BigInt.asUintN(64, value as bigint))
      at += 8
      return
    case 'float':
    case 'double':
      view.setFloat64(at, plainNumber(value as number))
      turnFloat()
      return
    case 'string':
    case 'binary':
      putBytes(value as Uint8Array)
      return
    default:
      throw new SluiceError('internal', `${printType(type)} is no type of a key`, { action: 'stop' })
  }
}

function putBigint(value: bigint): void {
  view.setBigInt64(at, value)
  scratch[at] = (scratch[at] as number) ^ 0x80
  at += 8
}

/** One form of what is equal: 0 of -0, and one NaN, whose sign is clear. */
const plainNumber = (value: number): number => (Number.isNaN(value) ? Number.NaN : value + 0)

function turnFloat(): void {
  const isNegative = (scratch[at] as number) >= 0x80
  for (let i = 0; i < 8; i++) scratch[at + i] = (scratch[at + i] as number) ^ (isNegative ? 0xff : i === 0 ? 0x80 : 0)
  at += 8
}

function putBytes(bytes: Uint8Array): void {
  reserve(2 * bytes.length + 2)
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number
    scratch[at++] = byte
    if (byte === 0) scratch[at++] = 0xff
  }
  scratch[at++] = 0
  scratch[at++] = 0
}
