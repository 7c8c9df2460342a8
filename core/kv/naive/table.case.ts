/**
 * Random tables with a primary key: keys and columns of any type, merge engines, images, what a delete does, partitions, a column whose
 * values are drawn.
 */
import fc from 'fast-check'
import type { TableBody } from '../../model/spec.ts'
import { printType } from '../../model/type-text.ts'
import { anyType, scalarType } from '../../model/types.case.ts'

export type Draw = fc.GeneratorValue

export const number = (g: Draw, min: number, max: number): number => g(fc.integer, { min, max })
export const oneOf = <T>(g: Draw, all: readonly T[]): T => all[number(g, 0, all.length - 1)] as T
export const chance = (g: Draw, of10: number): boolean => number(g, 0, 9) < of10

const numeric = ['tinyint', 'smallint', 'int', 'bigint', 'float', 'double', 'decimal(4,1)', 'decimal(38,0)', 'decimal(38,38)']
const ordered = [...numeric, 'string', 'date', 'time(0)', 'timestamp(9)', 'timestamp_ltz(6)']
const aggregates: Readonly<Record<string, readonly string[] | undefined>> = {
  sum: numeric,
  product: numeric,
  max: ordered,
  min: ordered,
  last_value: undefined,
  last_value_ignore_nulls: undefined,
  first_value: undefined,
  first_value_ignore_nulls: undefined,
  listagg: ['string'],
  bool_and: ['boolean'],
  bool_or: ['boolean'],
  rbm32: ['binary'],
  rbm64: ['binary'],
}
/** What columns can be widened from. */
export const widenable = ['tinyint', 'smallint', 'int', 'float', 'decimal(4,1)']

const keyType = scalarType.filter(({ kind }) => kind !== 'float' && kind !== 'double')
const bucketKeyType = keyType.filter(({ kind }) => kind !== 'boolean')
const keyTypes = () => keyType
const bucketKeyTypes = () => bucketKeyType
export const anyTypes = () => anyType
export const smallNumber = () => fc.integer({ min: -3, max: 12 })

export interface Drawn {
  readonly body: TableBody
  readonly buckets: number
  /** By name at the beginning. */
  readonly aggs: ReadonlyMap<string, string>
}

export function drawTable(g: Draw): Drawn {
  const engine = oneOf(g, ['last-row', 'first-row', 'versioned', 'aggregation', 'aggregation'])
  const first = { name: 'k0', type: printType(g(bucketKeyTypes)) }
  const keys = [
    first,
    ...Array.from({ length: number(g, 0, 2) }, (_, i) => ({ name: `k${i + 1}`, type: printType(g(keyTypes)) })),
  ]
  const aggs = new Map<string, string>()
  const isPartial = engine === 'last-row' || engine === 'aggregation'
  const isNullable = chance(g, isPartial ? 9 : 5)
  const values = Array.from({ length: number(g, 0, 4) }, (_, i) => {
    const name = `v${i}`
    if (engine !== 'aggregation')
      return { name, type: chance(g, 4) ? oneOf(g, widenable) : printType(g(anyTypes)), nullable: isNullable }
    const agg = oneOf(g, Object.keys(aggregates))
    const types = aggregates[agg]
    if (chance(g, 9)) aggs.set(name, agg)
    return { name, type: types === undefined ? printType(g(anyTypes)) : oneOf(g, types), nullable: isNullable }
  })
  const version = { name: 'version', type: oneOf(g, ['int', 'bigint', 'timestamp(3)', 'timestamp_ltz(9)']), nullable: isNullable }
  const columns: TableBody['columns'][number][] = [...values, ...(engine === 'versioned' ? [version] : [])]
  if (chance(g, 3)) columns.push({ name: 'drawn', type: oneOf(g, ['int', 'bigint']), nullable: true, autoIncrement: true })
  for (const key of keys) columns.splice(number(g, 0, columns.length), 0, { ...key, nullable: false })
  const isPartitioned = chance(g, 3)
  const primaryKey = keys.map(({ name }) => name)
  if (isPartitioned) {
    primaryKey.splice(number(g, 0, keys.length), 0, 'p')
    columns.splice(number(g, 0, columns.length), 0, { name: 'p', type: 'string', nullable: false })
  }
  const behavior = oneOf(g, [undefined, 'ignore', ...(isPartial ? ['allow', 'allow'] : [])])
  const isPrefix = keys.length > 1 && (chance(g, 7) || keys.some(({ type }) => type === 'boolean'))
  return {
    buckets: number(g, 1, 3),
    aggs,
    body: {
      columns,
      primaryKey,
      ...(isPartitioned && { partitionBy: ['p'] }),
      ...(isPrefix && { buckets: { key: ['k0'] } }),
      options: {
        'merge-engine': engine,
        'changelog.image': engine === 'aggregation' ? 'full' : oneOf(g, ['full', 'wal']),
        ...(behavior !== undefined && { 'delete.behavior': behavior }),
        ...(columns.some(({ autoIncrement }) => autoIncrement === true) && {
          'auto-increment.cache-size': oneOf(g, ['1', '3', '1000']),
        }),
        ...(engine === 'versioned' && { 'merge-engine.version-column': 'version' }),
        ...Object.fromEntries([...aggs].map(([name, agg]) => [`fields.${name}.agg`, agg])),
      },
    },
  }
}
