/**
 * A lake's columns and format version as its table has them by now, where no row brings them along: one commit of metadata alone,
 * without a snapshot; the points stay. Schema ids only rise, so whoever looks with an older table changes nothing back. A crash
 * before the commit leaves an orphan, after it a late copy.
 */
import type { LakeItem } from '../format/items/lake.ts'
import type { Table } from '../model/table.ts'
import type { World } from '../ports/world.ts'
import { lastColumnId } from './append.ts'
import { loadLake } from './catalog.ts'
import { commitChanged, type MarkCollect } from './commit.ts'
import { decodeMetadata, type TableMetadata, withSchema } from './iceberg/metadata.ts'
import { icebergSchema } from './iceberg/schema.ts'

/** `overtaken`: others have committed meanwhile; look again. */
export interface Aligned {
  readonly is: 'same' | 'done' | 'overtaken'
  readonly lake: LakeItem
}

/** `seen`: the item of a lake that has a commit. */
export async function alignLake(world: World, table: Table, seen: LakeItem, markCollect: MarkCollect): Promise<Aligned> {
  const loaded = await loadLake(world, table, seen)
  const { lake } = loaded
  const base = decodeMetadata(loaded.metadata)
  const next = alignedMetadata(base, table, world.clock.now())
  if (next === base) return { is: 'same', lake }
  const committed = await commitChanged(world, table, { loaded, base, next }, markCollect) // COMMIT POINT
  return committed === undefined ? { is: 'overtaken', lake } : { is: 'done', lake: committed.lake }
}

function alignedMetadata(base: TableMetadata, table: Table, now: number): TableMetadata {
  const isBehind = base['current-schema-id'] < table.schema.schemaId
  const isUpgraded = base['format-version'] === 2 && table.options.lakeFormatVersion === 3
  if (!isBehind && !isUpgraded) return base
  return {
    ...base,
    ...(isUpgraded && { 'format-version': 3, 'next-row-id': 0n }),
    ...(isBehind && withSchema(base, icebergSchema(table.schema), lastColumnId(table))),
    'last-updated-ms': Math.max(now, base['last-updated-ms'] + 1),
  }
}
