import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { present } from '../../kernel/assert.ts'
import type { FilterColumn } from '../../model/filter.ts'
import { parseFilter } from '../../model/filter-text.ts'
import { parseType } from '../../model/type-text.ts'
import { batchOf, columnOf, fieldOf, type Plain } from './batch.case.ts'
import type { Batch, ColumnData } from './column.ts'
import { askedRows, textOf } from './filter.case.ts'
import { selectRows } from './filter.ts'
import { judge } from './filter-judge.case.ts'
import { sliceBatch } from './take.ts'

type Selected = readonly number[] | 'all' | 'none'

/** What a filter in the notation of `where` selects; ids are those of the batch's fields. */
function selected(where: string, batch: Batch): Selected {
  const columnOfId = ({ id }: FilterColumn): ColumnData =>
    present(batch.columns[batch.fields.findIndex((field) => field.id === id)], 'a column')
  const rows = selectRows(parseFilter(where, batch.fields), batch.rows, columnOfId)
  return typeof rows === 'string' ? rows : [...rows]
}

/** Of the rows of one column `v`. */
const selectedOf = (type: string, values: readonly Plain[], where: string): Selected =>
  selected(
    where,
    batchOf(
      [fieldOf('v', parseType(type))],
      values.map((value) => [value]),
    ),
  )

test('the rows that are selected are those for which a judge finds the filter true', () => {
  fc.assert(
    fc.property(askedRows, fc.nat(), fc.nat(), ({ fields, rows, asked }, from, to) => {
      const start = from % (rows.length + 1)
      const end = start + (to % (rows.length + 1 - start))
      for (const [first, last] of [
        [0, rows.length],
        [start, end],
      ] as const) {
        const part = rows.slice(first, last)
        const found = part.flatMap((row, i) => (judge(asked, row) === true ? [i] : []))
        const expected = found.length === 0 ? 'none' : found.length === part.length ? 'all' : found
        expect(selected(textOf(asked), sliceBatch(batchOf(fields, rows), first, last))).toEqual(expected)
      }
    }),
    { numRuns: 1500 },
  )
})

describe('three truths', () => {
  const truths = [true, false, null]
  const batch = batchOf(
    [fieldOf('p', { kind: 'boolean' }, true, 4), fieldOf('q', { kind: 'boolean' }, true, 5)],
    truths.flatMap((p) => truths.map((q) => [p, q])),
  )
  const pairs = (where: string): string => {
    const rows = selected(where, batch)
    return typeof rows === 'string'
      ? rows
      : rows.map((row) => ['TT', 'TF', 'T?', 'FT', 'FF', 'F?', '?T', '?F', '??'][row]).join(' ')
  }

  test.each([
    ['p = true and q = true', 'TT'],
    ['p = true or q = true', 'TT TF T? FT ?T'],
    ['not p = true', 'FT FF F?'],
    ['p <> true', 'FT FF F?'],
    ['not (p = true and q = true)', 'TF FT FF F? ?F'],
    ['not (p = true or q = true)', 'FF'],
    ['p = true or not p = true', 'TT TF T? FT FF F?'],
    ['p = true and not p = true', 'none'],
    ['p is null', '?T ?F ??'],
    ['p is not null', 'TT TF T? FT FF F?'],
    ['not (p is null)', 'TT TF T? FT FF F?'],
    ['p is null or p is not null', 'all'],
    ['p in (true, false)', 'TT TF T? FT FF F?'],
    ['p not in (true)', 'FT FF F?'],
    ['p not in (true, false)', 'none'],
    ['p > false', 'TT TF T?'],
    ['p between false and true and q is null', 'T? F?'],
  ])('%s is true of %s', (where, expected) => {
    expect(pairs(where)).toBe(expected)
  })
})

