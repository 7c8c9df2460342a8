import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { utf8Text } from '../../kernel/bytes.ts'
import { parseType } from '../../model/type-text.ts'
import { anyBatch, batchOf, fieldOf, type Plain, rowsOf } from '../arrow/batch.case.ts'
import { decodeRows } from './decode.ts'
import { encodeBatches, encodeRows, timestampText } from './encode.ts'

const textOf = (type: string, value: Plain): string => {
  const line = utf8Text(encodeRows(batchOf([fieldOf('a', parseType(type))], [[value]]), undefined, 'ndjson'))
  return line.slice('{"a":'.length, -'}\n'.length)
}

test.each<[string, Plain, string]>([
  ['boolean', true, 'true'],
  ['boolean', null, 'null'],
  ['tinyint', -128, '-128'],
  ['int', 2147483647, '2147483647'],
  ['int', -2147483648, '-2147483648'],
  ['int', 0, '0'],
  ['bigint', -(2n ** 63n), '"-9223372036854775808"'],
  ['bigint', 2n ** 53n, '"9007199254740992"'],
  ['bigint', -(2n ** 53n), '"-9007199254740992"'],
  ['bigint', -1n, '"-1"'],
  ['bigint', 0n, '"0"'],
  ['bigint', 999999999999999n, '"999999999999999"'],
  ['bigint', 9007199254740991n, '"9007199254740991"'],
  ['float', Math.fround(0.1), '0.1'],
  ['float', Math.fround(16777217.5), '16777218'],
  ['double', 0.1, '0.1'],
  ['double', -0, '-0'],
  ['double', 1e21, '1e+21'],
  ['double', Number.NaN, '"NaN"'],
  ['double', -Infinity, '"-Infinity"'],
  ['double', 1e15, '1000000000000000'],
  ['decimal(10,2)', -5n, '"-0.05"'],
  ['decimal(10,0)', 7n, '"7"'],
  ['decimal(38,2)', -(10n ** 38n) + 1n, `"-${'9'.repeat(36)}.99"`],
  ['decimal(3,3)', 1n, '"0.001"'],
  ['string', 'a"\\\n\u0001é😀', '"a\\"\\\\\\n\\u0001é😀"'],
  ['binary', Uint8Array.of(0, 255), '"AP8="'],
  ['binary', Uint8Array.of(), '""'],
  ['date', 20778, '"2026-11-21"'],
  ['time(3)', 34200123n, '"09:30:00.123"'],
  ['time(0)', 0n, '"00:00:00"'],
  ['time(1)', 500n, '"00:00:00.5"'],
  ['timestamp(6)', 1795253400123456n, '"2026-11-21T09:30:00.123456"'],
  ['timestamp(0)', -1n, '"1969-12-31T23:59:59"'],
  ['timestamp_ltz(3)', -62135596800000n, '"0001-01-01T00:00:00.000Z"'],
  ['timestamp(9)', -1n, '"1969-12-31T23:59:59.999999999"'],
  ['timestamp(4)', 1795253400123400n, '"2026-11-21T09:30:00.1234"'],
  ['array<bigint>', [1n, null], '["1",null]'],
  [
    'map<string,int>',
    [
      ['a', 1],
      ['b', null],
    ],
    '[["a",1],["b",null]]',
  ],
  ['row<x int, "y z" string>', [1, 'a'], '{"x":1,"y z":"a"}'],
  ['vector(2)', [0.5, -1], '[0.5,-1]'],
  ['array<array<int>>', [[], null], '[[],null]'],
])('%s %s is written %s', (type, value, text) => {
  expect(textOf(type, value)).toBe(text)
})

describe('rows', () => {
  const batch = batchOf(
    [fieldOf('id', parseType('bigint')), fieldOf('größe', parseType('int'))],
    [
      [1n, 2],
      [3n, null],
    ],
  )
  const position = { offset: 9007199254740991n, timestamp: Date.UTC(2026, 10, 21, 9, 30, 0, 123) }

  test('lines end with offset and timestamp', () => {
    expect(utf8Text(encodeRows(batch, position, 'ndjson'))).toBe(
      '{"id":"1","größe":2,"__offset":"9007199254740991","__timestamp":"2026-11-21T09:30:00.123Z"}\n{"id":"3","größe":null,"__offset":"9007199254740992","__timestamp":"2026-11-21T09:30:00.123Z"}\n',
    )
  })

  test('the rows of a table say their partition and bucket', () => {
    const place = { offset: 0n, timestamp: 0, partition: 'a="x"', bucket: 3 }
    expect(utf8Text(encodeRows(batchOf([], [[]]), place, 'ndjson'))).toBe(
      '{"__offset":"0","__timestamp":"1970-01-01T00:00:00.000Z","__partition":"a=\\"x\\"","__bucket":3}\n',
    )
  })

  test('the JSON form joins the rows of all batches', () => {
    const empty = batchOf(batch.fields, [])
    expect(JSON.parse(utf8Text(encodeBatches([{ batch: empty }, { batch }, { batch: empty }, { batch }], 'json')))).toEqual({
      rows: [
        { id: '1', größe: 2 },
        { id: '3', größe: null },
        { id: '1', größe: 2 },
        { id: '3', größe: null },
      ],
    })
    expect(utf8Text(encodeBatches([], 'json'))).toBe('{"rows":[]}')
  })
})

test('what is written is JSON and reads back the same', () => {
  fc.assert(
    fc.property(anyBatch, fc.boolean(), (batch, isJson) => {
      const form = isJson ? 'json' : 'ndjson'
      const bytes = encodeRows(batch, { offset: 5n, timestamp: 0 }, form)
      const text = utf8Text(bytes)
      for (const value of isJson ? [text] : text.split('\n').slice(0, -1)) JSON.parse(value)
      expect(decodeRows(bytes, batch.fields, form).flatMap(rowsOf)).toEqual(rowsOf(batch))
    }),
  )
})

test('timestamps are written as JavaScript writes them', () => {
  fc.assert(
    fc.property(fc.integer({ min: -62135596800000, max: 253402300799999 }), (ms) => {
      expect(timestampText(ms)).toBe(new Date(ms).toISOString())
    }),
  )
})
