/** Manifests and lists of any writer and version, by field ids (spec, "Reading v1 metadata for v2"). */
import { type AvroRoom, avroMetadata, decodeAvroFile, isWithin, isWrittenWith } from './avro.ts'
import { entryStatus, type ManifestContext, type ManifestEntry, type ManifestFile } from './manifest.ts'
import { anyListSchema, countSchema, entrySchemaOf, fileSchema, listSchemaOf } from './manifest-schema.ts'
import type { PartitionSpec } from './partition-spec.ts'
import { partitionTypes } from './partition-value.ts'
import type { IcebergSchema } from './schema.ts'

/** What a manifest of any writer says of a file. */
export interface ListedFile {
  readonly status: number
  readonly data_file: {
    readonly content: number
    readonly file_path: string
    readonly file_format: string
    readonly record_count: bigint
    readonly first_row_id: bigint | null
  }
}

export const decodeFiles = (bytes: Uint8Array): ListedFile[] => decodeAvroFile(fileSchema, bytes) as ListedFile[]

/** The entries of any writer's manifest, as those of the table's columns now. */
export const decodeForeignEntries = (bytes: Uint8Array, spec: PartitionSpec, schema: IcebergSchema): readonly ManifestEntry[] =>
  decodeAvroFile(entrySchemaOf(spec, partitionTypes(spec, schema), 3, 'any'), bytes) as ManifestEntry[]

/** The same; undefined where a manifest of this version has no place for something that this one says, and is not deprecated. */
export function decodeWholeEntries(
  bytes: Uint8Array,
  { spec, schema, formatVersion }: Pick<ManifestContext, 'spec' | 'schema' | 'formatVersion'>,
  room: AvroRoom,
): readonly ManifestEntry[] | undefined {
  const form = entrySchemaOf(spec, partitionTypes(spec, schema), formatVersion, 'any')
  return isWithin(form, bytes) ? (decodeAvroFile(form, bytes, room) as ManifestEntry[]) : undefined
}

const counted = [
  'added_snapshot_id',
  'added_files_count',
  'existing_files_count',
  'deleted_files_count',
  'added_rows_count',
  'existing_rows_count',
  'deleted_rows_count',
] as const
type Counts = Pick<ManifestFile, (typeof counted)[number]>

/** What version 1 may leave out is null. */
export type ListedManifest = Omit<ManifestFile, keyof Counts> & { readonly [Name in keyof Counts]: Counts[Name] | null }

export const isCounted = (manifest: ListedManifest): manifest is ManifestFile => counted.every((name) => manifest[name] !== null)

export function decodeForeignList(bytes: Uint8Array): ListedManifest[] {
  const own = ([2, 3] as const).map(listSchemaOf).find((each) => isWrittenWith(each, bytes))
  return decodeAvroFile(own ?? anyListSchema, bytes) as ListedManifest[]
}

/** What a list says of a manifest, as the manifest itself says it. `added_snapshot_id`: 0 where it says none. */
export function countManifest(bytes: Uint8Array, room: AvroRoom): Counts {
  const entries = decodeAvroFile(countSchema, bytes, room) as CountedEntry[]
  const of = (wanted: number) => entries.filter(({ status }) => status === wanted)
  const rows = (some: readonly CountedEntry[]) => some.reduce((sum, { data_file: file }) => sum + file.record_count, 0n)
  const { existing, added, deleted } = entryStatus
  const changed = entries.find(({ status, snapshot_id: id }) => status !== existing && id !== null)
  return {
    // One that only carries files on has the id of the newest of them, as Iceberg's own readers have it.
    added_snapshot_id:
      changed?.snapshot_id ?? entries.reduce((most, { snapshot_id: id }) => (id !== null && id > most ? id : most), 0n),
    added_files_count: of(added).length,
    existing_files_count: of(existing).length,
    deleted_files_count: of(deleted).length,
    added_rows_count: rows(of(added)),
    existing_rows_count: rows(of(existing)),
    deleted_rows_count: rows(of(deleted)),
  }
}

type CountedEntry = Pick<ManifestEntry, 'status' | 'snapshot_id'> & {
  readonly data_file: Pick<ManifestEntry['data_file'], 'record_count'>
}

/** Of the file itself: 0 where it does not say, as of before tables had several. */
export const specIdOf = (bytes: Uint8Array): number => {
  const { 'partition-spec-id': id = '0' } = avroMetadata(bytes) ?? {}
  return /^[0-9]{1,9}$/.test(id) ? Number(id) : 0
}
