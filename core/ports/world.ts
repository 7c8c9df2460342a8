/** What core functions may touch. Built by a composition root (functions/, serve/, test/sim). */
import type { Clock } from '../kernel/clock.ts'
import type { Random } from '../kernel/random.ts'
import type { ItemStore } from './items.ts'
import type { LakeCatalogs } from './lake-catalog.ts'
import type { ObjectStore } from './objects.ts'
import type { JobQueue } from './queue.ts'

export interface World {
  readonly objects: ObjectStore
  readonly items: ItemStore
  readonly queue: JobQueue
  readonly clock: Clock
  readonly random: Random
  /** Iceberg catalogs that are not ours; absent: none. */
  readonly catalogs?: LakeCatalogs
}
