/** What handlers and jobs of a server touch, over its stores. */
import type { Clock } from '../core/kernel/clock.ts'
import type { Random } from '../core/kernel/random.ts'
import { Kv, type KvConfig } from '../core/kv/kv.ts'
import { Log, type LogConfig } from '../core/log/log.ts'
import type { ItemStore } from '../core/ports/items.ts'
import type { LakeCatalogs } from '../core/ports/lake-catalog.ts'
import type { ObjectStore } from '../core/ports/objects.ts'
import type { ParquetReader, ParquetWriter } from '../core/ports/parquet.ts'
import type { JobQueue } from '../core/ports/queue.ts'
import { Meter } from '../functions/meter.ts'
import { TableCache } from '../functions/tables.ts'
import { type FunctionWorld, processWaits } from '../functions/world.ts'
import type { Counter } from '../stores/decorators/count.ts'

export interface ServedStores {
  readonly objects: ObjectStore
  readonly items: ItemStore
  readonly counter: Counter
  readonly parquet: ParquetWriter & ParquetReader
  /** Default none. */
  readonly catalogs?: LakeCatalogs
  close(): Promise<void>
}

export interface WorldOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log?: LogConfig
  readonly kv?: KvConfig
  /** Default none: what a directory has needs none. */
  readonly engineOptions?: FunctionWorld['engineOptions']
}

export function worldOver(stores: ServedStores, queue: JobQueue, options: WorldOptions): FunctionWorld {
  const { objects, items, catalogs = new Map() } = stores
  const { clock, random, engineOptions = {} } = options
  const core = { objects, items, queue, clock, random, catalogs, lakeReader: stores.parquet }
  const log = options.log === undefined ? new Log(core) : new Log(core, options.log)
  return {
    ...core,
    log,
    kv: options.kv === undefined ? new Kv(core, log) : new Kv(core, log, options.kv),
    parquet: stores.parquet,
    tables: new TableCache(core),
    meter: new Meter(),
    counter: stores.counter,
    waits: processWaits,
    engineOptions,
    rotate: rotation(),
  }
}

function rotation(): () => number {
  let count = 0
  return () => {
    count = (count + 1) % 1_000_000_007
    return count
  }
}
