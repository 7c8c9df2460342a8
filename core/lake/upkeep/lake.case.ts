/** For tests and benches of what becomes of a lake after many commits: commits of files that nobody wrote, as the tier makes them. */
import type { Point } from '../../format/items/points.ts'
import { offsetOf } from '../../kernel/ids.ts'
import type { Table } from '../../model/table.ts'
import type { World } from '../../ports/world.ts'
import { commitAppend, type LakeBase, planAppend, planMerge, readBase } from '../append.ts'
import { type ColumnMetrics, intBound, longBound } from '../iceberg/bounds.ts'
import type { DataFile } from '../iceberg/manifest.ts'
import { bucketColumn, icebergSchema, offsetColumn } from '../iceberg/schema.ts'
import { claimLake, nextLabel, readLakeItem } from '../item.ts'
import { dataKey } from '../layout.ts'
import { readPoints } from '../objects.ts'
import { fileFields, typesById } from '../parquet-columns.ts'
import { publish } from '../publish.ts'
import { chooseJoins, joinedFile, placeOf } from './join.ts'
import { planReplace } from './replace.ts'

/** The lake's base under a claim of ours. */
export async function claimed(world: World, table: Table): Promise<LakeBase> {
  const lake = await readLakeItem(world.items, table.tableId)
  const claim = lake && (await claimLake(world, table.tableId, lake))
  if (claim?.is !== 'done') throw new Error('the lake was not claimed')
  return readBase(world.objects, table.tableId, claim.lake, await readPoints(world.objects, claim.lake))
}

export interface Files {
  readonly buckets?: readonly number[]
  /** Of each file. */
  readonly rows?: number
  readonly bytes?: Uint8Array
  /** That its manifest says. */
  readonly fileBytes?: number
  /** Of the table's own columns. */
  readonly metrics?: readonly ColumnMetrics[]
}

/** One commit of a file for each bucket, of `rows` rows each; their objects are there if `bytes` are given. */
export async function commitFiles(
  world: World,
  table: Table,
  base: LakeBase,
  { buckets = [0], rows = 1, bytes, fileBytes = bytes?.length ?? 1_000, metrics = [] }: Files = {},
): Promise<LakeBase> {
  const now = world.clock.now()
  const label = nextLabel(now, base.lake.gc)
  const page = new Map<number, Point>()
  const files: DataFile[] = []
  for (const bucket of buckets) {
    const from = base.placed.points.get('')?.get(bucket)?.offset ?? 0n
    const key = dataKey(table.tableId, label, world.random)
    if (bytes !== undefined) await world.objects.create(key, bytes)
    const bounds = [
      ...metrics,
      { id: bucketColumn.id, nulls: 0, lower: intBound(bucket), upper: intBound(bucket) },
      { id: offsetColumn.id, nulls: 0, lower: longBound(from), upper: longBound(from + BigInt(rows) - 1n) },
    ]
    files.push({ uri: world.objects.uri(key), bytes: fileBytes, rows, partition: [], bucket, columns: bounds })
    page.set(bucket, { offset: offsetOf(from + BigInt(rows)), time: now })
  }
  const merge = await planMerge(world.objects, table.tableId, base)
  const plan = planAppend(world, table, base, { files, reached: new Map([['', page]]), gone: new Set(), label, merge, now })
  const commit = await commitAppend(world, table.tableId, base, plan)
  if (commit.is !== 'done') throw new Error(`the commit is ${commit.is}`)
  await publish(world, table.tableId, commit.lake, plan.metadataBytes)
  return { ...plan.next, lake: commit.lake }
}

/** Joins what the tier would join, of files that nobody wrote. */
export async function compactFiles(world: World, table: Table, base: LakeBase): Promise<LakeBase> {
  const { metadata } = base
  const merge = await planMerge(world.objects, table.tableId, base)
  const [spec] = metadata?.['partition-specs'] ?? []
  if (merge === undefined || metadata === undefined || spec === undefined) return base
  const now = world.clock.now()
  const label = nextLabel(now, base.lake.gc)
  const types = typesById(fileFields(table.schema))
  const joined = chooseJoins(merge.entries, placeOf(spec, icebergSchema(table.schema))).map((from) => {
    const bytes = from.reduce((sum, { data_file }) => sum + Number(data_file.file_size_in_bytes), 0)
    return { from, file: joinedFile(from, { uri: world.objects.uri(dataKey(table.tableId, label, world.random)), bytes }, types) }
  })
  if (joined.length === 0) return base
  const plan = planReplace(world, table, { ...base, metadata }, { merge, joined, label, now })
  const commit = await commitAppend(world, table.tableId, base, plan)
  if (commit.is !== 'done') throw new Error(`the commit is ${commit.is}`)
  await publish(world, table.tableId, commit.lake, plan.metadataBytes)
  return { ...plan.next, lake: commit.lake }
}
