/**
 * The flights of the npm package vega-datasets: three million rows in one Parquet file, in order of time. Each row gets the
 * month of its date, which partitions the table. Cut into Arrow bodies of about 1 MiB whose numbering never changes, so that
 * a demo that was killed goes on with the same body under the same sequence.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Field, makeData, RecordBatch, Schema, Struct, Table, tableFromIPC, tableToIPC, Utf8 } from 'apache-arrow'
import { initSync, readParquet } from 'parquet-wasm/esm'

import { emptySums, type Sums, take } from './sums.ts'

export interface Flights {
  readonly rows: number
  readonly bodies: number
  /** Arrow stream of body `index`, and its rows. */
  body(index: number): { readonly bytes: Uint8Array; readonly rows: number }
  /** What the file says; compared with the lake at the end. */
  sums(): Sums
}

export const flightsSpec = {
  columns: [
    { name: 'date', type: 'timestamp(6)' },
    { name: 'delay', type: 'bigint' },
    { name: 'distance', type: 'bigint' },
    { name: 'origin', type: 'string' },
    { name: 'destination', type: 'string' },
    { name: 'month', type: 'string', nullable: false },
  ],
  partitionBy: ['month'],
  buckets: { count: 4 },
  options: { 'lake.format': 'iceberg', 'lake.freshness': '1s', 'lake.bytes': '8MiB' },
}

const rowsPerBody = 24_576
const monthBytes = 7
const encoder = new TextEncoder()
const msOfDay = 86_400_000
const microsOfDay = msOfDay * 1_000
/** By day since 1970. */
const months = new Map<number, string>()

export function loadFlights(): Flights {
  const require = createRequire(import.meta.url)
  initSync({ module: readFileSync(require.resolve('parquet-wasm/esm/parquet_wasm_bg.wasm')) })
  const file = readFileSync(join(dirname(require.resolve('vega-datasets')), '..', 'data', 'flights-3m.parquet'))
  const table = tableFromIPC(readParquet(file).intoIPCStream())
  const groups = groupBatches(table.batches)
  return {
    rows: table.numRows,
    bodies: groups.length,
    body(index) {
      const group = (groups[index] ?? []).map(withMonth)
      return { bytes: tableToIPC(new Table(group), 'stream'), rows: group.reduce((rows, batch) => rows + batch.numRows, 0) }
    },
    sums: () => sumsOf(table.batches),
  }
}

function groupBatches(batches: readonly RecordBatch[]): RecordBatch[][] {
  const groups: RecordBatch[][] = [[]]
  let rows = 0
  for (const batch of batches) {
    if (rows >= rowsPerBody) {
      groups.push([])
      rows = 0
    }
    groups.at(-1)?.push(batch)
    rows += batch.numRows
  }
  return groups
}

/** With the month of each row as a last column. */
function withMonth(batch: RecordBatch): RecordBatch {
  const rows = batch.numRows
  const text = new Uint8Array(rows * monthBytes)
  let row = 0
  for (const month of monthsOf(batch)) encoder.encodeInto(month, text.subarray(row * monthBytes, ++row * monthBytes))
  const valueOffsets = Int32Array.from({ length: rows + 1 }, (_, at) => at * monthBytes)
  const column = makeData({ type: new Utf8(), length: rows, nullCount: 0, valueOffsets, data: text })
  const schema = new Schema([...batch.schema.fields, new Field('month', new Utf8(), false)])
  const children = [...batch.data.children, column]
  return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length: rows, nullCount: 0, children }))
}

function sumsOf(batches: readonly RecordBatch[]): Sums {
  const sums = emptySums()
  for (const batch of batches) {
    const delay = batch.getChild('delay')?.toArray() as BigInt64Array
    const distance = batch.getChild('distance')?.toArray() as BigInt64Array
    const origin = batch.getChild('origin')
    let row = 0
    for (const month of monthsOf(batch)) {
      take(sums, { month, origin: String(origin?.get(row)), delay: Number(delay[row]), distance: Number(distance[row]) })
      row += 1
    }
  }
  return sums
}

/** The month of each row's date, as `2001-01`. */
function* monthsOf(batch: RecordBatch): Generator<string> {
  const dates = batch.getChild('date')?.toArray() as BigInt64Array
  for (const micros of dates) {
    const day = Math.floor(Number(micros) / microsOfDay)
    const month = months.get(day) ?? new Date(day * msOfDay).toISOString().slice(0, monthBytes)
    months.set(day, month)
    yield month
  }
}
