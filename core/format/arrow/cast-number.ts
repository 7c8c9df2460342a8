/** Numbers: integers of any width that fit value by value, floats where nothing is lost, decimals rescaled only exactly. */
import { viewOf } from '../../kernel/bytes.ts'
import type { DataType } from '../../model/types.ts'
import { spend } from './budget.ts'
import { bufferOf, type Casting, fixedColumn, isNullAt, mismatch, rowProblem } from './casting.ts'
import type { ColumnData } from './column.ts'
import type { IntType } from './foreign.ts'
import type { ForeignColumn } from './foreign-columns.ts'
import { bytesOf, float32s, float64s, int8s, int16s, int32s, uint32s, widthOf } from './layout.ts'

export function castInt(source: ForeignColumn, target: DataType, casting: Casting): ColumnData {
  const { type } = source.field
  if (type.kind !== 'int') throw mismatch(casting, source, target)
  const from = type.bits / 8
  const width = widthOf(target)
  const bytes = bufferOf(source, 0, source.length * from)
  if (type.signed && from === width) return fixedColumn(target, source, bytes)
  if (from === 8 && width === 8) return fixedColumn(target, source, unsignedAsSigned(source, bytes, casting))
  spend(casting.work, source.length * width)
  const numbers =
    from === 8 ? narrowed(source, int32s(bytes, source.length * 2), type.signed, casting) : smallInts(bytes, source.length, type)
  return fixedColumn(target, source, width === 8 ? widened(numbers) : ranged(source, numbers, width, casting))
}

export function castFloat(source: ForeignColumn, target: DataType, casting: Casting): ColumnData {
  const { type } = source.field
  const { length } = source
  const width = widthOf(target)
  if (type.kind === 'float' && type.bits / 8 === width) return fixedColumn(target, source, bufferOf(source, 0, length * width))
  spend(casting.work, length * 16)
  const numbers = type.kind === 'float' ? floats(source, type.bits) : type.kind === 'int' ? ints(source, type) : undefined
  if (numbers === undefined) throw mismatch(casting, source, target)
  const out = width === 4 ? new Float32Array(length) : new Float64Array(length)
  for (let i = 0; i < length; i++) {
    const value = numbers[i] as number
    out[i] = value
    if (out[i] !== value && !Number.isNaN(value) && !isNullAt(source, i))
      throw rowProblem(casting, i, `${value} does not fit a ${target.kind} exactly`)
  }
  if (type.kind === 'int' && type.bits === 64) checkSafe(source, numbers, casting)
  return fixedColumn(target, source, bytesOf(out))
}

export function castDecimal(source: ForeignColumn, target: DataType & { kind: 'decimal' }, casting: Casting): ColumnData {
  const { type } = source.field
  const { length } = source
  if (type.kind !== 'decimal' && type.kind !== 'int') throw mismatch(casting, source, target)
  const scale = type.kind === 'int' ? 0 : type.scale
  const bytes = bufferOf(source, 0, (length * type.bits) / 8)
  const max = 10n ** BigInt(target.precision)
  if (type.kind === 'decimal' && type.bits === 128 && scale === target.scale) {
    checkDecimals(source, int32s(bytes, length * 4), max, casting)
    return fixedColumn(target, source, bytes)
  }
  spend(casting.work, length * 16)
  const view = viewOf(bytes)
  const out = new DataView(new ArrayBuffer(length * 16))
  const up = 10n ** BigInt(Math.max(0, target.scale - scale))
  const down = 10n ** BigInt(Math.max(0, scale - target.scale))
  for (let i = 0; i < length; i++) {
    if (isNullAt(source, i)) continue
    const exact = integerAt(view, i, type) * up
    if (exact % down !== 0n) throw rowProblem(casting, i, `it has more than ${target.scale} digits after the point`)
    const value = exact / down
    if (value >= max || value <= -max) throw rowProblem(casting, i, `it has more than ${target.precision} digits`)
    out.setBigInt64(16 * i, BigInt.asIntN(64, value), true)
    out.setBigInt64(16 * i + 8, value >> 64n, true)
  }
  return fixedColumn(target, source, bytesOf(out))
}

function unsignedAsSigned(source: ForeignColumn, bytes: Uint8Array, casting: Casting): Uint8Array {
  const words = int32s(bytes, source.length * 2)
  for (let i = 0; i < source.length; i++) {
    if ((words[2 * i + 1] as number) < 0 && !isNullAt(source, i)) throw rowProblem(casting, i, 'it is beyond 2^63 - 1')
  }
  return bytes
}

function smallInts(bytes: Uint8Array, length: number, { bits, signed }: IntType): ArrayLike<number> {
  if (bits === 8) return signed ? int8s(bytes, length) : bytes
  if (bits === 16) {
    const words = int16s(bytes, length)
    return signed ? words : new Uint16Array(words.buffer, words.byteOffset, length)
  }
  return signed ? int32s(bytes, length) : uint32s(bytes, length)
}

