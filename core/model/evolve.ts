/**
 * Schema changes, pure: a table's columns by id, before and after. Columns are added at the end and nullable, dropped, renamed or
 * widened; ids are never reused, so rows that were written under an older schema are read by id. Nothing here loses a value: what
 * would is refused. All names in one change are those before it.
 */
import { SluiceError } from '../kernel/errors.ts'
import { limits } from '../kernel/limits.ts'
import type { KeyedOptions } from './keyed.ts'
import { quoted, suggestion } from './nearest.ts'
import { assignIds, type ColumnBody, columnOf, specOf, validateSpec } from './spec.ts'
import type { Column, Table } from './table.ts'
import { parseType, printType } from './type-text.ts'
import type { DataType } from './types.ts'

/** The JSON body of alter table (contract), shape checked by the caller. */
export interface SchemaChange {
  readonly addColumns?: readonly ColumnBody[] | undefined
  readonly dropColumns?: readonly string[] | undefined
  readonly renameColumns?: Readonly<Record<string, string>> | undefined
  readonly widenColumns?: Readonly<Record<string, string>> | undefined
}

export function isSchemaChange({ addColumns, dropColumns, renameColumns, widenColumns }: SchemaChange): boolean {
  const named = [renameColumns, widenColumns].some((changes) => Object.keys(changes ?? {}).length > 0)
  return (addColumns?.length ?? 0) > 0 || (dropColumns?.length ?? 0) > 0 || named
}

/**
 * The table under its next schema id. Errors: `invalid-schema`, `invalid-name`, `not-supported` (a type that the table's lake cannot
 * hold). A lake can follow everything else: what is wider here is what Iceberg promotes, or the same type there.
 */
export function evolve(table: Table, change: SchemaChange): Table {
  if (table.schema.schemaId >= limits.schemasMax)
    throw new SluiceError('full', `a table has at most ${limits.schemasMax} schemas: create a new one`)
  const dropped = new Set(change.dropColumns ?? [])
  const renames = new Map(Object.entries(change.renameColumns ?? {}))
  const widenings = new Map(Object.entries(change.widenColumns ?? {}))
  for (const name of [...dropped, ...renames.keys(), ...widenings.keys()]) checkKnown(table, name)
  for (const name of dropped) checkDrop(table, name, renames.has(name) || widenings.has(name))
  for (const name of renames.keys()) checkRename(table, name)
  for (const name of widenings.keys()) checkWidening(table, name)
  const key = primaryKeyUnder(table, change)
  const kept = table.schema.columns
    .filter(({ name }) => !dropped.has(name))
    .map((column) => widened(column, widenings.get(column.name)))
    .map((column) => ({ ...column, name: renames.get(column.name) ?? column.name }))
  if (kept.length === 0) throw invalid('a table keeps at least one of its columns')
  const added = addedColumns(table, change.addColumns ?? [])
  const columns = [...kept, ...added.columns]
  const bucketKey = table.buckets.key?.map((name) => renames.get(name) ?? name)
  const evolved: Table = {
    ...table,
    schema: { schemaId: table.schema.schemaId + 1, columns },
    ...(key === undefined ? {} : { primaryKey: key }),
    buckets: { ...table.buckets, ...(bucketKey === undefined ? {} : { key: bucketKey }) },
    options: { ...table.options, ...keyedUnder(table.options.keyed, kept, dropped, renames) },
    lastColumnId: added.lastColumnId,
    formerNames: formerNames(table, columns),
  }
  validateSpec(specOf(evolved))
  return evolved
}

/** Whether every value of `from` is one of `to`, the same in number and order. */
export function canWiden(from: DataType, to: DataType): boolean {
  if (from.kind === 'decimal' && to.kind === 'decimal') return to.scale === from.scale && to.precision >= from.precision
  const at = integers.indexOf(from.kind)
  if (at >= 0) return integers.indexOf(to.kind) > at
  return from.kind === 'float' && to.kind === 'double'
}

const integers: readonly DataType['kind'][] = ['tinyint', 'smallint', 'int', 'bigint']

function checkKnown(table: Table, name: string): void {
  const names = table.schema.columns.map((column) => column.name)
  if (!names.includes(name))
    throw invalid(`the table has no column ${quoted(name)}${suggestion(name, names)}`, { column: name.slice(0, 256) })
}

/** Keys that are stored are read as what they were written as: their columns keep their place and type. Undefined: there is no key. */
function primaryKeyUnder(table: Table, { renameColumns = {}, widenColumns = {} }: SchemaChange): Table['primaryKey'] {
  const widened = Object.keys(widenColumns).find((name) => table.primaryKey?.includes(name) === true)
  if (widened !== undefined) throw staysAsItIs(widened, 'is in the primaryKey', 'widened')
  return table.primaryKey?.map((name) => (Object.hasOwn(renameColumns, name) ? (renameColumns[name] ?? name) : name))
}

