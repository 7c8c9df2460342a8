/**
 * Joining small files of a lake against bare parquet-wasm that reads and writes the very same files one by one: rows a second, in
 * one process, on one thread, stores in memory. The product's time is that of a whole compaction: manifests and files read and
 * checked, joined, written, committed.
 */
import { Compression, EnabledStatistics, readParquet, WriterPropertiesBuilder, writeParquet } from 'parquet-wasm'
import { createDatabase } from '../core/catalog/databases.ts'
import { createTable } from '../core/catalog/tables.ts'
import type { Batch } from '../core/format/arrow/column.ts'
import { commitAppend, type LakeBase, planMerge, readBase } from '../core/lake/append.ts'
import { currentSnapshot } from '../core/lake/iceberg/metadata.ts'
import { claimLake, readLakeItem } from '../core/lake/item.ts'
import { keyOfUri } from '../core/lake/layout.ts'
import { readPoints } from '../core/lake/objects.ts'
import { upkeepLimits } from '../core/lake/upkeep/limits.ts'
import type { Merge } from '../core/lake/upkeep/merge.ts'
import { defaultLogConfig, Log } from '../core/log/log.ts'
import { defaultOptions } from '../core/model/options.ts'
import type { Table } from '../core/model/table.ts'
import type { World } from '../core/ports/world.ts'
import { planCompaction } from '../core/tier/compact-lake.ts'
import { runTier } from '../core/tier/run.ts'
import { systemClock, systemRandom } from '../functions/system.ts'
import { MemoryItems } from '../stores/items/memory.ts'
import { MemoryObjects } from '../stores/objects/memory.ts'
import { inlineParquet } from '../stores/parquet/inline.ts'
import type { BenchOptions } from './append.ts'
import { alternate, type Report } from './harness.ts'

const commits = 10
const rows = 65_536
const columns = 6
const hour = 3_600_000

export async function compactLake({ rounds, progress }: BenchOptions): Promise<readonly Report[]> {
  const floor = 'bare parquet-wasm, read and write'
  const report = await alternate({
    bench: 'compact-lake, small files into one',
    unit: 'rows/s',
    rounds,
    progress,
    cases: [
      { name: floor, run: async () => perSecond(await newLake(), bare) },
      { name: 'compaction until committed', floor, aim: { ratio: 0.4 }, run: async () => perSecond(await newLake(), compacted) },
    ],
    notes: [`${commits} files of ${rows} rows in ${columns} bigint columns and the lake's three, one bucket`],
  })
  return [report]
}

interface Lake {
  readonly world: World
  readonly log: Log
  readonly table: Table
  readonly base: LakeBase
  readonly merge: Merge
}

async function perSecond(lake: Lake, work: (lake: Lake) => Promise<void>): Promise<{ readonly value: number }> {
  const begun = performance.now()
  await work(lake)
  return { value: (rows * commits * 1000) / (performance.now() - begun) }
}

async function bare({ world, table, merge }: Lake): Promise<void> {
  for (const { data_file } of merge.entries) {
    const file = await world.objects.read(keyOfUri(world.objects, table.tableId, data_file.file_path))
    const properties = new WriterPropertiesBuilder()
      .setCompression(Compression.ZSTD)
      .setDictionaryEnabled(false)
      .setStatisticsEnabled(EnabledStatistics.Chunk)
      .build()
    writeParquet(readParquet(file), properties)
  }
}

async function compacted({ world, log, table, base }: Lake): Promise<void> {
  const context = { world, log, parquet: inlineParquet(), stillMine: async () => undefined }
  const plan = await planCompaction(context, table, base)
  if (plan?.next.metadata === undefined) throw new Error('nothing is to be joined')
  const { summary } = currentSnapshot(plan.next.metadata)
  if (summary['total-data-files'] !== '1') throw new Error('not all files were joined')
  const commit = await commitAppend(world, table.tableId, base, plan)
  if (commit.is !== 'done') throw new Error(`the commit is ${commit.is}`)
}

/** As many commits of the tier as are joined, and none joined yet. */
async function newLake(): Promise<Lake> {
  const world: World = {
    objects: new MemoryObjects(),
    items: new MemoryItems(),
    queue: { send: async () => undefined },
    clock: systemClock,
    random: systemRandom,
  }
  await createDatabase(world, 'bench')
  const { table } = await createTable(world, 'bench', 't', {
    columns: Array.from({ length: columns }, (_, i) => ({ name: `c${i}`, type: { kind: 'bigint' as const }, nullable: false })),
    partitionBy: [],
    buckets: { count: 1 },
    options: { ...defaultOptions, lakeFormat: 'iceberg' },
  })
  const log = new Log(world, { ...defaultLogConfig, groupIntervalMs: 0 })
  const job = { kind: 'tier', table: { database: 'bench', table: 't', tableId: table.tableId }, buckets: 1, marks: [] } as const
  const upkeep = { ...upkeepLimits, levelManifests: commits + 1 }
  for (let i = 0; i < commits; i++) {
    await log.append(table, { parts: [{ partition: '', bucket: 0, batches: [batchAt(table, i)] }] })
    await runTier(world, log, inlineParquet(), job, { deadlineMs: Date.now() + hour, roundBytesMax: 2 ** 30, upkeep })
  }
  const lake = await readLakeItem(world.items, table.tableId)
  const claim = lake && (await claimLake(world, table.tableId, lake))
  if (claim?.is !== 'done') throw new Error('the lake was not claimed')
  const base = await readBase(world.objects, table.tableId, claim.lake, await readPoints(world.objects, claim.lake))
  const merge = await planMerge(world.objects, table.tableId, base)
  if (merge === undefined) throw new Error('nothing is to be joined')
  return { world, log, table, base, merge }
}

function batchAt({ schema }: Table, commit: number): Batch {
  return {
    rows,
    fields: schema.columns,
    columns: schema.columns.map(({ type }, at) => {
      const values = BigInt64Array.from({ length: rows }, (_, i) => BigInt((commit * rows + i) * (at + 1) * 7_919) % 1_000_003n)
      const column = { type, length: rows, nullCount: 0, validity: undefined, offsets: undefined, children: [] }
      return { ...column, values: new Uint8Array(values.buffer) }
    }),
  }
}
