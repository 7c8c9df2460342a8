/**
 * The updates of a snapshot item: take a claim, publish, release. A publication holds only for the version that it was made of and
 * under its claimant's epoch, with `gc` below the label of what it brings, so one that comes late, or from a worker that was superseded,
 * changes nothing. The lease is for liveness alone.
 */
import { decodeKvItem, encodeSnapshot, type KvItem, kvKey, type Snapshot } from '../../format/items/kv.ts'
import type { Label, Offset } from '../../kernel/ids.ts'
import { claim, leaseMs, release } from '../../log/claim.ts'
import { type BucketId, type BucketRef, idOf } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import { decide } from '../../ports/decide.ts'
import type { Update } from '../../ports/items.ts'
import type { World } from '../../ports/world.ts'
import { bearKvItem, readKvItem } from '../item.ts'

/** From here on no earlier claimant can publish. Undefined: another is at work, or the table changed meanwhile. `start`: of the log. */
export async function takeFold(world: World, table: Table, at: BucketRef, start: Offset): Promise<KvItem | undefined> {
  const seen = (await readKvItem(world, table.tableId, idOf(at))) ?? (await bearKvItem(world, table, at, start))
  return seen && claim(world, kvKey(table.tableId, idOf(at)), seen, decodeKvItem)
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
    set: { ...set, v: { value: mine.version + 1n }, l: { value: BigInt(world.clock.now() + leaseMs) } },
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

export const releaseFold = (world: World, table: Table, at: BucketId, mine: KvItem): Promise<void> =>
  release(world, kvKey(table.tableId, at), mine)
