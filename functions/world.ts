/** What handlers touch: the core's world, the log over it, and what this process counts. Built by a composition root. */
import { limits } from '../core/kernel/limits.ts'
import type { Kv } from '../core/kv/kv.ts'
import type { Log } from '../core/log/log.ts'
import type { ParquetWriter } from '../core/ports/parquet.ts'
import type { World } from '../core/ports/world.ts'
import type { Counter } from '../stores/decorators/count.ts'
import type { Meter } from './meter.ts'
import type { TableCache } from './tables.ts'

/** How long a host holds a call that waits for rows. */
export interface Waits {
  readonly fetchMsMax: number
  readonly tailMsMax: number
  /** Answers leave as a whole, and holding one costs: callers are told when to ask again. */
  readonly isBuffered: boolean
}

export const processWaits: Waits = { fetchMsMax: limits.waitMsMax, tailMsMax: limits.tailMsMax, isBuffered: false }
export const lambdaWaits: Waits = { fetchMsMax: 1_000, tailMsMax: 10_000, isBuffered: true }

export interface FunctionWorld extends World {
  readonly log: Log
  /** Over the log: tables with a primary key. */
  readonly kv: Kv
  readonly parquet: ParquetWriter
  readonly tables: TableCache
  readonly meter: Meter
  /** Storage requests of this process, and of the request at hand. */
  readonly counter: Counter
  readonly waits: Waits
  /** What an engine must know to reach the lake's objects, in Iceberg's names; no secrets. */
  readonly engineOptions: Readonly<Record<string, string>>
  /** Differs from call to call: spreads rows that nothing routes. */
  readonly rotate: () => number
}
