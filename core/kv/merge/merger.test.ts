/** The rules of merging as stories: operations on keys, and the changelog that they leave. */
import { describe, expect, test } from 'vitest'
import { utf8, utf8Text } from '../../kernel/bytes.ts'
import type { ColumnBody } from '../../model/spec.ts'
import type { Row, Value } from '../values.ts'
import { tellChanges } from './changes.ts'
import { mergedTable } from './merge.case.ts'
import { mergerOf } from './merger.ts'
import { keyTargets, type MergedTable, type Operation, targetsOf } from './operation.ts'

const id: ColumnBody = { name: 'id', type: 'int' }
const a: ColumnBody = { name: 'a', type: 'string' }
const b: ColumnBody = { name: 'b', type: 'int' }

function tableWith(options: Record<string, string> = {}, columns: readonly ColumnBody[] = [id, a, b]): MergedTable {
  return mergedTable({ columns, primaryKey: ['id'], options })
}

type Step = readonly ['upsert' | 'delete', readonly (Value | string)[], (readonly string[])?]

/** The changelog, a text each: `+I 1 x null`. */
function told(table: MergedTable, steps: readonly Step[]): string[] {
  const merger = mergerOf(table)
  const rows = new Map<Value, Row>()
  let drawn = 100n
  return steps.flatMap(([kind, values, columns]) => {
    const row = values.map((value) => (typeof value === 'string' ? utf8(value) : value))
    const operation: Operation = { kind, row, ...(columns === undefined ? {} : { targets: targetsOf(table, columns) }) }
    const old = rows.get(row[0] ?? null)
    const next = merger.merge(old, operation, () => ++drawn)
    if (next === undefined) rows.delete(row[0] ?? null)
    else rows.set(row[0] ?? null, next)
    const told: string[] = []
    tellChanges(table.options.keyed?.changelogImage ?? 'full', old, next, (kind, changed) => told.push(printed(kind, changed)))
    return told
  })
}

const printed = (kind: string, row: Row): string =>
  [kind, ...row.map((value) => (value instanceof Uint8Array ? utf8Text(value) : String(value)))].join(' ')

describe('last-row', () => {
  const table = tableWith()

  test('an insert, an update and a delete of one key in one batch apply in order', () => {
    expect(
      told(table, [
        ['upsert', [1, 'x', 1]],
        ['upsert', [2, 'y', 2]],
        ['upsert', [1, 'z', null]],
        ['delete', [1]],
        ['upsert', [1, 'w', 3]],
      ]),
    ).toEqual(['+I 1 x 1', '+I 2 y 2', '-U 1 x 1', '+U 1 z null', '-D 1 z null', '+I 1 w 3'])
  })

  test('an upsert of the very same values still tells -U +U', () => {
    const steps: Step[] = [
      ['upsert', [1, 'x', 1]],
      ['upsert', [1, 'x', 1]],
    ]
    expect(told(table, steps)).toEqual(['+I 1 x 1', '-U 1 x 1', '+U 1 x 1'])
  })

  test('a delete of a key that is not there tells nothing', () => {
    expect(told(table, [['delete', [1]]])).toEqual([])
    expect(told(table, [['delete', [1], ['id', 'a']]])).toEqual([])
  })

  test('delete.behavior=ignore passes deletes over', () => {
    const steps: Step[] = [
      ['upsert', [1, 'x', 1]],
      ['delete', [1]],
      ['delete', [1], ['id', 'a']],
    ]
    expect(told(tableWith({ 'delete.behavior': 'ignore' }), steps)).toEqual(['+I 1 x 1'])
  })

  test('the image wal tells +U for inserts and updates, and -D; a whole upsert is what it brings, without a look at the row before', () => {
    const wal = tableWith({ 'changelog.image': 'wal' })
    expect(
      told(wal, [
        ['upsert', [1, 'x', 1]],
        ['upsert', [1, 'y', 1]],
        ['upsert', [1, 'z', 9], ['id', 'a']],
        ['delete', [1]],
      ]),
    ).toEqual(['+U 1 x 1', '+U 1 y 1', '+U 1 z 1', '-D 1 z 1'])
    expect(mergerOf(wal).decide(true, { kind: 'upsert' })).toBe('new')
    expect(mergerOf(wal).decide(true, { kind: 'upsert', targets: targetsOf(wal, ['id', 'a']) })).toBe('merged')
    const counted = tableWith({ 'changelog.image': 'wal' }, [id, { name: 'n', type: 'int', autoIncrement: true }])
    expect(mergerOf(counted).decide(true, { kind: 'upsert' })).toBe('merged')
  })
})

