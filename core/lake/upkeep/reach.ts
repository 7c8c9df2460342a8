/**
 * What a version of a lake reaches: the metadata and the points that its item names, with the pages that lie elsewhere; of every snapshot that the metadata keeps the
 * list, its manifests and the data files that they have, and the metadata and the points of its commit, which share its label; the published
 * copies that a reader of the folder may be at. It is taken out of a set of candidates as it is found, so nothing here grows with
 * the table but the names of its manifests.
 */
import { crc32 } from 'node:zlib'
import type { LakeItem } from '../../format/items/lake.ts'
import { SluiceError } from '../../kernel/errors.ts'
import type { Label } from '../../kernel/ids.ts'
import { mapAtOnce } from '../../kernel/parallel.ts'
import type { ObjectStore } from '../../ports/objects.ts'
import { decodeFiles } from '../iceberg/foreign-manifest.ts'
import { decodeManifestList, entryStatus, type ManifestFile } from '../iceberg/manifest.ts'
import { decodeMetadata, listCrcProperty, type Snapshot, type TableMetadata } from '../iceberg/metadata.ts'
import { isDataKey, isEmptyKey, isStagedKey, keyOfUri, labelOfKey, manifestCrc, publishedVersion } from '../layout.ts'
import { pointsObjects, readChecked } from '../objects.ts'
import { upkeepLimits } from './limits.ts'

const readsAtOnce = 8
/** As many as the metadata log has. */
const publishedMin = 100n

/** Errors: `not-found` where the version was superseded and collected meanwhile; `internal` where something is damaged. */
export async function unmarkReached(
  objects: ObjectStore,
  tableId: string,
  lake: LakeItem,
  candidates: Set<string>,
): Promise<void> {
  if (lake.committed === undefined) {
    for (const key of candidates) if (isEmptyKey(key)) candidates.delete(key)
    return
  }
  const metadata = decodeMetadata(await readChecked(objects, lake.committed.metadata))
  candidates.delete(lake.committed.metadata.key)
  candidates.delete(lake.committed.points.key)
  for (const key of await pointsObjects(objects, lake.committed)) candidates.delete(key)
  const lists = metadata.snapshots.map((snapshot) => keyOfUri(objects, tableId, snapshot['manifest-list']))
  for (const key of lists) candidates.delete(key)
  unmarkMetadata(lake, metadata, new Set(lists.map(labelOfKey)), candidates)
  if (candidates.size === 0) return
  const manifests = new Map<string, ManifestFile>()
  await mapAtOnce(metadata.snapshots, readsAtOnce, async (snapshot) => {
    for (const manifest of await readList(objects, tableId, snapshot)) {
      const key = keyOfUri(objects, tableId, manifest.manifest_path)
      manifests.set(key, manifest)
      candidates.delete(key)
    }
  })
  if (![...candidates].some(isDataKey)) return
  await mapAtOnce([...manifests], readsAtOnce, async ([key, manifest]) => {
    for (const path of await filesOf(objects, key, manifest)) candidates.delete(keyOfUri(objects, tableId, path))
  })
}

/**
 * Of the commits of these labels; of the published copies those of the last six hours, and at least what the metadata log names.
 */
function unmarkMetadata(
  lake: LakeItem,
  metadata: TableMetadata,
  labels: ReadonlySet<Label | undefined>,
  candidates: Set<string>,
): void {
  const since = metadata['last-updated-ms'] - upkeepLimits.snapshotAgeMs
  const recent = metadata.snapshots.find((snapshot) => snapshot['timestamp-ms'] >= since)
  const commits = BigInt(metadata['last-sequence-number'] - (recent?.['sequence-number'] ?? metadata['last-sequence-number']))
  const kept = lake.version - (commits > publishedMin ? commits : publishedMin)
  for (const key of candidates) {
    const version = publishedVersion(key)
    const isKept = version === undefined ? isStagedKey(key) && labels.has(labelOfKey(key)) : version >= kept
    if (isKept) candidates.delete(key)
  }
}

async function readList(objects: ObjectStore, tableId: string, snapshot: Snapshot): Promise<readonly ManifestFile[]> {
  const { [listCrcProperty]: crc, 'total-records': rows = '0' } = snapshot.summary
  const key = keyOfUri(objects, tableId, snapshot['manifest-list'])
  return decodeManifestList(await readChecked(objects, { key, crc32: Number(crc) }), BigInt(rows))
}

/** Of a manifest of any writer. Its name has a checksum where it is ours; the list's counts are there for all. */
async function filesOf(objects: ObjectStore, key: string, manifest: ManifestFile): Promise<readonly string[]> {
  const bytes = await objects.read(key)
  const crc = manifestCrc(key)
  const files = crc === undefined || crc === crc32(bytes) ? decodeFiles(bytes) : []
  const counted = manifest.added_files_count + manifest.existing_files_count + manifest.deleted_files_count
  if (files.length !== counted) {
    throw new SluiceError('internal', `what ${key} refers to is not known, so nothing of this lake is collected`, {
      action: 'retry',
      facts: { key },
    })
  }
  return files.flatMap(({ status, data_file }) => (status === entryStatus.deleted ? [] : [data_file.file_path]))
}
