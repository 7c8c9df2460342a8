/**
 * One round: rows of the log into data files of the lake, bounded by bytes and by time, ready for one commit. Reading and
 * decoding run while the Parquet writer works on the file before; one file is in flight, so memory is bounded by about five
 * times a file. A round ends between batches, so that the lake never shows half a batch. It commits nothing: a crash leaves
 * orphans.
 */
import type { Field } from '../format/arrow/column.ts'
import type { Point, Points } from '../format/items/points.ts'
import { assert } from '../kernel/assert.ts'
import { type Label, offsetOf } from '../kernel/ids.ts'
import type { DataFile } from '../lake/iceberg/manifest.ts'
import { type PartitionValue, partitionValues } from '../lake/iceberg/partition-value.ts'
import { systemColumns } from '../lake/iceberg/schema.ts'
import { dataKey } from '../lake/layout.ts'
import { createNew } from '../lake/objects.ts'
import type { FetchedRows } from '../log/read/rows.ts'
import type { Table } from '../model/table.ts'
import type { ParquetWriter } from '../ports/parquet.ts'
import type { World } from '../ports/world.ts'
import { type BuiltFile, FileBuilder } from './file-builder.ts'
import { type BucketRange, type LogReader, readRows } from './frames.ts'

export interface RoundContext {
  readonly world: World
  readonly log: LogReader
  readonly parquet: ParquetWriter
  /** What the columns of a data file are, where its table has field ids of its own. */
  readonly fields?: readonly Field[]
  /** Called between files; throws where another worker has taken over. */
  readonly stillMine: () => Promise<void>
}

export interface RoundLimits {
  /** Of Arrow, in all files together. */
  readonly roundBytesMax: number
  /** Of Arrow, in one file. */
  readonly fileBytesMax: number
  /** Time to stop reading and to commit what there is. */
  readonly isLate: () => boolean
}

export interface StagedRound {
  readonly files: readonly DataFile[]
  readonly reached: Points
  readonly rows: bigint
}

/** `ranges` in the order in which they are wanted; at least one. `label`: of every object of the round. */
export async function stageRound(
  context: RoundContext,
  table: Table,
  ranges: readonly BucketRange[],
  label: Label,
  limits: RoundLimits,
): Promise<StagedRound> {
  const stage = new FileStage(context, table, label)
  const reached = new Map<string, Map<number, Point>>()
  const spent = { rows: 0n, bytes: 0 }
  try {
    for (const range of ranges) {
      if (isOver(limits, spent.bytes) || stage.filesStarted >= filesMaxOf(table)) break
      const point = await stageBucket(context, table, range, limits, stage, spent)
      const { id } = range.partition
      reached.set(id, (reached.get(id) ?? new Map<number, Point>()).set(range.bucket, point))
    }
    return { files: await stage.done(), reached, rows: spent.rows }
  } finally {
    await stage.settle()
  }
}

/** Returns how far it came: a batch boundary, at least one batch on. */
async function stageBucket(
  context: RoundContext,
  table: Table,
  range: BucketRange,
  limits: RoundLimits,
  stage: FileStage,
  spent: { rows: bigint; bytes: number },
): Promise<Point> {
  let file: FileBuilder | undefined
  let last: FetchedRows | undefined
  const partition = partitionValues(table, range.partition.name)
  for await (const batch of readRows(context.log, table, range)) {
    // The rows of one commit share its time, so where the time changes a batch has ended.
    if (last !== undefined && batch.timestamp !== last.timestamp && isOver(limits, spent.bytes)) break
    if (file !== undefined && file.bytesWith(batch) > limits.fileBytesMax) {
      await stage.write(file.take(), partition)
      file = undefined
    }
    file ??= new FileBuilder(table.schema, range.bucket, context.fields)
    spent.bytes += file.bytesWith(batch) - file.bytes
    spent.rows += BigInt(batch.rows)
    file.add(batch)
    last = batch
  }
  assert(file !== undefined && last !== undefined, 'a range of the log has rows', { bucket: range.bucket })
  await stage.write(file.take(), partition)
  return { offset: offsetOf(last.offset + BigInt(last.rows)), time: last.timestamp }
}

/** Constant, counting, rarely changing: they cost next to nothing this way, and every engine reads it. */
export const deltaColumns = systemColumns.map(({ name }) => name)

/** Bounds the manifest of a commit, which has metrics of each column of each file; the buckets that are left come next. */
const filesMax = 1_024
const metricsMax = 200_000

const filesMaxOf = ({ schema }: Table): number => Math.min(filesMax, Math.max(1, Math.floor(metricsMax / schema.columns.length)))

const isOver = (limits: RoundLimits, bytes: number): boolean => bytes >= limits.roundBytesMax || (bytes > 0 && limits.isLate())

/** As many as there are Parquet workers on a small machine; each holds its Arrow and about three times that in the worker. */
const filesInFlightMax = 2

/** Writes files while its caller goes on reading, at most two at a time; they are listed in the order in which they were begun. */
class FileStage {
  readonly #context: RoundContext
  readonly #table: Table
  readonly #label: Label
  readonly #written: Promise<DataFile>[] = []

  constructor(context: RoundContext, table: Table, label: Label) {
    this.#context = context
    this.#table = table
    this.#label = label
  }

  get filesStarted(): number {
    return this.#written.length
  }

  /** Resolves when there is room for one more. */
  async write(file: BuiltFile, partition: readonly PartitionValue[]): Promise<void> {
    await this.#written.at(-filesInFlightMax)
    await this.#context.stillMine()
    const written = this.#write(file, partition)
    // Its failure is thrown by the next await of it; until then it is not unhandled.
    written.catch(() => undefined)
    this.#written.push(written)
  }

  async done(): Promise<readonly DataFile[]> {
    return Promise.all(this.#written)
  }

  /** Nothing runs behind a round that failed. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#written)
  }

  async #write(
    { stream, rows, bucket, columns, dictionaryColumns }: BuiltFile,
    partition: readonly PartitionValue[],
  ): Promise<DataFile> {
    const { world, parquet } = this.#context
    const bytes = await parquet.write(stream, { dictionaryColumns, deltaColumns })
    const key = dataKey(this.#table.tableId, this.#label, world.random)
    await createNew(world.objects, key, bytes)
    return { uri: world.objects.uri(key), bytes: bytes.length, rows, partition, bucket, columns }
  }
}