/** Options name columns too: they follow a rename, and those of a dropped column go with it. */
function keyedUnder(
  keyed: KeyedOptions | undefined,
  columns: readonly Column[],
  dropped: ReadonlySet<string>,
  renames: ReadonlyMap<string, string>,
): { readonly keyed?: KeyedOptions } {
  if (keyed === undefined) return {}
  const { versionColumn, cacheSize, fields, ...others } = keyed
  const isCounted = columns.some(({ autoIncrement }) => autoIncrement === true)
  const kept = Object.entries(fields).filter(([name]) => !dropped.has(name))
  return {
    keyed: {
      ...others,
      ...(cacheSize === undefined || !isCounted ? {} : { cacheSize }),
      ...(versionColumn === undefined ? {} : { versionColumn: renames.get(versionColumn) ?? versionColumn }),
      fields: Object.fromEntries(kept.map(([name, field]) => [renames.get(name) ?? name, field])),
    },
  }
}

function checkDrop(table: Table, name: string, alsoChanged: boolean): void {
  if (alsoChanged) throw invalid(`the column ${quoted(name)} is dropped and changed at once`, { column: name })
  if (table.partitionBy.includes(name)) throw staysAsItIs(name, 'partitions the table', 'dropped')
  if (table.primaryKey?.includes(name) === true) throw staysAsItIs(name, 'is in the primaryKey', 'dropped')
  if (table.options.keyed?.versionColumn === name) throw staysAsItIs(name, 'is merge-engine.version-column', 'dropped')
  if (table.buckets.key?.includes(name) === true) throw staysAsItIs(name, 'is in buckets.key', 'dropped')
}

/** Its name is in the names of the partitions. */
function checkRename(table: Table, name: string): void {
  if (table.partitionBy.includes(name)) throw staysAsItIs(name, 'partitions the table', 'renamed')
}

/** A float's text changes with its width, and the text is in the names of the partitions. */
function checkWidening(table: Table, name: string): void {
  const type = table.schema.columns.find((column) => column.name === name)?.type
  if (type?.kind === 'float' && table.partitionBy.includes(name)) throw staysAsItIs(name, 'partitions the table', 'widened')
}

function widened(column: Column, text: string | undefined): Column {
  if (text === undefined) return column
  const type = parseType(text)
  if (!canWiden(column.type, type)) {
    throw invalid(
      `column ${quoted(column.name)} of type ${printType(column.type)} cannot become ${printType(type)}: integers go to larger integers, float to double, a decimal to more digits of the same scale`,
      { column: column.name },
    )
  }
  return { ...column, type }
}

function addedColumns(table: Table, bodies: readonly ColumnBody[]): ReturnType<typeof assignIds> {
  const columns = bodies.map((body) => {
    if (body.nullable === false)
      throw invalid(`the new column ${quoted(body.name)} must be nullable: rows that are there have no value for it`, {
        column: body.name.slice(0, 256),
      })
    if (body.autoIncrement === true)
      throw invalid(`the new column ${quoted(body.name)} cannot be autoIncrement: rows that are there have no value for it`, {
        column: body.name.slice(0, 256),
      })
    return columnOf(body)
  })
  return assignIds({ columns, partitionBy: [], buckets: table.buckets, options: table.options }, table.lastColumnId)
}

/**
 * Names that columns had before, by id, so that clients of an older schema keep writing: a column that was renamed still takes
 * its old name, one that was dropped is passed over. A name that a column has now is that column's. The oldest go first.
 */
function formerNames(table: Table, columns: readonly Column[]): Readonly<Record<string, number>> {
  const now = new Map(columns.map(({ id, name }) => [id, name]))
  const gone = table.schema.columns.filter(({ id, name }) => now.get(id) !== name).map(({ id, name }) => [name, id] as const)
  const taken = new Set(now.values())
  const all = [...Object.entries(table.formerNames ?? {}).filter(([name]) => !gone.some(([other]) => other === name)), ...gone]
  return Object.fromEntries(all.filter(([name]) => !taken.has(name)).slice(-limits.columnsMax))
}

const staysAsItIs = (name: string, role: string, change: 'dropped' | 'renamed' | 'widened'): SluiceError =>
  invalid(`the column ${quoted(name)} ${role} and cannot be ${change}: create another table with the columns that you want`, {
    column: name,
  })

const invalid = (message: string, facts: Readonly<Record<string, unknown>> = {}): SluiceError =>
  new SluiceError('invalid-schema', message, { facts })
