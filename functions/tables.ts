/**
 * Tables by name, kept for about a second. A stale one is safe: heads are fenced by table id, so a commit or a read for
 * a table that is gone is refused, and the caller forgets it and looks again. Absence is never kept.
 */
import { getTable } from '../core/catalog/tables.ts'
import { type ErrorCode, isSluiceError } from '../core/kernel/errors.ts'
import type { Table } from '../core/model/table.ts'
import type { World } from '../core/ports/world.ts'

/**
 * When it turns out that the table that was known is gone, or has other columns than an answer or a refusal rests on, it is looked at
 * again, once. `isOld`: an answer that says so.
 */
export async function withTable<T>(
  tables: TableCache,
  { db, table: name }: { readonly db: string; readonly table: string },
  use: (table: Table) => Promise<T>,
  isOld: (answer: T) => boolean = () => false,
): Promise<T> {
  const first = await tables.get(db, name)
  const answer = use(first)
  const isSettled = await answer.then(
    (value) => !isOld(value),
    (error: unknown) => !mayBeOld(error),
  )
  if (isSettled) return answer
  tables.forget(db, name)
  const second = await tables.get(db, name)
  const isSame = second.tableId === first.tableId && second.schema.schemaId === first.schema.schemaId
  return isSame ? answer : use(second)
}

/** A name, a value or a filter that the columns of before do not have; or rows, heads that are not of this table any more. */
export const mayBeOld = (error: unknown): boolean =>
  isSluiceError(error) && (staleCodes.includes(error.code) || (judgedCodes.includes(error.code) && error.effect === 'none'))

const staleCodes: readonly ErrorCode[] = ['gone', 'not-found', 'changed']
const judgedCodes: readonly ErrorCode[] = ['bad-request', 'unknown-field', 'invalid-rows', 'invalid-filter']

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