describe('partial updates and deletes', () => {
  const table = tableWith()

  test('a first partial update has nulls in the other columns, though the row brings values', () => {
    const steps: Step[] = [
      ['upsert', [1, 'x', 7], ['id', 'a']],
      ['upsert', [1, 'y', 8], ['id', 'b']],
    ]
    expect(told(table, steps)).toEqual(['+I 1 x null', '-U 1 x null', '+U 1 x 8'])
  })

  test('a partial update of the key alone inserts it, and tells nothing where it is', () => {
    const steps: Step[] = [
      ['upsert', [1, 'x', 7], ['id']],
      ['upsert', [1, 'x', 7], ['id']],
    ]
    expect(told(table, steps)).toEqual(['+I 1 null null'])
    const sum = tableWith({ 'merge-engine': 'aggregation', 'fields.b.agg': 'sum' })
    expect(told(sum, steps)).toEqual(['+I 1 null null'])
  })

  test('a partial delete empties its columns, and the row that has nothing left is gone', () => {
    const steps: Step[] = [
      ['upsert', [1, 'x', 7]],
      ['delete', [1], ['id', 'a']],
      ['delete', [1], ['id', 'b']],
    ]
    expect(told(table, steps)).toEqual(['+I 1 x 7', '-U 1 x 7', '+U 1 null 7', '-D 1 null 7'])
    expect(told(tableWith({ 'changelog.image': 'wal' }), steps)).toEqual(['+U 1 x 7', '+U 1 null 7', '-D 1 null 7'])
  })

  test('a partial delete of the key alone takes a row only where it has nothing else', () => {
    const steps: Step[] = [
      ['upsert', [1, 'x', null]],
      ['delete', [1], ['id']],
      ['upsert', [2, null, null]],
      ['delete', [2], ['id']],
    ]
    expect(told(table, steps)).toEqual(['+I 1 x null', '+I 2 null null', '-D 2 null null'])
  })

  const counted = tableWith({}, [id, a, { name: 'n', type: 'int', autoIncrement: true, nullable: false }])
  test.each<[string, MergedTable, readonly string[], string]>([
    ['an unknown column', table, ['id', 'c'], 'the table has no column "c"'],
    ['no key', table, ['a'], '"id" of the primaryKey is missing'],
    ['a drawn column', counted, ['id', 'n'], '"n" is autoIncrement'],
    ['columns that cannot be null', tableWith({}, [id, { ...a, nullable: false }]), ['id', 'a'], '"a" is not nullable'],
    ['first rows', tableWith({ 'merge-engine': 'first-row' }), ['id', 'a'], 'first-row takes rows as a whole'],
    [
      'versions',
      tableWith({ 'merge-engine': 'versioned', 'merge-engine.version-column': 'b' }),
      ['id', 'a'],
      'versioned takes rows as a whole',
    ],
  ])('columns= with %s is refused', (_, some, names, mention) => {
    expect(() => targetsOf(some, names)).toThrow(mention)
  })

  describe('columns= with names of before', () => {
    const key = { id: 4, name: 'key', type: { kind: 'int' }, nullable: false } as const
    const c = { id: 5, name: 'c', type: { kind: 'string' }, nullable: true } as const
    const now: MergedTable = {
      ...table,
      schema: { schemaId: 2, columns: [key, c] },
      primaryKey: ['key'],
      formerNames: { id: 4, a: 5, b: 6, constructor: 5 },
    }

    test.each([
      ['a column that was renamed is found', ['id', 'a'], [true, true], false],
      ['one that was dropped is passed over', ['key', 'b', 'c'], [true, true], false],
      ['where all were dropped the key is left', ['id', 'b'], [true, false], true],
    ])('%s', (_, names, isTarget, isKeyOnly) => {
      expect(targetsOf(now, names)).toEqual({ isTarget, isKeyOnly })
    })

    test.each([
      ['by both of its names', ['id', 'a', 'c'], 'columns: "c" is named twice'],
      ['a name that no column ever had', ['id', 'toString'], 'the table has no column "toString"'],
      ['without the key', ['a'], '"key" of the primaryKey is missing'],
    ])('%s is refused', (_, names, mention) => {
      expect(() => targetsOf(now, names)).toThrow(mention)
    })
  })

  test('a drawn column that cannot be null is no obstacle', () => {
    expect(targetsOf(counted, ['id', 'a'])).toEqual({ isTarget: [true, true, false], isKeyOnly: false })
  })
})

describe('first-row', () => {
  test('the first row stays, and only inserts are told', () => {
    const steps: Step[] = [
      ['upsert', [1, 'x', 1]],
      ['upsert', [1, 'y', 2]],
      ['delete', [1]],
    ]
    expect(told(tableWith({ 'merge-engine': 'first-row' }), steps)).toEqual(['+I 1 x 1'])
  })
})

