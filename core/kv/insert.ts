/**
 * Lookups that insert the keys that they do not find: rows of the key, the next number and nulls. An insert leaves a key alone that is
 * there by the time of its commit, so of two that race one has inserted and both find its row. Whatever fails, asking again is right.
 */
import type { Batch } from '../format/arrow/column.ts'
import { present } from '../kernel/assert.ts'
import { isSluiceError, SluiceError, withEffect } from '../kernel/errors.ts'
import { effectOf, failuresOf } from '../log/outcomes.ts'
import type { BucketAppended, BucketRows } from '../log/types.ts'
import type { Table } from '../model/table.ts'
import { type LookedUp, type LookupContext, type LookupOptions, lookup, placesOf } from './lookup.ts'
import { keyTargets } from './merge/operation.ts'
import { batchOf, type Row, rowsOf } from './values.ts'

export interface InsertContext extends LookupContext {
  /** Of rows of which only the keys count. */
  readonly insert: (parts: readonly BucketRows[]) => Promise<readonly BucketAppended[]>
}

export interface LookedUpOrInserted extends LookedUp<Row> {
  /** Keys that were not there when they were looked up. */
  readonly inserted: number
}

/** A key that is deleted again and again between its insert and the look at it. */
const attemptsMax = 4

/** Errors: those of `lookup` and of writes · `bad-request`: another column has to be there · `conflict`: others delete the keys. */
export async function lookupOrInsert(
  context: InsertContext,
  table: Table,
  keys: Batch,
  options: LookupOptions,
): Promise<LookedUpOrInserted> {
  keyTargets(table)
  let inserted = 0
  try {
    for (let attempt = 1; attempt <= attemptsMax; attempt++) {
      // At ends asked for anew: so what was just written is seen, whatever the process has forgotten meanwhile.
      const { rows: found, buckets } = await lookup(context, table, keys, attempt === 1 ? options : { ...options, stale: false })
      const rows = found.filter((row) => row !== undefined)
      if (rows.length === found.length) return { rows, buckets, inserted }
      const parts = partsOf(table, keys, found)
      const appended = await context.insert(parts) // COMMIT POINT
      assertDone(appended)
      inserted += found.length - rows.length
    }
  } catch (error) {
    throw inserted > 0 && isSluiceError(error) ? withEffect(error, 'done') : error
  }
  throw new SluiceError('conflict', 'others delete these keys as they are inserted: try again', {
    effect: 'done',
    action: 'retry',
  })
}

/** Of the keys that were not found. */
function partsOf(table: Table, keys: Batch, found: readonly (Row | undefined)[]): readonly BucketRows[] {
  const { columns } = table.schema
  const sources = columns.map(({ name }) =>
    table.primaryKey?.includes(name) === true ? keys.fields.findIndex((field) => field.name === name) : -1,
  )
  const rows = rowsOf(keys)
    .filter((_, i) => found[i] === undefined)
    .map((key): Row => sources.map((source) => (source < 0 ? null : (key[source] ?? null))))
  return placesOf(table, batchOf(columns, rows)).map(({ partition, bucket, rows: own }) => ({
    partition,
    bucket,
    batches: [
      batchOf(
        columns,
        own.map((row) => present(rows[row], 'a row that was placed')),
      ),
    ],
  }))
}

function assertDone(appended: readonly BucketAppended[]): void {
  const failures = failuresOf(appended)
  const [first] = failures
  if (first !== undefined) throw withEffect(first, effectOf(appended, failures))
}
