/**
 * What a person asks for when creating a table, checked: the one validator of its meaning. The HTTP layer checks the JSON
 * shape only. A specification that passes here can be created, tiered and described; ids are given by assignIds.
 */
import { SluiceError } from '../kernel/errors.ts'
import { limits } from '../kernel/limits.ts'
import { checkAutoPartition, settled } from './auto-partition.ts'
import { checkKeyed, columnNamed, settledKeyed } from './keyed.ts'
import { columnName } from './names.ts'
import { quoted } from './nearest.ts'
import { parseOptions, printOptions, type TableOptions } from './options.ts'
import type { Buckets, Column, Table, TableSpec } from './table.ts'
import { parseType, printType } from './type-text.ts'
import type { DataType } from './types.ts'

/** The JSON body of create table (contract), shape checked by the caller. */
export interface TableBody {
  readonly columns: readonly ColumnBody[]
  readonly primaryKey?: readonly string[] | undefined
  readonly partitionBy?: readonly string[] | undefined
  readonly buckets?: { readonly count?: number | undefined; readonly key?: readonly string[] | undefined } | undefined
  readonly options?: Readonly<Record<string, string>> | undefined
}

export interface ColumnBody {
  readonly name: string
  readonly type: string
  readonly nullable?: boolean | undefined
  readonly comment?: string | undefined
  readonly autoIncrement?: boolean | undefined
}

/**
 * Columns of a primary key are not nullable, and without another key it buckets the rows. Errors: `invalid-schema`, `invalid-name`,
 * `unknown-field`, `bad-request`, `not-supported`.
 */
export function tableSpecOf(body: TableBody): TableSpec {
  if (body.columns.length > limits.columnsMax) throw invalid(`a table has at most ${limits.columnsMax} columns`)
  const { primaryKey = [], partitionBy = [] } = body
  const isKeyed = primaryKey.length > 0
  const isCounted = body.columns.some(({ autoIncrement }) => autoIncrement === true)
  const named = body.buckets?.key ?? []
  const key = isKeyed && named.length === 0 ? primaryKey.filter((name) => !partitionBy.includes(name)) : named
  return validateSpec({
    columns: body.columns.map((column) =>
      columnOf(primaryKey.includes(column.name) ? { ...column, nullable: column.nullable ?? false } : column),
    ),
    ...(isKeyed ? { primaryKey: [...primaryKey] } : {}),
    partitionBy: [...partitionBy],
    buckets: { count: body.buckets?.count ?? 1, ...(key.length === 0 ? {} : { key: [...key] }) },
    options: settledKeyed(settled(parseOptions(body.options ?? {}), partitionBy.length), { isKeyed, isCounted }),
  })
}

/** The specification itself, or the first rule that it breaks. */
export function validateSpec(spec: TableSpec): TableSpec {
  if (spec.columns.length === 0) throw invalid('a table needs at least one column')
  if (spec.columns.length > limits.columnsMax) throw invalid(`a table has at most ${limits.columnsMax} columns`)
  const names = new Set<string>()
  let fields = 0
  for (const column of spec.columns) {
    columnName(column.name)
    if (names.has(column.name)) throw invalid(`the column ${quoted(column.name)} appears twice`, { column: column.name })
    names.add(column.name)
    fields += fieldCount(column.type)
    if ((column.comment?.length ?? 0) > limits.commentLengthMax) {
      throw invalid(`the comment of column ${quoted(column.name)} is longer than ${limits.commentLengthMax} characters`)
    }
    if (spec.options.lakeFormat === 'iceberg') checkIceberg(column.name, column.type, spec.options.lakeFormatVersion)
  }
  if (fields > nestedFieldsMax) throw invalid(`a table has at most ${nestedFieldsMax} columns and nested fields together`)
  checkPartitions(spec)
  checkAutoPartition(spec)
  checkKeyed(spec)
  checkBuckets(spec)
  return spec
}

export const firstColumnId = 4

/**
 * Ids as Iceberg assigns fresh ones: all columns first, then, column by column, the fields inside; from 4 (1 to 3 are
 * __bucket, __offset, __timestamp), never reused. `lastColumnId`: the greatest id given; the next schema change goes on from it.
 */
export function assignIds(
  spec: TableSpec,
  last = firstColumnId - 1,
): { readonly columns: readonly Column[]; readonly lastColumnId: number } {
  const counter = { last }
  const ids = spec.columns.map(() => ++counter.last)
  const columns = spec.columns.map(
    (column, i): Column => ({
      id: ids[i] ?? 0,
      name: column.name,
      type: numbered(column.type, counter),
      nullable: column.nullable,
      ...(column.comment === undefined ? {} : { comment: column.comment }),
      ...(column.autoIncrement === undefined ? {} : { autoIncrement: column.autoIncrement }),
    }),
  )
  return { columns, lastColumnId: counter.last }
}

/** Equal in everything that a person can ask for: a repeated create answers 200. */
export function sameSpec(a: TableSpec, b: TableSpec): boolean {
  return JSON.stringify(printBody(a)) === JSON.stringify(printBody(b))
}

/** The specification that would create this table again. */
export function specOf(table: Table): TableSpec {
  const { schema, primaryKey, partitionBy, buckets, options } = table
  return { columns: schema.columns, ...(primaryKey === undefined ? {} : { primaryKey }), partitionBy, buckets, options }
}

/** The describe form: the create body again, and what the catalog added. Times in ms. */
export function printSpec(table: Table) {
  const ids = table.schema.columns
  return {
    database: table.database,
    name: table.name,
    tableId: table.tableId as string,
    schemaId: table.schema.schemaId,
    status: table.state === 'alive' && table.lakeBehindSince !== undefined ? 'lake-behind' : table.state,
    createdAt: table.createdAt,
    ...printBody(specOf(table)),
    columns: printBody(specOf(table)).columns.map((column, i) => ({ id: ids[i]?.id ?? 0, ...column })),
  }
}

