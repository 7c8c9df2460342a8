/** Dates, times and timestamps: units change only where nothing is lost; years 1 to 9999 (nanoseconds: 1677 to 2262). */
import { type DataType, type TimeUnit, unitOfPrecision } from '../../model/types.ts'
import { spend } from './budget.ts'
import { bufferOf, type Casting, fixedColumn, isNullAt, mismatch, refuseAt, rowProblem } from './casting.ts'
import type { ColumnData } from './column.ts'
import type { ForeignColumn } from './foreign-columns.ts'
import { byThousand, notMultiple, outsideRange, timesThousand } from './int64.ts'
import { bytesOf, int32s, widthOf } from './layout.ts'

/** 0001-01-01 and 9999-12-31 as days since 1970-01-01. */
export const daysMin = -719_162
export const daysMax = 2_932_896
const dayMs = 86_400_000

type TimeType = Extract<DataType, { readonly precision: number; readonly scale?: never }>

const thousands = { s: 0, ms: 1, us: 2, ns: 3 } as const

/** The least and greatest timestamp of a unit. */
export function timestampRange(unit: TimeUnit): { readonly min: bigint; readonly max: bigint } {
  if (unit === 'ns') return { min: -(2n ** 63n), max: 2n ** 63n - 1n }
  const day = 86_400n * 1000n ** BigInt(thousands[unit])
  return { min: BigInt(daysMin) * day, max: BigInt(daysMax + 1) * day - 1n }
}

/** Units of `precision` per step of it: 100 for timestamp(4), which lies in µs. */
export const stepOf = (precision: number): number => 10 ** ((3 - (precision % 3)) % 3)

export function castDate(source: ForeignColumn, target: DataType, casting: Casting): ColumnData {
  const { type } = source.field
  const { length } = source
  if (type.kind !== 'date') throw mismatch(casting, source, target)
  const days = type.unit === 'day' ? int32s(bufferOf(source, 0, 4 * length), length) : wholeDays(source, casting)
  for (let i = 0; i < length; i++) {
    const day = days[i] as number
    if ((day < daysMin || day > daysMax) && !isNullAt(source, i))
      throw rowProblem(casting, i, 'it is outside the years 1 to 9999')
  }
  return fixedColumn(target, source, bytesOf(days))
}

export function castTime(source: ForeignColumn, target: TimeType, casting: Casting): ColumnData {
  const { type } = source.field
  const { length } = source
  if (type.kind !== 'time') throw mismatch(casting, source, target)
  const unit = unitOfPrecision(target.precision)
  const width = widthOf(target)
  const words = int32s(bufferOf(source, 0, (length * type.bits) / 8), (length * type.bits) / 32)
  const factor = 1000 ** (thousands[unit] - thousands[type.unit])
  const max = dayMs * 1000 ** (thousands[unit] - 1)
  const step = stepOf(target.precision)
  spend(casting.work, length * width)
  const out = new Int32Array((length * width) / 4)
  for (let i = 0; i < length; i++) {
    if (isNullAt(source, i)) continue
    const from =
      type.bits === 32 ? (words[i] as number) : (words[2 * i + 1] as number) * 0x100000000 + ((words[2 * i] as number) >>> 0)
    const value = factor >= 1 ? from * factor : from / Math.round(1 / factor)
    if (value < 0 || value >= max) throw rowProblem(casting, i, 'it is not a time of day')
    if (value % step !== 0) throw rowProblem(casting, i, `it is finer than time(${target.precision})`)
    if (width === 4) out[i] = value
    else {
      out[2 * i] = (value % 0x100000000) | 0
      out[2 * i + 1] = Math.floor(value / 0x100000000)
    }
  }
  return fixedColumn(target, source, bytesOf(out))
}

export function castTimestamp(source: ForeignColumn, target: TimeType, casting: Casting): ColumnData {
  const { type } = source.field
  const { validity, length } = source
  if (type.kind !== 'timestamp' || (type.zone === undefined) !== (target.kind === 'timestamp'))
    throw mismatch(casting, source, target)
  const unit = unitOfPrecision(target.precision)
  const bytes = bufferOf(source, 0, 8 * length)
  let words = int32s(bytes, 2 * length)
  const shift = thousands[unit] - thousands[type.unit]
  const range = narrower(timestampRange(type.unit), timestampRange(unit), shift)
  refuseAt(casting, outsideRange(words, validity, range.min, range.max), 'it is outside the range of the column')
  spend(casting.work, shift === 0 ? 0 : 8 * length)
  for (let i = 0; i < shift; i++) words = timesThousand(words)
  for (let i = 0; i > shift; i--) {
    const divided = byThousand(words, validity)
    refuseAt(casting, divided.inexact, `it is finer than ${target.kind}(${target.precision})`)
    words = divided.out
  }
  const step = stepOf(target.precision)
  if (step > 1) refuseAt(casting, notMultiple(words, validity, step), `it is finer than ${target.kind}(${target.precision})`)
  return fixedColumn(target, source, shift === 0 ? bytes : bytesOf(words))
}

function wholeDays(source: ForeignColumn, casting: Casting): Int32Array {
  const words = int32s(bufferOf(source, 0, 8 * source.length), 2 * source.length)
  spend(casting.work, 4 * source.length)
  const out = new Int32Array(source.length)
  for (let i = 0; i < out.length; i++) {
    const ms = (words[2 * i + 1] as number) * 0x100000000 + ((words[2 * i] as number) >>> 0)
    const day = ms / dayMs
    if (isNullAt(source, i)) continue
    if (!Number.isInteger(day) || !Number.isSafeInteger(ms)) throw rowProblem(casting, i, 'it is not a whole day')
    out[i] = Math.max(-0x80000000, Math.min(0x7fffffff, day))
  }
  return out
}

/** The source's range, narrowed to what fits the target's after times 1000^shift. */
function narrower(source: { min: bigint; max: bigint }, target: { min: bigint; max: bigint }, shift: number) {
  if (shift <= 0) return source
  const factor = 1000n ** BigInt(shift)
  const min = target.min / factor
  const max = target.max / factor
  return { min: min > source.min ? min : source.min, max: max < source.max ? max : source.max }
}
