/**
 * A table's one item: partition `db/<database>`, sort `<name>`. i table id · g gc label · x state · d the definition as JSON,
 * versioned · b retention waits for the lake since, ms · n the next number of its autoIncrement column, from 1. The conditions of every write name the table id, never only the name.
 */
import { assert } from '../../kernel/assert.ts'
import { type Label, labelPattern, type TableId } from '../../kernel/ids.ts'
import { defaultOptions, type TableOptions } from '../../model/options.ts'
import type { Table } from '../../model/table.ts'
import type { Item, ItemKey } from '../../ports/items.ts'

export const tablePartition = (database: string): string => `db/${database}`
export const tableKey = (database: string, name: string): ItemKey => ({ partition: tablePartition(database), sort: name })

export function encodeTable(table: Table): Item {
  return {
    key: tableKey(table.database, table.name),
    attributes: {
      i: table.tableId,
      g: table.gc,
      x: table.state,
      d: encodeDefinition(table),
      ...(table.schema.columns.some(({ autoIncrement }) => autoIncrement === true) && { n: 1n }),
    },
  }
}

/** The part of a table that PATCH changes, as stored. Version 2: the table has a primary key, which older builds do not know. */
export function encodeDefinition(table: Table): string {
  const { schema, primaryKey, partitionBy, buckets, options, createdAt, lastColumnId, formerNames } = table
  const by = partitionBy.length === 0 ? {} : { partitionBy }
  return JSON.stringify({
    version: primaryKey === undefined ? 1 : 2,
    schema,
    ...(primaryKey === undefined ? {} : { primaryKey }),
    ...by,
    buckets,
    options: encodeOptions(options),
    createdAt,
    lastColumnId,
    ...(formerNames === undefined ? {} : { formerNames }),
  })
}

/** An option that older builds did not know is written where it differs from its default, so that their definitions stay equal. */
function encodeOptions({ logTtlMs, ...options }: TableOptions): Partial<TableOptions> {
  return logTtlMs === defaultOptions.logTtlMs ? options : { ...options, logTtlMs }
}

export function decodeTable(item: Item): Table {
  const { i, g, x, d, b } = item.attributes
  assert(
    typeof i === 'string' && typeof g === 'string' && labelPattern.test(g) && typeof d === 'string',
    'a table item is whole',
    { key: item.key },
  )
  assert(x === 'alive' || x === 'dropping', 'a table item has a known state', { key: item.key })
  const definition = JSON.parse(d) as Omit<Table, 'database' | 'name' | 'tableId' | 'gc' | 'state' | 'partitionBy'> & {
    readonly version: number
    readonly partitionBy?: readonly string[]
  }
  assert(definition.version === 1 || definition.version === 2, 'a table item has a known version', {
    key: item.key,
    version: definition.version,
  })
  const { schema, primaryKey, partitionBy = [], buckets, options, createdAt, lastColumnId, formerNames } = definition
  return {
    database: item.key.partition.slice('db/'.length),
    name: item.key.sort,
    tableId: i as TableId,
    gc: g as Label,
    state: x,
    schema,
    ...(primaryKey === undefined ? {} : { primaryKey }),
    partitionBy,
    buckets,
    options: { ...defaultOptions, ...options },
    createdAt,
    lastColumnId,
    ...(formerNames === undefined ? {} : { formerNames }),
    ...(typeof b === 'bigint' ? { lakeBehindSince: Number(b) } : {}),
  }
}
