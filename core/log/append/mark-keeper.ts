/**
 * The marks that a process's commits rely on (protocol section 4). `mark` puts a tier mark of a table with a lake; `renew` puts
 * a collect mark once a window, before any object of the window is written, so that no orphan is ever forgotten.
 */

import { putMark } from '../../jobs/marks.ts'
import { limits } from '../../kernel/limits.ts'
import type { Table } from '../../model/table.ts'
import type { World } from '../../ports/world.ts'

/** Shorter than the age of orphans, so that the collect mark of a window is due after every object of the window is old. */
const collectWindowMs = 12 * 3_600_000
const tablesMax = 20_000

export class MarkKeeper {
  readonly #world: World
  readonly #collectAt = new Map<string, number>()

  constructor(world: World) {
    this.#world = world
  }

  async mark(table: Table): Promise<void> {
    if (table.options.lakeFormat === 'none') return
    await putMark(this.#world, { ...named(table), kind: 'tier', due: this.#world.clock.now() + table.options.lakeFreshnessMs })
  }

  async renew(table: Table): Promise<void> {
    const now = this.#world.clock.now()
    const last = this.#collectAt.get(table.tableId)
    if (last !== undefined && now - last < collectWindowMs) return
    await putMark(this.#world, { ...named(table), kind: 'collect', due: now + collectWindowMs + limits.orphanAgeMs })
    if (this.#collectAt.size >= tablesMax) this.#collectAt.clear()
    this.#collectAt.set(table.tableId, now)
  }
}

export const named = ({ database, name, tableId, buckets }: Table) => ({
  table: { database, table: name, tableId },
  buckets: buckets.count,
})
