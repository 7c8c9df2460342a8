/**
 * Expiry for a lake that commits no more: what a next commit would let go (expire.ts) goes with a commit of its own, as an engine
 * would make it, over whatever is there by then. Part of the collect job, so an idle lake costs nothing but that; a lake that
 * somebody works on is left to them.
 */
import { isSluiceError } from '../../kernel/errors.ts'
import type { Table } from '../../model/table.ts'
import type { World } from '../../ports/world.ts'
import { loadLake } from '../catalog.ts'
import { commitToLake } from '../commit.ts'
import { decodeMetadata } from '../iceberg/metadata.ts'
import { readLakeItem } from '../item.ts'
import { expiredSnapshots } from './expire.ts'
import type { UpkeepLimits } from './limits.ts'

/** How many snapshots went. Repeatable. Errors: those of the stores; `not-found` where the table is being dropped. */
export async function expireIdle(world: World, table: Table, limits?: UpkeepLimits): Promise<number> {
  const now = world.clock.now()
  const lake = await readLakeItem(world.items, table.tableId)
  if (lake?.committed === undefined || !lake.open || lake.lease > now) return 0
  const loaded = await loadLake(world, table)
  const metadata = decodeMetadata(loaded.metadata)
  const gone = expiredSnapshots(metadata, now, limits)
  if (gone.size === 0) return 0
  const main = metadata['current-snapshot-id']
  const commit = {
    requirements: [{ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': main }],
    updates: [{ action: 'remove-snapshots', 'snapshot-ids': [...gone] }],
  } as const
  try {
    // What it leaves is collected by the job that asks for it, and where it is overtaken by the job of whoever was faster.
    await commitToLake(world, table, commit, async ({ collectDue }) => collectDue)
    return gone.size
  } catch (error) {
    if (isSluiceError(error, 'conflict')) return 0
    throw error
  }
}
