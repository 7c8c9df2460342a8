/**
 * The Schema message of an Arrow IPC stream for a list of fields, and the end-of-stream marker. With `ids` every field, nested
 * ones too, carries `PARQUET:field_id`, which Parquet writers keep. Layout: Schema.fbs; field numbers as there.
 */
import { Builder } from 'flatbuffers'
import { type DataType, unitOfPrecision } from '../../model/types.ts'
import type { Field } from './column.ts'
import { childFields } from './layout.ts'

export interface SchemaOptions {
  readonly ids?: boolean
  readonly metadata?: Readonly<Record<string, string>>
}

/** Continuation marker and length 0; a body without it was cut off. */
export const endOfStream = new Uint8Array([255, 255, 255, 255, 0, 0, 0, 0])

export function encodeSchemaMessage(fields: readonly Field[], options: SchemaOptions = {}): Uint8Array {
  const builder = new Builder(1024)
  const ids = options.ids ?? false
  const children = offsetVector(
    builder,
    fields.map((field) => addField(builder, field, ids)),
  )
  const metadata = addMetadata(builder, options.metadata ?? {})
  builder.startObject(4)
  builder.addFieldInt16(0, 0, 0)
  builder.addFieldOffset(1, children, 0)
  if (metadata !== 0) builder.addFieldOffset(2, metadata, 0)
  const schema = builder.endObject()
  builder.startObject(5)
  builder.addFieldInt16(0, metadataVersion5, 0)
  builder.addFieldInt8(1, 1, 0)
  builder.addFieldOffset(2, schema, 0)
  builder.finish(builder.endObject())
  return framed(builder.asUint8Array())
}

export const metadataVersion5 = 4

/** `metadata`: of a message without a body. */
export function framed(metadata: Uint8Array): Uint8Array {
  const length = Math.ceil(metadata.length / 8) * 8
  const out = new Uint8Array(8 + length)
  const view = new DataView(out.buffer)
  view.setInt32(0, -1, true)
  view.setInt32(4, length, true)
  out.set(metadata, 8)
  return out
}

function addField(builder: Builder, field: Field, ids: boolean): number {
  const inner = childFields(field.type).map((child) => addField(builder, child, ids))
  const isMap = field.type.kind === 'map'
  const children = offsetVector(builder, isMap ? [addEntries(builder, inner)] : inner)
  const metadata = addMetadata(builder, ids ? { 'PARQUET:field_id': String(field.id) } : {})
  const type = addType(builder, field.type)
  return finishField(builder, { name: builder.createString(field.name), nullable: field.nullable, ...type, children, metadata })
}

/** The struct of key and value between a map and its children. */
function addEntries(builder: Builder, inner: readonly number[]): number {
  const children = offsetVector(builder, inner)
  const type = { code: typeCode.struct, type: addTable(builder, 0) }
  return finishField(builder, { name: builder.createString('entries'), nullable: false, ...type, children, metadata: 0 })
}

interface FieldParts {
  readonly name: number
  readonly nullable: boolean
  readonly code: number
  readonly type: number
  readonly children: number
  readonly metadata: number
}

function finishField(builder: Builder, parts: FieldParts): number {
  builder.startObject(7)
  builder.addFieldOffset(0, parts.name, 0)
  builder.addFieldInt8(1, parts.nullable ? 1 : 0, 0)
  builder.addFieldInt8(2, parts.code, 0)
  builder.addFieldOffset(3, parts.type, 0)
  builder.addFieldOffset(5, parts.children, 0)
  if (parts.metadata !== 0) builder.addFieldOffset(6, parts.metadata, 0)
  return builder.endObject()
}

const units = { s: 0, ms: 1, us: 2, ns: 3 } as const
const typeCode = {
  int: 2,
  float: 3,
  binary: 4,
  utf8: 5,
  bool: 6,
  decimal: 7,
  date: 8,
  time: 9,
  timestamp: 10,
  list: 12,
  struct: 13,
  fixedList: 16,
  map: 17,
} as const

