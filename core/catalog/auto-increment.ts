/**
 * Numbers of an autoIncrement column. The next one is in the table's item, lives and goes with it, and only rises: each update hands
 * out what it has stepped over. A number is given once: who does not learn what became of its update asks for others, and those are lost.
 */
import { tableKey } from '../format/items/table.ts'
import { assert } from '../kernel/assert.ts'
import type { Table } from '../model/table.ts'
import type { World } from '../ports/world.ts'
import { isAlive, tableNotFound } from './tables.ts'

/** [from, to) */
export interface NumberRange {
  readonly from: bigint
  readonly to: bigint
}

/** Of `count` numbers; fewer where `max` comes before, in the end none. Errors: `not-found`: the table was dropped. */
export async function takeNumbers(
  world: World,
  table: Table,
  { count, max }: { readonly count: bigint; readonly max: bigint },
): Promise<NumberRange> {
  const { done, item } = await world.items.update({
    key: tableKey(table.database, table.name),
    set: { n: { plus: 'n', by: count } },
    condition: { is: 'and', all: [isAlive(table), { is: 'less', path: 'n', value: max + 1n }] },
  }) // COMMIT POINT
  const { i, x, n } = item?.attributes ?? {}
  if (i !== table.tableId || x !== 'alive') throw tableNotFound(table.database, table.name)
  assert(typeof n === 'bigint', 'a table with an autoIncrement column has its next number')
  if (!done) return { from: n, to: n }
  return { from: n - count, to: n <= max ? n : max + 1n }
}
