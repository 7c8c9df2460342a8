/**
 * The birth of a head: one transaction checks that the very table and the very partition are alive, with the gc and the floor
 * that the head copies, and creates the head open. A drop marks them first, so a birth either precedes the mark (the drop then
 * closes the head) or is refused.
 */
import { findPartition, isPartitionAlive, partitionNotFound } from '../../catalog/partitions.ts'
import { findTable, isAlive, tableNotFound } from '../../catalog/tables.ts'
import { decodeHead, type Head, headKey, newHead } from '../../format/items/head.ts'
import { partitionKey } from '../../format/items/partition.ts'
import { tableKey } from '../../format/items/table.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { type BucketId, type BucketRef, idOf, type Partition } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import type { TransactAction } from '../../ports/items.ts'
import type { World } from '../../ports/world.ts'

const birthAttemptsMax = 8

/** Strongly read; undefined before the bucket's first commit. */
export async function readHead(world: World, tableId: string, at: BucketId): Promise<Head | undefined> {
  const item = await world.items.get(headKey(tableId, at))
  return item === undefined ? undefined : decodeHead(item)
}

/** The head of a bucket, born if it has none. Errors: `not-found` when the table or the partition was dropped. */
export async function openHead(world: World, table: Table, at: BucketRef): Promise<Head> {
  let seen = table
  for (let attempt = 0; attempt < birthAttemptsMax; attempt++) {
    const head = await readHead(world, table.tableId, idOf(at))
    if (head !== undefined) return head
    if (attempt > 0) seen = await aliveTable(world, table)
    if (attempt > 0) await assertPartitionAlive(world, table, at.partition)
    await bear(world, seen, at)
  }
  throw new SluiceError('unavailable', `bucket ${at.bucket} of ${table.database}.${table.name} could not be opened: try again`)
}

async function bear(world: World, table: Table, at: BucketRef): Promise<void> {
  const { partition } = at
  const actions: TransactAction[] = [
    {
      check: tableKey(table.database, table.name),
      condition: { is: 'and', all: [isAlive(table), { is: 'equal', path: 'g', value: table.gc }] },
    },
    { create: newHead(table.tableId, idOf(at), { gc: table.gc, floor: partition.floor }) },
  ]
  if (partition.id !== '')
    actions.push({ check: partitionKey(table.tableId, partition.name), condition: isPartitionAlive(partition) })
  await world.items.transact(actions) // COMMIT POINT
}

async function aliveTable(world: World, table: Table): Promise<Table> {
  const seen = await findTable(world, table.database, table.name)
  if (seen === undefined || seen.tableId !== table.tableId || seen.state !== 'alive')
    throw tableNotFound(table.database, table.name)
  return seen
}

async function assertPartitionAlive(world: World, table: Table, partition: Partition): Promise<void> {
  if (partition.id === '') return
  const found = await findPartition(world, table, partition.name)
  if (found?.id !== partition.id || found.state !== 'alive') throw partitionNotFound(table, partition.name)
}
