/**
 * The aggregate functions, each of a column: the value that is there and the value that comes make the value that will be. Null is
 * passed over, except by last_value and first_value. Numbers that do not fit are refused, as Fluss refuses those of whole numbers;
 * floats round and overflow as IEEE 754 has it; a product of decimals rounds half up, away from zero.
 */

import { decodeRoaring32, encodeRoaring32, uniteRoaring32 } from '../../format/roaring/roaring32.ts'
import { decodeRoaring64, encodeRoaring64, uniteRoaring64 } from '../../format/roaring/roaring64.ts'
import { compareBytes, concat, utf8 } from '../../kernel/bytes.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { limits } from '../../kernel/limits.ts'
import type { AggregateFunction } from '../../model/aggregate.ts'
import type { FieldOptions } from '../../model/keyed.ts'
import { quoted } from '../../model/nearest.ts'
import type { Column } from '../../model/table.ts'
import { printType } from '../../model/type-text.ts'
import type { Value } from '../values.ts'

/** Errors: `invalid-rows`, naming the column. */
export type Aggregate = (now: Value, input: Value) => Value

export function aggregateOf(
  column: Column,
  { agg, listaggDelimiter }: Required<Pick<FieldOptions, 'agg'>> & FieldOptions,
): Aggregate {
  switch (agg) {
    case 'last_value':
      return (_, input) => input
    case 'last_value_ignore_nulls':
      return (now, input) => (input === null ? now : input)
    case 'first_value':
      return (now) => now
    case 'first_value_ignore_nulls':
      return (now, input) => (now === null ? input : now)
    case 'max':
      return ofBoth((now, input) => (compare(now, input) < 0 ? input : now))
    case 'min':
      return ofBoth((now, input) => (compare(now, input) < 0 ? now : input))
    case 'bool_and':
      return ofBoth((now, input) => now === true && input === true)
    case 'bool_or':
      return ofBoth((now, input) => now === true || input === true)
    case 'sum':
    case 'product':
      return ofBoth(arithmetic(column, agg))
    case 'listagg':
      return ofBoth(listed(column, utf8(listaggDelimiter ?? defaultDelimiter)))
    case 'rbm32':
    case 'rbm64':
      return ofBoth(united(column, agg))
  }
}

const defaultDelimiter = ','

/** Of two values that are there; the other where one is null. */
function ofBoth(both: (now: NonNullable<Value>, input: NonNullable<Value>) => Value): Aggregate {
  return (now, input) => (now === null ? input : input === null ? now : both(now, input))
}

/** Numbers as Java orders them (NaN greatest, -0 below 0), bytes as unsigned. */
function compare(a: NonNullable<Value>, b: NonNullable<Value>): number {
  if (a instanceof Uint8Array) return compareBytes(a, b as Uint8Array)
  if (a < b) return -1
  if (a > b) return 1
  if (typeof a !== 'number' || Object.is(a, b)) return 0
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) ? 1 : -1
  return Object.is(a, -0) ? -1 : Object.is(b, -0) ? 1 : 0
}

type Calculation = (now: NonNullable<Value>, input: NonNullable<Value>) => Value

function arithmetic(column: Column, agg: 'sum' | 'product'): Calculation {
  const { type } = column
  const isSum = agg === 'sum'
  switch (type.kind) {
    case 'float':
      return (a, b) => Math.fround(isSum ? (a as number) + (b as number) : (a as number) * (b as number))
    case 'double':
      return (a, b) => (isSum ? (a as number) + (b as number) : (a as number) * (b as number))
    case 'tinyint':
    case 'smallint':
    case 'int': {
      const max = 2 ** ({ tinyint: 8, smallint: 16, int: 32 }[type.kind] - 1)
      return (a, b) => {
        // a product of two ints may lose its last digits, but then it is far outside; + 0 makes -0 a zero
        const value = (isSum ? (a as number) + (b as number) : (a as number) * (b as number)) + 0
        if (value >= max || value < -max) throw overflow(column, agg)
        return value
      }
    }
    default: {
      const one = type.kind === 'decimal' ? 10n ** BigInt(type.scale) : 1n
      const max = type.kind === 'decimal' ? 10n ** BigInt(type.precision) - 1n : 2n ** 63n - 1n
      const min = type.kind === 'decimal' ? -max : -max - 1n
      return (a, b) => {
        const value = isSum ? (a as bigint) + (b as bigint) : halfUp((a as bigint) * (b as bigint), one)
        if (value > max || value < min) throw overflow(column, agg)
        return value
      }
    }
  }
}

function halfUp(value: bigint, by: bigint): bigint {
  if (by === 1n) return value
  return (value + (value < 0n ? -by : by) / 2n) / by
}

function listed(column: Column, delimiter: Uint8Array): Calculation {
  return (now, input) => checkedSize(column, concat([now as Uint8Array, delimiter, input as Uint8Array]))
}

function united(column: Column, agg: 'rbm32' | 'rbm64'): Calculation {
  if (agg === 'rbm32') {
    return (now, input) =>
      checkedSize(
        column,
        encodeRoaring32(uniteRoaring32(decodeRoaring32(now as Uint8Array), decodeRoaring32(input as Uint8Array))),
      )
  }
  return (now, input) =>
    checkedSize(column, encodeRoaring64(uniteRoaring64(decodeRoaring64(now as Uint8Array), decodeRoaring64(input as Uint8Array))))
}

/** Of a bitmap that a row brings. Errors: `invalid-rows`. */
export function checkBitmap(agg: AggregateFunction | undefined, bytes: Uint8Array): void {
  if (agg === 'rbm32') decodeRoaring32(bytes)
  else if (agg === 'rbm64') decodeRoaring64(bytes)
}

function checkedSize(column: Column, bytes: Uint8Array): Uint8Array {
  if (bytes.length <= limits.rowBytesMax) return bytes
  throw new SluiceError(
    'invalid-rows',
    `column ${quoted(column.name)}: the aggregated value takes ${bytes.length} bytes; a row is at most ${limits.rowBytesMax}`,
    { facts: { column: column.name } },
  )
}

const overflow = ({ name, type }: Column, agg: string): SluiceError =>
  new SluiceError(
    'invalid-rows',
    `column ${quoted(name)}: the ${agg} does not fit ${printType(type)}: widen the column (widenColumns)`,
    {
      facts: { column: name },
    },
  )
