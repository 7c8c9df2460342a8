/** Text and bytes: offsets of 32 or 64 bits, views and fixed widths become 32-bit offsets from 0; text is checked to be UTF-8. */
import { viewOf } from '../../kernel/bytes.ts'
import type { DataType } from '../../model/types.ts'
import { spend } from './budget.ts'
import { bufferOf, type Casting, isNullAt, mismatch, refuseAt, rowProblem } from './casting.ts'
import type { ColumnData } from './column.ts'
import { damaged } from './flatbuffer.ts'
import type { ForeignColumn } from './foreign-columns.ts'
import { int32s } from './layout.ts'
import { rebase } from './take.ts'
import { textProblem } from './utf8.ts'

export function castText(source: ForeignColumn, target: DataType, casting: Casting): ColumnData {
  const { type } = source.field
  const isKind = target.kind === 'string' ? type.kind === 'utf8' : type.kind === 'binary' || type.kind === 'fixed-binary'
  if (!isKind) throw mismatch(casting, source, target)
  const { offsets, values } =
    type.kind === 'fixed-binary'
      ? fixed(source, type.width, casting)
      : (type.kind === 'utf8' || type.kind === 'binary') && type.bits === 128
        ? views(source, casting)
        : ranges(source)
  if (target.kind === 'string') refuseAt(casting, textProblem(values, offsets, source.length, source.validity), 'it is not UTF-8')
  return {
    type: target,
    length: source.length,
    nullCount: source.nullCount,
    validity: source.validity,
    offsets,
    values,
    children: [],
  }
}

/** length + 1 offsets of 32 or 64 bits, never going back, inside `bytesMax`. An empty column may have none. */
export function readOffsets(source: ForeignColumn, bits: number, max: number): Int32Array {
  const { length } = source
  if (length === 0 && source.buffers[0]?.length === 0) return new Int32Array(1)
  const bytes = bufferOf(source, 0, ((length + 1) * bits) / 8)
  const offsets = bits === 32 ? int32s(bytes, length + 1) : narrowOffsets(int32s(bytes, 2 * (length + 1)))
  let last = 0
  for (let i = 0; i <= length; i++) {
    const offset = offsets[i] as number
    if (offset < last) throw damaged('offsets go back')
    last = offset
  }
  if (last > max) throw damaged('offsets lie outside')
  return offsets
}

function narrowOffsets(words: Int32Array): Int32Array {
  const out = new Int32Array(words.length / 2)
  for (let i = 0; i < out.length; i++) {
    const low = words[2 * i] as number
    if (words[2 * i + 1] !== 0 || low < 0) throw damaged('offsets lie outside')
    out[i] = low
  }
  return out
}

function ranges(source: ForeignColumn): { offsets: Int32Array; values: Uint8Array } {
  const { type } = source.field
  const values = bufferOf(source, 1, 0)
  const all = source.buffers[1] ?? values
  const offsets = readOffsets(source, type.kind === 'utf8' || type.kind === 'binary' ? type.bits : 32, all.length)
  return {
    offsets: rebase(offsets, 0, source.length),
    values: all.subarray(offsets[0] as number, offsets[source.length] as number),
  }
}

function fixed(source: ForeignColumn, width: number, casting: Casting): { offsets: Int32Array; values: Uint8Array } {
  spend(casting.work, 4 * source.length)
  const values = bufferOf(source, 0, source.length * width)
  return { offsets: Int32Array.from({ length: source.length + 1 }, (_, i) => i * width), values }
}

/** Views: 16 bytes each: length, then the bytes (up to 12) or 4 of them, buffer index and offset. */
function views(source: ForeignColumn, casting: Casting): { offsets: Int32Array; values: Uint8Array } {
  const { length } = source
  const bytes = bufferOf(source, 0, 16 * length)
  const view = viewOf(bytes)
  const offsets = new Int32Array(length + 1)
  let total = 0
  for (let i = 0; i < length; i++) {
    const size = isNullAt(source, i) ? 0 : view.getInt32(16 * i, true)
    if (size < 0) throw rowProblem(casting, i, 'a view has a negative length')
    total += size
    if (total > 0x7fffffff) throw rowProblem(casting, i, 'the column is longer than 2^31 - 1 bytes')
    offsets[i + 1] = total
  }
  spend(casting.work, total)
  const values = new Uint8Array(total)
  for (let i = 0; i < length; i++) {
    const to = offsets[i] as number
    const size = (offsets[i + 1] as number) - to
    if (size <= 12) {
      for (let k = 0; k < size; k++) values[to + k] = bytes[16 * i + 4 + k] as number
      continue
    }
    const buffer = source.buffers[1 + view.getInt32(16 * i + 8, true)]
    const start = view.getInt32(16 * i + 12, true)
    if (buffer === undefined || buffer === source.buffers[0] || start < 0 || start + size > buffer.length)
      throw rowProblem(casting, i, 'a view lies outside its buffer')
    values.set(buffer.subarray(start, start + size), to)
  }
  return { offsets, values }
}