describe('versioned', () => {
  const versioned = (type: string) =>
    tableWith({ 'merge-engine': 'versioned', 'merge-engine.version-column': 'v' }, [id, a, { name: 'v', type }])

  test('a version that is equal or newer wins, an older one tells nothing, deletes are passed over', () => {
    const steps: Step[] = [
      ['upsert', [1, 'x', 5]],
      ['upsert', [1, 'y', 5]],
      ['upsert', [1, 'z', 4]],
      ['delete', [1]],
    ]
    expect(told(versioned('int'), steps)).toEqual(['+I 1 x 5', '-U 1 x 5', '+U 1 y 5'])
  })

  test.each(['bigint', 'timestamp(3)', 'timestamp_ltz(9)'])('null is the oldest version of %s', (type) => {
    const steps: Step[] = [
      ['upsert', [1, 'x', null]],
      ['upsert', [1, 'y', null]],
      ['upsert', [1, 'z', -(2n ** 63n)]],
      ['upsert', [1, 'w', null]],
    ]
    const least = '-9223372036854775808'
    expect(told(versioned(type), steps)).toEqual(['+I 1 x null', '-U 1 x null', '+U 1 y null', '-U 1 y null', `+U 1 z ${least}`])
  })
})

describe('auto-increment', () => {
  const count: ColumnBody = { name: 'n', type: 'bigint', autoIncrement: true }

  test('a number is drawn for each insert and kept by updates, whole and partial', () => {
    expect(
      told(tableWith({}, [id, a, count]), [
        ['upsert', [1, 'x', null]],
        ['upsert', [1, 'y', null]],
        ['upsert', [2, 'z', null], ['id', 'a']],
        ['upsert', [2, 'w', null], ['id', 'a']],
        ['delete', [1]],
        ['upsert', [1, 'v', null]],
      ]),
    ).toEqual(['+I 1 x 101', '-U 1 x 101', '+U 1 y 101', '+I 2 z 102', '-U 2 z 102', '+U 2 w 102', '-D 1 y 101', '+I 1 v 103'])
  })

  test('a row that has a number is not taken by a partial delete', () => {
    const steps: Step[] = [
      ['upsert', [1, 'x', null]],
      ['delete', [1], ['id', 'a']],
    ]
    expect(told(tableWith({}, [id, a, count]), steps)).toEqual(['+I 1 x 101', '-U 1 x 101', '+U 1 null 101'])
  })

  test('a lookup that inserts meets a key that is there without a change, with any engine', () => {
    for (const engine of ['last-row', 'first-row', 'aggregation']) {
      const table = tableWith({ 'merge-engine': engine }, [id, a, count])
      const operation: Operation = { kind: 'upsert', row: [1, null, null], targets: keyTargets(table) }
      const merger = mergerOf(table)
      const row = merger.merge(undefined, operation, () => 7n)
      expect(row).toEqual([1, null, 7n])
      expect(merger.merge(row, operation, () => 8n)).toBe(row)
    }
  })
})

describe('aggregation', () => {
  test('an update whose result is the same still tells -U +U', () => {
    const table = tableWith({ 'merge-engine': 'aggregation', 'fields.b.agg': 'max' })
    const steps: Step[] = [
      ['upsert', [1, 'x', 5]],
      ['upsert', [1, null, 4]],
    ]
    expect(told(table, steps)).toEqual(['+I 1 x 5', '-U 1 x 5', '+U 1 x 5'])
  })

  test('a partial update aggregates its columns alone', () => {
    const table = tableWith({ 'merge-engine': 'aggregation', 'fields.b.agg': 'sum' })
    const steps: Step[] = [
      ['upsert', [1, 'x', 5]],
      ['upsert', [1, 'y', 4], ['id', 'b']],
      ['upsert', [1, 'z', 9], ['id', 'a']],
    ]
    expect(told(table, steps)).toEqual(['+I 1 x 5', '-U 1 x 5', '+U 1 x 9', '-U 1 x 9', '+U 1 z 9'])
  })

  test('deletes are passed over unless they are allowed; then a partial one empties its columns', () => {
    const sum = { 'merge-engine': 'aggregation', 'fields.b.agg': 'sum' }
    const steps: Step[] = [
      ['upsert', [1, 'x', 5]],
      ['delete', [1], ['id', 'b']],
      ['upsert', [1, null, 2]],
      ['delete', [1]],
      ['upsert', [1, null, 3]],
    ]
    expect(told(tableWith(sum), steps)).toEqual(['+I 1 x 5', '-U 1 x 5', '+U 1 x 7', '-U 1 x 7', '+U 1 x 10'])
    expect(told(tableWith({ ...sum, 'delete.behavior': 'allow' }), steps)).toEqual([
      ...['+I 1 x 5', '-U 1 x 5', '+U 1 x null', '-U 1 x null', '+U 1 x 2', '-D 1 x 2', '+I 1 null 3'],
    ])
  })
})
