/**
 * Arrow IPC, or Parquet files, to one Parquet file by parquet-wasm, and a file to Arrow IPC, synchronous. Field ids come through from the Arrow schema. Everything that lives
 * in the module's memory is freed on every path: that memory never shrinks.
 */
import { Compression, EnabledStatistics, Encoding, readParquet, Table, WriterPropertiesBuilder, writeParquet } from 'parquet-wasm'
import { joinStreams } from '../../core/format/arrow/join-streams.ts'
import { withLineage } from '../../core/format/arrow/lineage-columns.ts'
import {
  type FileLineage,
  type JoinedFile,
  type JoinOptions,
  joinedArrowBytesMax,
  type ParquetOptions,
} from '../../core/ports/parquet.ts'

export function encodeParquet(stream: Uint8Array, { dictionaryColumns, deltaColumns = [] }: ParquetOptions): Uint8Array {
  // Each step consumes its predecessor, the last one table and properties; a step that throws has consumed what it took.
  let builder = new WriterPropertiesBuilder()
    .setCreatedBy('sluice')
    .setCompression(Compression.ZSTD)
    .setDictionaryEnabled(false)
    .setStatisticsEnabled(EnabledStatistics.Chunk)
    .setMaxRowGroupSize(rowGroupRowsMax)
  for (const column of dictionaryColumns) builder = builder.setColumnDictionaryEnabled(column, true)
  for (const column of deltaColumns) builder = builder.setColumnEncoding(column, Encoding.DELTA_BINARY_PACKED)
  const properties = builder.build()
  let table: Table
  try {
    table = Table.fromIPCStream(stream)
  } catch (error) {
    properties.free()
    throw error
  }
  return writeParquet(table, properties)
}

export function joinParquet(files: readonly Uint8Array[], options: JoinOptions): JoinedFile {
  const { stream, streams } = joinStreams(streamsOf(files, options.lineage ?? []), joinedArrowBytesMax)
  return { file: encodeParquet(stream, options), files: streams }
}

export const readParquetStream = (file: Uint8Array): Uint8Array => readParquet(file, { batchSize: readRows }).intoIPCStream()

/** One at a time, so that what is not wanted any more is not read. */
function* streamsOf(files: readonly Uint8Array[], lineage: readonly (FileLineage | undefined)[]): Iterable<Uint8Array> {
  for (const [i, file] of files.entries()) {
    const stream = readParquetStream(file)
    const from = lineage[i]
    yield from === undefined ? stream : withLineage(stream, from)
  }
}

/** Writers pay per batch. */
const readRows = 65_536
const rowGroupRowsMax = 1_048_576
