/**
 * Schemas of foreign Arrow streams: what a field says it is, before anything is cast. Field numbers and codes are those of
 * Schema.fbs. Bounded: 10,000 fields, 40 levels (an offset may name one table many times).
 */
import type { TimeUnit } from '../../model/types.ts'
import {
  damaged,
  type FlatTable,
  fieldAt,
  int8Field,
  int16Field,
  int32Field,
  int64Field,
  stringField,
  tableElement,
  tableField,
  vectorField,
} from './flatbuffer.ts'

export interface ForeignField {
  readonly name: string
  readonly type: ForeignType
  readonly children: readonly ForeignField[]
  /** `type` is that of the values; the column holds indices of type `index`. */
  readonly dictionary?: { readonly id: number; readonly index: IntType }
}

export interface IntType {
  readonly kind: 'int'
  readonly bits: number
  readonly signed: boolean
}

export type ForeignType =
  | IntType
  | { readonly kind: 'null' | 'bool' | 'struct' | 'map' }
  | { readonly kind: 'float'; readonly bits: number }
  /** Offsets of 32 or 64 bits, or views (128). */
  | { readonly kind: 'utf8' | 'binary'; readonly bits: 32 | 64 | 128 }
  | { readonly kind: 'fixed-binary'; readonly width: number }
  | { readonly kind: 'decimal'; readonly bits: number; readonly precision: number; readonly scale: number }
  | { readonly kind: 'date'; readonly unit: 'day' | 'ms' }
  | { readonly kind: 'time'; readonly unit: TimeUnit; readonly bits: number }
  | { readonly kind: 'timestamp'; readonly unit: TimeUnit; readonly zone: string | undefined }
  /** Offsets of 32 or 64 bits; `view`: with sizes beside them. */
  | { readonly kind: 'list'; readonly bits: 32 | 64; readonly view: boolean }
  | { readonly kind: 'fixed-list'; readonly size: number }
  /** Known to Arrow, not read here. */
  | { readonly kind: 'other'; readonly name: string }

export function foreignSchema(schema: FlatTable): readonly ForeignField[] {
  if (int16Field(schema, 0) !== 0) throw damaged('it is big-endian')
  const fields = vectorField(schema, 1, 4)
  const seen = { count: 0 }
  return Array.from({ length: fields.length }, (_, i) => readField(tableElement(fields, i), seen, 1))
}

/** For messages: `LargeUtf8`, `Timestamp(ns, Europe/Berlin)`. */
export function foreignTypeName(field: ForeignField): string {
  const name = plainName(field.type)
  return field.dictionary === undefined ? name : `Dictionary<${name}>`
}

const fieldsMax = 10_000
const depthMax = 40

function readField(table: FlatTable, seen: { count: number }, depth: number): ForeignField {
  if (++seen.count > fieldsMax || depth > depthMax) throw damaged('it has too many fields')
  const children = vectorField(table, 5, 4)
  const field = {
    name: stringField(table, 0) ?? '',
    type: readType(int8Field(table, 2), tableField(table, 3)),
    children: Array.from({ length: children.length }, (_, i) => readField(tableElement(children, i), seen, depth + 1)),
  }
  checkChildren(field)
  const dictionary = tableField(table, 4)
  if (dictionary === undefined) return field
  const index = tableField(dictionary, 1)
  return {
    ...field,
    dictionary: {
      id: int64Field(dictionary, 0),
      index: index === undefined ? { kind: 'int', bits: 32, signed: true } : readInt(index),
    },
  }
}

