import { tableFromIPC } from 'apache-arrow'
import { expect, test } from 'vitest'
import { concat } from '../../kernel/bytes.ts'
import { batchOf, fieldOf } from './batch.case.ts'
import type { Field } from './column.ts'
import { encodeFrame } from './frame.ts'
import { joinStreams } from './join-streams.ts'
import { encodeSchemaMessage, endOfStream } from './schema.ts'

const fields: readonly Field[] = [
  { ...fieldOf('n', { kind: 'bigint' }, false), id: 4 },
  { ...fieldOf('s', { kind: 'string' }), id: 5 },
]

function stream(values: readonly number[], columns = fields, end: Uint8Array = endOfStream): Uint8Array {
  const batch = batchOf(
    columns,
    values.map((value) => [BigInt(value), value % 2 === 0 ? null : `s${value}`].slice(0, columns.length)),
  )
  return concat([encodeSchemaMessage(columns, { ids: true }), encodeFrame(batch), end])
}

const valuesOf = (bytes: Uint8Array): number[] => [...tableFromIPC(bytes)].map((row) => Number(row['n']))

test('streams of the same columns are one stream of all their rows, in their order', () => {
  const joined = joinStreams([stream([1, 2]), stream([]), stream([3], fields, new Uint8Array()), stream([4, 5])], 1 << 20)
  expect(joined.streams).toBe(4)
  expect(valuesOf(joined.stream)).toEqual([1, 2, 3, 4, 5])
})

test('what has other columns, or is too much, is left with all that follows', () => {
  const others = stream([9], fields.slice(0, 1))
  expect(joinStreams([stream([1]), others, stream([2])], 1 << 20)).toMatchObject({ streams: 1 })
  const size = stream([1]).length
  const joined = joinStreams([stream([1]), stream([2]), stream([3])], 2 * size)
  expect([joined.streams, valuesOf(joined.stream)]).toEqual([2, [1, 2]])
  expect(joinStreams([stream([1]), stream([2])], 1)).toMatchObject({ streams: 1 })
})
