/**
 * The flights of the npm package vega-datasets: three million rows in one Parquet file. Cut into Arrow bodies of about
 * 1 MiB whose numbering never changes, so that a demo that was killed goes on with the same body under the same sequence.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { type RecordBatch, Table, tableFromIPC, tableToIPC } from 'apache-arrow'
import { initSync, readParquet } from 'parquet-wasm/esm'

export interface OriginSums {
  count: number
  delay: number
  distance: number
}

export interface Flights {
  readonly rows: number
  readonly bodies: number
  /** Arrow stream of body `index`, and its rows. */
  body(index: number): { readonly bytes: Uint8Array; readonly rows: number }
  /** What the file says of each origin; compared with the lake at the end. */
  sums(): Map<string, OriginSums>
}

export const flightsSpec = {
  columns: [
    { name: 'date', type: 'timestamp(6)' },
    { name: 'delay', type: 'bigint' },
    { name: 'distance', type: 'bigint' },
    { name: 'origin', type: 'string' },
    { name: 'destination', type: 'string' },
  ],
  buckets: { count: 4 },
  options: { 'lake.format': 'iceberg', 'lake.freshness': '5s', 'lake.bytes': '32MiB' },
}

const rowsPerBody = 24_576

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
      const group = groups[index] ?? []
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

function sumsOf(batches: readonly RecordBatch[]): Map<string, OriginSums> {
  const sums = new Map<string, OriginSums>()
  for (const batch of batches) {
    const delay = batch.getChild('delay')?.toArray() as BigInt64Array
    const distance = batch.getChild('distance')?.toArray() as BigInt64Array
    const origin = batch.getChild('origin')
    for (let row = 0; row < batch.numRows; row++) {
      add(sums, String(origin?.get(row)), Number(delay[row]), Number(distance[row]))
    }
  }
  return sums
}

export function add(sums: Map<string, OriginSums>, origin: string, delay: number, distance: number): void {
  const found = sums.get(origin)
  if (found === undefined) sums.set(origin, { count: 1, delay, distance })
  else {
    found.count += 1
    found.delay += delay
    found.distance += distance
  }
}
