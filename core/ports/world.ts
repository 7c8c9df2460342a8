/** What core functions may touch. Built by a composition root (functions/, serve/, test/sim). */
import type { Clock } from '../kernel/clock.ts'
import type { Random } from '../kernel/random.ts'
import type { ItemStore } from './items.ts'
import type { LakeCatalogs } from './lake-catalog.ts'
import type { ObjectStore } from './objects.ts'
import type { ParquetReader } from './parquet.ts'
import type { JobQueue } from './queue.ts'

export interface World {
  readonly objects: ObjectStore
  readonly items: ItemStore
  readonly queue: JobQueue
  readonly clock: Clock
  readonly random: Random
  /** Iceberg catalogs that are not ours; absent: none. */
  readonly catalogs?: LakeCatalogs
  /** Of a lake's data files; absent: rows that have left the log are not read on. */
  readonly lakeReader?: ParquetReader
}
