/**
 * Numbers of autoIncrement columns that this process has taken and not drawn yet. What it loses when it ends, and what commits that
 * came to nothing have drawn, is never given again.
 */
import { type NumberRange, takeNumbers } from '../../catalog/auto-increment.ts'
import { assert } from '../../kernel/assert.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { cacheSizeOf, defaultKeyed } from '../../model/keyed.ts'
import { quoted } from '../../model/nearest.ts'
import type { Column, Table } from '../../model/table.ts'
import { printType } from '../../model/type-text.ts'
import type { World } from '../../ports/world.ts'
import type { Draw } from '../merge/merger.ts'
import type { KeyedRows } from './operations.ts'

/** Kept for one group of one bucket. */
export interface Reserved {
  /** Errors: `full`: the type of the column has no more. */
  readonly draw: Draw
  /** What was not drawn is for others. */
  readonly release: () => void
}

type Member = Pick<KeyedRows, 'operations'>

/** Numbers of no more tables than these are kept. */
const tablesMax = 1_000

export class Numbers {
  readonly #world: World
  /** By table id, in the order of their last use. */
  readonly #pools = new Map<string, Pool>()

  constructor(world: World) {
    this.#world = world
  }

  /** As many as the members may draw where these keys have rows, or as there are. Errors: `not-found`: the table was dropped; those of the store. */
  async reserve(table: Table, members: readonly Member[], isThere: (key: string) => boolean): Promise<Reserved> {
    const column = table.schema.columns.find(({ autoIncrement }) => autoIncrement === true)
    const count = column === undefined ? 0 : numbersNeeded(members, isThere)
    if (column === undefined || count === 0) return none
    const pool = this.#poolOf(table)
    const ranges = await pool.take(table, BigInt(count), maxOf(column))
    return { draw: drawFrom(column, ranges), release: () => pool.giveBack(ranges) }
  }

  #poolOf({ tableId }: Table): Pool {
    const pool = this.#pools.get(tableId) ?? new Pool(this.#world)
    this.#pools.delete(tableId)
    this.#pools.set(tableId, pool)
    const [oldest] = this.#pools.keys()
    if (this.#pools.size > tablesMax && oldest !== undefined) this.#pools.delete(oldest)
    return pool
  }
}

class Pool {
  readonly #world: World
  #ranges: NumberRange[] = []
  /** One at a time asks the store, so that others find what it left. */
  #lock: Promise<unknown> = Promise.resolve()

  constructor(world: World) {
    this.#world = world
  }

  take(table: Table, count: bigint, max: bigint): Promise<NumberRange[]> {
    const taken = this.#lock.then(async () => {
      const missing = count - this.#ranges.reduce((sum, { from, to }) => sum + to - from, 0n)
      if (missing > 0n) {
        const cacheSize = BigInt(cacheSizeOf(table.options.keyed ?? defaultKeyed))
        this.#ranges.push(await takeNumbers(this.#world, table, { count: missing > cacheSize ? missing : cacheSize, max }))
      }
      return this.#first(count)
    })
    this.#lock = taken.catch(() => undefined)
    return taken
  }

  giveBack(ranges: readonly NumberRange[]): void {
    this.#ranges.unshift(...ranges.filter(({ from, to }) => from < to))
  }

  #first(count: bigint): NumberRange[] {
    const taken: NumberRange[] = []
    let left = count
    while (left > 0n) {
      const range = this.#ranges.shift()
      if (range === undefined) break
      const end = range.to - range.from > left ? range.from + left : range.to
      taken.push({ from: range.from, to: end })
      if (end < range.to) this.#ranges.unshift({ from: end, to: range.to })
      left -= end - range.from
    }
    return taken
  }
}

/** At most so many rows are new: each key that has none, once a request, or each time where it is deleted, too. */
function numbersNeeded(members: readonly Member[], isThere: (key: string) => boolean): number {
  const deleted = new Set<string>()
  for (const { operations } of members) for (const { kind, key } of operations) if (kind === 'delete') deleted.add(key)
  let count = 0
  for (const { operations } of members) {
    const seen = new Set<string>()
    for (const { kind, key } of operations) {
      if (kind === 'delete') continue
      if (deleted.has(key)) count += 1
      else if (!isThere(key)) seen.add(key)
    }
    count += seen.size
  }
  return count
}

/** Takes what it draws out of the ranges. */
function drawFrom(column: Column, ranges: NumberRange[]): Draw {
  const max = maxOf(column)
  return () => {
    const [range, ...others] = ranges
    if (range === undefined || range.from > max) throw exhausted(column)
    const rest = range.from + 1n < range.to ? [{ from: range.from + 1n, to: range.to }] : []
    ranges.splice(0, ranges.length, ...rest, ...others)
    return column.type.kind === 'int' ? Number(range.from) : range.from
  }
}

const none: Reserved = {
  draw: () => {
    assert(false, 'a number that is drawn was reserved')
  },
  release: () => undefined,
}

const exhausted = ({ name, type }: Column): SluiceError =>
  new SluiceError(
    'full',
    `column ${quoted(name)}: every number of ${printType(type)} has been drawn: ${type.kind === 'int' ? 'widen it to bigint' : 'create a new table'}`,
    { facts: { column: name } },
  )

const maxOf = ({ type }: Column): bigint => (type.kind === 'int' ? 2n ** 31n : 2n ** 63n) - 1n
