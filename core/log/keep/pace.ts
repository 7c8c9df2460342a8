/**
 * When retention looks at a table. Marks are due on a grid, so that those of many processes, and of one run after another, fall
 * together into one job; the grid is as coarse as the table's time to live allows.
 */
import type { TableOptions } from '../../model/options.ts'

const minuteMs = 60_000
const gapMsMax = 6 * 3_600_000

/** How long a row is kept at least, if the lake is not behind. */
export const keepMs = ({ lakeFormat, logTtlMs, logTtlAfterTierMs }: TableOptions): number =>
  lakeFormat === 'none' ? logTtlMs : Math.min(logTtlMs, logTtlAfterTierMs ?? logTtlMs)

/** Between two looks, at least; rows stay at most so much longer. */
export const retainGapMs = (options: TableOptions): number =>
  Math.min(gapMsMax, Math.max(minuteMs, Math.floor(keepMs(options) / 16)))

/** The first look at or after `ms`. */
export function retainDue(options: TableOptions, ms: number): number {
  const gap = retainGapMs(options)
  return Math.ceil(ms / gap) * gap
}
