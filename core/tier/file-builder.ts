/**
 * Collects the batches of one bucket, in order, into one data file's Arrow stream and metrics. Small ones are joined, because
 * Parquet writers pay per batch. It keeps no view of a batch that it was given once `take` has returned.
 */
import type { Batch, ColumnData, Field } from '../format/arrow/column.ts'
import { encodeFrame } from '../format/arrow/frame.ts'
import { encodeSchemaMessage, endOfStream } from '../format/arrow/schema.ts'
import { mergeStatistics, type Statistics, statisticsById } from '../format/arrow/statistics.ts'
import { concatBatches } from '../format/arrow/take.ts'
import { present } from '../kernel/assert.ts'
import { concat } from '../kernel/bytes.ts'
import type { ColumnMetrics } from '../lake/iceberg/bounds.ts'
import { cutMetrics } from '../lake/iceberg/bounds.ts'
import { fileBatch, fileFields, typesById } from '../lake/parquet-columns.ts'
import { decodeBuffers } from '../log/read/conform.ts'
import type { FetchedRows } from '../log/read/rows.ts'
import type { Schema } from '../model/table.ts'
import type { DataType } from '../model/types.ts'

export interface BuiltFile {
  /** Arrow IPC with field ids; alone in its buffer. */
  readonly stream: Uint8Array
  readonly rows: number
  readonly bucket: number
  readonly columns: readonly ColumnMetrics[]
  readonly dictionaryColumns: readonly string[]
}

export class FileBuilder {
  readonly #columns: readonly Field[]
  readonly #bucket: number
  readonly #fields: readonly Field[]
  readonly #parts: Uint8Array[]
  readonly #types: ReadonlyMap<number, DataType>
  readonly #statistics = new Map<number, Statistics>()
  #waiting: Batch[] = []
  #waitingRows = 0
  #dictionary: readonly string[] | undefined
  rows = 0
  /** Of Arrow so far, near enough for a limit. */
  bytes = 0

  /** `fields`: what the file's columns are, where they are not those of `schema`. */
  constructor(schema: Schema, bucket: number, fields: readonly Field[] = fileFields(schema)) {
    this.#columns = schema.columns
    this.#bucket = bucket
    this.#fields = fields
    this.#parts = [encodeSchemaMessage(this.#fields, { ids: true })]
    this.#types = typesById(this.#fields)
  }

  bytesWith({ bytes, rows }: FetchedRows): number {
    return this.bytes + bytes + rows * systemBytesPerRow
  }

  /** `fetched`: all columns of the schema. */
  add(fetched: FetchedRows): void {
    const { offset, timestamp, rows } = fetched
    const batch = decodeBuffers(this.#columns, rows, fetched.columns())
    this.#waiting.push(fileBatch(batch, this.#fields, { bucket: this.#bucket, offset, timestamp }))
    this.#waitingRows += rows
    this.rows += rows
    this.bytes = this.bytesWith(fetched)
    if (this.#waitingRows >= joinedRowsMin) this.#join()
  }

  take(): BuiltFile {
    if (this.#waiting.length > 0) this.#join()
    const columns = [...this.#statistics].map(([id, statistics]) =>
      cutMetrics(this.#typeOf(id), metricsOf(id, this.#typeOf(id), statistics)),
    )
    const stream = concat([...this.#parts, endOfStream])
    return { stream, rows: this.rows, bucket: this.#bucket, columns, dictionaryColumns: this.#dictionary ?? [] }
  }

  #join(): void {
    const batch = concatBatches(this.#waiting)
    this.#waiting = []
    this.#waitingRows = 0
    this.#dictionary ??= this.#fields
      .filter((field, i) => worthDictionary(field, batch.columns[i] as ColumnData))
      .map(({ name }) => name)
    for (const [id, statistics] of statisticsById(batch)) {
      const before = this.#statistics.get(id)
      this.#statistics.set(id, before === undefined ? statistics : mergeStatistics(this.#typeOf(id), before, statistics))
    }
    this.#parts.push(encodeFrame(batch))
  }

  #typeOf(id: number): DataType {
    return present(this.#types.get(id), 'the type of a column with statistics')
  }
}

const joinedRowsMin = 8_192
/** int, long, long */
const systemBytesPerRow = 20

function metricsOf(id: number, { kind }: DataType, { nulls, nans, min, max }: Statistics): ColumnMetrics {
  const isFloating = kind === 'float' || kind === 'double'
  return { id, nulls, ...(isFloating && { nans }), ...(min && { lower: min }), ...(max && { upper: max }) }
}

/** A dictionary pays where text repeats; the first rows tell. */
function worthDictionary(field: Field, column: ColumnData): boolean {
  if (field.type.kind !== 'string' || column.offsets === undefined || column.values === undefined) return false
  const sampled = Math.min(column.length, sampledRows)
  const distinct = new Set<string>()
  for (let i = 0; i < sampled; i++) {
    const start = column.offsets[i] as number
    const end = Math.min(column.offsets[i + 1] as number, start + sampledBytes)
    distinct.add(String.fromCharCode(...column.values.subarray(start, end)))
  }
  return distinct.size <= sampled * distinctShareMax
}

const sampledRows = 1_000
const sampledBytes = 64
const distinctShareMax = 0.5
