/** Aggregate functions of the merge engine `aggregation`, and the types of column that each takes. */
import type { DataType } from './types.ts'

const numbers: readonly DataType['kind'][] = ['tinyint', 'smallint', 'int', 'bigint', 'float', 'double', 'decimal']
const ordered: readonly DataType['kind'][] = [...numbers, 'string', 'date', 'time', 'timestamp', 'timestamp_ltz']

/** Undefined: every type. */
export const aggregateTypes = {
  sum: numbers,
  product: numbers,
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
} as const satisfies Readonly<Record<string, readonly DataType['kind'][] | undefined>>

export type AggregateFunction = keyof typeof aggregateTypes

/** Of columns for which the table names none. */
export const defaultAggregate: AggregateFunction = 'last_value_ignore_nulls'

export const isAggregate = (name: string): name is AggregateFunction => Object.hasOwn(aggregateTypes, name)
