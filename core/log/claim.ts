/**
 * Claims on a bucket's items: one worker at a time, of a compaction or of a fold. Each later update of the claimant names its epoch, so
 * one that was superseded changes nothing; the lease is for liveness alone.
 */
import { isPartitionAlive } from '../catalog/partitions.ts'
import { isAlive } from '../catalog/tables.ts'
import { partitionKey } from '../format/items/partition.ts'
import { tableKey } from '../format/items/table.ts'
import { randomId } from '../kernel/ids.ts'
import type { BucketRef } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import { decide } from '../ports/decide.ts'
import type { Item, ItemKey, TransactAction, Update } from '../ports/items.ts'
import type { World } from '../ports/world.ts'

export const leaseMs = 60_000

/** Attributes `e`, `h` and `l` of the item. */
export interface Claimable {
  /** Claims so far. */
  readonly epoch: bigint
  /** Random id of the last claim, so that a claimant recognises its own. */
  readonly holder: string
  /** ms since 1970: until then the claimant is believed to be at work. */
  readonly lease: number
}

/** Of the item as `seen`. From here on no earlier claimant can commit. Undefined: another is at work. */
export async function claim<T extends Claimable>(
  world: World,
  key: ItemKey,
  seen: T,
  decode: (item: Item) => T,
): Promise<T | undefined> {
  const now = world.clock.now()
  if (seen.lease >= now) return undefined
  const holder = randomId(world.random)
  const update: Update = {
    key,
    set: { e: { value: seen.epoch + 1n }, h: { value: holder }, l: { value: BigInt(now + leaseMs) } },
    condition: {
      is: 'and',
      all: [
        { is: 'equal', path: 'e', value: seen.epoch },
        { is: 'less', path: 'l', value: BigInt(now) },
      ],
    },
  }
  return decide(world, update, decode, (item) => item.epoch === seen.epoch + 1n && item.holder === holder)
}

/** Ends a claim, so that the next trigger need not wait for the lease. */
export async function release(world: World, key: ItemKey, { epoch }: Claimable, set: Update['set'] = {}): Promise<void> {
  await world.items.update({
    key,
    set: { ...set, l: { value: 0n } },
    condition: { is: 'equal', path: 'e', value: epoch },
  })
}

/** Born as a head is: only while the very table is alive, with the `gc` that it copies. Nothing happens where there is one. */
export async function bear(world: World, table: Table, { partition }: BucketRef, item: Item): Promise<void> {
  const actions: TransactAction[] = [
    {
      check: tableKey(table.database, table.name),
      condition: { is: 'and', all: [isAlive(table), { is: 'equal', path: 'g', value: table.gc }] },
    },
    { create: item },
  ]
  if (partition.id !== '')
    actions.push({ check: partitionKey(table.tableId, partition.name), condition: isPartitionAlive(partition) })
  await world.items.transact(actions) // COMMIT POINT
}