/** 64-bit elements as 32-bit ones. */
function narrowed(source: ForeignColumn, words: Int32Array, signed: boolean, casting: Casting): Int32Array {
  const out = new Int32Array(source.length)
  for (let i = 0; i < source.length; i++) {
    const low = words[2 * i] as number
    const high = words[2 * i + 1] as number
    if (high === low >> 31 && (signed || low >= 0)) out[i] = low
    else if (!isNullAt(source, i)) throw rowProblem(casting, i, 'it does not fit the column')
  }
  return out
}

function widened(numbers: ArrayLike<number>): Uint8Array {
  const out = new Int32Array(numbers.length * 2)
  for (let i = 0; i < numbers.length; i++) {
    const value = numbers[i] as number
    out[2 * i] = value
    out[2 * i + 1] = value < 0 ? -1 : 0
  }
  return bytesOf(out)
}

function ranged(source: ForeignColumn, numbers: ArrayLike<number>, width: number, casting: Casting): Uint8Array {
  const { length } = source
  const out = width === 1 ? new Int8Array(length) : width === 2 ? new Int16Array(length) : new Int32Array(length)
  for (let i = 0; i < length; i++) {
    const value = numbers[i] as number
    out[i] = value
    if (out[i] !== value && !isNullAt(source, i)) throw rowProblem(casting, i, `${value} does not fit the column`)
  }
  return bytesOf(out)
}

function floats(source: ForeignColumn, bits: number): ArrayLike<number> {
  const bytes = bufferOf(source, 0, (source.length * bits) / 8)
  if (bits === 64) return float64s(bytes, source.length)
  if (bits === 32) return float32s(bytes, source.length)
  const halves = int16s(bytes, source.length)
  return Float64Array.from(halves, halfFloat)
}

function halfFloat(bits: number): number {
  const sign = bits < 0 ? -1 : 1
  const exponent = (bits >>> 10) & 31
  const fraction = bits & 1023
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

function ints(source: ForeignColumn, type: IntType): ArrayLike<number> {
  const bytes = bufferOf(source, 0, (source.length * type.bits) / 8)
  if (type.bits < 64) return smallInts(bytes, source.length, type)
  const words = int32s(bytes, source.length * 2)
  const out = new Float64Array(source.length)
  for (let i = 0; i < out.length; i++) {
    const high = words[2 * i + 1] as number
    out[i] = (type.signed ? high : high >>> 0) * 0x100000000 + ((words[2 * i] as number) >>> 0)
  }
  return out
}

function checkSafe(source: ForeignColumn, numbers: ArrayLike<number>, casting: Casting): void {
  for (let i = 0; i < numbers.length; i++) {
    if (!Number.isSafeInteger(numbers[i]) && !isNullAt(source, i))
      throw rowProblem(casting, i, 'an integer beyond 2^53 does not fit exactly')
  }
}

/** Each valid |value| is below `max`. */
function checkDecimals(source: ForeignColumn, words: Int32Array, max: bigint, casting: Casting): void {
  const bound = [0n, 32n, 64n, 96n].map((shift) => Number(BigInt.asUintN(32, max >> shift)))
  const [m0 = 0, m1 = 0, m2 = 0, m3 = 0] = bound
  for (let i = 0, at = 0; i < source.length; i++, at += 4) {
    let w3 = words[at + 3] as number
    const flip = w3 >> 31
    w3 = (w3 ^ flip) >>> 0
    const w2 = ((words[at + 2] as number) ^ flip) >>> 0
    const w1 = ((words[at + 1] as number) ^ flip) >>> 0
    const w0 = ((words[at] as number) ^ flip) >>> 0
    const extra = flip & 1
    // |value| = flipped + extra < max, that is flipped < max - extra; max is even, so its last word less one does not borrow
    const below = w3 !== m3 ? w3 < m3 : w2 !== m2 ? w2 < m2 : w1 !== m1 ? w1 < m1 : w0 + extra < m0
    if (!below && !isNullAt(source, i)) throw rowProblem(casting, i, 'it has more digits than the column')
  }
}

function integerAt(
  view: DataView,
  i: number,
  type: { readonly bits: number; readonly kind: string; readonly signed?: boolean },
): bigint {
  const signed = type.kind === 'decimal' || type.signed === true
  switch (type.bits) {
    case 8:
      return BigInt(signed ? view.getInt8(i) : view.getUint8(i))
    case 16:
      return BigInt(signed ? view.getInt16(2 * i, true) : view.getUint16(2 * i, true))
    case 32:
      return BigInt(signed ? view.getInt32(4 * i, true) : view.getUint32(4 * i, true))
    case 64:
      return signed ? view.getBigInt64(8 * i, true) : view.getBigUint64(8 * i, true)
    case 128:
      return (view.getBigInt64(16 * i + 8, true) << 64n) | view.getBigUint64(16 * i, true)
    default: {
      const low = (view.getBigUint64(32 * i + 8, true) << 64n) | view.getBigUint64(32 * i, true)
      const high = (view.getBigInt64(32 * i + 24, true) << 64n) | view.getBigUint64(32 * i + 16, true)
      return (high << 128n) | low
    }
  }
}
