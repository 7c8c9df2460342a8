/**
 * The claim item's updates: take, commit what is pending, clear it, release. Each holds only under its claimant's epoch, so a
 * compactor that was superseded changes nothing; the lease is for liveness alone. An ambiguous attempt is repeated unchanged,
 * and a refusal is read for one's own trace before it is believed.
 */

import { type Claim, claimKey, decodeClaim, encodePending, newClaim, type Pending } from '../../format/items/claim.ts'
import { encodeEntry } from '../../format/items/entry.ts'
import { equalBytes } from '../../kernel/bytes.ts'
import type { Label, Offset } from '../../kernel/ids.ts'
import { type BucketId, type BucketRef, idOf } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import { decide } from '../../ports/decide.ts'
import type { Update } from '../../ports/items.ts'
import type { World } from '../../ports/world.ts'
import { bear, claim, leaseMs, release } from '../claim.ts'

/** Strongly read; undefined before the first compaction of the bucket. */
export async function readClaim(world: World, tableId: string, at: BucketId): Promise<Claim | undefined> {
  const item = await world.items.get(claimKey(tableId, at))
  return item === undefined ? undefined : decodeClaim(item)
}

/** From here on no earlier claimant can commit. Undefined: another is at work, or the table changed meanwhile. */
export async function takeClaim(world: World, table: Table, at: BucketRef): Promise<Claim | undefined> {
  const seen = (await readClaim(world, table.tableId, idOf(at))) ?? (await bearClaim(world, table, at))
  return seen && claim(world, claimKey(table.tableId, idOf(at)), seen, decodeClaim)
}

async function bearClaim(world: World, table: Table, at: BucketRef): Promise<Claim | undefined> {
  await bear(world, table, at, newClaim(table.tableId, idOf(at), table.gc))
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

export const releaseClaim = (world: World, table: Table, at: BucketId, mine: Claim, done: Offset): Promise<void> =>
  release(world, claimKey(table.tableId, at), mine, { d: { value: done } })

const isSame = (a: Pending | undefined, b: Pending): boolean =>
  a !== undefined &&
  a.from === b.from &&
  a.entries.length === b.entries.length &&
  a.entries.every((entry, i) => {
    const other = b.entries[i]
    return other !== undefined && equalBytes(encodeEntry(entry), encodeEntry(other))
  })
