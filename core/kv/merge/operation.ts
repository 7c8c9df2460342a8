/** What a row asks of the key that it has: to be there, to be there in part, to be gone, to be gone in part. */
import { SluiceError } from '../../kernel/errors.ts'
import { quoted, suggestion } from '../../model/nearest.ts'
import type { Column, Table } from '../../model/table.ts'
import type { Row } from '../values.ts'

/** What of a table decides how rows merge. */
export type MergedTable = Pick<Table, 'schema' | 'primaryKey' | 'options' | 'formerNames'>

export interface Operation {
  readonly kind: 'upsert' | 'delete'
  /** In the order of the schema; of a delete only the key counts. No row of a table: whoever keeps it may keep it as it is. */
  readonly row: Row
  /** Absent: all columns. */
  readonly targets?: Targets
}

/** The columns that a partial update writes, or a partial delete empties. */
export interface Targets {
  /** By column; those of the key are always among them. */
  readonly isTarget: readonly boolean[]
  readonly isKeyOnly: boolean
}

/**
 * Of `?columns=`, by the names of now or, as rows are taken, by those of before: a column that was dropped is passed over. Errors:
 * `unknown-field`, `bad-request` (the merge engine takes rows as a whole, the key is missing, a column that rows do not bring, columns
 * that cannot be null).
 */
export function targetsOf(table: MergedTable, names: readonly string[]): Targets {
  const engine = table.options.keyed?.mergeEngine
  if (engine === 'first-row' || engine === 'versioned')
    throw refused(`columns: merge-engine=${engine} takes rows as a whole: leave columns out`)
  const own = names.flatMap((name) => nameNow(table, name) ?? [])
  const twice = own.find((name, i) => own.indexOf(name) !== i)
  if (twice !== undefined) throw refused(`columns: ${quoted(twice)} is named twice`, twice)
  const targets = new Set(own)
  const absent = table.primaryKey?.find((name) => !targets.has(name))
  if (absent !== undefined) throw refused(`columns: the column ${quoted(absent)} of the primaryKey is missing: add it`, absent)
  const drawn = table.schema.columns.find(({ name, autoIncrement }) => autoIncrement === true && targets.has(name))
  if (drawn !== undefined)
    throw refused(`columns: ${quoted(drawn.name)} is autoIncrement and rows bring no value: leave it out`, drawn.name)
  const whole = alwaysThere(table)
  if (whole !== undefined)
    throw refused(
      `the column ${quoted(whole.name)} is not nullable, so rows are written as a whole: leave columns out`,
      whole.name,
    )
  return targetsNamed(table, targets)
}

/** Undefined: the column was dropped. Errors: `unknown-field`. */
function nameNow({ schema, formerNames = {} }: MergedTable, name: string): string | undefined {
  const known = schema.columns.map((column) => column.name)
  if (known.includes(name)) return name
  if (Object.hasOwn(formerNames, name)) return schema.columns.find(({ id }) => id === formerNames[name])?.name
  throw new SluiceError('unknown-field', `columns: the table has no column ${quoted(name)}${suggestion(name, known)}`, {
    facts: { field: name.slice(0, 256) },
  })
}

/** Of names that were given in an older schema of the same table: the columns may have other names since, or be gone. */
export function targetsSince(own: MergedTable, table: MergedTable, names: readonly string[]): Targets {
  const targets = targetsOf(own, names)
  if (own.schema.schemaId === table.schema.schemaId) return targets
  const ids = new Set(own.schema.columns.filter((_, i) => targets.isTarget[i]).map(({ id }) => id))
  return targetsNamed(table, new Set(table.schema.columns.filter(({ id }) => ids.has(id)).map(({ name }) => name)))
}

/**
 * Of a lookup that inserts the keys that it does not find, with any merge engine: a key that is there stays as it is. Errors:
 * `bad-request`: a column besides those of the key has to be there.
 */
export function keyTargets(table: MergedTable): Targets {
  const column = alwaysThere(table)?.name
  if (column === undefined) return targetsNamed(table, new Set(table.primaryKey))
  const message = `insert: the column ${quoted(column)} is not nullable, and a row that a lookup inserts has only its key: leave insert out`
  throw new SluiceError('bad-request', message, { facts: { field: 'insert', column } })
}

/** A column that every row has to bring besides its key. */
const alwaysThere = ({ schema, primaryKey = [] }: MergedTable): Column | undefined =>
  schema.columns.find(({ name, nullable, autoIncrement }) => !nullable && autoIncrement !== true && !primaryKey.includes(name))

const targetsNamed = ({ schema, primaryKey = [] }: MergedTable, targets: ReadonlySet<string>): Targets => ({
  isTarget: schema.columns.map(({ name }) => targets.has(name)),
  isKeyOnly: targets.size === primaryKey.length,
})

const refused = (message: string, column?: string): SluiceError =>
  new SluiceError('bad-request', message, { facts: column === undefined ? { field: 'columns' } : { field: 'columns', column } })