function readType(code: number, table: FlatTable | undefined): ForeignType {
  if (table === undefined) throw damaged('a field has no type')
  switch (code) {
    case 1:
      return { kind: 'null' }
    case 2:
      return readInt(table)
    case 3:
      return { kind: 'float', bits: [16, 32, 64][int16Field(table, 0)] ?? bad('float') }
    case 4:
      return { kind: 'binary', bits: 32 }
    case 5:
      return { kind: 'utf8', bits: 32 }
    case 6:
      return { kind: 'bool' }
    case 7:
      return readDecimal(table)
    case 8:
      return { kind: 'date', unit: (['day', 'ms'] as const)[int16Field(table, 0, 1)] ?? bad('date') }
    case 9: {
      const bits = int32Field(table, 1, 32)
      return { kind: 'time', unit: readUnit(int16Field(table, 0, 1)), bits: bits === 32 || bits === 64 ? bits : bad('time') }
    }
    case 10:
      return { kind: 'timestamp', unit: readUnit(int16Field(table, 0)), zone: stringField(table, 1) || undefined }
    case 12:
      return { kind: 'list', bits: 32, view: false }
    case 13:
      return { kind: 'struct' }
    case 15:
      return { kind: 'fixed-binary', width: size(int32Field(table, 0)) }
    case 16:
      return { kind: 'fixed-list', size: size(int32Field(table, 0)) }
    case 17:
      return { kind: 'map' }
    case 19:
      return { kind: 'binary', bits: 64 }
    case 20:
      return { kind: 'utf8', bits: 64 }
    case 21:
      return { kind: 'list', bits: 64, view: false }
    case 23:
      return { kind: 'binary', bits: 128 }
    case 24:
      return { kind: 'utf8', bits: 128 }
    case 25:
      return { kind: 'list', bits: 32, view: true }
    case 26:
      return { kind: 'list', bits: 64, view: true }
    default:
      return { kind: 'other', name: otherNames[code] ?? bad('field') }
  }
}

const otherNames: Readonly<Record<number, string>> = { 11: 'Interval', 14: 'Union', 18: 'Duration', 22: 'RunEndEncoded' }

function readInt(table: FlatTable): IntType {
  const bits = int32Field(table, 0)
  if (bits !== 8 && bits !== 16 && bits !== 32 && bits !== 64) bad('int')
  return { kind: 'int', bits, signed: fieldAt(table, 1, 1) !== 0 && int8Field(table, 1) !== 0 }
}

function readDecimal(table: FlatTable): ForeignType {
  const bits = int32Field(table, 2, 128)
  const precision = int32Field(table, 0)
  const scale = int32Field(table, 1)
  if (![32, 64, 128, 256].includes(bits) || precision < 1 || precision > 76 || Math.abs(scale) > 76) bad('decimal')
  return { kind: 'decimal', bits, precision, scale }
}

const readUnit = (code: number): TimeUnit => (['s', 'ms', 'us', 'ns'] as const)[code] ?? bad('time')
const size = (value: number): number => (value >= 0 ? value : bad('size'))

function checkChildren({ type, children }: ForeignField): void {
  const wanted =
    type.kind === 'list' || type.kind === 'fixed-list' || type.kind === 'map'
      ? 1
      : type.kind === 'struct' || type.kind === 'other'
        ? undefined
        : 0
  if (wanted !== undefined && children.length !== wanted) throw damaged('a field has a wrong number of children')
  if (type.kind !== 'map') return
  const entries = children[0]
  if (entries?.type.kind !== 'struct' || entries.children.length !== 2) throw damaged('the entries of a map are no key and value')
}

function plainName(type: ForeignType): string {
  switch (type.kind) {
    case 'int':
      return `${type.signed ? 'Int' : 'UInt'}${type.bits}`
    case 'float':
      return `Float${type.bits}`
    case 'utf8':
      return { 32: 'Utf8', 64: 'LargeUtf8', 128: 'Utf8View' }[type.bits]
    case 'binary':
      return { 32: 'Binary', 64: 'LargeBinary', 128: 'BinaryView' }[type.bits]
    case 'fixed-binary':
      return `FixedSizeBinary(${type.width})`
    case 'decimal':
      return `Decimal${type.bits}(${type.precision},${type.scale})`
    case 'date':
      return type.unit === 'day' ? 'Date32' : 'Date64'
    case 'time':
      return `Time${type.bits}(${type.unit})`
    case 'timestamp':
      return type.zone === undefined
        ? `Timestamp(${type.unit})`
        : `Timestamp(${type.unit}, ${JSON.stringify(type.zone.slice(0, 64))})`
    case 'list':
      return `${type.bits === 64 ? 'Large' : ''}List${type.view ? 'View' : ''}`
    case 'fixed-list':
      return `FixedSizeList(${type.size})`
    case 'other':
      return type.name
    default:
      return type.kind[0]?.toUpperCase() + type.kind.slice(1)
  }
}

function bad(what: string): never {
  throw damaged(`a ${what} type is not one of Arrow's`)
}
