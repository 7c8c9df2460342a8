/** Rows of the simulation: one bigint `v`, unique per request and row, and one string `s` made of it. */
import type { Batch, ColumnData } from '../../core/format/arrow/column.ts'
import { utf8, utf8Text, viewOf } from '../../core/kernel/bytes.ts'
import { defaultOptions } from '../../core/model/options.ts'
import type { Schema, TableSpec } from '../../core/model/table.ts'

export const rowsPerRequestMax = 16

export function specOf(options: {
  readonly buckets: number
  readonly keyed: boolean
  readonly lake: boolean
  readonly lakeBytes: number
  readonly lakeFreshnessMs: number
}): TableSpec {
  return {
    columns: [
      { name: 'v', type: { kind: 'bigint' }, nullable: false },
      { name: 's', type: { kind: 'string' }, nullable: true },
    ],
    partitionBy: [],
    buckets: options.keyed ? { count: options.buckets, key: ['v'] } : { count: options.buckets },
    options: {
      ...defaultOptions,
      lakeFormat: options.lake ? 'iceberg' : 'none',
      lakeBytes: options.lakeBytes,
      lakeFreshnessMs: options.lakeFreshnessMs,
    },
  }
}

export const valuesOf = (request: number, rows: number): readonly bigint[] =>
  Array.from({ length: rows }, (_, i) => BigInt(request) * BigInt(rowsPerRequestMax) + BigInt(i))

export const requestOf = (value: bigint): number => Number(value / BigInt(rowsPerRequestMax))
/** Every fourth string is null, so that validity travels too. */
export const textOf = (value: bigint): string | undefined => (value % 4n === 3n ? undefined : `row-${value}`)

export function batchOf(schema: Schema, values: readonly bigint[]): Batch {
  const fields = schema.columns.map(({ id, name, type, nullable }) => ({ id, name, type, nullable }))
  return { rows: values.length, fields, columns: [integers(values), strings(values)] }
}

/** The values of a decoded batch; a row whose string is not that of its value counts as another value. */
export function valuesIn(batch: Batch): readonly bigint[] {
  const v = batch.columns[batch.fields.findIndex((field) => field.name === 'v')]
  const s = batch.columns[batch.fields.findIndex((field) => field.name === 's')]
  if (v?.values === undefined || s?.values === undefined || s.offsets === undefined) throw new Error('a batch without v and s')
  const view = viewOf(v.values)
  const values: bigint[] = []
  for (let i = 0; i < batch.rows; i++) {
    const value = view.getBigInt64(8 * i, true)
    const valid = s.validity === undefined || (((s.validity[i >> 3] ?? 0) >> (i & 7)) & 1) === 1
    const text = valid ? utf8Text(s.values.subarray(s.offsets[i], s.offsets[i + 1])) : undefined
    values.push(text === textOf(value) ? value : -1n)
  }
  return values
}

/** What a request's body would be: decides the crc. */
export const bodyOf = (values: readonly bigint[]): Uint8Array => utf8(values.join(','))

function integers(values: readonly bigint[]): ColumnData {
  return {
    type: { kind: 'bigint' },
    length: values.length,
    nullCount: 0,
    validity: undefined,
    offsets: undefined,
    values: longs(values),
    children: [],
  }
}

function longs(values: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(8 * values.length)
  const view = viewOf(bytes)
  values.forEach((value, i) => {
    view.setBigInt64(8 * i, value, true)
  })
  return bytes
}

function strings(values: readonly bigint[]): ColumnData {
  const texts = values.map(textOf)
  const offsets = new Int32Array(values.length + 1)
  texts.forEach((text, i) => {
    offsets[i + 1] = (offsets[i] ?? 0) + (text?.length ?? 0)
  })
  const nullCount = texts.filter((text) => text === undefined).length
  const validity = new Uint8Array((values.length + 7) >> 3)
  texts.forEach((text, i) => {
    if (text !== undefined) validity[i >> 3] = (validity[i >> 3] ?? 0) | (1 << (i & 7))
  })
  return {
    type: { kind: 'string' },
    length: values.length,
    nullCount,
    validity: nullCount === 0 ? undefined : validity,
    offsets,
    values: utf8(texts.join('')),
    children: [],
  }
}
