import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SluiceError } from '../../kernel/errors.ts'
import { parseType } from '../../model/type-text.ts'
import { batchOf, columnOf, fieldOf, type Plain } from '../arrow/batch.case.ts'
import type { Batch } from '../arrow/column.ts'
import { readPartitionName } from './name.ts'
import { partitionRows } from './rows.ts'

const batch = (types: Readonly<Record<string, string>>, rows: readonly (readonly Plain[])[]): Batch =>
  batchOf(
    Object.entries(types).map(([name, type]) => fieldOf(name, parseType(type))),
    rows,
  )
const namesOf = (rows: Batch) =>
  partitionRows(
    rows,
    rows.fields.map(({ name }) => name),
  ).names

test.each<[string, Plain, string]>([
  ['string', 'plain', 'k=plain'],
  ['string', 'a/b=c%:é"', 'k=a%2Fb%3Dc%25%3Aé%22'],
  ['string', '', 'k='],
  ['string', null, 'k=__HIVE_DEFAULT_PARTITION__'],
  ['string', '__HIVE_DEFAULT_PARTITION__', 'k=%5F_HIVE_DEFAULT_PARTITION__'],
  ['string', '%5F_HIVE_DEFAULT_PARTITION__', 'k=%255F_HIVE_DEFAULT_PARTITION__'],
  ['int', -7, 'k=-7'],
  ['bigint', 2n ** 63n - 1n, 'k=9223372036854775807'],
  ['boolean', true, 'k=true'],
  ['decimal(10,2)', -150n, 'k=-1.50'],
  ['double', 0.5, 'k=0.5'],
  ['double', Number.NaN, 'k=NaN'],
  ['date', 20_778, 'k=2026-11-21'],
  ['timestamp(3)', 1_795_253_400_123n, 'k=2026-11-21T09%3A30%3A00.123'],
  ['timestamp_ltz(0)', 1_795_253_400n, 'k=2026-11-21T09%3A30%3A00Z'],
  ['binary', new Uint8Array([255, 254]), 'k=%2F%2F4%3D'],
])('a %s value %s is the partition %s, and its name reads back as the value', (type, value, name) => {
  const rows = batch({ k: type }, [[value]])
  expect(namesOf(rows)).toEqual([name])
  expect(readPartitionName(rows.fields, name).columns[0]).toMatchObject({ type: parseType(type), length: 1 })
  expect(namesOf(readPartitionName(rows.fields, name))).toEqual([name])
})

test('rows are told apart by every level, in whatever order they come', () => {
  const rows = batch({ a: 'string', b: 'int' }, [
    ['x', 1],
    ['x', 1],
    ['y', 1],
    ['x', 2],
    ['x', 1],
    ['x', null],
    [null, 1],
  ])
  const { names, codes } = partitionRows(rows, ['a', 'b'])
  expect([...codes].map((code) => names[code])).toEqual([
    'a=x/b=1',
    'a=x/b=1',
    'a=y/b=1',
    'a=x/b=2',
    'a=x/b=1',
    'a=x/b=__HIVE_DEFAULT_PARTITION__',
    'a=__HIVE_DEFAULT_PARTITION__/b=1',
  ])
})

test('any values give names that are equal exactly where the values are', () => {
  const values = fc.array(
    fc.oneof(fc.constant(null), fc.string({ unit: 'grapheme', maxLength: 6 }), fc.constantFrom('', 'a', '%')),
    {
      minLength: 1,
      maxLength: 40,
    },
  )
  fc.assert(
    fc.property(values, (texts) => {
      const type = parseType('string')
      const rows = { rows: texts.length, fields: [fieldOf('k', type)], columns: [columnOf(type, texts)] }
      const { names, codes } = partitionRows(rows, ['k'])
      const byRow = [...codes].map((code) => names[code])
      expect(new Set(names).size).toBe(names.length)
      for (const [i, text] of texts.entries())
        for (const [j, other] of texts.entries()) expect(byRow[i] === byRow[j]).toBe(text === other)
    }),
    { numRuns: 100 },
  )
})

test.each([
  ['k=1', { k: 'int', l: 'int' }, 'it is written k=…/l=…'],
  ['l=1', { k: 'int' }, 'it is written k=…'],
  ['k=01', { k: 'int' }, 'a number is expected'],
  ['k=+1', { k: 'bigint' }, 'a number is expected'],
  ['k=1e2', { k: 'bigint' }, 'write it as'],
  ['k=x', { k: 'int' }, 'a number'],
  ['k=2026-02-30', { k: 'date' }, 'a date is written'],
  ['k=a/b', { k: 'string' }, 'it is written'],
  ['k=a%2f', { k: 'string' }, 'it is written'],
  ['k=a%41', { k: 'string' }, 'it is written'],
  ['k=%', { k: 'string' }, 'it is written'],
  ['', { k: 'string' }, 'it is written'],
  [`k=${'x'.repeat(800)}`, { k: 'string' }, 'it is written'],
  ['k=1.5', { k: 'decimal(3,2)' }, 'write it as'],
  ['k=300', { k: 'tinyint' }, 'does not fit'],
])('the name %s is refused with its fix', (name, types, fix) => {
  const fields = Object.entries(types).map(([column, type]) => fieldOf(column, parseType(type)))
  expect(() => readPartitionName(fields, name)).toThrow(fix)
  expect(() => readPartitionName(fields, name)).toThrow(SluiceError)
})

test('a value that makes too long a name names its row', () => {
  expect(() => partitionRows(batch({ k: 'string' }, [['a'], ['x'.repeat(800)]]), ['k'])).toThrow(/row 1: its partition/)
})
