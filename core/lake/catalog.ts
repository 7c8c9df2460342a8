/**
 * A lake as its catalog shows it: the committed metadata and where it lies. The lake item names the metadata that was staged for
 * the commit; that object was there before the commit, so it is there whenever it is answered, while the copy in
 * `metadata/v<n>.metadata.json` follows the commit. Before the first commit the metadata is that of an empty table, written when it
 * is first asked for: the same bytes for the same schema, under a key of their own.
 */
import type { LakeItem } from '../format/items/lake.ts'
import { isSluiceError, SluiceError } from '../kernel/errors.ts'
import type { Table } from '../model/table.ts'
import type { ObjectStore } from '../ports/objects.ts'
import type { World } from '../ports/world.ts'
import { tableMetadata } from './append.ts'
import { encodeMetadata } from './iceberg/metadata.ts'
import { readLakeItem } from './item.ts'
import { emptyKey } from './layout.ts'
import { readChecked } from './objects.ts'

export interface LakeVersion {
  readonly lake: LakeItem
  /** Of the metadata. It names the same bytes for ever. */
  readonly key: string
}

export interface LoadedLake extends LakeVersion {
  readonly uri: string
  readonly metadata: Uint8Array
}

/** Error `not-found`: the table has no lake, or is being dropped. */
export async function lakeVersion(world: World, table: Table): Promise<LakeVersion> {
  const lake = table.options.lakeFormat === 'iceberg' ? await readLakeItem(world.items, table.tableId) : undefined
  if (lake === undefined || !lake.open) {
    throw new SluiceError('not-found', `table ${table.database}.${table.name} has no iceberg lake`, {
      facts: { database: table.database, table: table.name },
    })
  }
  return { lake, key: lake.committed?.metadata.key ?? emptyKey(table.tableId, table.schema.schemaId) }
}

/** Metadata that has vanished was superseded and collected: the item names a newer one. */
export async function loadLake(world: World, table: Table): Promise<LoadedLake> {
  for (let attempt = 1; ; attempt++) {
    const version = await lakeVersion(world, table)
    try {
      return { ...version, uri: world.objects.uri(version.key), metadata: await readMetadata(world.objects, table, version) }
    } catch (error) {
      if (attempt === readsMax || !isSluiceError(error, 'not-found')) throw error
    }
  }
}

const readsMax = 3

async function readMetadata(objects: ObjectStore, table: Table, { lake, key }: LakeVersion): Promise<Uint8Array> {
  if (lake.committed !== undefined) return readChecked(objects, lake.committed.metadata)
  try {
    return await objects.read(key)
  } catch (error) {
    if (!isSluiceError(error, 'not-found')) throw error
  }
  const metadata = encodeMetadata(tableMetadata(objects, table))
  // Where the table is dropped meanwhile, its purge repeats until it finds nothing.
  return (await objects.create(key, metadata)) === 'created' ? metadata : objects.read(key)
}
