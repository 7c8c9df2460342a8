/**
 * One bucket of a keyed table as its rules are written down, done the naive way: of each key every value that ever came to each column
 * since its row is there, thought through anew each time; and the changelog that it owes. A commit has the columns of one schema of the
 * table: in these it merges, a row that was written in older ones as it reads in them. It knows nothing of the product's merger.
 */
import type { Plain } from '../../format/arrow/batch.case.ts'
import type { DataType } from '../../model/types.ts'
import { aggregated, DoesNotFit, shown } from './aggregate.case.ts'

export interface NaiveColumn {
  readonly id: number
  readonly type: DataType
  readonly isKey: boolean
  readonly agg: string
  /** Of autoIncrement: rows bring no value, and keep the one that they were given. */
  readonly isDrawn: boolean
}

/** Later ones have greater ids. */
export interface NaiveSchema {
  readonly id: number
  readonly columns: readonly NaiveColumn[]
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

/** By column. */
export type NaiveValues = ReadonlyMap<number, Plain>

export interface NaiveChange {
  readonly op: '+I' | '-U' | '+U' | '-D'
  readonly values: NaiveValues
  /** Where the row that it takes back was written. */
  readonly prev: bigint | undefined
}

interface NaiveRow {
  /** Those of its last commit. */
  readonly schema: NaiveSchema
  readonly inputs: ReadonlyMap<number, readonly Plain[]>
  readonly origin: bigint
}

/** `newer`: a row is there that has newer columns than the request. */
export type Told = 'done' | 'nothing' | 'refused' | 'newer'

export class Naive {
  readonly #rules: NaiveRules
  #rows = new Map<string, NaiveRow>()
  /** By the end of each commit. */
  readonly #ends = new Map<bigint, ReadonlyMap<string, NaiveRow>>([[0n, new Map()]])
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

  /** By key, at the end of a commit. Undefined: none ends there. A column that a row never had is absent. */
  rowsAt(end: bigint): ReadonlyMap<string, NaiveValues> | undefined {
    const rows = this.#ends.get(end)
    return rows && new Map([...rows].map(([key, row]) => [key, valuesOf(row)]))
  }

  /** All of it, or, where a sum or a product does not fit, nothing. `targets`: ids of the columns that are written; absent: all. */
  apply(schema: NaiveSchema, operations: readonly NaiveOperation[], targets: ReadonlySet<number> | undefined): Told {
    const undo = this.#checkpoint()
    const before = this.end
    try {
      for (const operation of operations) this.#one(schema, operation, targets)
      this.#ends.set(this.end, this.#rows)
      return this.end === before ? 'nothing' : 'done'
    } catch (error) {
      undo()
      if (error instanceof DoesNotFit) return 'refused'
      if (error instanceof IsNewer) return 'newer'
      throw error
    }
  }

  /** What `apply` would say. */
  trial(...request: Parameters<Naive['apply']>): Told {
    const undo = this.#checkpoint()
    const numbers = [...this.numbers]
    const said = this.apply(...request)
    if (said === 'done') this.#ends.delete(this.end)
    undo()
    this.numbers = numbers
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

  #one(schema: NaiveSchema, { isDelete, row }: NaiveOperation, targets: ReadonlySet<number> | undefined): void {
    const { columns } = schema
    const key = columns.flatMap(({ isKey }, i) => (isKey ? [shown(row[i])] : [])).join(' ')
    const old = inColumnsOf(schema, this.#rows.get(key))
    const { engine, deletes } = this.#rules
    const isTarget = ({ id, isKey }: NaiveColumn): boolean => isKey || targets === undefined || targets.has(id)
    const isKeyAlone = columns.every((column) => column.isKey || !isTarget(column))
    if (isDelete) {
      if (old === undefined || (deletes ?? (engine === 'last-row' ? 'allow' : 'ignore')) !== 'allow') return
      if (targets === undefined) return this.#change(schema, key, old, undefined)
      const values = valuesOf(old)
      const isLeft = columns.some((column) => !isTarget(column) && (values.get(column.id) ?? null) !== null)
      if (!isLeft) return this.#change(schema, key, old, undefined)
      if (isKeyAlone) return
      const inputs = columns.map(
        (column) => [column.id, isTarget(column) && !column.isKey ? [null] : (old.inputs.get(column.id) ?? [])] as const,
      )
      return this.#change(schema, key, old, new Map(inputs))
    }
    if (old === undefined) {
      const first = (column: NaiveColumn, i: number): Plain =>
        column.isDrawn ? (this.numbers.shift() ?? null) : isTarget(column) ? (row[i] ?? null) : null
      const inputs = columns.map((column, i) => [column.id, [first(column, i)]] as const)
      return this.#change(schema, key, undefined, new Map(inputs))
    }
    if (engine === 'first-row' || (targets !== undefined && isKeyAlone)) return
    if (engine === 'versioned') {
      const at = columns.findIndex(({ id }) => id === this.#rules.version)
      const [now, next] = [valuesOf(old).get(this.#rules.version as number) ?? null, row[at] ?? null]
      if (now !== null && (next === null || next < now)) return
    }
    const inputs = columns.map((column, i) => {
      const came = old.inputs.get(column.id) ?? []
      if (!isTarget(column) || column.isDrawn) return [column.id, came] as const
      return [column.id, engine === 'aggregation' && !column.isKey ? [...came, row[i] ?? null] : [row[i] ?? null]] as const
    })
    this.#change(schema, key, old, new Map(inputs))
  }

  #change(schema: NaiveSchema, key: string, old: NaiveRow | undefined, inputs: NaiveRow['inputs'] | undefined): void {
    const isWal = this.#rules.image === 'wal'
    const before = old && { values: valuesOf(old), prev: old.origin }
    if (inputs === undefined) {
      this.#rows.delete(key)
      if (before !== undefined) this.log.push({ op: '-D', ...before })
      return
    }
    const values = valuesOf({ schema, inputs })
    if (before !== undefined && !isWal) this.log.push({ op: '-U', ...before })
    this.#rows.set(key, { schema, inputs, origin: this.end })
    this.log.push({ op: old === undefined && !isWal ? '+I' : '+U', values, prev: isWal ? before?.prev : undefined })
  }
}

class IsNewer extends Error {}

/** What came before in other columns is one value now, and null where there was no such column. */
function inColumnsOf(schema: NaiveSchema, row: NaiveRow | undefined): NaiveRow | undefined {
  if (row === undefined || row.schema.id === schema.id) return row
  if (row.schema.id > schema.id) throw new IsNewer()
  const values = valuesOf(row)
  return { ...row, schema, inputs: new Map(schema.columns.map(({ id }) => [id, [values.get(id) ?? null]])) }
}

/** Of rows that are not aggregated each column has one value. */
const valuesOf = ({ schema, inputs }: Pick<NaiveRow, 'schema' | 'inputs'>): Map<number, Plain> =>
  new Map(schema.columns.map((column) => [column.id, aggregated(column, inputs.get(column.id) ?? [])]))
