/**
 * Does an engine's snapshot hold the rows that the table has? Counted in its manifests, not believed: manifests of the snapshot before
 * must be as they were, those that are new or gone are read, and together they must count what the table counts. Every place lies in
 * the table's folder. A file with a name of ours must be live in the snapshot before: any other may be collected at this moment
 * (upkeep/collect.ts), and names of engines never are. What is verified gets the checksum of its manifest list, and totals for the
 * commits that follow. In a table of version 3 the row ids that it gives are its own, and files that stay keep theirs.
 */
import { crc32 } from 'node:zlib'
import { isSluiceError, SluiceError } from '../kernel/errors.ts'
import { mapAtOnce } from '../kernel/parallel.ts'
import type { ObjectStore } from '../ports/objects.ts'
import { decodeFiles, type ListedFile } from './iceberg/foreign-manifest.ts'
import { decodeManifests, entryStatus, type ManifestFile } from './iceberg/manifest.ts'
import { listCrcProperty, type Snapshot, type TableMetadata } from './iceberg/metadata.ts'
import { inheritRowIds } from './iceberg/row-lineage.ts'
import type { TableUpdate } from './iceberg/updates.ts'
import { keyOfUri, labelOfKey, plainUri } from './layout.ts'

interface Place {
  readonly objects: ObjectStore
  readonly tableId: string
  /** The table's, without a slash at its end. */
  readonly location: string
}

/** The updates with their snapshots verified. Errors: `bad-request` naming what is wrong; `conflict` where main has moved on. */
export async function verifyUpdates(
  objects: ObjectStore,
  tableId: string,
  base: TableMetadata,
  updates: readonly TableUpdate[],
): Promise<readonly TableUpdate[]> {
  const place = { objects, tableId, location: base.location }
  const verified: TableUpdate[] = []
  const snapshots = new Map(base.snapshots.map((snapshot) => [snapshot['snapshot-id'], snapshot]))
  let tip = base['current-snapshot-id']
  for (const update of updates) {
    if (update.action === 'set-statistics') checkNew(place, update.statistics['statistics-path'])
    if (update.action === 'set-partition-statistics') checkNew(place, update['partition-statistics']['statistics-path'])
    if (update.action !== 'add-snapshot') {
      verified.push(update)
      continue
    }
    const parent = snapshots.get(tip)
    if (parent === undefined || update.snapshot['parent-snapshot-id'] !== tip)
      throw new SluiceError('conflict', `main is at snapshot ${tip}, not at the parent of the new one: load the table again`)
    const snapshot = await verifySnapshot(place, parent, update.snapshot)
    tip = snapshot['snapshot-id']
    snapshots.set(tip, snapshot)
    verified.push({ ...update, snapshot })
  }
  return verified
}

async function verifySnapshot(place: Place, parent: Snapshot, snapshot: Snapshot): Promise<Snapshot> {
  const id = snapshot['snapshot-id']
  const { summary } = snapshot
  if (summary['operation'] !== 'replace')
    throw refused(
      `snapshot ${id} is of operation ${quoted(summary['operation'])}: rows come by way of sluice, only replace is taken`,
    )
  const reserved = Object.keys(summary).find((name) => name.startsWith('sluice.'))
  if (reserved !== undefined) throw refused(`${quoted(reserved)} in a summary belongs to sluice`)
  checkNew(place, snapshot['manifest-list'])
  const before = await readList(place, parent['manifest-list'])
  const after = await readList(place, snapshot['manifest-list'])
  verifyRowIds(snapshot, await verifyManifests(place, before.manifests, after.manifests))
  const rows = rowsOf(after.manifests)
  if (rows !== rowsOf(before.manifests))
    throw refused(`snapshot ${id} has ${rows} rows, the table has ${rowsOf(before.manifests)}: a replace changes none`)
  const files = after.manifests.reduce((sum, each) => sum + each.added_files_count + each.existing_files_count, 0)
  const counted = { 'total-records': String(rows), 'total-data-files': String(files) }
  for (const [name, count] of Object.entries(counted)) {
    if (summary[name] !== undefined && summary[name] !== count)
      throw refused(`snapshot ${id} says ${name} ${quoted(summary[name])}, its manifests count ${count}`)
  }
  return { ...snapshot, summary: { ...summary, ...counted, [listCrcProperty]: String(crc32(after.bytes)) } }
}

