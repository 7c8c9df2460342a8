/** Tables and operations for tests, in plain values; and an oracle that keeps the history of each key and thinks anew every time. */
import fc from 'fast-check'
import { numbersOf, roaring32Of } from '../../format/roaring/roaring.case.ts'
import { decodeRoaring32, encodeRoaring32 } from '../../format/roaring/roaring32.ts'
import { compareBytes, concat, utf8 } from '../../kernel/bytes.ts'
import { assignIds, type TableBody, tableSpecOf } from '../../model/spec.ts'
import type { Row, Value } from '../values.ts'
import { type MergedTable, type Operation, targetsOf } from './operation.ts'

export function mergedTable(body: TableBody): MergedTable {
  const spec = tableSpecOf(body)
  return { ...spec, schema: { schemaId: 1, columns: assignIds(spec).columns } }
}

/** What the oracle has to know of a column; the first is the key. */
interface Part {
  readonly type: string
  readonly agg: string
}

const aggregates: readonly Part[] = [
  ...['tinyint', 'smallint', 'int', 'bigint', 'float', 'double', 'decimal(38,0)', 'decimal(38,2)'].map((type) => ({
    type,
    agg: 'sum',
  })),
  ...['double', 'float'].map((type) => ({ type, agg: 'product' })),
  ...['int', 'double', 'string', 'date', 'timestamp(6)', 'time(3)'].flatMap((type) => [
    { type, agg: 'max' },
    { type, agg: 'min' },
  ]),
  ...['last_value', 'last_value_ignore_nulls', 'first_value', 'first_value_ignore_nulls'].flatMap((agg) => [
    { type: 'array<int>', agg },
    { type: 'string', agg },
  ]),
  { type: 'string', agg: 'listagg' },
  { type: 'boolean', agg: 'bool_and' },
  { type: 'boolean', agg: 'bool_or' },
  { type: 'binary', agg: 'rbm32' },
]

function valueFor({ type, agg }: Part): fc.Arbitrary<Value> {
  if (agg === 'rbm32') return fc.uniqueArray(fc.nat(9)).map((values) => encodeRoaring32(roaring32Of(values)))
  if (type === 'string') return fc.string({ unit: fc.constantFrom('a', 'b', 'é'), maxLength: 2 }).map(utf8)
  if (type === 'boolean') return fc.boolean()
  if (type === 'array<int>') return fc.array(fc.nat(3), { maxLength: 2 })
  const small = fc.integer({ min: -3, max: 3 })
  if (type === 'float' || type === 'double') return fc.oneof(small, fc.constantFrom(0.5, Number.NaN, 1.5))
  return ['tinyint', 'smallint', 'int', 'date'].includes(type) ? small : small.map(BigInt)
}

export interface Scenario {
  readonly table: MergedTable
  readonly parts: readonly Part[]
  readonly operations: readonly Operation[]
}

const engines = ['last-row', 'first-row', 'versioned', 'aggregation'] as const

export const anyScenario: fc.Arbitrary<Scenario> = fc
  .record({
    engine: fc.constantFrom(...engines),
    parts: fc.array(fc.constantFrom(...aggregates), { minLength: 1, maxLength: 5 }),
    image: fc.constantFrom('full', 'wal'),
    behavior: fc.constantFrom('allow', 'ignore', undefined),
    isCounted: fc.boolean(),
  })
  .chain(({ engine, parts: columns, image, behavior, isCounted }) => {
    const parts = [{ type: 'int', agg: 'last_value' }, ...columns]
    const allows = behavior !== 'allow' || engine === 'last-row' || engine === 'aggregation'
    const table = mergedTable({
      columns: [
        { name: 'c0', type: 'int' },
        ...columns.map(({ type }, i) => ({ name: `c${i + 1}`, type })),
        ...(engine === 'versioned' ? [{ name: 'version', type: 'bigint' }] : []),
        ...(isCounted ? [{ name: 'number', type: 'bigint', autoIncrement: true }] : []),
      ],
      primaryKey: ['c0'],
      options: {
        'merge-engine': engine,
        ...(engine === 'versioned' ? { 'merge-engine.version-column': 'version' } : {}),
        ...(engine === 'aggregation' ? {} : { 'changelog.image': image }),
        ...(allows && behavior !== undefined ? { 'delete.behavior': behavior } : {}),
        ...(engine === 'aggregation' ? Object.fromEntries(columns.map(({ agg }, i) => [`fields.c${i + 1}.agg`, agg])) : {}),
      },
    })
    const all = engine === 'versioned' ? [...parts, { type: 'bigint', agg: 'last_value' }] : parts
    const row = fc
      .tuple(fc.nat(1), ...all.slice(1).map((part) => fc.option(valueFor(part), { freq: 3 })))
      .map((values): Row => (isCounted ? [...values, null] : values))
    const isPartial = engine === 'last-row' || engine === 'aggregation'
    const targets = fc.subarray(columns.map((_, i) => `c${i + 1}`)).map((names) => targetsOf(table, ['c0', ...names]))
    const operation = fc
      .record({
        kind: fc.constantFrom('upsert' as const, 'upsert' as const, 'delete' as const),
        row,
        targets: isPartial ? fc.option(targets, { nil: undefined }) : fc.constant(undefined),
      })
      .map(({ targets: some, ...rest }): Operation => (some === undefined ? rest : { ...rest, targets: some }))
    return fc.record({
      table: fc.constant(table),
      parts: fc.constant(all),
      operations: fc.array(operation, { maxLength: 20 }),
    })
  })

