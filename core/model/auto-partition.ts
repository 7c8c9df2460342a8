/**
 * Auto partitions: a table whose partitions are periods of time. What its options may say, which names stand ahead, and which are
 * too old. Pure; core/log/keep/auto-partition.ts makes and drops them.
 */
import { SluiceError } from '../kernel/errors.ts'
import { quoted, suggestion } from './nearest.ts'
import { partitionLevels, partitionName } from './partition.ts'
import { type Calendar, periodAt, periodOfText, periodText } from './period.ts'
import { printType } from './type-text.ts'
import type { DataType } from './types.ts'

export interface AutoPartition extends Calendar {
  readonly enabled: boolean
  /** Periods that stand before rows come, the current one among them. Absent: 2, or 0 with several levels. */
  readonly numPrecreate?: number | undefined
  /** Periods before the current one that are kept; −1: all. */
  readonly numRetention: number
  /** The column that holds the period; needed with several levels. */
  readonly key?: string | undefined
}

export const defaultAutoPartition: AutoPartition = { enabled: false, timeUnit: 'day', numRetention: 7, timeZone: 'UTC' }

/** Of a table, or of its specification. */
export interface Periodic {
  readonly partitionBy: readonly string[]
  readonly options: { readonly autoPartition?: AutoPartition }
}

/** An enabled one with all that its table gives it. */
export interface Periods extends Calendar {
  readonly column: string
  readonly numPrecreate: number
  readonly numRetention: number
}

/** Undefined: the table's partitions are made by people and rows alone. */
export function periodsOf({ partitionBy, options }: Periodic): Periods | undefined {
  const { autoPartition: auto } = options
  const column = auto?.key ?? partitionBy[0]
  if (auto === undefined || !auto.enabled || column === undefined) return undefined
  const { timeUnit, timeZone, numRetention } = auto
  return { column, timeUnit, timeZone, numRetention, numPrecreate: precreateOf(auto, partitionBy.length) }
}

/** With the number ahead that a table of so many levels has where none is said. */
export function settled<T extends Periodic['options']>(options: T, levels: number): T {
  const { autoPartition: auto } = options
  return auto === undefined ? options : { ...options, autoPartition: { ...auto, numPrecreate: precreateOf(auto, levels) } }
}

export const precreateOf = ({ numPrecreate }: AutoPartition, levels: number): number =>
  numPrecreate ?? (levels > 1 ? 0 : precreateDefault)

const precreateDefault = 2

/** Errors: `invalid-schema` (what the options and the columns cannot be together). */
export function checkAutoPartition({
  columns,
  partitionBy,
  options: { autoPartition: auto },
}: Periodic & { readonly columns: readonly { readonly name: string; readonly type: DataType }[] }): void {
  if (auto === undefined) return
  if (auto.key !== undefined && !partitionBy.includes(auto.key))
    throw invalid('key', `${quoted(auto.key)} is not in partitionBy${suggestion(auto.key, partitionBy)}`)
  if (!auto.enabled) return
  if (partitionBy.length === 0) throw invalid('enabled', 'the table has no partitions: create it with partitionBy')
  if (partitionBy.length > 1 && auto.key === undefined)
    throw invalid('key', `a table with several levels needs it: name the one of ${partitionBy.join(', ')} that holds the period`)
  if (partitionBy.length > 1 && precreateOf(auto, partitionBy.length) > 0)
    throw invalid('num-precreate', 'partitions of several levels are made by their rows alone: leave it out, or use 0')
  const column = columns.find(({ name }) => name === (auto.key ?? partitionBy[0]))
  if (column !== undefined && column.type.kind !== 'string')
    throw invalid(
      'enabled',
      `the column ${quoted(column.name)} holds periods such as ${periodText(auto.timeUnit, periodAt(auto, 0))} and has type ${printType(column.type)}: use string`,
    )
}

/** The period that a partition's name holds. Undefined: it was made while the table had no periods, or others. */
export function periodOfName({ column, timeUnit }: Periods, name: string): number | undefined {
  const value = partitionLevels(name)?.find((level) => level.column === column)?.value
  return typeof value === 'string' ? periodOfText(timeUnit, value) : undefined
}

/** The names that stand ahead at an instant, the current one first. */
export function namesAhead(periods: Periods, now: number): readonly string[] {
  const current = periodAt(periods, now)
  return Array.from({ length: periods.numPrecreate }, (_, i) =>
    partitionName([{ column: periods.column, value: periodText(periods.timeUnit, current + i) }]),
  )
}

export const isExpired = (periods: Periods, period: number, now: number): boolean =>
  periods.numRetention >= 0 && period < periodAt(periods, now) - periods.numRetention

/** Errors: `invalid-name` for a partition that does not fit the table's periods, or is older than those that it keeps. */
export function checkPeriod(table: Periodic, name: string, now: number): void {
  const periods = periodsOf(table)
  if (periods === undefined) return
  const { column, timeUnit, numRetention } = periods
  const period = periodOfName(periods, name)
  const current = periodAt(periods, now)
  if (period === undefined)
    throw refused(name, `${column} holds the ${timeUnit} of each row, such as ${periodText(timeUnit, current)}`)
  if (isExpired(periods, period, now))
    throw refused(
      name,
      `it is older than the ${numRetention} that auto-partition.num-retention keeps: the oldest is ${periodText(timeUnit, current - numRetention)}`,
    )
}

const invalid = (option: string, fix: string): SluiceError =>
  new SluiceError('invalid-schema', `option auto-partition.${option}: ${fix}`, { facts: { option: `auto-partition.${option}` } })

const refused = (name: string, fix: string): SluiceError =>
  new SluiceError('invalid-name', `partition ${quoted(name)} is refused: ${fix}`, {
    effect: 'none',
    facts: { partition: name.slice(0, 256) },
  })
