/** The changelog of each bucket is the one that its naive map owes: record for record, and folded up to each end of a commit. */
import { expect } from 'vitest'
import { changesIn, testKv } from '../world.case.ts'
import { shown } from './aggregate.case.ts'
import type { NaiveValues } from './bucket.case.ts'
import type { State } from './state.case.ts'

export async function expectChangelogs(state: State): Promise<void> {
  const { table, world } = state
  const { columns } = state.schemaOf(table)
  const textOf = (values: NaiveValues): string => shown(columns.map(({ id }) => values.get(id) ?? null))
  const reader = testKv(world)
  for (const [name, model] of state.models) {
    const at = await state.bucketOf(name)
    const records = at === undefined ? [] : await changesIn(reader.log, table, at.bucket, at.partition)
    const told = records.map(({ op, row, prev }, i) => [
      op,
      shown(row),
      prev !== undefined && prev < 0n ? BigInt(i) + prev : prev,
    ])
    expect(told).toEqual(model.log.map(({ op, values, prev }) => [op, textOf(values), prev]))
    const rows = new Map<string, string>()
    for (const [i, { op, row }] of records.entries()) {
      const key = columns.flatMap(({ isKey }, index) => (isKey ? [shown(row[index])] : [])).join(' ')
      if (op === '+I' || op === '+U') rows.set(key, shown(row))
      else if (op === '-D') rows.delete(key)
      const then = model.rowsAt(BigInt(i + 1))
      if (then !== undefined) expect(rows).toEqual(new Map([...then].map(([own, values]) => [own, textOf(values)])))
    }
  }
}
