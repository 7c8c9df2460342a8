/**
 * The manifests of an external table's main snapshot, as a list of version 2 or 3 has them. A table that was made with format version 1 and
 * upgraded since has a list of version 1 until the next commit, without sequence numbers and perhaps without counts, or no list at all
 * but the paths of its manifests in the metadata. All numbers of it are 0 (spec, "Reading v1 metadata for v2"); what is left out is
 * counted in the manifests themselves, once: the commit that follows writes a whole list. Reads only.
 */
import { isSluiceError, SluiceError } from '../../kernel/errors.ts'
import { mapAtOnce } from '../../kernel/parallel.ts'
import type { ObjectStore } from '../../ports/objects.ts'
import { countManifest, decodeForeignList, isCounted, type ListedManifest, specIdOf } from '../iceberg/foreign-manifest.ts'
import type { ManifestFile } from '../iceberg/manifest.ts'
import { type ExternalTable, factsOf, keyBelow, nameOf } from './answer.ts'
import type { ExternalPlace } from './table.ts'

/** `store`: the table's own. Errors: `not-supported` where manifests would have to be counted that cannot be. */
export async function mainManifests(
  store: ObjectStore,
  place: ExternalPlace,
  external: ExternalTable,
): Promise<readonly ManifestFile[]> {
  const { main } = external
  if (main === undefined) return []
  const keyOf = (uri: string): string => keyBelow(place.catalog, place.name, external, uri)
  const { manifestList } = main
  const listed =
    typeof manifestList === 'string' ? decodeForeignList(await store.read(keyOf(manifestList))) : manifestList.map(named)
  const missing = listed.filter((each) => !isCounted(each)).length
  if (missing > countedMax) throw uncountable(place, `${missing} manifests`)
  return mapAtOnce(listed, countedAtOnce, async (each): Promise<ManifestFile> => {
    if (isCounted(each)) return each
    const { manifest_path: path } = each
    const bytes = await store.read(keyOf(path))
    const counts = counted(place, path, bytes)
    return {
      ...each,
      ...counts,
      ...(each.manifest_length === 0n && { manifest_length: BigInt(bytes.length), partition_spec_id: specIdOf(bytes) }),
      added_snapshot_id: each.added_snapshot_id ?? (counts.added_snapshot_id || main.id),
    }
  })
}

const countedMax = 10_000
const countedAtOnce = 4
/** Of one manifest, expanded. */
const countedBytesMax = 64 * 1024 * 1024

function counted(place: ExternalPlace, path: string, bytes: Uint8Array): ReturnType<typeof countManifest> {
  try {
    return countManifest(bytes, { bytes: countedBytesMax, records: 1_000_000 })
  } catch (error) {
    if (!isSluiceError(error)) throw error
    throw uncountable(place, `manifest ${JSON.stringify(path.slice(0, 200))} (${error.message})`)
  }
}

/** Of a snapshot without a list. */
const named = (path: string): ListedManifest => ({
  manifest_path: path,
  manifest_length: 0n,
  partition_spec_id: 0,
  content: 0,
  sequence_number: 0n,
  min_sequence_number: 0n,
  added_snapshot_id: null,
  added_files_count: null,
  existing_files_count: null,
  deleted_files_count: null,
  added_rows_count: null,
  existing_rows_count: null,
  deleted_rows_count: null,
  partitions: null,
  key_metadata: null,
})

const uncountable = ({ catalog, name }: ExternalPlace, what: string): SluiceError =>
  new SluiceError(
    'not-supported',
    `${nameOf(catalog, name)} has ${what} of format version 1 without counts, which cannot be counted here: let an engine write them again (rewrite_manifests)`,
    { action: 'stop', facts: factsOf(catalog, name) },
  )