/** Of one key: every operation since its row came to be that had a say, and the number that was drawn for it. */
export class Oracle {
  readonly #scenario: Scenario
  #history: Operation[] = []
  #number: bigint | undefined
  constructor(scenario: Scenario) {
    this.#scenario = scenario
  }

  get row(): Row | undefined {
    if (this.#history.length === 0) return undefined
    const values = this.#scenario.parts.map((part, i) => this.#valueOf(part, i))
    return this.#isCounted ? [...values, this.#number ?? null] : values
  }

  /** Whether anything happened, if only that the same was written again. */
  apply(operation: Operation, number: bigint): boolean {
    const { keyed } = this.#scenario.table.options
    const engine = keyed?.mergeEngine
    const isThere = this.#history.length > 0
    const { kind, targets } = operation
    if (kind === 'delete') {
      if (keyed?.deleteBehavior === 'ignore' || !isThere) return false
      if (targets !== undefined) this.#history.push(operation)
      const isGone = targets === undefined || this.row?.slice(1).every((value) => value === null) === true
      if (isGone) this.#history = []
      return isGone || targets?.isKeyOnly === false
    }
    if (isThere && (engine === 'first-row' || targets?.isKeyOnly === true)) return false
    if (isThere && engine === 'versioned') {
      const [now, next] = [this.#versionOf(this.#history.at(-1)), this.#versionOf(operation)]
      if (next < now) return false
    }
    if (!isThere) this.#number = number
    this.#history.push(operation)
    return true
  }

  get #isCounted(): boolean {
    return this.#scenario.table.schema.columns.at(-1)?.name === 'number'
  }

  #versionOf(operation: Operation | undefined): number {
    const value = operation?.row[this.#scenario.parts.length - 1] ?? null
    return value === null ? Number.NEGATIVE_INFINITY : Number(value)
  }

  #valueOf(part: Part, column: number): Value {
    const said = this.#history.filter(({ targets }) => targets === undefined || targets.isTarget[column] === true)
    if (this.#scenario.table.options.keyed?.mergeEngine !== 'aggregation' || column === 0) return inputOf(said.at(-1), column)
    const cleared = said.findLastIndex(({ kind }) => kind === 'delete')
    if (part.agg === 'first_value') return cleared >= 0 || said[0] !== this.#history[0] ? null : inputOf(said[0], column)
    const inputs = said.slice(cleared + 1).map((operation) => inputOf(operation, column))
    return aggregated(part, inputs)
  }
}

const inputOf = (operation: Operation | undefined, column: number): Value =>
  operation === undefined || (operation.kind === 'delete' && column > 0) ? null : (operation.row[column] ?? null)

function aggregated({ type, agg }: Part, inputs: readonly Value[]): Value {
  const values = inputs.filter((value) => value !== null)
  if (agg === 'last_value') return inputs.at(-1) ?? null
  if (values.length === 0) return null
  if (agg === 'last_value_ignore_nulls') return values.at(-1) ?? null
  if (agg === 'first_value_ignore_nulls') return values[0] ?? null
  if (agg === 'bool_and') return values.every((value) => value === true)
  if (agg === 'bool_or') return values.some((value) => value === true)
  if (agg === 'listagg')
    return concat(values.flatMap((value, i) => (i === 0 ? [value as Uint8Array] : [utf8(','), value as Uint8Array])))
  if (agg === 'rbm32')
    return encodeRoaring32(roaring32Of(values.flatMap((value) => numbersOf(decodeRoaring32(value as Uint8Array)))))
  if (agg === 'max') return [...values].sort(ascending).at(-1) ?? null
  if (agg === 'min') return [...values].sort(ascending)[0] ?? null
  if (typeof values[0] === 'bigint') return (values as bigint[]).reduce((sum, value) => sum + value)
  const round = type === 'float' ? Math.fround : (value: number) => value
  return (values as number[]).reduce((a, b) => round(agg === 'sum' ? a + b : a * b))
}

function ascending(a: Value, b: Value): number {
  if (a instanceof Uint8Array) return compareBytes(a, b as Uint8Array)
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
  return Number(a) - Number(b)
}
