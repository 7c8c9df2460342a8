/**
 * How operations change the row of a key, by the table's merge engine. Pure: the row before and an operation make the row after;
 * changes.ts tells the difference. The row before is answered itself where nothing happens, so that whoever compares them knows.
 */
import { assert } from '../../kernel/assert.ts'
import { defaultAggregate } from '../../model/aggregate.ts'
import { defaultKeyed, deleteBehaviorOf, type KeyedOptions } from '../../model/keyed.ts'
import type { Row, Value } from '../values.ts'
import { type Aggregate, aggregateOf } from './aggregates.ts'
import type { MergedTable, Operation, Targets } from './operation.ts'

/** The next value of the auto-increment column, in the form of its type. */
export type Draw = () => number | bigint

/** What an operation leaves: the row before, if there is one; the operation's own; none; or one that is made of their values. */
export type Verdict = 'old' | 'new' | 'gone' | 'merged'

export interface Merger {
  /** Without a look at the rows. `isThere`: the row before. */
  decide(isThere: boolean, operation: Omit<Operation, 'row'>): Verdict
  /** Undefined: the key has no row. `old` itself: nothing happens. Errors: `invalid-rows`, where an aggregate does not fit. */
  merge(old: Row | undefined, operation: Operation, draw: Draw): Row | undefined
}

export function mergerOf(table: MergedTable): Merger {
  const keyed = table.options.keyed ?? defaultKeyed
  const columns = columnsOf(table)
  const upsert = upsertOf(table, keyed, columns)
  const decide = deciderOf(keyed, columns)
  return {
    decide,
    merge(old, operation, draw) {
      const { kind, row, targets } = operation
      switch (decide(old !== undefined, operation)) {
        case 'old':
          return old
        case 'new':
          return row
        case 'gone':
          return undefined
        case 'merged':
          if (old === undefined) return inserted(columns, row, targets, draw)
          return kind === 'upsert' ? upsert(old, row, targets) : emptied(columns, old, targets)
      }
    },
  }
}

function deciderOf({ mergeEngine, ...keyed }: KeyedOptions, { drawn }: Columns): Merger['decide'] {
  const behavior = deleteBehaviorOf({ mergeEngine, ...keyed })
  return (isThere, { kind, targets }) => {
    if (kind === 'delete') {
      assert(behavior !== 'disable', 'deletes of a table that disables them are refused before they are merged')
      if (behavior === 'ignore') return 'old'
      return isThere && targets !== undefined ? 'merged' : 'gone'
    }
    if (isThere && (mergeEngine === 'first-row' || targets?.isKeyOnly === true)) return 'old'
    const isWhole = targets === undefined && drawn < 0
    return isWhole && (!isThere || mergeEngine === 'last-row') ? 'new' : 'merged'
  }
}

interface Columns {
  readonly isKey: readonly boolean[]
  /** Index of the auto-increment column; -1: there is none. */
  readonly drawn: number
}

function columnsOf({ schema, primaryKey = [] }: MergedTable): Columns {
  return {
    isKey: schema.columns.map(({ name }) => primaryKey.includes(name)),
    drawn: schema.columns.findIndex(({ autoIncrement }) => autoIncrement === true),
  }
}

type Upsert = (old: Row, row: Row, targets: Targets | undefined) => Row

function upsertOf(table: MergedTable, keyed: KeyedOptions, columns: Columns): Upsert {
  switch (keyed.mergeEngine) {
    case 'last-row':
      return (old, row, targets) => replaced(columns, old, row, targets)
    case 'first-row':
      return (old) => old
    case 'versioned': {
      const version = table.schema.columns.findIndex(({ name }) => name === keyed.versionColumn)
      assert(version >= 0, 'the version column is there', { versionColumn: keyed.versionColumn })
      return (old, row) => (isOlder(row[version] as Value, old[version] as Value) ? old : replaced(columns, old, row, undefined))
    }
    case 'aggregation': {
      const aggregates = aggregatesOf(table, keyed, columns)
      return (old, row, targets) => aggregated(aggregates, old, row, targets)
    }
  }
}

/** Null is the oldest. */
function isOlder(a: Value, b: Value): boolean {
  if (a === null || b === null) return a === null && b !== null
  return a < b
}

function inserted({ drawn }: Columns, row: Row, targets: Targets | undefined, draw: Draw): Row {
  const next = row.slice()
  if (targets !== undefined) for (let i = 0; i < next.length; i++) if (targets.isTarget[i] !== true) next[i] = null
  if (drawn >= 0) next[drawn] = draw()
  return next
}

function replaced({ drawn }: Columns, old: Row, row: Row, targets: Targets | undefined): Row {
  const next = row.slice()
  if (targets !== undefined) for (let i = 0; i < next.length; i++) if (targets.isTarget[i] !== true) next[i] = old[i] as Value
  if (drawn >= 0) next[drawn] = old[drawn] as Value
  return next
}

/** Undefined: the column stays, as those of the key and the auto-increment column do. */
function aggregatesOf({ schema }: MergedTable, { fields }: KeyedOptions, columns: Columns): readonly (Aggregate | undefined)[] {
  return schema.columns.map((column, i) => {
    if (columns.isKey[i] === true || i === columns.drawn) return undefined
    const field = Object.hasOwn(fields, column.name) ? fields[column.name] : undefined
    return aggregateOf(column, { agg: defaultAggregate, ...field })
  })
}

function aggregated(aggregates: readonly (Aggregate | undefined)[], old: Row, row: Row, targets: Targets | undefined): Row {
  const next = old.slice()
  for (let i = 0; i < next.length; i++) {
    if (targets !== undefined && targets.isTarget[i] !== true) continue
    const aggregate = aggregates[i]
    if (aggregate !== undefined) next[i] = aggregate(old[i] as Value, row[i] as Value)
  }
  return next
}

/** A row of which nothing is left but its key is gone. */
function emptied({ isKey }: Columns, old: Row, targets: Targets | undefined): Row | undefined {
  if (targets === undefined) return undefined
  const { isTarget, isKeyOnly } = targets
  if (old.every((value, i) => isTarget[i] === true || value === null)) return undefined
  return isKeyOnly ? old : old.map((value, i) => (isTarget[i] === true && isKey[i] !== true ? null : value))
}
