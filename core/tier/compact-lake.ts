/**
 * Small data files of a lake as fewer: reads what merges (core/lake/upkeep/join.ts), writes the joined files, plans the commit. One
 * join is read while another is written. A file that cannot be joined with those before it, because the table's columns have changed in
 * between, ends the join. In a lake of version 3 rows take their ids along as columns. A crash leaves orphans.
 */
import { lineageFields } from '../format/arrow/lineage-columns.ts'
import { assert } from '../kernel/assert.ts'
import type { Label } from '../kernel/ids.ts'
import { mapAtOnce } from '../kernel/parallel.ts'
import { type CommitPlan, type LakeBase, planMerge } from '../lake/append.ts'
import type { ManifestEntry } from '../lake/iceberg/manifest.ts'
import { lineageOf } from '../lake/iceberg/row-lineage.ts'
import { icebergSchema } from '../lake/iceberg/schema.ts'
import { nextLabel } from '../lake/item.ts'
import { dataKey, keyOfUri } from '../lake/layout.ts'
import { createNew } from '../lake/objects.ts'
import { fileFields, typesById } from '../lake/parquet-columns.ts'
import { chooseJoins, joinedFile, placeOf } from '../lake/upkeep/join.ts'
import type { UpkeepLimits } from '../lake/upkeep/limits.ts'
import { type Joined, planReplace } from '../lake/upkeep/replace.ts'
import type { Table } from '../model/table.ts'
import { deltaColumns, type RoundContext } from './round.ts'

const joinsAtOnce = 2
const readsAtOnce = 8

/**
 * The commit of what is due; undefined where nothing is, or only manifests are, which merge with the next append. Errors: those of the
 * stores and of the writer; also where another worker has taken over.
 */
export async function planCompaction(
  context: RoundContext,
  table: Table,
  base: LakeBase,
  limits?: UpkeepLimits,
): Promise<CommitPlan | undefined> {
  const { world } = context
  const { metadata, lake } = base
  const merge = await planMerge(world.objects, table.tableId, base, limits)
  if (merge === undefined || metadata === undefined) return undefined
  const label = nextLabel(world.clock.now(), lake.gc)
  const [spec] = metadata['partition-specs']
  assert(spec !== undefined, 'a table with manifests has a partition spec')
  const joins = chooseJoins(merge.entries, placeOf(spec, icebergSchema(table.schema)), limits)
  const joined = (await mapAtOnce(joins, joinsAtOnce, (from) => join(context, table, label, from))).flatMap((each) => each ?? [])
  if (joined.length === 0) return undefined
  return planReplace(world, table, { ...base, metadata }, { merge, joined, label, now: world.clock.now(), limits })
}

async function join(
  { world, parquet, stillMine }: RoundContext,
  table: Table,
  label: Label,
  from: readonly ManifestEntry[],
): Promise<Joined | undefined> {
  await stillMine()
  const sources = await mapAtOnce(from, readsAtOnce, async ({ data_file }) => {
    const key = keyOfUri(world.objects, table.tableId, data_file.file_path)
    const bytes = await world.objects.read(key)
    assert(BigInt(bytes.length) === data_file.file_size_in_bytes, 'a data file is as long as its manifest says', { key })
    return bytes
  })
  const fields = fileFields(table.schema)
  const dictionaryColumns = fields.filter(({ type }) => type.kind === 'string').map(({ name }) => name)
  const { file, files } = await parquet.join(sources, {
    dictionaryColumns,
    deltaColumns: [...deltaColumns, ...lineageFields.map(({ name }) => name)],
    lineage: from.map(lineageOf),
  })
  if (files < 2) return undefined
  const key = dataKey(table.tableId, label, world.random)
  await createNew(world.objects, key, file)
  const taken = from.slice(0, files)
  const written = { uri: world.objects.uri(key), bytes: file.length }
  return { from: taken, file: joinedFile(taken, written, typesById(fields)) }
}