const manifestsMax = 100_000
const manifestsReadMax = 10_000
const readsAtOnce = 8

/** Returns those to which the snapshot gives row ids: new ones, and those of before an upgrade. */
async function verifyManifests(
  place: Place,
  before: readonly ManifestFile[],
  after: readonly ManifestFile[],
): Promise<readonly ManifestFile[]> {
  if (after.length > manifestsMax) throw refused(`a snapshot has at most ${manifestsMax} manifests`)
  const gone = new Map(before.map((manifest) => [manifest.manifest_path, manifest]))
  const listed = new Set<string>()
  const added: ManifestFile[] = []
  const numbered: ManifestFile[] = []
  for (const manifest of after) {
    const { manifest_path: path } = manifest
    if (listed.has(path)) throw refused(`manifest ${quoted(path)} is listed twice`)
    listed.add(path)
    if (manifest.content !== 0) throw refused(`manifest ${quoted(path)} has deletes: a replace has none`)
    const carried = gone.get(path)
    gone.delete(path)
    if (carried === undefined) added.push(manifest)
    else if (!sameCounts(carried, manifest)) throw refused(`manifest ${quoted(path)} counts other rows than before`)
    else if ((carried.first_row_id ?? manifest.first_row_id ?? null) !== (manifest.first_row_id ?? null))
      throw refused(`manifest ${quoted(path)} has another first_row_id than before`)
    else if ((carried.first_row_id ?? null) === null) numbered.push(manifest)
  }
  if (added.length + gone.size > manifestsReadMax) throw refused(`a commit replaces at most ${manifestsReadMax} manifests`)
  const replaced = new Map<string, LiveFile>()
  await mapAtOnce([...gone.values()], readsAtOnce, async (manifest) => {
    for (const file of await readFiles(place, manifest)) replaced.set(file.file_path, file)
  })
  const files = new Set<string>()
  await mapAtOnce(added, readsAtOnce, (manifest) => verifyManifest(place, manifest, { replaced, files }))
  return [...added, ...numbered]
}

/** Of version 3: each new manifest has a range of ids within those that the snapshot gives, and for itself. */
function verifyRowIds(snapshot: Snapshot, added: readonly ManifestFile[]): void {
  const { 'snapshot-id': id, 'first-row-id': first, 'added-rows': count } = snapshot
  if (first === undefined || count === undefined) return
  if (count > addedRowsMax) throw refused(`snapshot ${id} gives ${count} row ids, at most ${addedRowsMax} are given at once`)
  let free = first
  for (const manifest of added.toSorted((a, b) => ((a.first_row_id ?? -1n) < (b.first_row_id ?? -1n) ? -1 : 1))) {
    if ((manifest.first_row_id ?? -1n) < free)
      throw refused(`manifest ${quoted(manifest.manifest_path)} has a first_row_id of others, or none`)
    free = (manifest.first_row_id ?? 0n) + rowsOf([manifest])
  }
  if (free > first + count) throw refused(`snapshot ${id} gives ${count} row ids, its manifests take more`)
}

const addedRowsMax = 2n ** 53n

const sameCounts = (a: ManifestFile, b: ManifestFile): boolean =>
  a.added_rows_count === b.added_rows_count &&
  a.existing_rows_count === b.existing_rows_count &&
  a.added_files_count === b.added_files_count &&
  a.existing_files_count === b.existing_files_count &&
  a.sequence_number === b.sequence_number

interface Files {
  /** Of the manifests that are gone. */
  readonly replaced: ReadonlyMap<string, LiveFile>
  /** Of the new manifests so far: each is in one of them. */
  readonly files: Set<string>
}

