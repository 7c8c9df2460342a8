import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareBytes, hex, utf8 } from '../../kernel/bytes.ts'
import { parseType } from '../../model/type-text.ts'
import { scalarType } from '../../model/types.case.ts'
import type { DataType } from '../../model/types.ts'
import { batchOf, batchOfFields, columnOf, fieldOf, type Plain } from './batch.case.ts'
import { columnStatistics, compareBounds, mergeStatistics, statisticsById } from './statistics.ts'
import { sliceBatch } from './take.ts'

const bounds = (type: string, ...values: Plain[]): string[] => {
  const { min, max } = columnStatistics(columnOf(parseType(type), values))
  return [min, max].map((bound) => (bound === undefined ? 'none' : hex(bound)))
}

/** Iceberg specification, appendix D: binary single-value serialisation. */
test.each<[string, Plain[], string, string]>([
  ['boolean', [true, null, true], '01', '01'],
  ['boolean', [false, true], '00', '01'],
  ['tinyint', [-1, 5], 'ffffffff', '05000000'],
  ['smallint', [300], '2c010000', '2c010000'],
  ['int', [null, 3, -2], 'feffffff', '03000000'],
  ['bigint', [2n ** 32n, -1n, 1n], 'ffffffffffffffff', '0000000001000000'],
  ['date', [20778], '2a510000', '2a510000'],
  ['time(0)', [1n], '40420f0000000000', '40420f0000000000'],
  ['time(6)', [1n], '0100000000000000', '0100000000000000'],
  ['time(3)', [2n], 'd007000000000000', 'd007000000000000'],
  ['timestamp(0)', [-1n], 'c0bdf0ffffffffff', 'c0bdf0ffffffffff'],
  ['timestamp(3)', [1n], 'e803000000000000', 'e803000000000000'],
  ['timestamp(9)', [1n], '0100000000000000', '0100000000000000'],
  ['double', [1, Number.NaN, -1], '000000000000f0bf', '000000000000f03f'],
  ['float', [0, -0], '00000080', '00000000'],
  ['double', [0], '0000000000000000', '0000000000000000'],
  ['double', [-0, -1], '000000000000f0bf', '0000000000000080'],
  ['double', [Number.NaN, null], 'none', 'none'],
  ['decimal(38,2)', [1420n, -1n], 'ff', '058c'],
  ['decimal(38,0)', [128n, -129n, 0n], 'ff7f', '0080'],
  ['decimal(38,0)', [2n ** 64n, -(2n ** 100n)], 'f0000000000000000000000000', '010000000000000000'],
  ['string', ['b', 'a', 'ab', 'é'], '61', 'c3a9'],
  ['string', ['', null], '', ''],
  ['binary', [Uint8Array.of(255), Uint8Array.of(0, 1)], '0001', 'ff'],
  ['int', [null], 'none', 'none'],
  ['array<int>', [[1]], 'none', 'none'],
])('%s %s is bounded by %s and %s', (type, values, min, max) => {
  expect(bounds(type, ...values)).toEqual([min, max])
})

test('nulls and NaN are counted', () => {
  expect(columnStatistics(columnOf(parseType('double'), [null, Number.NaN, 1, Number.NaN]))).toMatchObject({ nulls: 1, nans: 2 })
})

test('fields of rows have statistics by their ids, null where their row is', () => {
  const type: DataType = {
    kind: 'row',
    fields: [
      { id: 7, name: 'x', type: parseType('int') },
      { id: 8, name: 'y', type: { kind: 'row', fields: [{ id: 9, name: 'z', type: parseType('string') }] } },
    ],
  }
  const batch = batchOf(
    [fieldOf('r', type, true, 4), fieldOf('l', parseType('array<int>'), true, 5)],
    [
      [[1, ['a']], [1]],
      [null, null],
      [[null, null], []],
      [[5, ['b']], null],
    ],
  )
  const found = statisticsById(batch)
  expect([...found.keys()]).toEqual([7, 9])
  expect(found.get(7)).toEqual({ nulls: 2, nans: 0, min: Uint8Array.of(1, 0, 0, 0), max: Uint8Array.of(5, 0, 0, 0) })
  expect(found.get(9)?.nulls).toBe(2)
})

test('statistics of parts merge to those of the whole', () => {
  const split = scalarType.chain((type) => fc.tuple(batchOfFields([fieldOf('a', type)]), fc.nat()))
  fc.assert(
    fc.property(split, ([batch, at]) => {
      const middle = at % (batch.rows + 1)
      const [whole, left, right] = [batch, sliceBatch(batch, 0, middle), sliceBatch(batch, middle, batch.rows)].map((part) =>
        columnStatistics(part.columns[0] as never),
      )
      const type = batch.fields[0]?.type as DataType
      expect(mergeStatistics(type, left as never, right as never)).toEqual(whole)
      if (whole?.min !== undefined && whole.max !== undefined)
        expect(compareBounds(type, whole.min, whole.max)).toBeLessThanOrEqual(0)
    }),
  )
})

test('bounds of texts are the least and the greatest by their bytes, however much they share', () => {
  const text = fc.tuple(
    fc.constantFrom('', 'a', 'name-', 'name-1', 'näme'),
    fc.string({ unit: fc.constantFrom('\u0000', 'a', 'b', 'é', '\u{10000}'), maxLength: 6 }),
  )
  fc.assert(
    fc.property(fc.array(fc.option(text, { freq: 5 }), { maxLength: 40 }), (parts) => {
      const texts = parts.map((part) => (part === null ? null : part.join('')))
      const sorted = texts
        .filter((each) => each !== null)
        .map((each) => utf8(each))
        .sort(compareBytes)
      expect(bounds('string', ...texts)).toEqual(
        [sorted[0], sorted.at(-1)].map((each) => (each === undefined ? 'none' : hex(each))),
      )
    }),
    { seed: 20_261_122, numRuns: 500 },
  )
})
