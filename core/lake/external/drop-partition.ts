/**
 * The commit that takes the rows of a dropped partition out of an external table. Files that lie in partitions as ours are told by
 * their values; those of a table without partitions by the bounds of their columns, because each of ours has rows of one partition.
 * A file of which neither tells it refuses the drop: others wrote it, with rows of other partitions too. Reads, and writes nothing.
 */
import { advancePoints } from '../../format/items/points.ts'
import { present } from '../../kernel/assert.ts'
import { SluiceError } from '../../kernel/errors.ts'
import type { Label } from '../../kernel/ids.ts'
import type { Partition } from '../../model/partition.ts'
import type { Table } from '../../model/table.ts'
import { fileJudge } from '../file-judge.ts'
import type { ById, ManifestEntry, ManifestFile } from '../iceberg/manifest.ts'
import { isOnly, type PartitionValue, partitionValues } from '../iceberg/partition-value.ts'
import { deleteSummary } from '../iceberg/summary.ts'
import { lakeFolder } from '../layout.ts'
import { type ManifestJudge, takeOut } from '../take-out.ts'
import { type ExternalTable, factsOf, keyBelow, nameOf } from './answer.ts'
import type { ColumnsPlan } from './columns.ts'
import { type ExternalBase, type ExternalPlan, nextSnapshot, type PlanWorld, planChange, totalsOf } from './plan.ts'
import { type ExternalPlace, strangeField } from './table.ts'

export interface DroppedPartition {
  readonly partition: Partition
  /** It, or an earlier one of its name, had rows, which a worker may be bringing in. */
  readonly hadRows: boolean
}

export interface WithoutTurn extends DroppedPartition {
  readonly columns: Pick<ColumnsPlan, 'mapping'>
  readonly label: Label
  /** ms since 1970 */
  readonly now: number
  readonly epoch: bigint
}

/** Undefined: there is nothing to take out, and nobody to fence. Errors: `not-supported`, naming a file. */
export async function planWithout(
  world: PlanWorld,
  place: ExternalPlace,
  table: Table,
  base: ExternalBase,
  { partition, hadRows, columns, label, now, epoch }: WithoutTurn,
): Promise<ExternalPlan | undefined> {
  const { table: external, placed, manifests } = base
  const { schema, formatVersion } = external
  const next = nextSnapshot(world, external)
  const judgeOf = manifestJudge(place, table, partition, external, columns)
  const taken = await takeOut(world, table.tableId, manifests, { schema, formatVersion, label, ...next }, judgeOf)
  if (taken.counts.files === 0 && !hadRows) return undefined
  return planChange(world, table.tableId, base, {
    ...next,
    ...taken,
    points: advancePoints(placed.points, new Map(), new Set([partition.id])),
    touched: [],
    summary: deleteSummary(totalsOf(external), taken.counts),
    label,
    now,
    epoch,
  })
}

type JudgeOf = (listed: ManifestFile) => ManifestJudge | undefined

function manifestJudge(
  place: ExternalPlace,
  table: Table,
  partition: Partition,
  external: ExternalTable,
  columns: Pick<ColumnsPlan, 'mapping'>,
): JudgeOf {
  const byBounds = boundsJudge(table, partition, external, columns)
  return (listed) => {
    const { content, partition_spec_id: id, manifest_path: path } = listed
    // Deletes of rows that go are without effect.
    if (content !== 0) return undefined
    const key = `${lakeFolder(table.tableId)}/${keyBelow(place.catalog, place.name, external, path)}`
    const spec = external.specs.get(id)
    if (spec !== undefined && strangeField(table, spec, columns) === undefined) {
      const isOf = fileJudge(table, partition, { spec, schema: external.schema })
      return isOf.mayBeIn(listed) ? { key, spec, takes: isOf.entry } : undefined
    }
    // The values of partitions that are not ours are not read, so such a manifest cannot be written again.
    const isPlain = spec?.fields.length === 0
    const takes = (entry: ManifestEntry): boolean => {
      const standing = byBounds(entry)
      if (standing === 'out') return false
      if (standing === 'in' && isPlain) return true
      throw untold(place, partition, entry)
    }
    return { key, spec: { 'spec-id': id, fields: [] }, takes }
  }
}

/** Whether all rows of a file are of the partition, none are, or that cannot be told. */
function boundsJudge(
  table: Table,
  { name }: Partition,
  { schema }: ExternalTable,
  { mapping }: Pick<ColumnsPlan, 'mapping'>,
): (entry: ManifestEntry) => 'in' | 'out' | 'untold' {
  const ids = JSON.parse(mapping) as Record<string, number>
  const values = partitionValues(table, name)
  const levels = table.partitionBy.map((by, i) => {
    const column = present(
      table.schema.columns.find((each) => each.name === by),
      'a partition column',
    )
    const id = present(ids[column.id], 'the field of a partition column')
    const type = schema.fields.find((field) => field.id === id)?.type
    return { id, type: typeof type === 'string' ? type : '', value: values[i] ?? null }
  })
  return (entry) => {
    const standings = levels.map((level) => standingOf(entry, level))
    if (standings.includes('out')) return 'out'
    return standings.includes('untold') ? 'untold' : 'in'
  }
}

function standingOf(
  { data_file: file }: ManifestEntry,
  { id, type, value }: { readonly id: number; readonly type: string; readonly value: PartitionValue },
): 'in' | 'out' | 'untold' {
  const of = <T>(found: readonly ById<T>[] | null): T | undefined => found?.find(({ key }) => key === id)?.value
  return isOnly(type, value, {
    rows: file.record_count,
    nulls: of(file.null_value_counts),
    nans: of(file.nan_value_counts),
    lower: of(file.lower_bounds),
    upper: of(file.upper_bounds),
  })
}

const untold = ({ catalog, name }: ExternalPlace, partition: Partition, { data_file: file }: ManifestEntry): SluiceError =>
  new SluiceError(
    'not-supported',
    `${nameOf(catalog, name)} has a file that does not say whether its rows are all of ${partition.name}: delete them there, and say keepLake=true here`,
    { action: 'fix', facts: { ...factsOf(catalog, name), file: file.file_path.slice(0, 1_024) } },
  )
