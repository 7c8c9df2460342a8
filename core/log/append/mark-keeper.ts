/**
 * The marks that a process's commits rely on (protocol section 4). `mark` puts a tier mark of a table with a lake, and a fold mark of
 * one with a primary key; `renew` puts
 * a collect mark once a window, before any object of the window is written, so that no orphan is ever forgotten; `spills` a retain
 * and a compact mark once a window each, before anything is spilled, because only what was spilled is given up or joined.
 */

import { putMark } from '../../jobs/marks.ts'
import { limits } from '../../kernel/limits.ts'
import { isKeyed } from '../../model/changelog.ts'
import type { Table } from '../../model/table.ts'
import type { World } from '../../ports/world.ts'
import { keepMs, retainDue, retainGapMs } from '../keep/pace.ts'

/** Shorter than the age of orphans, so that the collect mark of a window is due after every object of the window is old. */
const collectWindowMs = 12 * 3_600_000
/** So long spilled items gather before they are joined. */
const compactWindowMs = 600_000
const tablesMax = 20_000

export class MarkKeeper {
  readonly #world: World
  readonly #collectAt = new Map<string, number>()
  readonly #compactAt = new Map<string, number>()
  readonly #retainAt = new Map<string, { readonly at: number; readonly keepMs: number }>()

  constructor(world: World) {
    this.#world = world
  }

  async mark(table: Table): Promise<void> {
    const now = this.#world.clock.now()
    if (isKeyed(table)) await putMark(this.#world, { ...named(table), kind: 'fold', due: now + limits.foldAtMs })
    if (table.options.lakeFormat === 'none') return
    await putMark(this.#world, { ...named(table), kind: 'tier', due: now + table.options.lakeFreshnessMs })
  }

  async renew(table: Table): Promise<void> {
    const now = this.#world.clock.now()
    const last = this.#collectAt.get(table.tableId)
    if (last !== undefined && now - last < collectWindowMs) return
    await putMark(this.#world, { ...named(table), kind: 'collect', due: now + collectWindowMs + limits.orphanAgeMs })
    if (this.#collectAt.size >= tablesMax) this.#collectAt.clear()
    this.#collectAt.set(table.tableId, now)
  }

  async spills(table: Table): Promise<void> {
    await this.#retain(table)
    await this.#compact(table)
  }

  /** Due when everything that is spilled until the window ends is there. */
  async #compact(table: Table): Promise<void> {
    const now = this.#world.clock.now()
    const last = this.#compactAt.get(table.tableId)
    if (last !== undefined && now - last < compactWindowMs) return
    await putMark(this.#world, { ...named(table), kind: 'compact', due: now + compactWindowMs })
    if (this.#compactAt.size >= tablesMax) this.#compactAt.clear()
    this.#compactAt.set(table.tableId, now)
  }

  /** Due when everything that is spilled until the window ends is too old. */
  async #retain(table: Table): Promise<void> {
    const now = this.#world.clock.now()
    const kept = keepMs(table.options)
    const window = retainGapMs(table.options)
    const last = this.#retainAt.get(table.tableId)
    if (last !== undefined && now - last.at < window && last.keepMs === kept) return
    await putMark(this.#world, { ...named(table), kind: 'retain', due: retainDue(table.options, now + window + kept) })
    if (this.#retainAt.size >= tablesMax) this.#retainAt.clear()
    this.#retainAt.set(table.tableId, { at: now, keepMs: kept })
  }
}

export const named = ({ database, name, tableId, buckets }: Table) => ({
  table: { database, table: name, tableId },
  buckets: buckets.count,
})
