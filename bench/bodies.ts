/**
 * Bodies that benches send: rows of one table (bigint, string of 100,000 values, double, timestamp), as Arrow made by
 * apache-arrow or as NDJSON, cut to a size in bytes. The same arguments give the same bytes.
 */
import {
  Field,
  Float64,
  Int64,
  makeData,
  makeVector,
  RecordBatch,
  Schema,
  Struct,
  Table,
  TimestampMicrosecond,
  tableToIPC,
  Utf8,
  vectorFromArray,
} from 'apache-arrow'

export const media = { arrow: 'application/vnd.apache.arrow.stream', ndjson: 'application/x-ndjson' } as const

export const columns = [
  { name: 'id', type: 'bigint', nullable: false },
  { name: 'name', type: 'string' },
  { name: 'value', type: 'double' },
  { name: 'at', type: 'timestamp(6)' },
] as const

export interface Body {
  readonly bytes: Uint8Array
  readonly rows: number
  readonly contentType: string
}

/** About 38 bytes a row. `first`: the id of the first row. */
export function arrowBody(rows: number, first = 0): Body {
  return { bytes: tableToIPC(new Table(arrowBatch(rows, first)), 'stream'), rows, contentType: media.arrow }
}

/** The most rows whose Arrow stream has at most so many bytes. */
export function arrowBodyOf(bytesMax: number): Body {
  let rows = Math.max(1, Math.floor(bytesMax / 40))
  let body = arrowBody(rows)
  while (body.bytes.length > bytesMax && rows > 1) {
    rows -= Math.max(1, Math.ceil((body.bytes.length - bytesMax) / 40))
    body = arrowBody(Math.max(1, rows))
  }
  return body
}

/** Rows of these ids, as Arrow. */
export function arrowBodyOfIds(ids: readonly number[]): Body {
  return { bytes: tableToIPC(new Table(arrowBatchOf(ids)), 'stream'), rows: ids.length, contentType: media.arrow }
}

/** A row as the product answers it. */
export function jsonRow(row: number): Readonly<Record<string, unknown>> {
  const at = new Date(Date.UTC(2026, 10, 21, 9, 30) + Math.floor(row / 1_000_000) * 1_000).toISOString().slice(0, 19)
  return { id: String(row), name: nameOf(row), value: numberOf(row), at: `${at}.${String(row % 1_000_000).padStart(6, '0')}` }
}

export function ndjsonBodyOf(bytesMax: number): Body {
  const lines: string[] = []
  let bytes = 0
  for (let row = 0; ; row++) {
    const line = `${JSON.stringify({ id: String(row), name: nameOf(row), value: numberOf(row), at: '2026-11-21T09:30:00.123456' })}\n`
    if (bytes + line.length > bytesMax && lines.length > 0) break
    lines.push(line)
    bytes += line.length
  }
  return { bytes: Buffer.from(lines.join('')), rows: lines.length, contentType: media.ndjson }
}

export const arrowBatch = (rows: number, first: number): RecordBatch =>
  arrowBatchOf(Array.from({ length: rows }, (_, row) => first + row))

function arrowBatchOf(each: readonly number[]): RecordBatch {
  const rows = each.length
  const ids = BigInt64Array.from(each, BigInt)
  const values = Float64Array.from(each, numberOf)
  const times = BigInt64Array.from(each, (row) => 1_795_253_400_000_000n + BigInt(row))
  const names = vectorFromArray(each.map(nameOf), new Utf8())
  const [nameData] = names.data
  const schema = new Schema([
    new Field('id', new Int64(), false),
    new Field('name', new Utf8(), true),
    new Field('value', new Float64(), true),
    new Field('at', new TimestampMicrosecond(), true),
  ])
  const [idData] = makeVector(ids).data
  const [valueData] = makeVector(values).data
  const atData = makeData({ type: new TimestampMicrosecond(), length: rows, nullCount: 0, data: times })
  if (idData === undefined || nameData === undefined || valueData === undefined) throw new Error(`no batch of ${rows} rows`)
  const children = [idData, nameData, valueData, atData]
  return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length: rows, nullCount: 0, children }))
}

/** 100,000 values, spread without order. */
function nameOf(row: number): string {
  return `name ${((row * 7_919) % 100_000).toString().padStart(5, '0')}`
}

function numberOf(row: number): number {
  return ((row * 2_654_435_761) % 4_294_967_296) / 65_536
}

/** Columns `c0` … `c19`, bigint and double in turn, 160 bytes a row. */
export function wideBody(rows: number, first: number): Uint8Array {
  const columns = Array.from({ length: 20 }, (_, column) =>
    column % 2 === 0
      ? makeVector(BigInt64Array.from({ length: rows }, (_value, row) => BigInt(first + row * column)))
      : makeVector(Float64Array.from({ length: rows }, (_value, row) => numberOf(first + row * column))),
  )
  return tableToIPC(new Table(Object.fromEntries(columns.map((column, i) => [`c${i}`, column]))), 'stream')
}

/** Rows of one day. */
export function dayBody(day: number, rows: number, first: number): Uint8Array {
  const table = new Table({
    day: makeVector(new Int32Array(rows).fill(day)),
    id: makeVector(BigInt64Array.from({ length: rows }, (_, row) => BigInt(first + row))),
    value: makeVector(Float64Array.from({ length: rows }, (_, row) => numberOf(first + row))),
  })
  return tableToIPC(table, 'stream')
}
