/**
 * The birth of a head: one transaction checks that the very table is alive, with the gc that the head copies, and creates the
 * head open. A drop marks the table first, so a birth either precedes the mark (the drop then closes the head) or is refused.
 */
import { findTable, isAlive, tableNotFound } from '../../catalog/tables.ts'
import { decodeHead, type Head, headKey, newHead } from '../../format/items/head.ts'
import { tableKey } from '../../format/items/table.ts'
import { SluiceError } from '../../kernel/errors.ts'
import type { Table } from '../../model/table.ts'
import type { World } from '../../ports/world.ts'

const birthAttemptsMax = 8

/** Strongly read; undefined before the bucket's first commit. */
export async function readHead(world: World, tableId: string, bucket: number): Promise<Head | undefined> {
  const item = await world.items.get(headKey(tableId, bucket))
  return item === undefined ? undefined : decodeHead(item)
}

/** The head of a bucket, born if it has none. Errors: `not-found` when the table was dropped. */
export async function openHead(world: World, table: Table, bucket: number): Promise<Head> {
  let seen: Table | undefined = table
  for (let attempt = 0; attempt < birthAttemptsMax; attempt++) {
    const head = await readHead(world, table.tableId, bucket)
    if (head !== undefined) return head
    if (attempt > 0) seen = await findTable(world, table.database, table.name)
    if (seen === undefined || seen.tableId !== table.tableId || seen.state !== 'alive')
      throw tableNotFound(table.database, table.name)
    await bear(world, seen, bucket)
  }
  throw new SluiceError('unavailable', `bucket ${bucket} of ${table.database}.${table.name} could not be opened: try again`)
}

async function bear(world: World, table: Table, bucket: number): Promise<void> {
  await world.items.transact([
    {
      check: tableKey(table.database, table.name),
      condition: { is: 'and', all: [isAlive(table), { is: 'equal', path: 'g', value: table.gc }] },
    },
    { create: newHead(table.tableId, bucket, table.gc) },
  ]) // COMMIT POINT
}
