/** Everything that the actors of one run share. */
import type { Cluster } from './cluster.ts'
import type { History, RequestRecord } from './history.ts'
import type { Stores } from './product.ts'
import type { Seeded } from './random.ts'
import type { Scheduler } from './scheduler.ts'
import type { Swarm } from './swarm.ts'

export const databaseName = 'd'
export const tableName = 't'
export const startMs = 1_900_000_000_000

export interface Stage {
  readonly swarm: Swarm
  readonly scheduler: Scheduler
  readonly cluster: Cluster
  readonly stores: Stores
  readonly history: History
  readonly random: Seeded
  readonly names: { readonly database: string; readonly table: string }
  /** Table ids that ever were, in order of creation. */
  readonly tables: TableSeen[]
  /** Faults have stopped: every loop must come to its end. */
  readonly calm: { yes: boolean }
  nextRequest(): number
}

export interface TableSeen {
  readonly tableId: string
  readonly buckets: number
}

export function newRequest(
  stage: Stage,
  producer: RequestRecord['producer'],
  values: readonly bigint[],
  id: number,
): RequestRecord {
  const request: RequestRecord = { id, producer, values, attempts: [] }
  stage.history.requests.set(id, request)
  return request
}
