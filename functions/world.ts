/** What handlers touch: the core's world, the log over it, and what this process counts. Built by a composition root. */
import type { Log } from '../core/log/log.ts'
import type { ParquetWriter } from '../core/ports/parquet.ts'
import type { World } from '../core/ports/world.ts'
import type { Counter } from '../stores/decorators/count.ts'
import type { Meter } from './meter.ts'
import type { TableCache } from './tables.ts'

export interface FunctionWorld extends World {
  readonly log: Log
  readonly parquet: ParquetWriter
  readonly tables: TableCache
  readonly meter: Meter
  /** Storage requests of this process, and of the request at hand. */
  readonly counter: Counter
  /** Differs from call to call: spreads rows that nothing routes. */
  readonly rotate: () => number
}
