/** rows(batch(rows)) = rows, whatever the types, by the values that the tests' own reader sees. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { anyBatch, fieldOf, rowsOf as plainRows } from '../format/arrow/batch.case.ts'
import { sliceBatch } from '../format/arrow/take.ts'
import { utf8 } from '../kernel/bytes.ts'
import { batchOf, equalValues, rowsOf, type Value } from './values.ts'

test('rows of any types go to a batch and back, nulls included', () => {
  fc.assert(
    fc.property(anyBatch, (batch) => {
      const rows = rowsOf(batch)
      const again = batchOf(batch.fields, rows)
      expect(plainRows(again)).toEqual(plainRows(batch))
      expect(rowsOf(again).every((row, i) => equalValues(row, rows[i] as Value))).toBe(true)
    }),
  )
})

test('rows of a part of a batch are those of the batch', () => {
  fc.assert(
    fc.property(anyBatch, fc.nat(20), fc.nat(20), (batch, a, b) => {
      const start = Math.min(a, b, batch.rows)
      const end = Math.min(Math.max(a, b), batch.rows)
      expect(rowsOf(sliceBatch(batch, start, end))).toEqual(rowsOf(batch).slice(start, end))
    }),
  )
})

test('values come in the units of their types', () => {
  const fields = [
    fieldOf('flag', { kind: 'boolean' }),
    fieldOf('day', { kind: 'date' }),
    fieldOf('price', { kind: 'decimal', precision: 38, scale: 2 }),
    fieldOf('at', { kind: 'time', precision: 3 }),
    fieldOf('when', { kind: 'timestamp_ltz', precision: 6 }),
    fieldOf('name', { kind: 'string' }),
    fieldOf('points', { kind: 'map', key: { kind: 'int' }, keyId: 0, value: { kind: 'double' }, valueId: 0 }),
  ]
  const rows = [
    [
      true,
      20_000,
      -(10n ** 37n),
      1n,
      1_700_000_000_000_000n,
      utf8('é'),
      [
        [1, Number.NaN],
        [2, null],
      ],
    ],
    [null, null, null, null, null, null, null],
  ] satisfies Value[][]
  expect(rowsOf(batchOf(fields, rows))).toEqual(rows)
})

test('values are equal by content: bytes and lists by element, NaN to itself, 0 not to -0', () => {
  expect(equalValues([utf8('a'), [1n]], [utf8('a'), [1n]])).toBe(true)
  expect(equalValues([utf8('a')], [utf8('b')])).toBe(false)
  expect(equalValues([1], [1, 2])).toBe(false)
  expect(equalValues(Number.NaN, Number.NaN)).toBe(true)
  expect(equalValues(0, -0)).toBe(false)
  expect(equalValues(null, utf8(''))).toBe(false)
})
