import { expect, test } from 'vitest'
import { batchOf, fieldOf, type Plain, rowsOf } from '../format/arrow/batch.case.ts'
import type { DataType } from '../model/types.ts'
import { fileBatch, fileFields, safeName } from './parquet-columns.ts'

function cast(type: DataType, values: readonly Plain[], offset = 0n): Plain[][] {
  const schema = { schemaId: 1, columns: [{ ...fieldOf('c', type), id: 4 }] }
  const batch = batchOf(
    schema.columns,
    values.map((value) => [value]),
  )
  return rowsOf(fileBatch(batch, fileFields(schema), { bucket: 9, offset, timestamp: 1_700_000_000_123 }))
}
const castOne = (type: DataType, values: readonly Plain[]): Plain[] => cast(type, values).map(([value]) => value ?? null)

test('narrow integers are widened', () => {
  expect(castOne({ kind: 'tinyint' }, [-128, null, 127])).toEqual([-128, null, 127])
  expect(castOne({ kind: 'smallint' }, [-32768, null, 32767])).toEqual([-32768, null, 32767])
  expect(castOne({ kind: 'array', element: { kind: 'tinyint' }, elementId: 5 }, [[-1, null], null, []])).toEqual([
    [-1, null],
    null,
    [],
  ])
})

test('times and timestamps become microseconds, before 1970 and far from it too', () => {
  const far = 2n ** 53n - 1n
  expect(castOne({ kind: 'time', precision: 0 }, [0n, 86_399n])).toEqual([0n, 86_399_000_000n])
  expect(castOne({ kind: 'time', precision: 3 }, [1n, null, 86_399_999n])).toEqual([1000n, null, 86_399_999_000n])
  expect(castOne({ kind: 'time', precision: 6 }, [7n])).toEqual([7n])
  for (const kind of ['timestamp', 'timestamp_ltz'] as const) {
    expect(castOne({ kind, precision: 0 }, [-1n, 0n, 1_700_000_000n])).toEqual([-1_000_000n, 0n, 1_700_000_000_000_000n])
    const values = [-far - 1n, -(2n ** 32n), -(2n ** 32n) - 1n, -1n, null, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, far]
    expect(castOne({ kind, precision: 3 }, values)).toEqual(values.map((value) => value && value * 1000n))
    expect(castOne({ kind, precision: 6 }, [2n ** 63n - 1n])).toEqual([2n ** 63n - 1n])
    expect(() => castOne({ kind, precision: 3 }, [far + 1n])).toThrow(/column c .* microseconds/)
    expect(() => castOne({ kind, precision: 0 }, [-far])).toThrow(/column c .* microseconds/)
  }
})

test('every row says where it was in the log, also across 2^32 and below 2^63', () => {
  expect(cast({ kind: 'boolean' }, [true, null, false], 2n ** 32n - 2n)).toEqual([
    [true, 9, 2n ** 32n - 2n, 1_700_000_000_123_000n],
    [null, 9, 2n ** 32n - 1n, 1_700_000_000_123_000n],
    [false, 9, 2n ** 32n, 1_700_000_000_123_000n],
  ])
  expect(cast({ kind: 'boolean' }, [true], 2n ** 63n - 1n)[0]?.[2]).toBe(2n ** 63n - 1n)
})

test('names are safe as paths, and differ', () => {
  expect(['a b', 'größe', '1st', '_x', '列', '😀'].map(safeName)).toEqual([
    'a_x20b',
    'gr_xF6_xDFe',
    '_1st',
    '_x',
    '_x5217',
    '_xD83D_xDE00',
  ])
  const columns = ['a_x20b__6', 'a b', 'a_x20b'].map((name, i) => ({ ...fieldOf(name, { kind: 'int' }), id: 4 + i }))
  const names = fileFields({ schemaId: 1, columns }).map(({ name }) => name)
  expect(names).toEqual(['a_x20b__6', 'a_x20b', 'a_x20b__6__6', '__bucket', '__offset', '__timestamp'])
})
