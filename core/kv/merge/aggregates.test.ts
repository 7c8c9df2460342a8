/** What each aggregate function makes of the values that come to one key, in order. */
import { expect, test } from 'vitest'
import { numbersOf, roaring32Of, roaring64Of } from '../../format/roaring/roaring.case.ts'
import { decodeRoaring32, encodeRoaring32 } from '../../format/roaring/roaring32.ts'
import { encodeRoaring64 } from '../../format/roaring/roaring64.ts'
import { utf8, utf8Text } from '../../kernel/bytes.ts'
import type { Row, Value } from '../values.ts'
import { mergedTable } from './merge.case.ts'
import { mergerOf } from './merger.ts'
import type { MergedTable } from './operation.ts'

const of = (agg: string, type: string, more: Record<string, string> = {}): MergedTable =>
  mergedTable({
    columns: [
      { name: 'id', type: 'int' },
      { name: 'v', type },
    ],
    primaryKey: ['id'],
    options: { 'merge-engine': 'aggregation', ...(agg === '' ? {} : { 'fields.v.agg': agg }), ...more },
  })
const result = (table: MergedTable, inputs: readonly (Value | string)[]): Value | string | undefined => {
  const merger = mergerOf(table)
  let row: Row | undefined
  for (const input of inputs) {
    const value = typeof input === 'string' ? utf8(input) : input
    row = merger.merge(row, { kind: 'upsert', row: [1, value] }, () => 0)
  }
  const value = row?.[1]
  return value instanceof Uint8Array ? utf8Text(value) : value
}

test.each<[string, string, readonly (Value | string)[], Value | string]>([
  ['sum', 'tinyint', [100, null, 27, -5], 122],
  ['sum', 'bigint', [2n ** 62n, 2n ** 62n - 1n], 2n ** 63n - 1n],
  ['sum', 'decimal(4,2)', [9_000n, 999n], 9_999n],
  ['sum', 'float', [Math.fround(0.1), Math.fround(0.2)], Math.fround(Math.fround(0.1) + Math.fround(0.2))],
  ['sum', 'double', [0.1, 0.2], 0.1 + 0.2],
  ['product', 'int', [-7, null, 6], -42],
  ['product', 'int', [0, -6], 0],
  ['product', 'bigint', [-(2n ** 32n), 2n ** 31n], -(2n ** 63n)],
  ['product', 'decimal(9,2)', [150n, 33n], 50n],
  ['product', 'decimal(9,2)', [-150n, 33n], -50n],
  ['product', 'double', [0.9, 0.8], 0.9 * 0.8],
  ['max', 'double', [1, Number.NaN, 2], Number.NaN],
  ['min', 'double', [0, -0, Number.NaN], -0],
  ['max', 'string', ['b', null, 'ab', 'é'], 'é'],
  ['min', 'timestamp(6)', [5n, -1n, 3n], -1n],
  ['max', 'decimal(5,1)', [-5n, -7n], -5n],
  ['last_value', 'string', ['a', null], null],
  ['last_value_ignore_nulls', 'string', ['a', 'b', null], 'b'],
  ['first_value', 'string', [null, 'a'], null],
  ['first_value_ignore_nulls', 'string', [null, 'a', 'b'], 'a'],
  ['listagg', 'string', ['a', null, 'b', '', 'c'], 'a,b,,c'],
  ['bool_and', 'boolean', [null, true, null, false, true], false],
  ['bool_or', 'boolean', [null, false, true, null], true],
])('%s of %s', (agg, type, inputs, expected) => {
  expect(result(of(agg, type), inputs)).toEqual(expected)
})

test('columns without a function keep the last value that is not null', () => {
  expect(result(of('', 'string'), ['x', 'y', null])).toBe('y')
})

test('listagg joins with the delimiter of its column', () => {
  expect(result(of('listagg', 'string', { 'fields.v.listagg-delimiter': '; ' }), ['a', 'b'])).toBe('a; b')
})

test('bitmaps are united, of 32 and of 64 bits', () => {
  const bitmap = (...values: number[]) => encodeRoaring32(roaring32Of(values))
  const merger = mergerOf(of('rbm32', 'binary'))
  const row = merger.merge([1, bitmap(1, 2)], { kind: 'upsert', row: [1, bitmap(2, 70_000)] }, () => 0)
  expect(numbersOf(decodeRoaring32(row?.[1] as Uint8Array))).toEqual([1, 2, 70_000])
  const wide = (...values: bigint[]) => encodeRoaring64(roaring64Of(values))
  const merged = mergerOf(of('rbm64', 'binary')).merge([1, wide(1n)], { kind: 'upsert', row: [1, wide(2n ** 40n)] }, () => 0)
  expect(merged?.[1]).toEqual(wide(1n, 2n ** 40n))
})

test.each<[string, string, readonly Value[]]>([
  ['sum', 'tinyint', [100, 28]],
  ['sum', 'smallint', [-32_768, -1]],
  ['sum', 'int', [2 ** 31 - 1, 1]],
  ['sum', 'bigint', [2n ** 63n - 1n, 1n]],
  ['sum', 'decimal(4,2)', [9_999n, 1n]],
  ['product', 'int', [65_536, 65_536]],
  ['product', 'bigint', [2n ** 32n, 2n ** 31n]],
  ['product', 'decimal(4,2)', [9_999n, 200n]],
])('a %s that does not fit %s is refused and names the column', (agg, type, inputs) => {
  expect(() => result(of(agg, type), inputs)).toThrow(`column "v": the ${agg} does not fit ${type}`)
})

test('what grows past a row is refused and names the column', () => {
  expect(() => result(of('listagg', 'string'), ['x'.repeat(1024 * 1024), 'y'])).toThrow('column "v": the aggregated value takes')
})
