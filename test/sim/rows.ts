/** Rows of the simulation: one bigint `v`, unique per request and row, and one string `s` made of it. */
import type { Batch, ColumnData } from '../../core/format/arrow/column.ts'
import { utf8, utf8Text, viewOf } from '../../core/kernel/bytes.ts'
import { defaultOptions } from '../../core/model/options.ts'
import type { Schema, TableSpec } from '../../core/model/table.ts'
import type { DataType } from '../../core/model/types.ts'
import { catalogName } from './catalog.ts'

export const rowsPerRequestMax = 16

export function specOf(options: {
  readonly buckets: number
  readonly keyed: boolean
  readonly lake: boolean
  readonly formatVersion: 2 | 3
  readonly lakeBytes: number
  readonly lakeFreshnessMs: number
  readonly logTtlMs: number
  readonly logTtlAfterTierMs?: number
  /** The lake is in a catalog that is not ours. */
  readonly external: boolean
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
      ...(options.lake && options.formatVersion === 3 && { lakeFormatVersion: 3 }),
      ...(options.external && { lakeCatalog: { name: catalogName } }),
      lakeBytes: options.lakeBytes,
      lakeFreshnessMs: options.lakeFreshnessMs,
      logTtlMs: options.logTtlMs,
      ...(options.logTtlAfterTierMs !== undefined && { logTtlAfterTierMs: options.logTtlAfterTierMs }),
    },
  }
}

/** As the table is born. */
export function schemaOf(options: Parameters<typeof specOf>[0]): Schema {
  return { schemaId: 1, columns: specOf(options).columns.map((column, i) => ({ ...column, id: i + 4 })) }
}

export const valuesOf = (request: number, rows: number): readonly bigint[] =>
  Array.from({ length: rows }, (_, i) => BigInt(request) * BigInt(rowsPerRequestMax) + BigInt(i))

export const requestOf = (value: bigint): number => Number(value / BigInt(rowsPerRequestMax))
/** Every fourth string is null, so that validity travels too. */
export const textOf = (value: bigint): string | undefined => (value % 4n === 3n ? undefined : `row-${value}`)

/** `v` and `s` by their ids, because they may have other names by then, and a number made of `v` in each column that came later. */
export function batchOf(schema: Schema, values: readonly bigint[]): Batch {
  const fields = schema.columns.map(({ id, name, type, nullable }) => ({ id, name, type, nullable }))
  const columns = fields.flatMap(({ id, type }) => {
    if (id === valueId) return [integers(values)]
    if (id === textId) return [strings(values)]
    return type.kind === 'int' || type.kind === 'bigint' ? [laterColumn(values, type)] : []
  })
  return { rows: values.length, fields, columns }
}

const valueId = 4
export const textId = 5
export const laterOf = (value: bigint): number => Number(value % 1_000n)

function laterColumn(values: readonly bigint[], type: DataType): ColumnData {
  const later = values.map(laterOf)
  const typed = type.kind === 'int' ? Int32Array.from(later) : BigInt64Array.from(later.map(BigInt))
  const bytes = new Uint8Array(typed.buffer)
  return { type, length: values.length, nullCount: 0, validity: undefined, offsets: undefined, values: bytes, children: [] }
}

/** The values of a decoded batch; a row whose other columns are not made of its value counts as another value. */
export function valuesIn(batch: Batch): readonly bigint[] {
  const columnOf = (id: number): ColumnData | undefined => batch.columns[batch.fields.findIndex((field) => field.id === id)]
  const v = columnOf(valueId)
  const s = columnOf(textId)
  if (v?.values === undefined || s?.values === undefined || s.offsets === undefined) throw new Error('a batch without v and s')
  const later = batch.columns.filter(
    ({ type }, i) => type.kind === 'int' || (type.kind === 'bigint' && (batch.fields[i]?.id ?? 0) > valueId),
  )
  const view = viewOf(v.values)
  const values: bigint[] = []
  for (let i = 0; i < batch.rows; i++) {
    const value = view.getBigInt64(8 * i, true)
    const text = isThere(s, i) ? utf8Text(s.values.subarray(s.offsets[i], s.offsets[i + 1])) : undefined
    const isSame =
      text === textOf(value) && later.every((column) => !isThere(column, i) || numberAt(column, i) === laterOf(value))
    values.push(isSame ? value : -1n)
  }
  return values
}

const isThere = ({ validity }: ColumnData, row: number): boolean =>
  validity === undefined || (((validity[row >> 3] ?? 0) >> (row & 7)) & 1) === 1

/** Null in rows that were written before the column was there. */
function numberAt({ type, values = new Uint8Array() }: ColumnData, row: number): number {
  return type.kind === 'int' ? viewOf(values).getInt32(4 * row, true) : Number(viewOf(values).getBigInt64(8 * row, true))
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
