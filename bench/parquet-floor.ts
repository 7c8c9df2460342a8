/**
 * Bare parquet-wasm: Arrow streams of at most 64 MiB into Parquet, zstd, a dictionary on the string column only. The
 * streams are made before the clock starts. With the three columns that a lake adds, the very batches
 * that tiering writes. Prints one JSON object.
 *
 *   node bench/parquet-floor.ts '{"shape":"plain","rows":…}'
 */
import {
  Table as ArrowTable,
  Field,
  Int32,
  Int64,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  TimestampMicrosecond,
  tableToIPC,
} from 'apache-arrow'
import { Compression, EnabledStatistics, Table, WriterPropertiesBuilder, writeParquet } from 'parquet-wasm'
import { type Shape, shapedBatch, shapeSpecs } from './shapes.ts'

export interface ParquetFloor {
  readonly rowsPerSecond: number
  readonly cpuMs: number
  readonly bytes: number
}

const fileBytesMax = 64 * 2 ** 20
const { shape, rows } = JSON.parse(process.argv[2] ?? '{}') as { shape: Shape; rows: number }
const { bodyRows: batchRows, bytesPerRow, dictionaryColumns } = shapeSpecs[shape]

const streams = makeStreams()
write(streams[0] ?? new Uint8Array())
const begun = performance.now()
const cpuBegun = process.cpuUsage()
let bytes = 0
for (const stream of streams) bytes += write(stream)
const seconds = (performance.now() - begun) / 1000
const { user, system } = process.cpuUsage(cpuBegun)
const cpuMs = (user + system) / 1_000
process.stdout.write(JSON.stringify({ rowsPerSecond: rows / seconds, cpuMs, bytes } satisfies ParquetFloor))

function makeStreams(): Uint8Array[] {
  const batchesPerFile = Math.max(1, Math.floor(fileBytesMax / (batchRows * bytesPerRow)))
  const made: Uint8Array[] = []
  for (let row = 0; row < rows; row += batchRows * batchesPerFile) {
    const count = Math.min(batchesPerFile, Math.ceil((rows - row) / batchRows))
    const batches = Array.from({ length: count }, (_, at) => batchAt(row + at * batchRows))
    made.push(tableToIPC(new ArrowTable(batches), 'stream'))
  }
  return made
}

function batchAt(row: number): RecordBatch {
  const length = Math.min(batchRows, rows - row)
  const batch = shapedBatch(shape, { rows: length, first: row, total: rows })
  const offsets = BigInt64Array.from({ length }, (_, at) => BigInt(row + at))
  const utc = new TimestampMicrosecond('UTC')
  const added = [
    makeData({ type: new Int32(), length, nullCount: 0, data: new Int32Array(length) }),
    makeData({ type: new Int64(), length, nullCount: 0, data: offsets }),
    makeData({ type: utc, length, nullCount: 0, data: new BigInt64Array(length).fill(1_795_253_400_000_000n) }),
  ]
  const fields = [
    new Field('__bucket', new Int32(), false),
    new Field('__offset', new Int64(), false),
    new Field('__timestamp', utc, false),
  ]
  const schema = new Schema([...batch.schema.fields, ...fields])
  const children = [...batch.data.children, ...added]
  return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length, nullCount: 0, children }))
}

function write(stream: Uint8Array): number {
  const properties = new WriterPropertiesBuilder()
    .setCompression(Compression.ZSTD)
    .setDictionaryEnabled(false)
    .setStatisticsEnabled(EnabledStatistics.Chunk)
  const built = dictionaryColumns.reduce((builder, name) => builder.setColumnDictionaryEnabled(name, true), properties).build()
  return writeParquet(Table.fromIPCStream(stream), built).length
}
