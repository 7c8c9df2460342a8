/** An external Iceberg catalog as a process meets it: the strict one in memory, behind the network's fates. Reads may be old. */
import type { CatalogAnswer, CatalogChange, CatalogTable, LakeCatalog } from '../../core/ports/lake-catalog.ts'
import type { ObjectStore } from '../../core/ports/objects.ts'
import type { JsonObject } from '../../stores/catalog/fresh-ids.ts'
import { CatalogState } from '../../stores/catalog/memory.ts'
import { objectsUnder } from '../../stores/catalog/objects-under.ts'
import type { Call } from './fates.ts'
import type { Manner, Network } from './network.ts'
import type { Process } from './process.ts'
import type { Seeded } from './random.ts'

export const catalogName = 'other'

/** The tables, and who looks at every commit to one. */
export class SimulatedTables extends CatalogState {
  onCommit: () => void = () => undefined

  override commit(table: CatalogTable, change: CatalogChange): CatalogAnswer | 'conflict' | 'absent' {
    const answer = super.commit(table, change)
    if (typeof answer === 'object') this.onCommit()
    return answer
  }
}

export const simulatedTables = (now: () => number): SimulatedTables => {
  let made = 0
  return new SimulatedTables({
    locationOf: ({ namespace, table }) => `sim://store/warehouse/${[...namespace, table].join('/')}`,
    newUuid: () => `uuid-${++made}`,
    now,
  })
}

export class SimulatedCatalog implements LakeCatalog {
  readonly name = catalogName
  readonly #from: Process
  readonly #network: Network
  readonly #state: CatalogState
  readonly #random: Seeded
  readonly objectsAt: (location: string) => ObjectStore

  constructor(from: Process, network: Network, parts: { state: CatalogState; random: Seeded; objects: ObjectStore }) {
    this.#from = from
    this.#network = network
    this.#state = parts.state
    this.#random = parts.random
    this.objectsAt = objectsUnder(parts.objects)
  }

  async load(table: CatalogTable): Promise<CatalogAnswer | undefined> {
    return this.#call('load', { mayBeStale: true }, (manner) =>
      this.#state.load(table, manner === 'stale' ? this.#random.between(1, 3) : 0),
    )
  }

  async create(table: CatalogTable, request: object): Promise<CatalogAnswer | 'exists'> {
    return this.#call('create', { writes: true }, () => this.#state.create(table, request as JsonObject))
  }

  async commit(table: CatalogTable, change: CatalogChange): Promise<CatalogAnswer | 'conflict' | 'absent'> {
    return this.#call('commit', { writes: true }, () => this.#state.commit(table, change))
  }

  locationFor(): undefined {
    return undefined
  }

  #call<T>(operation: string, traits: Partial<Call>, effect: (manner: Manner) => T): Promise<T> {
    const call = { writes: false, mayBeStale: false, mayBeCorrupt: false, mayBePartial: false, ...traits }
    return this.#network.call(this.#from, { store: 'catalog', operation, name: '', ...call }, effect)
  }
}
