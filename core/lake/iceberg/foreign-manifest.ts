/** Manifests of any writer, by field ids. */
import { type AvroRoom, decodeAvroFile, isWithin } from './avro.ts'
import type { ManifestContext, ManifestEntry } from './manifest.ts'
import { entrySchemaOf, fileSchema } from './manifest-schema.ts'
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
  decodeAvroFile(entrySchemaOf(spec, partitionTypes(spec, schema), 3, 'whole'), bytes) as ManifestEntry[]

/** The same; undefined where a manifest of this version has no place for something that this one says. */
export function decodeWholeEntries(
  bytes: Uint8Array,
  { spec, schema, formatVersion }: Pick<ManifestContext, 'spec' | 'schema' | 'formatVersion'>,
  room: AvroRoom,
): readonly ManifestEntry[] | undefined {
  const form = entrySchemaOf(spec, partitionTypes(spec, schema), formatVersion, 'whole')
  return isWithin(form, bytes) ? (decodeAvroFile(form, bytes, room) as ManifestEntry[]) : undefined
}
