/** What the aggregate functions are written down to be, of all the values that ever came to a column; and values compared as they are. */
import type { Plain } from '../../format/arrow/batch.case.ts'
import { bigintsOf, numbersOf, roaring32Of, roaring64Of } from '../../format/roaring/roaring.case.ts'
import { decodeRoaring32, encodeRoaring32 } from '../../format/roaring/roaring32.ts'
import { decodeRoaring64, encodeRoaring64 } from '../../format/roaring/roaring64.ts'
import type { DataType } from '../../model/types.ts'

/** Text that is equal where values are: texts as their bytes, -0 and NaN as they are. */
export function shown(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (typeof value === 'string') return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return `[${value.map(shown).join()}]`
  return Object.is(value, -0) ? '-0' : String(value)
}

/** A number that the type cannot hold. */
export class DoesNotFit extends Error {}

export function aggregated({ type, agg }: { readonly type: DataType; readonly agg: string }, inputs: readonly Plain[]): Plain {
  const there = inputs.filter((value) => value !== null)
  const last = there.length - 1
  switch (agg) {
    case 'last_value':
      return inputs.at(-1) ?? null
    case 'first_value':
      return inputs[0] ?? null
  }
  if (there.length <= 1) return there[0] ?? null
  switch (agg) {
    case 'last_value_ignore_nulls':
      return there[last] as Plain
    case 'first_value_ignore_nulls':
      return there[0] as Plain
    case 'max':
      return [...there].sort(ascending)[last] as Plain
    case 'min':
      return [...there].sort(ascending)[0] as Plain
    case 'bool_and':
      return !there.includes(false)
    case 'bool_or':
      return there.includes(true)
    case 'listagg':
      return there.join(',')
    case 'rbm32':
      return encodeRoaring32(roaring32Of(there.flatMap((bytes) => numbersOf(decodeRoaring32(bytes as Uint8Array)))))
    case 'rbm64':
      return encodeRoaring64(roaring64Of(there.flatMap((bytes) => bigintsOf(decodeRoaring64(bytes as Uint8Array)))))
    case 'sum':
      return there.reduce<Plain>((sum, value) => (sum === null ? value : calculated(type, sum, value, 'sum')), null)
    default:
      return there.reduce<Plain>((all, value) => (all === null ? value : calculated(type, all, value, 'product')), null)
  }
}

const bits: Readonly<Record<string, bigint>> = { tinyint: 7n, smallint: 15n, int: 31n, bigint: 63n }

/** Exactly, then what the type makes of it. */
function calculated(type: DataType, a: Plain, b: Plain, agg: 'sum' | 'product'): Plain {
  if (type.kind === 'float' || type.kind === 'double') {
    const value = agg === 'sum' ? Number(a) + Number(b) : Number(a) * Number(b)
    return type.kind === 'float' ? Math.fround(value) : value
  }
  const [x, y] = [BigInt(a as number), BigInt(b as number)]
  const exact = agg === 'sum' ? x + y : x * y
  if (type.kind !== 'decimal') {
    const top = 2n ** (bits[type.kind] as bigint)
    if (exact >= top || exact < -top) throw new DoesNotFit()
    return type.kind === 'bigint' ? exact : Number(exact)
  }
  const value = agg === 'sum' ? exact : halfUp(exact, 10n ** BigInt(type.scale))
  if (`${value}`.replace('-', '').length > type.precision) throw new DoesNotFit()
  return value
}

function halfUp(value: bigint, by: bigint): bigint {
  const size = value < 0n ? -value : value
  const rounded = (2n * size + by) / (2n * by)
  return value < 0n ? -rounded : rounded
}

/** As in a key and in Java: texts by their bytes, NaN above all, -0 below 0. */
export function ascending(a: Plain, b: Plain): number {
  if (typeof a === 'string' || a instanceof Uint8Array) return Buffer.compare(Buffer.from(a), Buffer.from(b as string))
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
  if (a === 0 && b === 0) return Number(Object.is(b, -0)) - Number(Object.is(a, -0))
  return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0
}
