/** Which manifests and files of a lake may have rows of a partition, or of one bucket of it. */
import { present } from '../kernel/assert.ts'
import type { Partition } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import type { ManifestEntry, ManifestFile } from './iceberg/manifest.ts'
import { partitionNames } from './iceberg/manifest-schema.ts'
import type { PartitionSpec } from './iceberg/partition-spec.ts'
import { avroKey, avroValue, mayHave, partitionTuple, partitionTypes, partitionValues } from './iceberg/partition-value.ts'
import type { IcebergSchema } from './iceberg/schema.ts'
import { manifestCrc } from './layout.ts'

export interface FileJudge {
  readonly mayBeIn: (manifest: ManifestFile) => boolean
  readonly entry: (entry: ManifestEntry) => boolean
}

/** Whether files have the values, under the name and the width that their manifest gives them. `bucket`: absent for all. */
export function fileJudge(
  table: Table,
  { name: partition }: Pick<Partition, 'name'>,
  { spec, schema, bucket }: { readonly spec: PartitionSpec; readonly schema: IcebergSchema; readonly bucket?: number },
): FileJudge {
  const names = partitionNames(spec)
  const types = partitionTypes(spec, schema)
  const values = partitionValues(table, partition)
  const levels = (bucket === undefined ? values : partitionTuple(values, bucket)).map((value, i) => {
    const type = present(types[i], 'the type of a partition column')
    return { value, type, key: avroKey(type, avroValue(type, value)), name: present(names[i], 'the name of a partition field') }
  })
  return {
    // What an engine says of its own manifest may be less than we say of ours.
    mayBeIn: ({ manifest_path: path, partitions }) =>
      manifestCrc(path) === undefined ||
      levels.every(({ type, value }, i) => mayHave(type, present(partitions?.[i], 'the summary of a partition field'), value)),
    entry: ({ data_file: { partition: tuple } }) => levels.every(({ type, name, key }) => avroKey(type, tuple[name]) === key),
  }
}
