/** Random changes of a table's columns: columns come, go, get other names and wider types; and some that are refused. */
import type { TableChange } from '../../catalog/tables.ts'
import type { Column, Table } from '../../model/table.ts'
import { parseType, printType } from '../../model/type-text.ts'
import { anyTypes, chance, type Draw, oneOf } from './table.case.ts'

export interface DrawnChange {
  readonly change: TableChange
  /** A column whose name, place or type keys and partitions rest on: it stays. */
  readonly refused?: string
}

/** Of each of `widenable`. */
const widerThan: Readonly<Record<string, string>> = {
  tinyint: 'smallint',
  smallint: 'bigint',
  int: 'bigint',
  float: 'double',
  'decimal(4,1)': 'decimal(20,1)',
}

/** `fresh`: a name that no column has had. */
export function drawChange(g: Draw, table: Table, fresh: string): DrawnChange {
  const { schema, partitionBy, primaryKey = [], options } = table
  const isKey = ({ name }: Column): boolean => primaryKey.includes(name)
  if (chance(g, 1)) return drawRefused(g, table, fresh)
  const others = schema.columns.filter(
    (column) => !isKey(column) && column.name !== options.keyed?.versionColumn && column.autoIncrement !== true,
  )
  const add = { addColumns: [{ name: fresh, type: printType(g(anyTypes)) }] }
  switch (oneOf(g, ['add', 'drop', 'rename', 'rename', 'widen', 'widen'])) {
    case 'drop':
      return { change: others.length === 0 ? add : { dropColumns: [oneOf(g, others).name] } }
    case 'rename': {
      // The names of partitions have the name.
      const special = schema.columns.filter((column) => !others.includes(column) && !partitionBy.includes(column.name))
      return { change: { renameColumns: { [oneOf(g, others.length === 0 || chance(g, 3) ? special : others).name]: fresh } } }
    }
    case 'widen': {
      const own = others.filter(({ type }) => widerThan[printType(type)] !== undefined)
      if (own.length === 0) return { change: add }
      const { name, type } = oneOf(g, own)
      return { change: { widenColumns: { [name]: printType(parseType(widerThan[printType(type)] as string)) } } }
    }
    default:
      return { change: add }
  }
}

function drawRefused(g: Draw, { partitionBy, primaryKey = [] }: Table, fresh: string): DrawnChange {
  const [partition] = partitionBy
  if (partition !== undefined && chance(g, 5)) return { change: { renameColumns: { [partition]: fresh } }, refused: partition }
  const key = oneOf(g, primaryKey)
  return chance(g, 5)
    ? { change: { dropColumns: [key] }, refused: key }
    : { change: { widenColumns: { [key]: 'decimal(38,0)' } }, refused: key }
}
