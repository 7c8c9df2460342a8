/**
 * The updates of a snapshot item: take a claim, publish, release. A publication holds only for the version that it was made of and
 * under its claimant's epoch, with `gc` below the label of what it brings, so one that comes late, or from a worker that was superseded,
 * changes nothing. The lease is for liveness alone.
 */
import { isPartitionAlive } from '../../catalog/partitions.ts'
import { isAlive } from '../../catalog/tables.ts'
import { decodeKvItem, encodeSnapshot, type KvItem, kvKey, newKvItem, type Snapshot } from '../../format/items/kv.ts'
import { partitionKey } from '../../format/items/partition.ts'
import { tableKey } from '../../format/items/table.ts'
import { decide } from '../../jobs/decide.ts'
import { type Label, type Offset, randomId } from '../../kernel/ids.ts'
import { type BucketId, type BucketRef, idOf } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import type { TransactAction, Update } from '../../ports/items.ts'
import type { World } from '../../ports/world.ts'
import { readKvItem } from '../bucket.ts'

export const foldLeaseMs = 60_000

/** From here on no earlier claimant can publish. Undefined: another is at work, or the table changed meanwhile. `start`: of the log. */
export async function takeFold(world: World, table: Table, at: BucketRef, start: Offset): Promise<KvItem | undefined> {
  const seen = (await readKvItem(world, table.tableId, idOf(at))) ?? (await bearKvItem(world, table, at, start))
  const now = world.clock.now()
  if (seen === undefined || seen.lease >= now) return undefined
  const holder = randomId(world.random)
  const update: Update = {
    key: kvKey(table.tableId, idOf(at)),
    set: { e: { value: seen.epoch + 1n }, h: { value: holder }, l: { value: BigInt(now + foldLeaseMs) } },
    condition: {
      is: 'and',
      all: [
        { is: 'equal', path: 'e', value: seen.epoch },
        { is: 'less', path: 'l', value: BigInt(now) },
      ],
    },
  }
  return decide(world, update, decodeKvItem, (item) => item.epoch === seen.epoch + 1n && item.holder === holder)
}

/** Born as a head is: only while the very table is alive, with the `gc` that it copies. */
export async function bearKvItem(world: World, table: Table, at: BucketRef, start: Offset): Promise<KvItem | undefined> {
  const { partition } = at
  const actions: TransactAction[] = [
    {
      check: tableKey(table.database, table.name),
      condition: { is: 'and', all: [isAlive(table), { is: 'equal', path: 'g', value: table.gc }] },
    },
    { create: newKvItem(table.tableId, idOf(at), { gc: table.gc, floor: start }) },
  ]
  if (partition.id !== '')
    actions.push({ check: partitionKey(table.tableId, partition.name), condition: isPartitionAlive(partition) })
  await world.items.transact(actions) // COMMIT POINT
  return readKvItem(world, table.tableId, idOf(at))
}

/** Undefined: superseded, or `label` was collected; then nothing happened. */
export async function publish(
  world: World,
  table: Table,
  at: BucketId,
  mine: KvItem,
  next: Snapshot,
  label: Label,
): Promise<KvItem | undefined> {
  const set = Object.fromEntries(Object.entries(encodeSnapshot(next)).map(([name, value]) => [name, { value }]))
  const update: Update = {
    key: kvKey(table.tableId, at),
    set: { ...set, v: { value: mine.version + 1n }, l: { value: BigInt(world.clock.now() + foldLeaseMs) } },
    condition: {
      is: 'and',
      all: [
        { is: 'equal', path: 'v', value: mine.version },
        { is: 'equal', path: 'e', value: mine.epoch },
        { is: 'less', path: 'g', value: label },
      ],
    },
  }
  const isOurs = (item: KvItem): boolean =>
    item.version === mine.version + 1n && item.manifest?.object.random === next.manifest?.object.random
  return decide(world, update, decodeKvItem, isOurs) // COMMIT POINT
}

/** Ends a claim, so that the next trigger need not wait for the lease. */
export async function releaseFold(world: World, table: Table, at: BucketId, mine: KvItem): Promise<void> {
  await world.items.update({
    key: kvKey(table.tableId, at),
    set: { l: { value: 0n } },
    condition: { is: 'equal', path: 'e', value: mine.epoch },
  })
}
