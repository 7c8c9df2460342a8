/**
 * Where a bucket's rows lie in the lake's current snapshot: its data files in the order of their offsets. What a version of the
 * lake says of a bucket is kept, so that a reader who goes through it reads manifests once. Errors: those of the stores ·
 * `not-found`: a newer version took its place meanwhile.
 */
import type { LakeItem } from '../format/items/lake.ts'
import { assert } from '../kernel/assert.ts'
import { viewOf } from '../kernel/bytes.ts'
import { mapAtOnce } from '../kernel/parallel.ts'
import { type BucketRef, bucketKey, idOf } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import type { World } from '../ports/world.ts'
import { hasFiles, readBase } from './append.ts'
import { fileJudge } from './file-judge.ts'
import type { ManifestDataFile } from './iceberg/manifest.ts'
import { icebergSchema, offsetColumn } from './iceberg/schema.ts'
import { readLakeItem } from './item.ts'
import { keyOfUri } from './layout.ts'
import { readPoints } from './objects.ts'
import { readManifest } from './upkeep/merge.ts'

export interface LakeFile {
  readonly key: string
  readonly bytes: bigint
  readonly rows: bigint
  /** Of its rows. */
  readonly first: bigint
  readonly last: bigint
}

const keptMax = 64
const manifestsAtOnce = 8

export class LakeIndex {
  readonly #world: Pick<World, 'items' | 'objects'>
  #last: Promise<void> = Promise.resolve()
  readonly #kept = new Map<string, Promise<readonly LakeFile[]>>()

  constructor(world: Pick<World, 'items' | 'objects'>) {
    this.#world = world
  }

  /** The files that may have the row at `offset`, with those that their ranges run into; none where it is not in the lake. */
  async filesAt(table: Table, at: BucketRef, offset: bigint): Promise<readonly LakeFile[]> {
    if (table.options.lakeFormat !== 'iceberg' || table.options.lakeCatalog !== undefined) return []
    const lake = await readLakeItem(this.#world.items, table.tableId)
    if (lake?.committed === undefined) return []
    return groupAt(await this.#filesOf(table, at, lake, lake.committed.metadata.key), offset)
  }

  /** After all that came before, whatever became of it: so that one file is in memory at a time. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work)
    this.#last = done.then(
      () => undefined,
      () => undefined,
    )
    return done
  }

  #filesOf(table: Table, at: BucketRef, lake: LakeItem, version: string): Promise<readonly LakeFile[]> {
    const key = `${version}#${bucketKey(idOf(at))}`
    const kept = this.#kept.get(key)
    if (kept !== undefined) return kept
    if (this.#kept.size >= keptMax) this.#kept.clear()
    const looking = this.#look(table, at, lake)
    this.#kept.set(key, looking)
    looking.catch(() => this.#kept.delete(key))
    return looking
  }

  async #look(table: Table, { partition, bucket }: BucketRef, lake: LakeItem): Promise<readonly LakeFile[]> {
    const { objects } = this.#world
    const base = await readBase(objects, table.tableId, lake, await readPoints(objects, lake))
    const [spec] = base.metadata?.['partition-specs'] ?? []
    if (spec === undefined) return []
    const schema = icebergSchema(table.schema)
    const isOf = fileJudge(table, partition, { spec, schema, bucket })
    const found = await mapAtOnce(
      base.manifests.filter((manifest) => hasFiles(manifest) && isOf.mayBeIn(manifest)),
      manifestsAtOnce,
      async (manifest) =>
        (await readManifest(objects, keyOfUri(objects, table.tableId, manifest.manifest_path), spec, manifest, schema)) ?? [],
    )
    return found
      .flat()
      .filter(isOf.entry)
      .map(({ data_file }) => fileOf(data_file, keyOfUri(objects, table.tableId, data_file.file_path)))
      .sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))
  }
}

function fileOf(file: ManifestDataFile, key: string): LakeFile {
  const bound = (pairs: ManifestDataFile['lower_bounds']): bigint => {
    const value = pairs?.find((pair) => pair.key === offsetColumn.id)?.value
    assert(value?.length === 8, 'a data file has bounds of its offsets', { key })
    return viewOf(value).getBigInt64(0, true)
  }
  const [first, last] = [bound(file.lower_bounds), bound(file.upper_bounds)]
  return { key, bytes: file.file_size_in_bytes, rows: file.record_count, first, last }
}

/** `files`: by their first offset. An engine's files may have ranges that overlap. */
function groupAt(files: readonly LakeFile[], offset: bigint): readonly LakeFile[] {
  let group: LakeFile[] = []
  let last = -1n
  for (const file of files) {
    if (file.first > last) {
      if (last >= offset) break
      group = []
    }
    group.push(file)
    if (file.last > last) last = file.last
  }
  const [least] = group
  return least !== undefined && least.first <= offset && offset <= last ? group : []
}
