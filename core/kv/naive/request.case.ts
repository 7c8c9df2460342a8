/** Random requests, in the columns of a table as it is or as it was. */
import fc from 'fast-check'
import { batchOf, type Plain, valueOfType } from '../../format/arrow/batch.case.ts'
import { roaring32Of, roaring64Of } from '../../format/roaring/roaring.case.ts'
import { encodeRoaring32 } from '../../format/roaring/roaring32.ts'
import { encodeRoaring64 } from '../../format/roaring/roaring64.ts'
import { routeRows } from '../../log/route.ts'
import { producerWith } from '../../log/world.case.ts'
import { changes, opColumn } from '../../model/changelog.ts'
import type { Column, Table } from '../../model/table.ts'
import type { UpsertRequest } from '../kv.ts'
import type { WrittenColumns } from '../upsert/operations.ts'
import { chance, type Draw, number, oneOf, smallNumber } from './table.case.ts'

export interface Sent {
  /** As its writer knew it. */
  readonly table: Table
  readonly request: UpsertRequest
  /** Ids of the columns that it writes; absent: all. */
  readonly targets?: ReadonlySet<number>
}

export interface Requested {
  /** Whose names of columns are those of the client. */
  readonly named: Table
  readonly pool: readonly (readonly Plain[])[]
  /** Columns of a key of the pool. */
  readonly keyIds: readonly number[]
  /** By id of a column. */
  readonly aggOf: (id: number) => string | undefined
  readonly sequence: number
}

/** Undefined: it is no column of the key. */
export const keyValueOf = (keyIds: readonly number[], key: readonly Plain[], id: number): Plain | undefined =>
  key[keyIds.indexOf(id)]

export function drawRequest(g: Draw, table: Table, { named, pool, keyIds, aggOf, sequence }: Requested): Sent {
  const { columns } = table.schema
  const engine = table.options.keyed?.mergeEngine
  const isKey = ({ name }: Column): boolean => table.primaryKey?.includes(name) === true
  const isOfKeyAlone = columns.every((each) => isKey(each) || each.nullable)
  // As a lookup that inserts what it does not find, with any engine.
  const isInsert = isOfKeyAlone && chance(g, 1)
  const mayBePartial = isOfKeyAlone && !isInsert && (engine === 'last-row' || engine === 'aggregation')
  const rows = Array.from({ length: number(g, 1, 6) }, () => {
    const key = oneOf(g, pool)
    const isDelete = !isInsert && chance(g, 3)
    const row = columns.map(
      (column) => keyValueOf(keyIds, key, column.id) ?? drawValue(g, column, aggOf(column.id), column.nullable && isDelete),
    )
    return [...row, isDelete ? changes.delete : changes.updateAfter]
  })
  const batch = batchOf([...columns, opColumn], rows)
  const isWritten = ({ name, autoIncrement }: Column): boolean =>
    named.primaryKey?.includes(name) === true || (autoIncrement !== true && chance(g, 5))
  const written = mayBePartial && chance(g, 4) ? named.schema.columns.filter(isWritten) : undefined
  const names: WrittenColumns | undefined = isInsert ? 'key' : written?.map(({ name }) => name)
  const ids = isInsert ? keyIds : written?.map(({ id }) => id)
  const producer = chance(g, 5) ? producerWith(`p${sequence}`, sequence) : undefined
  const parts = routeRows(table, [batch], { rotate: () => 0 })
  const request = { op: 'upsert' as const, parts, ...(names && { targets: names }), ...(producer && { producer }) }
  return { table, request, ...(ids && { targets: new Set(ids) }) }
}

function drawValue(g: Draw, { type, nullable, autoIncrement }: Column, agg: string | undefined, isEmpty: boolean): Plain {
  if (isEmpty || autoIncrement === true || (nullable && chance(g, 2))) return null
  if (agg === 'rbm32') return encodeRoaring32(roaring32Of(g(fc.array<number>, fc.nat(70_000), { maxLength: 4 })))
  if (agg === 'rbm64') return encodeRoaring64(roaring64Of(g(fc.array<bigint>, fc.bigInt(0n, 2n ** 64n - 1n), { maxLength: 4 })))
  if ((agg === 'sum' || agg === 'product') && chance(g, 8)) {
    const small = g(smallNumber)
    return type.kind === 'bigint' || type.kind === 'decimal' ? BigInt(small) : small
  }
  return g(valueOfType, type)
}