const nestedFieldsMax = 4_000
const partitionLevelsMax = 8

function printBody(spec: TableSpec) {
  return {
    columns: spec.columns.map((column) => ({
      name: column.name,
      type: printType(column.type),
      nullable: column.nullable,
      ...(column.comment === undefined ? {} : { comment: column.comment }),
      ...(column.autoIncrement === undefined ? {} : { autoIncrement: column.autoIncrement }),
    })),
    primaryKey: [...(spec.primaryKey ?? [])],
    partitionBy: [...spec.partitionBy],
    buckets: { count: spec.buckets.count, ...(spec.buckets.key === undefined ? {} : { key: [...spec.buckets.key] }) },
    options: printOptions(spec.options),
  }
}

/** Errors: `invalid-name`, `invalid-schema`. */
export function columnOf(body: ColumnBody): TableSpec['columns'][number] {
  return {
    name: columnName(body.name),
    type: columnType(body),
    nullable: body.nullable ?? true,
    ...(body.comment === undefined ? {} : { comment: body.comment }),
    ...(body.autoIncrement === true ? { autoIncrement: true } : {}),
  }
}

function columnType(body: ColumnBody): DataType {
  try {
    return parseType(body.type)
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error
    throw new SluiceError(error.code, `column ${quoted(body.name)}: ${error.message}`, {
      facts: { column: body.name, ...error.facts },
    })
  }
}

/** Any type that Iceberg partitions by: every one that has no others inside. */
function checkPartitions(spec: TableSpec): void {
  const seen = new Set<string>()
  if (spec.partitionBy.length > partitionLevelsMax)
    throw invalid(`a table has at most ${partitionLevelsMax} levels of partitions`)
  for (const name of spec.partitionBy) {
    const column = columnNamed(spec.columns, name, 'partitionBy')
    if (seen.has(name)) throw invalid(`partitionBy names the column ${quoted(name)} twice`, { column: name })
    seen.add(name)
    if (nested(column.type).length > 0 || column.type.kind === 'vector' || column.type.kind === 'row') {
      throw invalid(
        `the column ${quoted(name)} of type ${printType(column.type)} cannot partition a table; use numbers, text, binary, dates or times`,
        { column: name },
      )
    }
    if (spec.buckets.key?.includes(name) === true)
      throw invalid(`the column ${quoted(name)} is in partitionBy and in buckets.key: rows of a partition agree in it`, {
        column: name,
      })
  }
}

function checkBuckets(spec: TableSpec): void {
  const { count, key }: Buckets = spec.buckets
  if (!Number.isInteger(count) || count < 1 || count > limits.bucketsMax)
    throw invalid(`buckets.count is from 1 to ${limits.bucketsMax}`)
  const seen = new Set<string>()
  for (const name of key ?? []) {
    const column = columnNamed(spec.columns, name, 'buckets.key')
    if (seen.has(name)) throw invalid(`buckets.key names the column ${quoted(name)} twice`, { column: name })
    seen.add(name)
    if (keyless.has(column.type.kind)) {
      throw invalid(
        `the column ${quoted(name)} of type ${printType(column.type)} cannot be a bucket key; name columns of integers, decimal, string, binary, dates or times in buckets.key`,
        { column: name },
      )
    }
  }
}

const keyless: ReadonlySet<DataType['kind']> = new Set(['boolean', 'float', 'double', 'array', 'map', 'row', 'vector'])

function numbered(type: DataType, counter: { last: number }): DataType {
  switch (type.kind) {
    case 'array': {
      const elementId = ++counter.last
      return { ...type, elementId, element: numbered(type.element, counter) }
    }
    case 'map': {
      const keyId = ++counter.last
      const valueId = ++counter.last
      return { ...type, keyId, valueId, key: numbered(type.key, counter), value: numbered(type.value, counter) }
    }
    case 'row': {
      const ids = type.fields.map(() => ++counter.last)
      return {
        ...type,
        fields: type.fields.map((field, i) => ({ ...field, id: ids[i] ?? 0, type: numbered(field.type, counter) })),
      }
    }
    case 'vector':
      return { ...type, elementId: ++counter.last }
    default:
      return type
  }
}

/** Iceberg has no time in nanoseconds, and timestamps in nanoseconds only from format version 3. */
function checkIceberg(column: string, type: DataType, version: TableOptions['lakeFormatVersion']): void {
  if (type.kind === 'time' && type.precision > 6)
    throw invalid(`column ${quoted(column)}: Iceberg keeps time in microseconds; use time(6)`, { column })
  if ((type.kind === 'timestamp' || type.kind === 'timestamp_ltz') && type.precision > 6 && version !== 3) {
    throw invalid(
      `column ${quoted(column)}: ${printType(type)} needs lake.format-version=3, or use ${type.kind}(6): Iceberg of version 2 keeps microseconds`,
      { column },
    )
  }
  for (const child of nested(type)) checkIceberg(column, child, version)
}

function fieldCount(type: DataType): number {
  return nested(type).reduce((sum, child) => sum + fieldCount(child), 1)
}

/** The types directly inside a type. */
function nested(type: DataType): readonly DataType[] {
  switch (type.kind) {
    case 'array':
      return [type.element]
    case 'map':
      return [type.key, type.value]
    case 'row':
      return type.fields.map((field) => field.type)
    default:
      return []
  }
}

const invalid = (message: string, facts: Readonly<Record<string, unknown>> = {}): SluiceError =>
  new SluiceError('invalid-schema', message, { facts })
