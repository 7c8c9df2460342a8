/** Lists, maps, structs and vectors: each child is cast in turn; map keys and vector elements are never null. */

import { SluiceError } from '../../kernel/errors.ts'
import { quoted, suggestion } from '../../model/nearest.ts'
import type { DataType } from '../../model/types.ts'
import { spend } from './budget.ts'
import { readOffsets } from './cast-text.ts'
import type { CastColumn } from './casting.ts'
import { bufferOf, type Casting, inside, isNullAt, mismatch, nullColumn, rowProblem } from './casting.ts'
import type { ColumnData } from './column.ts'
import { damaged } from './flatbuffer.ts'
import type { ForeignColumn } from './foreign-columns.ts'
import { bytesOf, float32s, int32s, isValid } from './layout.ts'
import { gatherColumn, rebase, sliceColumn } from './take.ts'

export function castArray(
  source: ForeignColumn,
  target: DataType & { kind: 'array' },
  casting: Casting,
  cast: CastColumn,
): ColumnData {
  const child = onlyChild(source, target, casting)
  const element = cast(child, target.element, inside(casting, 'element'))
  const { offsets, children } = listed(source, [element], casting)
  return { ...shape(source, target), offsets, children }
}

export function castMap(
  source: ForeignColumn,
  target: DataType & { kind: 'map' },
  casting: Casting,
  cast: CastColumn,
): ColumnData {
  const entries = onlyChild(source, target, casting)
  const [key, value] = entries.children
  const names = entries.field.children.map((field) => field.name).join()
  if (
    entries.field.type.kind !== 'struct' ||
    entries.children.length !== 2 ||
    (source.field.type.kind !== 'map' && names !== 'key,value')
  ) {
    throw mismatch(casting, source, target)
  }
  if (key === undefined || value === undefined) throw damaged('the entries of a map are no key and value')
  const keys = cast(key, target.key, inside(casting, 'key'))
  const values = cast(value, target.value, inside(casting, 'value'))
  const { offsets, children } = listed(source, [keys, values], casting)
  const [cut] = children
  if (cut !== undefined && cut.nullCount > 0) throw rowProblem(inside(casting, 'key'), firstNull(cut), 'a map key is null')
  return { ...shape(source, target), offsets, children }
}

export function castRow(
  source: ForeignColumn,
  target: DataType & { kind: 'row' },
  casting: Casting,
  cast: CastColumn,
): ColumnData {
  if (source.field.type.kind !== 'struct') throw mismatch(casting, source, target)
  const byName = new Map<string, ForeignColumn>()
  for (const child of source.children) {
    if (byName.has(child.field.name))
      throw new SluiceError('invalid-rows', `column ${quoted(casting.path)} has the field ${quoted(child.field.name)} twice`)
    byName.set(child.field.name, child)
  }
  for (const name of byName.keys()) {
    const names = target.fields.map((field) => field.name)
    if (!names.includes(name)) {
      throw new SluiceError(
        'unknown-field',
        `column ${quoted(casting.path)} has no field ${quoted(name)}${suggestion(name, names)}`,
        { facts: { field: name, column: casting.path } },
      )
    }
  }
  const children = target.fields.map((field) => {
    const child = byName.get(field.name)
    return child === undefined
      ? nullColumn(field.type, source.length, casting.work)
      : cast(child, field.type, inside(casting, field.name))
  })
  return { ...shape(source, target), offsets: undefined, children }
}

export function castVector(
  source: ForeignColumn,
  target: DataType & { kind: 'vector' },
  casting: Casting,
  cast: CastColumn,
): ColumnData {
  const child = onlyChild(source, target, casting)
  const elements = cast(child, { kind: 'float' }, inside(casting, 'element'))
  const { dimension } = target
  const { length } = source
  const starts = vectorStarts(source, elements.length, dimension, casting)
  const from = float32s(elements.values ?? new Uint8Array(0), elements.length)
  spend(casting.work, 4 * length * dimension)
  const out = new Float32Array(length * dimension)
  for (let row = 0; row < length; row++) {
    const start = starts[row] as number
    if (start < 0) continue
    for (let k = 0; k < dimension; k++) {
      if (elements.nullCount > 0 && !isValid(elements, start + k))
        throw rowProblem(casting, row, 'an element of the vector is null')
      out[row * dimension + k] = from[start + k] as number
    }
  }
  const floats: ColumnData = { ...elements, length: out.length, nullCount: 0, validity: undefined, values: bytesOf(out) }
  return { ...shape(source, target), offsets: undefined, children: [floats] }
}

const shape = (source: ForeignColumn, type: DataType) => ({
  type,
  length: source.length,
  nullCount: source.nullCount,
  validity: source.validity,
  values: undefined,
})

function onlyChild(source: ForeignColumn, target: DataType, casting: Casting): ForeignColumn {
  const { kind } = source.field.type
  const [child] = source.children
  if ((kind !== 'list' && kind !== 'fixed-list' && kind !== 'map') || child === undefined) throw mismatch(casting, source, target)
  return child
}

