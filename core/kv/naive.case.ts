/**
 * One bucket of a keyed table as its rules are written down, done the naive way: of each key every value that ever came to each column
 * since its row is there, thought through anew each time; and the changelog that it owes. It knows nothing of the product's merger.
 */

import type { Plain } from '../format/arrow/batch.case.ts'
import { bigintsOf, numbersOf, roaring32Of, roaring64Of } from '../format/roaring/roaring.case.ts'
import { decodeRoaring32, encodeRoaring32 } from '../format/roaring/roaring32.ts'
import { decodeRoaring64, encodeRoaring64 } from '../format/roaring/roaring64.ts'
import type { DataType } from '../model/types.ts'

export interface NaiveColumn {
  readonly id: number
  readonly type: DataType
  readonly isKey: boolean
  readonly agg: string
  /** Of autoIncrement: rows bring no value, and keep the one that they were given. */
  readonly isDrawn: boolean
}

export interface NaiveRules {
  readonly engine: string
  readonly image: string
  /** Absent: as the engine has it. */
  readonly deletes: string | undefined
  /** Id of the version column. */
  readonly version: number | undefined
}

export interface NaiveOperation {
  readonly isDelete: boolean
  /** In the order of the columns. */
  readonly row: readonly Plain[]
}

export interface NaiveChange {
  readonly op: '+I' | '-U' | '+U' | '-D'
  readonly values: ReadonlyMap<number, Plain>
  /** Where the row that it takes back was written. */
  readonly prev: bigint | undefined
}

interface NaiveRow {
  readonly inputs: ReadonlyMap<number, readonly Plain[]>
  readonly origin: bigint
}

/** Text that is equal where values are: texts as their bytes, -0 and NaN as they are. */
export function shown(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (typeof value === 'string') return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return `[${value.map(shown).join()}]`
  return Object.is(value, -0) ? '-0' : String(value)
}

export class Naive {
  readonly #rules: NaiveRules
  #rows = new Map<string, NaiveRow>()
  /** An offset each. */
  readonly log: NaiveChange[] = []
  /** What rows that are new are given, in order. */
  numbers: Plain[] = []

  constructor(rules: NaiveRules) {
    this.#rules = rules
  }

  get end(): bigint {
    return BigInt(this.log.length)
  }

  /** By key. */
  rows(columns: readonly NaiveColumn[]): Map<string, ReadonlyMap<number, Plain>> {
    return new Map([...this.#rows].map(([key, row]) => [key, valuesOf(columns, row)]))
  }

  /** All of it, or, where a sum or a product does not fit, nothing. `targets`: ids of the columns that are written; absent: all. */
  apply(
    columns: readonly NaiveColumn[],
    operations: readonly NaiveOperation[],
    targets: ReadonlySet<number> | undefined,
  ): 'done' | 'refused' {
    const undo = this.#checkpoint()
    try {
      for (const operation of operations) this.#one(columns, operation, targets)
      return 'done'
    } catch (error) {
      if (!(error instanceof DoesNotFit)) throw error
      undo()
      return 'refused'
    }
  }

  /** What `apply` would say. */
  trial(...request: Parameters<Naive['apply']>): 'done' | 'refused' {
    const undo = this.#checkpoint()
    const said = this.apply(...request)
    undo()
    return said
  }

  #checkpoint(): () => void {
    const [before, end] = [this.#rows, this.log.length]
    this.#rows = new Map(before)
    return () => {
      this.#rows = before
      this.log.length = end
    }
  }

  /** What came before under other types is one value now. */
  alter(columns: readonly NaiveColumn[]): void {
    for (const [key, row] of this.#rows) {
      const inputs = new Map([...valuesOf(columns, row)].map(([id, value]) => [id, [value]]))
      this.#rows.set(key, { ...row, inputs })
    }
  }

  #one(columns: readonly NaiveColumn[], { isDelete, row }: NaiveOperation, targets: ReadonlySet<number> | undefined): void {
    const key = columns.flatMap(({ isKey }, i) => (isKey ? [shown(row[i])] : [])).join(' ')
    const old = this.#rows.get(key)
    const { engine, deletes } = this.#rules
    const isTarget = ({ id, isKey }: NaiveColumn): boolean => isKey || targets === undefined || targets.has(id)
    const isKeyAlone = columns.every((column) => column.isKey || !isTarget(column))
    if (isDelete) {
      if (old === undefined || (deletes ?? (engine === 'last-row' ? 'allow' : 'ignore')) !== 'allow') return
      if (targets === undefined) return this.#change(columns, key, old, undefined)
      const isLeft = [...valuesOf(columns, old)].some(([id, value]) => {
        const column = columns.find((each) => each.id === id) as NaiveColumn
        return value !== null && !isTarget(column)
      })
      if (!isLeft) return this.#change(columns, key, old, undefined)
      if (isKeyAlone) return
      const inputs = columns.map(
        (column) => [column.id, isTarget(column) && !column.isKey ? [null] : (old.inputs.get(column.id) ?? [])] as const,
      )
      return this.#change(columns, key, old, new Map(inputs))
    }
    if (old === undefined) {
      const first = (column: NaiveColumn, i: number): Plain =>
        column.isDrawn ? (this.numbers.shift() ?? null) : isTarget(column) ? (row[i] ?? null) : null
      const inputs = columns.map((column, i) => [column.id, [first(column, i)]] as const)
      return this.#change(columns, key, undefined, new Map(inputs))
    }
    if (engine === 'first-row' || (targets !== undefined && isKeyAlone)) return
    if (engine === 'versioned') {
      const at = columns.findIndex(({ id }) => id === this.#rules.version)
      const [now, next] = [valuesOf(columns, old).get(this.#rules.version as number) ?? null, row[at] ?? null]
      if (now !== null && (next === null || next < now)) return
    }
    const inputs = columns.map((column, i) => {
      const came = old.inputs.get(column.id) ?? []
      if (!isTarget(column) || column.isDrawn) return [column.id, came] as const
      return [column.id, engine === 'aggregation' && !column.isKey ? [...came, row[i] ?? null] : [row[i] ?? null]] as const
    })
    this.#change(columns, key, old, new Map(inputs))
  }

  #change(columns: readonly NaiveColumn[], key: string, old: NaiveRow | undefined, inputs: NaiveRow['inputs'] | undefined): void {
    const isWal = this.#rules.image === 'wal'
    const before = old && { values: valuesOf(columns, old), prev: old.origin }
    if (inputs === undefined) {
      this.#rows.delete(key)
      if (before !== undefined) this.log.push({ op: '-D', ...before })
      return
    }
    const values = valuesOf(columns, { inputs })
    if (before !== undefined && !isWal) this.log.push({ op: '-U', ...before })
    this.#rows.set(key, { inputs, origin: this.end })
    this.log.push({ op: old === undefined && !isWal ? '+I' : '+U', values, prev: isWal ? before?.prev : undefined })
  }
}

class DoesNotFit extends Error {}

/** Of rows that are not aggregated each column has one value. */
const valuesOf = (columns: readonly NaiveColumn[], { inputs }: Pick<NaiveRow, 'inputs'>): Map<number, Plain> =>
  new Map(columns.map((column) => [column.id, aggregated(column, inputs.get(column.id) ?? [])]))

function aggregated({ type, agg }: NaiveColumn, inputs: readonly Plain[]): Plain {
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
