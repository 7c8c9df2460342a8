/**
 * The claim item's updates: take, commit what is pending, clear it, release. Each holds only under its claimant's epoch, so a
 * compactor that was superseded changes nothing; the lease is for liveness alone. An ambiguous attempt is repeated unchanged,
 * and a refusal is read for one's own trace before it is believed.
 */

import { isPartitionAlive } from '../../catalog/partitions.ts'
import { isAlive } from '../../catalog/tables.ts'
import { type Claim, claimKey, decodeClaim, encodePending, newClaim, type Pending } from '../../format/items/claim.ts'
import { encodeEntry } from '../../format/items/entry.ts'
import { partitionKey } from '../../format/items/partition.ts'
import { tableKey } from '../../format/items/table.ts'
import { decide } from '../../jobs/decide.ts'
import { equalBytes } from '../../kernel/bytes.ts'
import { type Label, type Offset, randomId } from '../../kernel/ids.ts'
import { type BucketId, type BucketRef, idOf } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import type { Condition, TransactAction, Update } from '../../ports/items.ts'
import type { World } from '../../ports/world.ts'

export const leaseMs = 60_000

/** Strongly read; undefined before the first compaction of the bucket. */
export async function readClaim(world: World, tableId: string, at: BucketId): Promise<Claim | undefined> {
  const item = await world.items.get(claimKey(tableId, at))
  return item === undefined ? undefined : decodeClaim(item)
}

/** From here on no earlier claimant can commit. Undefined: another is at work, or the table changed meanwhile. */
export async function takeClaim(world: World, table: Table, at: BucketRef): Promise<Claim | undefined> {
  const seen = (await readClaim(world, table.tableId, idOf(at))) ?? (await bearClaim(world, table, at))
  const now = world.clock.now()
  if (seen === undefined || seen.lease >= now) return undefined
  const holder = randomId(world.random)
  const update: Update = {
    key: claimKey(table.tableId, idOf(at)),
    set: { e: { value: seen.epoch + 1n }, h: { value: holder }, l: { value: BigInt(now + leaseMs) } },
    condition: {
      is: 'and',
      all: [
        { is: 'equal', path: 'e', value: seen.epoch },
        { is: 'less', path: 'l', value: BigInt(now) },
      ],
    },
  }
  return decide(world, update, decodeClaim, (claim) => claim.epoch === seen.epoch + 1n && claim.holder === holder)
}

/** Born as a head is: only while the very table is alive, with the `gc` that it copies. */
async function bearClaim(world: World, table: Table, at: BucketRef): Promise<Claim | undefined> {
  const alive: Condition = { is: 'and', all: [isAlive(table), { is: 'equal', path: 'g', value: table.gc }] }
  const { partition } = at
  const actions: TransactAction[] = [
    { check: tableKey(table.database, table.name), condition: alive },
    { create: newClaim(table.tableId, idOf(at), table.gc) },
  ]
  if (partition.id !== '')
    actions.push({ check: partitionKey(table.tableId, partition.name), condition: isPartitionAlive(partition) })
  await world.items.transact(actions) // COMMIT POINT
  return readClaim(world, table.tableId, idOf(at))
}

/** From here on the object can be reached. Undefined: superseded, or `label` was collected; then nothing happened. */
export async function commitPending(
  world: World,
  table: Table,
  at: BucketId,
  mine: Claim,
  pending: Pending,
  label: Label,
): Promise<Claim | undefined> {
  const set = Object.fromEntries(Object.entries(encodePending(pending)).map(([name, value]) => [name, { value }]))
  const update: Update = {
    key: claimKey(table.tableId, at),
    set: { ...set, l: { value: BigInt(world.clock.now() + leaseMs) } },
    condition: {
      is: 'and',
      all: [
        { is: 'equal', path: 'e', value: mine.epoch },
        { is: 'absent', path: 'p' },
        { is: 'less', path: 'g', value: label },
      ],
    },
  }
  return decide(world, update, decodeClaim, (claim) => claim.epoch === mine.epoch && isSame(claim.pending, pending)) // COMMIT POINT
}

/** Once every index item has what was pending. Undefined: superseded; whoever did it finishes or has finished. */
export async function clearPending(
  world: World,
  table: Table,
  at: BucketId,
  mine: Claim & { readonly pending: Pending },
  done: Offset,
): Promise<Claim | undefined> {
  const { f, p } = encodePending(mine.pending)
  const update: Update = {
    key: claimKey(table.tableId, at),
    set: { d: { value: done }, l: { value: BigInt(world.clock.now() + leaseMs) } },
    remove: ['f', 'p'],
    // Of the very one: an attempt that comes late must not take what is pending by then.
    condition: {
      is: 'and',
      all: [
        { is: 'equal', path: 'e', value: mine.epoch },
        { is: 'equal', path: 'f', value: f },
        { is: 'equal', path: 'p', value: p },
      ],
    },
  }
  return decide(world, update, decodeClaim, (claim) => claim.epoch === mine.epoch && claim.pending === undefined)
}

/** Ends a claim, so that the next trigger need not wait for the lease. */
export async function releaseClaim(world: World, table: Table, at: BucketId, mine: Claim, done: Offset): Promise<void> {
  await world.items.update({
    key: claimKey(table.tableId, at),
    set: { l: { value: 0n }, d: { value: done } },
    condition: { is: 'equal', path: 'e', value: mine.epoch },
  })
}

const isSame = (a: Pending | undefined, b: Pending): boolean =>
  a !== undefined &&
  a.from === b.from &&
  a.entries.length === b.entries.length &&
  a.entries.every((entry, i) => {
    const other = b.entries[i]
    return other !== undefined && equalBytes(encodeEntry(entry), encodeEntry(other))
  })