/** Offsets from 0 and the children cut, or gathered for views, to what the rows use. */
function listed(
  source: ForeignColumn,
  children: readonly ColumnData[],
  casting: Casting,
): { offsets: Int32Array; children: readonly ColumnData[] } {
  const { type } = source.field
  const { length } = source
  const childLength = children[0]?.length ?? 0
  if (type.kind === 'list' && type.view) return gathered(source, type.bits, children, casting)
  const offsets =
    type.kind === 'fixed-list'
      ? steps(length, type.size, childLength, casting)
      : readOffsets(source, type.kind === 'list' ? type.bits : 32, childLength)
  const start = offsets[0] as number
  const end = offsets[length] as number
  return { offsets: rebase(offsets, 0, length), children: children.map((child) => sliceColumn(child, start, end)) }
}

function steps(length: number, size: number, childLength: number, casting: Casting): Int32Array {
  spend(casting.work, 4 * length)
  if (length * size > childLength) throw damaged('a fixed-size list is shorter than its rows')
  return Int32Array.from({ length: length + 1 }, (_, i) => i * size)
}

function gathered(
  source: ForeignColumn,
  bits: number,
  children: readonly ColumnData[],
  casting: Casting,
): { offsets: Int32Array; children: readonly ColumnData[] } {
  const { starts, sizes } = readViews(source, bits, children[0]?.length ?? 0)
  const offsets = new Int32Array(source.length + 1)
  let total = 0
  for (let i = 0; i < source.length; i++) {
    total += isNullAt(source, i) ? 0 : (sizes[i] as number)
    spend(casting.work, isNullAt(source, i) ? 0 : 4 * (sizes[i] as number))
    offsets[i + 1] = total
  }
  const inner = new Uint32Array(total)
  for (let i = 0, to = 0; i < source.length; i++)
    for (let k = 0; to < (offsets[i + 1] as number); k++) inner[to++] = (starts[i] as number) + k
  return { offsets, children: children.map((child) => gatherWithin(child, inner, casting)) }
}

/** Gathers what may repeat elements, so its size is spent before. */
export function gatherWithin(column: ColumnData, indices: Uint32Array, casting: Casting): ColumnData {
  let bytes = 0
  const weigh = elementWeight(column, casting)
  for (let i = 0; i < indices.length; i++) bytes += weigh(indices[i] as number)
  spend(casting.work, bytes)
  return gatherColumn(column, indices)
}

/** Bytes that one element of a column takes, children included. */
function elementWeight(column: ColumnData, casting: Casting): (row: number) => number {
  const { offsets, type, children } = column
  const weights = children.map((child) => elementWeight(child, casting))
  if (offsets === undefined && type.kind === 'row') return (row) => 1 + weights.reduce((sum, weigh) => sum + weigh(row), 0)
  if (type.kind === 'vector') return () => 1 + 4 * type.dimension
  if (offsets === undefined) return () => 17
  if (children.length === 0) return (row) => 5 + (offsets[row + 1] as number) - (offsets[row] as number)
  // sums of the children's elements before each row, so that a repeated row costs one look
  spend(casting.work, 8 * column.length)
  const sums = new Float64Array(column.length + 1)
  for (let row = 0; row < column.length; row++) {
    let sum = 5
    for (let k = offsets[row] as number; k < (offsets[row + 1] as number); k++) for (const weigh of weights) sum += weigh(k)
    sums[row] = sum
  }
  return (row) => sums[row] as number
}

function readViews(source: ForeignColumn, bits: number, childLength: number): { starts: Int32Array; sizes: Int32Array } {
  const words = (i: number): Int32Array => int32s(bufferOf(source, i, (source.length * bits) / 8), (source.length * bits) / 32)
  const step = bits / 32
  const read = (all: Int32Array): Int32Array =>
    Int32Array.from({ length: source.length }, (_, i) => (step === 2 && all[2 * i + 1] !== 0 ? -1 : (all[step * i] as number)))
  const starts = read(words(0))
  const sizes = read(words(1))
  for (let i = 0; i < source.length; i++) {
    const start = starts[i] as number
    const size = sizes[i] as number
    if (!isNullAt(source, i) && (start < 0 || size < 0 || start + size > childLength)) throw damaged('a list view lies outside')
  }
  return { starts, sizes }
}

/** Where each row's elements begin; -1 for null rows. */
function vectorStarts(source: ForeignColumn, childLength: number, dimension: number, casting: Casting): Int32Array {
  const { type } = source.field
  const { length } = source
  if (type.kind === 'list' && type.view) throw damaged('vectors are not read from list views')
  if (type.kind === 'fixed-list' && type.size !== dimension)
    throw rowProblem(casting, 0, `a vector has ${type.size} elements, not ${dimension}`)
  const offsets =
    type.kind === 'fixed-list'
      ? steps(length, type.size, childLength, casting)
      : readOffsets(source, type.kind === 'list' ? type.bits : 32, childLength)
  const starts = new Int32Array(length).fill(-1)
  for (let row = 0; row < length; row++) {
    if (isNullAt(source, row)) continue
    const size = (offsets[row + 1] as number) - (offsets[row] as number)
    if (size !== dimension) throw rowProblem(casting, row, `a vector has ${size} elements, not ${dimension}`)
    starts[row] = offsets[row] as number
  }
  return starts
}

function firstNull(column: ColumnData): number {
  for (let i = 0; i < column.length; i++) if (!isValid(column, i)) return i
  return 0
}
