/**
 * A lake as its catalog shows it: the committed metadata and where it lies. That is the copy in `metadata/v<n>.metadata.json`, which is
 * kept for six hours after the next commit at least; where it has not followed its commit yet, it is the metadata that was staged, which
 * the lake item names and which was there before the commit. Before the first commit the metadata is that of an empty table, written
 * when it is first asked for: the same bytes for the same schema, under a key of their own.
 */
import type { LakeItem } from '../format/items/lake.ts'
import { isSluiceError, SluiceError } from '../kernel/errors.ts'
import type { Table } from '../model/table.ts'
import type { ObjectStore } from '../ports/objects.ts'
import type { World } from '../ports/world.ts'
import { tableMetadata } from './append.ts'
import { encodeMetadata } from './iceberg/metadata.ts'
import { readLakeItem } from './item.ts'
import { emptyKey, publishedKey } from './layout.ts'
import { orAbsent, readChecked } from './objects.ts'

export interface LakeVersion {
  readonly lake: LakeItem
  /** Of the metadata as it was staged. It names the same bytes for ever. */
  readonly key: string
}

export interface LoadedLake extends LakeVersion {
  /** Where `metadata` is. */
  readonly uri: string
  readonly metadata: Uint8Array
}

/** Error `not-found`: the table has no lake, or is being dropped. */
export async function lakeVersion(world: World, table: Table): Promise<LakeVersion> {
  const { lakeFormat, lakeCatalog } = table.options
  const isHere = lakeFormat === 'iceberg' && lakeCatalog === undefined
  const lake = isHere ? await readLakeItem(world.items, table.tableId) : undefined
  if (lake === undefined || !lake.open) {
    const elsewhere = lakeCatalog === undefined ? '' : `: it is in the catalog ${lakeCatalog.name}`
    throw new SluiceError('not-found', `table ${table.database}.${table.name} has no iceberg lake here${elsewhere}`, {
      facts: { database: table.database, table: table.name },
    })
  }
  return versionAt(table, lake)
}

const versionAt = (table: Table, lake: LakeItem): LakeVersion => ({
  lake,
  key: lake.committed?.metadata.key ?? emptyKey(table, table.schema.schemaId, table.options.lakeFormatVersion ?? 2),
})

/** `seen`: the item as the caller has just read it. Metadata that has vanished was superseded and collected: the item names a newer one. */
export async function loadLake(world: World, table: Table, seen?: LakeItem): Promise<LoadedLake> {
  for (let attempt = 1; ; attempt++) {
    const version = attempt === 1 && seen !== undefined ? versionAt(table, seen) : await lakeVersion(world, table)
    try {
      return { ...version, ...(await readMetadata(world.objects, table, version)) }
    } catch (error) {
      if (attempt === readsMax || !isSluiceError(error, 'not-found')) throw error
    }
  }
}

const readsMax = 3

async function readMetadata(
  objects: ObjectStore,
  table: Table,
  { lake, key }: LakeVersion,
): Promise<Pick<LoadedLake, 'uri' | 'metadata'>> {
  if (lake.committed !== undefined) {
    const staged = lake.committed.metadata
    const copy = { key: publishedKey(table.tableId, lake.version), crc32: staged.crc32 }
    const copied = await orAbsent(readChecked(objects, copy))
    if (copied !== undefined) return { uri: objects.uri(copy.key), metadata: copied }
    return { uri: objects.uri(key), metadata: await readChecked(objects, staged) }
  }
  const uri = objects.uri(key)
  const found = await orAbsent(objects.read(key))
  if (found !== undefined) return { uri, metadata: found }
  const metadata = encodeMetadata(tableMetadata(objects, table))
  // Where the table is dropped meanwhile, its purge repeats until it finds nothing.
  return { uri, metadata: (await objects.create(key, metadata)) === 'created' ? metadata : await objects.read(key) }
}
