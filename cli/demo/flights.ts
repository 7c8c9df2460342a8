/**
 * The flights of the npm package vega-datasets: three million rows in one Parquet file, in order of time. Each row gets the
 * month of its date, which partitions the table, and from the half on the hour. Cut into Arrow bodies of about 1 MiB whose numbering never changes, so that
 * a demo that was killed goes on with the same body under the same sequence.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Field, Int8, makeData, RecordBatch, Schema, Struct, Table, tableFromIPC, tableToIPC, Utf8 } from 'apache-arrow'
import { initSync, readParquet } from 'parquet-wasm/esm'

import { emptySums, type Sums, take } from './sums.ts'

export interface Flights {
  readonly rows: number
  readonly bodies: number
  /** The first body with the hour. */
  readonly half: number
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

/** Comes half-way; rows of bodies before it have none. */
export const hourColumn = { name: 'hour', type: 'tinyint' }

const rowsPerBody = 24_576
const monthBytes = 7
const encoder = new TextEncoder()
const msOfDay = 86_400_000
const microsOfHour = (msOfDay * 1_000) / 24
/** By day since 1970. */
const months = new Map<number, string>()

/** The file as an Arrow stream, or its first rows. */
export function flightsStream(limit?: number): Uint8Array {
  const require = createRequire(import.meta.url)
  initSync({ module: readFileSync(require.resolve('parquet-wasm/esm/parquet_wasm_bg.wasm')) })
  const file = readFileSync(join(dirname(require.resolve('vega-datasets')), '..', 'data', 'flights-3m.parquet'))
  return readParquet(file, limit === undefined ? {} : { limit }).intoIPCStream()
}

export function loadFlights(): Flights {
  const table = tableFromIPC(flightsStream())
  const groups = groupBatches(table.batches)
  const half = Math.floor(groups.length / 2)
  return {
    rows: table.numRows,
    bodies: groups.length,
    half,
    body(index) {
      const group = (groups[index] ?? []).map((batch) => withPeriods(batch, index >= half))
      return { bytes: tableToIPC(new Table(group), 'stream'), rows: group.reduce((rows, batch) => rows + batch.numRows, 0) }
    },
    sums: () => sumsOf(groups, half),
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

/** With the month of each row, and its hour, as last columns. */
function withPeriods(batch: RecordBatch, withHour: boolean): RecordBatch {
  const length = batch.numRows
  const text = new Uint8Array(length * monthBytes)
  const hours = new Int8Array(length)
  let row = 0
  for (const { month, hour } of periodsOf(batch)) {
    encoder.encodeInto(month, text.subarray(row * monthBytes))
    hours[row++] = hour
  }
  const valueOffsets = Int32Array.from({ length: length + 1 }, (_, at) => at * monthBytes)
  const month = makeData({ type: new Utf8(), length, nullCount: 0, valueOffsets, data: text })
  const hour = makeData({ type: new Int8(), length, nullCount: 0, data: hours })
  const fields = [...batch.schema.fields, new Field('month', month.type, false)]
  const children = [...batch.data.children, month]
  if (withHour) {
    fields.push(new Field(hourColumn.name, hour.type, true))
    children.push(hour)
  }
  return new RecordBatch(new Schema(fields), makeData({ type: new Struct(fields), length, nullCount: 0, children }))
}

function sumsOf(groups: readonly (readonly RecordBatch[])[], half: number): Sums {
  const sums = emptySums()
  groups.forEach((group, index) => {
    for (const batch of group) addBatch(sums, batch, index >= half)
  })
  return sums
}

function addBatch(sums: Sums, batch: RecordBatch, withHour: boolean): void {
  const delay = batch.getChild('delay')?.toArray() as BigInt64Array
  const distance = batch.getChild('distance')?.toArray() as BigInt64Array
  const origin = batch.getChild('origin')
  let row = 0
  for (const { month, hour } of periodsOf(batch)) {
    take(sums, {
      month,
      origin: String(origin?.get(row)),
      delay: Number(delay[row]),
      distance: Number(distance[row]),
      hour: withHour ? hour : null,
    })
    row += 1
  }
}

/** The month of each row's date, as `2001-01`, and its hour. */
function* periodsOf(batch: RecordBatch): Generator<{ readonly month: string; readonly hour: number }> {
  const dates = batch.getChild('date')?.toArray() as BigInt64Array
  for (const micros of dates) {
    const hours = Math.floor(Number(micros) / microsOfHour)
    const day = Math.floor(hours / 24)
    const month = months.get(day) ?? new Date(day * msOfDay).toISOString().slice(0, monthBytes)
    months.set(day, month)
    yield { month, hour: hours - day * 24 }
  }
}
