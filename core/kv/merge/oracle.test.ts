/** merge(old, operation) = what an oracle makes of the whole history, and fold(changelog) = rows. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Row } from '../values.ts'
import { type ChangeKind, tellChanges } from './changes.ts'
import { anyScenario, Oracle, type Scenario } from './merge.case.ts'
import { mergerOf } from './merger.ts'

interface Change {
  readonly kind: ChangeKind
  readonly row: Row
}

test('any operations in any order, with any engine, do what the whole history says', () => {
  fc.assert(
    fc.property(anyScenario, (scenario) => {
      const { table, operations } = scenario
      const image = table.options.keyed?.changelogImage ?? 'full'
      const merger = mergerOf(table)
      const oracles = [new Oracle(scenario), new Oracle(scenario)]
      const rows: (Row | undefined)[] = [undefined, undefined]
      const folded: (Row | undefined)[] = [undefined, undefined]
      let drawn = 0n
      for (const operation of operations) {
        const key = Number(operation.row[0])
        const oracle = oracles[key] as Oracle
        const before = oracle.row
        const old = rows[key]
        const next = merger.merge(old, operation, () => ++drawn)
        const didHappen = oracle.apply(operation, drawn)
        expect(next).toEqual(oracle.row)
        const decided = { old, new: operation.row, gone: undefined, merged: next }
        expect(next).toBe(decided[merger.decide(old !== undefined, operation)])
        const changes: Change[] = []
        tellChanges(image, old, next, (kind, row) => changes.push({ kind, row }))
        expect(changes).toEqual(didHappen ? expectedChanges(image, before, oracle.row) : [])
        folded[key] = fold(scenario, folded[key], changes)
        rows[key] = next
      }
      expect(folded).toEqual(rows)
    }),
    { numRuns: 400 },
  )
})

function expectedChanges(image: string, before: Row | undefined, after: Row | undefined): Change[] {
  const [minus, plus] = [before ?? [], after ?? []]
  if (after === undefined) return [{ kind: '-D', row: minus }]
  if (image === 'wal') return [{ kind: '+U', row: plus }]
  if (before === undefined) return [{ kind: '+I', row: plus }]
  return [
    { kind: '-U', row: minus },
    { kind: '+U', row: plus },
  ]
}

/** A change that takes a row back takes back the one that is there. */
function fold({ table }: Scenario, row: Row | undefined, changes: readonly Change[]): Row | undefined {
  let now = row
  for (const { kind, row: changed } of changes) {
    if (kind === '+I') expect(now).toBeUndefined()
    else if (kind !== '+U') expect(now).toEqual(changed)
    else if (table.options.keyed?.changelogImage === 'full') expect(now).toBeUndefined()
    now = kind === '+I' || kind === '+U' ? changed : undefined
  }
  return now
}