test.each<[type: string, values: readonly Plain[], where: string, rows: Selected]>([
  ['tinyint', [-128, 127, null], 'v < 127', [0]],
  ['smallint', [-32768, 0, 32767], 'v > -32768', [1, 2]],
  ['int', [1, 2, 3], 'v < 3', [0, 1]],
  ['int', [2 ** 31 - 1, -(2 ** 31)], 'v > 2147483647', 'none'],
  ['int', [1, null, 3], 'v not between 2 and 3', [0]],
  ['int', [1, 2, 3], 'v between 3 and 1', 'none'],
  ['bigint', [2n ** 53n, 2n ** 53n + 1n, null], 'v = 9007199254740993', [1]],
  ['bigint', [2n ** 63n - 1n, 0n], 'v > 9223372036854775807', 'none'],
  ['bigint', [-(2n ** 63n), 0n], "v <= '-9223372036854775808'", [0]],
  ['bigint', [1n, 2n ** 32n + 1n], 'v in (1)', [0]],
  ['decimal(38,0)', [10n ** 38n - 1n, 10n ** 38n - 2n], `v = ${'9'.repeat(38)}`, [0]],
  ['decimal(4,2)', [150n, -150n, null], 'v >= 1.5', [0]],
  ['decimal(4,2)', [150n, -150n, 0n], 'v in (-1.50, 0)', [1, 2]],
  ['date', [20778, 20779], "v = '2026-11-21'", [0]],
  ['time(3)', [34_200_123n, 0n], "v > '09:30:00.122'", [0]],
  ['time(6)', [34_200_000_001n, 34_200_000_000n], "v > '09:30:00'", [0]],
  ['timestamp(0)', [-1n, 0n], "v < '1970-01-01T00:00:00'", [0]],
  ['timestamp(9)', [1n, 2n], "v <= '1970-01-01T00:00:00.000000001'", [0]],
  ['timestamp_ltz(3)', [0n, 1n], "v = '1970-01-01T02:00:00+02:00'", [0]],
  ['binary', [Uint8Array.of(0, 255), Uint8Array.of(0), null], "v > 'AA=='", [0]],
  ['string', ['\uffff', '😀'], "v > '\uffff'", [1]],
  ['string', ['', 'a', null], "v = ''", [0]],
])('of %s %o, %s selects %o', (type, values, where, rows) => {
  expect(selectedOf(type, values, where)).toEqual(rows)
})

test.each([
  ['v = 0.1', [0]],
  ['v in (0.1)', [0]],
  ['v > 0.1', [1, 2, 5]],
  ['v between 0.1 and 0.2', [0, 1]],
  ['v = 0', [3, 4]],
  ["v = 'NaN'", [2]],
  ["v in (0.1, 'NaN')", [0, 2]],
  ["v > 'Infinity'", [2]],
  ["v >= 'Infinity'", [2, 5]],
  ["v < 'NaN'", [0, 1, 3, 4, 5]],
  ["v <= 'NaN'", [0, 1, 2, 3, 4, 5]],
  ["v not in ('NaN', 0)", [0, 1, 5]],
])('of floats, the literal rounded to 32 bits and NaN above all, %s selects %o', (where, rows) => {
  const floats = [0.1, 0.2, Number.NaN, 0, -0, Number.POSITIVE_INFINITY, null]
  expect(selectedOf('float', floats, where)).toEqual(rows)
})

test('a double is not rounded', () => {
  expect(selectedOf('double', [0.1, Math.fround(0.1)], 'v = 0.1')).toEqual([0])
  expect(selectedOf('double', [Number.MIN_VALUE, 0, -Number.MIN_VALUE], 'v > 0')).toEqual([0])
  expect(selectedOf('double', [Number.MIN_VALUE, -0, -Number.MIN_VALUE], 'v < 0')).toEqual([2])
  expect(selectedOf('double', [-1, -2], 'v > -1')).toBe('none')
  expect(selectedOf('double', [-1, -2], 'v < -1')).toEqual([1])
})