function addType(builder: Builder, type: DataType): { code: number; type: number } {
  switch (type.kind) {
    case 'boolean':
      return { code: typeCode.bool, type: addTable(builder, 0) }
    case 'tinyint':
      return { code: typeCode.int, type: addInt(builder, 8) }
    case 'smallint':
      return { code: typeCode.int, type: addInt(builder, 16) }
    case 'int':
      return { code: typeCode.int, type: addInt(builder, 32) }
    case 'bigint':
      return { code: typeCode.int, type: addInt(builder, 64) }
    case 'float':
      return { code: typeCode.float, type: addTable(builder, 1, () => builder.addFieldInt16(0, 1, 0)) }
    case 'double':
      return { code: typeCode.float, type: addTable(builder, 1, () => builder.addFieldInt16(0, 2, 0)) }
    case 'string':
      return { code: typeCode.utf8, type: addTable(builder, 0) }
    case 'binary':
      return { code: typeCode.binary, type: addTable(builder, 0) }
    case 'date':
      return { code: typeCode.date, type: addTable(builder, 1, () => builder.addFieldInt16(0, 0, 1)) }
    case 'decimal':
      return { code: typeCode.decimal, type: addDecimal(builder, type.precision, type.scale) }
    case 'time':
      return { code: typeCode.time, type: addTime(builder, type.precision) }
    case 'timestamp':
      return { code: typeCode.timestamp, type: addTimestamp(builder, type.precision, 0) }
    case 'timestamp_ltz':
      return { code: typeCode.timestamp, type: addTimestamp(builder, type.precision, builder.createString('UTC')) }
    case 'array':
      return { code: typeCode.list, type: addTable(builder, 0) }
    case 'map':
      return { code: typeCode.map, type: addTable(builder, 1) }
    case 'row':
      return { code: typeCode.struct, type: addTable(builder, 0) }
    case 'vector':
      return { code: typeCode.fixedList, type: addTable(builder, 1, () => builder.addFieldInt32(0, type.dimension, 0)) }
  }
}

function addTable(builder: Builder, fields: number, fill: () => void = () => {}): number {
  builder.startObject(fields)
  fill()
  return builder.endObject()
}

function addInt(builder: Builder, bits: number): number {
  return addTable(builder, 2, () => {
    builder.addFieldInt32(0, bits, 0)
    builder.addFieldInt8(1, 1, 0)
  })
}

function addDecimal(builder: Builder, precision: number, scale: number): number {
  return addTable(builder, 3, () => {
    builder.addFieldInt32(0, precision, 0)
    builder.addFieldInt32(1, scale, 0)
    builder.addFieldInt32(2, 128, 128)
  })
}

function addTime(builder: Builder, precision: number): number {
  return addTable(builder, 2, () => {
    builder.addFieldInt16(0, units[unitOfPrecision(precision)], 1)
    builder.addFieldInt32(1, precision <= 3 ? 32 : 64, 32)
  })
}

function addTimestamp(builder: Builder, precision: number, zone: number): number {
  return addTable(builder, 2, () => {
    builder.addFieldInt16(0, units[unitOfPrecision(precision)], 0)
    if (zone !== 0) builder.addFieldOffset(1, zone, 0)
  })
}

function addMetadata(builder: Builder, metadata: Readonly<Record<string, string>>): number {
  const entries = Object.entries(metadata).map(([name, text]) => {
    const key = builder.createString(name)
    const value = builder.createString(text)
    return addTable(builder, 2, () => {
      builder.addFieldOffset(0, key, 0)
      builder.addFieldOffset(1, value, 0)
    })
  })
  return entries.length === 0 ? 0 : offsetVector(builder, entries)
}

function offsetVector(builder: Builder, offsets: readonly number[]): number {
  builder.startVector(4, offsets.length, 4)
  for (let i = offsets.length - 1; i >= 0; i--) builder.addOffset(offsets[i] as number)
  return builder.endVector()
}