async function verifyManifest(place: Place, manifest: ManifestFile, { replaced, files }: Files): Promise<void> {
  const { manifest_path: path } = manifest
  checkNew(place, path)
  let rows = 0n
  let count = 0
  for (const file of await readFiles(place, manifest)) {
    const known = replaced.get(file.file_path)
    if (known === undefined) checkNew(place, file.file_path)
    else if (known.record_count !== file.record_count)
      throw refused(`${quoted(file.file_path)} has ${known.record_count} rows, not ${file.record_count}`)
    verifyFirstRowId(file, known)
    if (file.content !== 0 || file.file_format.toUpperCase() !== 'PARQUET')
      throw refused(`${quoted(file.file_path)} is no data file in Parquet`)
    if (files.has(file.file_path)) throw refused(`${quoted(file.file_path)} is in the snapshot twice`)
    files.add(file.file_path)
    rows += file.record_count
    count += 1
  }
  if (rows !== rowsOf([manifest]) || count !== manifest.added_files_count + manifest.existing_files_count)
    throw refused(`manifest ${quoted(path)} holds ${count} files of ${rows} rows, its list says otherwise`)
}

/** A new file gets its ids with the commit; one that was there keeps those that it has. */
function verifyFirstRowId({ file_path: path, first_row_id: id, isNumbered }: LiveFile, known: LiveFile | undefined): void {
  if (known === undefined && isNumbered) throw refused(`${quoted(path)} is new and has a first_row_id already`)
  if (known !== undefined && known.first_row_id !== null && known.first_row_id !== id)
    throw refused(`${quoted(path)} has first_row_id ${known.first_row_id}, not ${id}: rows keep their ids`)
}

type LiveFile = ListedFile['data_file'] & {
  /** It says its first row id by itself. */
  readonly isNumbered: boolean
}

/** The live ones of a manifest. */
async function readFiles(place: Place, manifest: ManifestFile): Promise<readonly LiveFile[]> {
  const { manifest_path: path } = manifest
  const bytes = await read(place, path)
  const entries = decoded(path, () => decodeFiles(bytes))
  const live = entries.filter(({ status }) => status !== entryStatus.deleted)
  return inheritRowIds(live, manifest).map(({ data_file: file }, at) => ({
    ...file,
    file_path: plainUri(file.file_path),
    isNumbered: live[at]?.data_file.first_row_id !== null,
  }))
}

const rowsOf = (manifests: readonly ManifestFile[]): bigint =>
  manifests.reduce((sum, each) => sum + each.added_rows_count + each.existing_rows_count, 0n)

async function readList(place: Place, uri: string): Promise<{ readonly bytes: Uint8Array; readonly manifests: ManifestFile[] }> {
  const bytes = await read(place, uri)
  const manifests = decoded(uri, () => decodeManifests(bytes))
  return { bytes, manifests: manifests.map((each) => ({ ...each, manifest_path: plainUri(each.manifest_path) })) }
}

async function read(place: Place, uri: string): Promise<Uint8Array> {
  checkInside(place, uri)
  const key = decoded(uri, () => keyOfUri(place.objects, place.tableId, uri))
  try {
    return await place.objects.read(key)
  } catch (error) {
    if (isSluiceError(error, 'not-found')) throw refused(`${quoted(uri)} is not there`)
    throw error
  }
}

/** Names and bytes of an engine that cannot be read are the engine's mistake. */
function decoded<T>(uri: string, decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    throw refused(`${quoted(uri)} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Of a file that the snapshot before does not have. */
function checkNew(place: Place, uri: string): void {
  checkInside(place, uri)
  if (labelOfKey(uri) !== undefined) throw refused(`${quoted(uri)} has a name of ours and is not in the table`)
}

/** Segments that mean another folder, and escapes that could, are refused with the places outside. */
function checkInside({ location }: Place, spelled: string): void {
  const uri = plainUri(spelled)
  const path = uri.slice(location.length)
  const isInside = uri.startsWith(location) && /^(\/[^/?#\\]+)+$/.test(path) && !/\/\.{1,2}(\/|$)|%2[ef]|%5c|%00/i.test(path)
  if (!isInside) throw refused(`${quoted(uri)} lies outside the table: everything lies below ${location}/`)
}

const quoted = (text: string | undefined): string => JSON.stringify((text ?? '').slice(0, 300))
const refused = (why: string): SluiceError => new SluiceError('bad-request', why)