describe('like', () => {
  test.each([
    ['%', ['', 'a', 'ab', '😀', '%', 'a%b', 'aab', 'é😀']],
    ['_', ['a', '😀', '%']],
    ['__', ['ab', 'é😀']],
    ['a%', ['a', 'ab', 'a%b', 'aab']],
    ['%b', ['ab', 'a%b', 'aab']],
    ['%a%b%', ['ab', 'a%b', 'aab']],
    ['a_b', ['a%b', 'aab']],
    ['_%_', ['ab', 'a%b', 'aab', 'é😀']],
    ['%😀', ['😀', 'é😀']],
  ])('%s matches whole characters', (pattern, matching) => {
    const texts = ['', 'a', 'ab', '😀', '%', 'a%b', 'aab', 'é😀', null]
    const rows = selectedOf('string', texts, `v like '${pattern}'`)
    expect(typeof rows === 'string' ? rows : rows.map((row) => texts[row])).toEqual(matching)
  })

  test('has no escape: a backslash is a character, and wildcards stay wildcards behind it', () => {
    expect(selectedOf('string', ['\\%', '\\x', '%', 'x'], "v like '\\%'")).toEqual([0, 1])
  })

  test('without a wildcard is equality, and two quotes are one', () => {
    expect(selectedOf('string', ["it's", "it's so"], "v like 'it''s'")).toEqual([0])
  })

  test('takes the first place that fits, and still finds the last', () => {
    expect(selectedOf('string', [`${'ab'.repeat(40)}c`, 'ab'.repeat(40)], `v like '%${'ab'.repeat(20)}%abc'`)).toEqual([0])
  })

  test('tells texts apart by one character, however long the pattern', () => {
    for (let length = 1; length <= 100; length++) {
      const texts = [length - 1, length, length + 1].map((each) => 'a'.repeat(each))
      const pattern = `${'a'.repeat(length - 1)}_`
      expect(selectedOf('string', texts, `v like '${pattern}'`)).toEqual([1])
      expect(selectedOf('string', texts, `v like '${pattern}%'`)).toEqual([1, 2])
    }
  })

  test('costs no more than bytes times states', () => {
    const text = 'a'.repeat(100_000)
    const started = performance.now()
    expect(selectedOf('string', [text, `${text}b`], `v like '%${'a%'.repeat(1000)}_${'a'.repeat(1000)}b'`)).toEqual([1])
    expect(performance.now() - started).toBeLessThan(5000)
  })
})

describe('values inside rows', () => {
  const rows = [[1, ['x']], [null, ['y']], [3, null], null]

  test.each<[where: string, rows: Selected]>([
    ['v.b >= 1', [0, 2]],
    ['v.b is null', [1, 3]],
    ['not v.b = 1', [2]],
    ["v.in.c > 'w'", [0, 1]],
    ['v.in.c is null', [2, 3]],
    ['v.in is null', [2, 3]],
    ['v is null', [3]],
  ])('%s selects %o', (where, expected) => {
    expect(selectedOf('row<b int, in row<c string>>', rows, where)).toEqual(expected)
  })

  test('are null where their row is null, whatever lies below', () => {
    const child = columnOf({ kind: 'int' }, [7, 7])
    const row: ColumnData = {
      ...columnOf(parseType('row<b int>'), [[7], null]),
      children: [child],
    }
    const batch: Batch = { rows: 2, fields: [fieldOf('v', row.type)], columns: [row] }
    expect(selected('v.b = 7', batch)).toEqual([0])
    expect(selected('v.b is null', batch)).toEqual([1])
    expect(selected('v.b <> 8', batch)).toEqual([0])
  })
})

test('columns that no longer matter are not asked for', () => {
  const fields = [fieldOf('a', { kind: 'int' }, true, 4), fieldOf('b', { kind: 'int' }, true, 5)]
  const a = columnOf({ kind: 'int' }, [1, 2])
  const asked: string[] = []
  const rows = (where: string): unknown =>
    selectRows(parseFilter(where, fields), 2, ({ name }) => {
      asked.push(name)
      return a
    })
  expect(rows('a > 2 and b = 1')).toBe('none')
  expect(rows('a > 0 or b = 1')).toBe('all')
  expect(asked).toEqual(['a', 'a'])
})

test('no rows are none', () => {
  expect(selectedOf('int', [], 'v is null')).toBe('none')
})
