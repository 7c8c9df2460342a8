/**
 * LakeCatalog: an Iceberg catalog that is not ours, over the REST protocol (Iceberg REST Catalog specification). It owns a table's
 * commit point. Answers are not to be trusted: core/lake/external/ checks every field that it uses.
 * Errors: `unavailable`, `throttled` or `timeout` (effect `unknown` where a write may have happened), `bad-request` (the
 * catalog refused what was asked: effect `none`), `internal` (an answer that is no answer).
 * Implementations pass lake-catalog.case.ts.
 */
import type { ObjectStore } from './objects.ts'

export interface LakeCatalog {
  /** As the deployment names it. */
  readonly name: string
  /** With all snapshots; it may be an older state. Undefined: the catalog has no such table, or no such namespace. */
  load(table: CatalogTable): Promise<CatalogAnswer | undefined>
  /** Makes the namespace where it is absent. `exists`: a table of that name is there, perhaps by an attempt of ours. */
  create(table: CatalogTable, request: object): Promise<CatalogAnswer | 'exists'>
  /**
   * All requirements and updates or none. `conflict`: refused, because of another's commit or of an earlier attempt of one's own.
   * `absent`: the table is not there.
   */
  commit(table: CatalogTable, change: CatalogChange): Promise<CatalogAnswer | 'conflict' | 'absent'>
  /** Where the deployment wants new tables; undefined: where the catalog puts them. */
  locationFor(table: CatalogTable): string | undefined
  /** The objects below a table's location, by keys relative to it. Error `bad-request`: nothing here can write there. */
  objectsAt(location: string): ObjectStore
}

export interface CatalogTable {
  readonly namespace: readonly string[]
  readonly table: string
}

/** In the words of the specification ("CommitTableRequest"). 64-bit integers are bigints. */
export interface CatalogChange {
  readonly requirements: readonly object[]
  readonly updates: readonly object[]
}

/** JSON as it was answered, whole numbers exact ("LoadTableResult"): nothing is known of its shape. */
export interface CatalogAnswer {
  readonly metadataLocation: unknown
  readonly metadata: unknown
}

/** By the deployment's names. */
export type LakeCatalogs = ReadonlyMap<string, LakeCatalog>
