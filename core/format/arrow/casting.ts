/**
 * What every cast shares: where it is (for messages), what it may allocate, how it reads a foreign column's buffers, and the
 * errors. A cast is exact or refused: `invalid-rows` names the column and the row.
 */
import { type Facts, SluiceError } from '../../kernel/errors.ts'
import { quoted } from '../../model/nearest.ts'
import { printType } from '../../model/type-text.ts'
import type { DataType } from '../../model/types.ts'
import { type Budget, spend } from './budget.ts'
import type { ColumnData } from './column.ts'
import { damaged } from './flatbuffer.ts'
import { foreignTypeName } from './foreign.ts'
import type { ForeignColumn } from './foreign-columns.ts'
import { bitmapBytes, childFields, hasOffsets, widthOf } from './layout.ts'

export type CastColumn = (source: ForeignColumn, target: DataType, casting: Casting) => ColumnData

export interface Casting {
  /** `a`, `a.element` */
  readonly path: string
  readonly isNested: boolean
  /** Rows of the request before this batch. */
  readonly firstRow: number
  readonly work: Budget
  /** Dictionaries cast so far: a column may come in many batches. */
  readonly dictionaries: Map<readonly ForeignColumn[], Map<string, ColumnData>>
}

export const inside = (casting: Casting, name: string): Casting => ({
  ...casting,
  path: `${casting.path}.${name}`,
  isNested: true,
})

/** Columns of the target type with the source's length and nulls. */
export function fixedColumn(type: DataType, source: ForeignColumn, values: Uint8Array): ColumnData {
  return {
    type,
    length: source.length,
    nullCount: source.nullCount,
    validity: source.validity,
    offsets: undefined,
    values,
    children: [],
  }
}

/** All null; its buffers are zero. */
export function nullColumn(type: DataType, length: number, work: Budget): ColumnData {
  spend(work, bitmapBytes(length) + (hasOffsets(type) ? 4 * (length + 1) : 0) + length * widthOf(type))
  const children = childFields(type).map((child) => {
    const inner = type.kind === 'row' ? length : type.kind === 'vector' ? length * type.dimension : 0
    return type.kind === 'vector' ? zeroFloats(inner, work) : nullColumn(child.type, inner, work)
  })
  const isNested = children.length > 0
  return {
    type,
    length,
    nullCount: length,
    validity: length === 0 ? undefined : new Uint8Array(bitmapBytes(length)),
    offsets: hasOffsets(type) ? new Int32Array(length + 1) : undefined,
    values: isNested ? undefined : new Uint8Array(type.kind === 'boolean' ? bitmapBytes(length) : length * widthOf(type)),
    children,
  }
}

/** Elements of vectors, none of them null. */
export function zeroFloats(length: number, work: Budget): ColumnData {
  spend(work, 4 * length)
  return {
    type: { kind: 'float' },
    length,
    nullCount: 0,
    validity: undefined,
    offsets: undefined,
    values: new Uint8Array(4 * length),
    children: [],
  }
}

/** The first `bytes` bytes of buffer `i`. */
export function bufferOf(source: ForeignColumn, i: number, bytes: number): Uint8Array {
  const buffer = source.buffers[i]
  if (buffer === undefined || buffer.length < bytes) throw damaged('a buffer is shorter than its column')
  return buffer.subarray(0, bytes)
}

export function isNullAt(source: ForeignColumn, row: number): boolean {
  return source.validity !== undefined && (((source.validity[row >>> 3] as number) >>> (row & 7)) & 1) === 0
}

export function mismatch(casting: Casting, source: ForeignColumn, target: DataType): SluiceError {
  return new SluiceError(
    'invalid-rows',
    `column ${quoted(casting.path)} is ${printType(target)}; the rows have ${foreignTypeName(source.field)}, which is not cast to it`,
    {
      facts: { column: casting.path },
    },
  )
}

export function rowProblem(casting: Casting, row: number, what: string): SluiceError {
  const place = casting.isNested ? `element ${row}` : `row ${casting.firstRow + row}`
  const facts: Facts = casting.isNested
    ? { column: casting.path, element: row }
    : { column: casting.path, row: casting.firstRow + row }
  return new SluiceError('invalid-rows', `column ${quoted(casting.path)}, ${place}: ${what}`, { facts })
}

/** Throws when a check found a row (-1: it found none). */
export function refuseAt(casting: Casting, row: number, what: string): void {
  if (row >= 0) throw rowProblem(casting, row, what)
}
