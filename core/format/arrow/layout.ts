/**
 * How each column type lies in Arrow buffers (Columnar.rst): which buffers, how wide, which children. Everything that walks
 * a column asks here, so that reader, writer, take and statistics agree. Values are little-endian; so are the machines.
 */
import { copyOf } from '../../kernel/bytes.ts'
import type { DataType } from '../../model/types.ts'
import type { ColumnData, Field } from './column.ts'

/** Bytes of one value; 0 for booleans (bits), variable-width and nested types. */
export function widthOf(type: DataType): number {
  switch (type.kind) {
    case 'tinyint':
      return 1
    case 'smallint':
      return 2
    case 'int':
    case 'float':
    case 'date':
      return 4
    case 'bigint':
    case 'double':
    case 'timestamp':
    case 'timestamp_ltz':
      return 8
    case 'time':
      return type.precision <= 3 ? 4 : 8
    case 'decimal':
      return 16
    default:
      return 0
  }
}

/** string, binary, array and map have length + 1 offsets. */
export const hasOffsets = (type: DataType): boolean =>
  type.kind === 'string' || type.kind === 'binary' || type.kind === 'array' || type.kind === 'map'

/** The children of a column of this type: an element, key and value, or a row's fields. Map keys and vector elements are never null. */
export function childFields(type: DataType): readonly Field[] {
  switch (type.kind) {
    case 'array':
      return [{ name: 'element', type: type.element, nullable: true, id: type.elementId }]
    case 'map':
      return [
        { name: 'key', type: type.key, nullable: false, id: type.keyId },
        { name: 'value', type: type.value, nullable: true, id: type.valueId },
      ]
    case 'row':
      return type.fields.map((field) => ({ name: field.name, type: field.type, nullable: true, id: field.id }))
    case 'vector':
      return [{ name: 'element', type: { kind: 'float' }, nullable: false, id: type.elementId }]
    default:
      return []
  }
}

/** Arrow buffers of a column in a record batch, children included (a map has its struct of entries between). */
export function bufferCount(type: DataType): number {
  const own =
    type.kind === 'map'
      ? 3
      : type.kind === 'row' || type.kind === 'vector'
        ? 1
        : type.kind === 'string' || type.kind === 'binary'
          ? 3
          : 2
  return childFields(type).reduce((sum, child) => sum + bufferCount(child.type), own)
}

/** Arrow field nodes of a column, children included. */
export const nodeCount = (type: DataType): number =>
  childFields(type).reduce((sum, child) => sum + nodeCount(child.type), type.kind === 'map' ? 2 : 1)

export const bitmapBytes = (length: number): number => (length + 7) >>> 3
export const isValid = (column: ColumnData, row: number): boolean =>
  column.validity === undefined || (((column.validity[row >>> 3] as number) >>> (row & 7)) & 1) === 1

/** Views where the bytes are aligned, copies where they are not. */
export function int32s(bytes: Uint8Array, length: number): Int32Array {
  if ((bytes.byteOffset & 3) === 0) return new Int32Array(bytes.buffer, bytes.byteOffset, length)
  return new Int32Array(copyOf(bytes, 0, length * 4).buffer, 0, length)
}
export function uint32s(bytes: Uint8Array, length: number): Uint32Array {
  const signed = int32s(bytes, length)
  return new Uint32Array(signed.buffer, signed.byteOffset, length)
}
export function int16s(bytes: Uint8Array, length: number): Int16Array {
  if ((bytes.byteOffset & 1) === 0) return new Int16Array(bytes.buffer, bytes.byteOffset, length)
  return new Int16Array(copyOf(bytes, 0, length * 2).buffer, 0, length)
}
export const int8s = (bytes: Uint8Array, length: number): Int8Array => new Int8Array(bytes.buffer, bytes.byteOffset, length)
export function float32s(bytes: Uint8Array, length: number): Float32Array {
  const words = int32s(bytes, length)
  return new Float32Array(words.buffer, words.byteOffset, length)
}
export function float64s(bytes: Uint8Array, length: number): Float64Array {
  if ((bytes.byteOffset & 7) === 0) return new Float64Array(bytes.buffer, bytes.byteOffset, length)
  return new Float64Array(copyOf(bytes, 0, length * 8).buffer, 0, length)
}
export const bytesOf = (view: ArrayBufferView): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
