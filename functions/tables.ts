/**
 * Tables by name, kept for about a second. A stale one is safe: heads are fenced by table id, so a commit or a read for
 * a table that is gone is refused, and the caller forgets it and looks again. Absence is never kept.
 */
import { getTable } from '../core/catalog/tables.ts'
import { isSluiceError } from '../core/kernel/errors.ts'
import type { Table } from '../core/model/table.ts'
import type { World } from '../core/ports/world.ts'

/** A read: when it turns out that the table it knew is gone or has other columns by now, it looks again, once. */
export async function withTable<T>(
  tables: TableCache,
  { db, table: name }: { readonly db: string; readonly table: string },
  read: (table: Table) => Promise<T>,
): Promise<T> {
  const first = await tables.get(db, name)
  try {
    return await read(first)
  } catch (error) {
    const isStale = isSluiceError(error, 'gone') || isSluiceError(error, 'not-found') || isSluiceError(error, 'changed')
    if (!isStale) throw error
    tables.forget(db, name)
    const second = await tables.get(db, name)
    if (second.tableId === first.tableId && second.schema.schemaId === first.schema.schemaId) throw error
    return read(second)
  }
}

export const tableKeptMs = 1_000
const tablesMax = 10_000

interface Kept {
  readonly table: Promise<Table>
  readonly until: number
}

export class TableCache {
  readonly #world: World
  readonly #kept = new Map<string, Kept>()

  constructor(world: World) {
    this.#world = world
  }

  get(database: string, name: string): Promise<Table> {
    const key = `${database}/${name}`
    const now = this.#world.clock.now()
    const kept = this.#kept.get(key)
    if (kept !== undefined && now < kept.until && kept.until <= now + tableKeptMs) return kept.table
    const table = getTable(this.#world, database, name)
    if (this.#kept.size >= tablesMax) this.#kept.clear()
    this.#kept.set(key, { table, until: now + tableKeptMs })
    table.catch(() => this.#forgetIf(key, table))
    return table
  }

  forget(database: string, name: string): void {
    this.#kept.delete(`${database}/${name}`)
  }

  forgetAll(): void {
    this.#kept.clear()
  }

  #forgetIf(key: string, table: Promise<Table>): void {
    if (this.#kept.get(key)?.table === table) this.#kept.delete(key)
  }
}
