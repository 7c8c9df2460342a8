import { expect, test } from 'vitest'
import { utf8Text } from '../core/kernel/bytes.ts'
import { parseType } from '../core/model/type-text.ts'
import { readValue, rowLine } from './values.ts'

const cases: readonly [type: string, value: unknown, text: string, back?: unknown][] = [
  ['bigint', 2n ** 63n - 1n, '9223372036854775807'],
  ['int', -1, '-1'],
  ['double', Number.NaN, '"NaN"'],
  ['double', Number.NEGATIVE_INFINITY, '"-Infinity"'],
  ['string', 'a"\n', '"a\\"\\n"'],
  ['string', 5n, '"5"', '5'],
  ['binary', new Uint8Array([255, 0, 1]), '"/wAB"'],
  ['date', new Date(0), '"1970-01-01"', '1970-01-01'],
  ['timestamp(3)', new Date(1), '"1970-01-01T00:00:00.001"', '1970-01-01T00:00:00.001'],
  ['timestamp_ltz(3)', new Date(1), '"1970-01-01T00:00:00.001Z"', '1970-01-01T00:00:00.001Z'],
  ['timestamp(0)', new Date(0), '"1970-01-01T00:00:00"', '1970-01-01T00:00:00'],
  ['array<bigint>', [1n, null], '[1,null]'],
  ['map<string,bigint>', new Map([['a', 1n]]), '[["a",1]]'],
  ['row<a bigint, b binary>', { a: 1n, b: new Uint8Array([1]) }, '{"a":1,"b":"AQ=="}'],
  ['vector(2)', new Float32Array([0.5, 2]), '[0.5,2]', [0.5, 2]],
  ['boolean', true, 'true'],
]
test.each(cases)('%s %s is %s, and comes back', (type, value, text, back = value) => {
  const parsed = parseType(type)
  expect(utf8Text(rowLine({ v: value }, new Map([['v', parsed]])))).toBe(`{"v":${text}}\n`)
  const sent = JSON.parse(text)
  const isExact = typeof sent !== 'number' || Number.isSafeInteger(sent)
  expect(readValue(isExact ? sent : text, parsed)).toEqual(back)
})

test('a value that is not of the type that we know says so', () => {
  expect(readValue('5', parseType('int'))).toBe(undefined)
  expect(readValue('five', parseType('bigint'))).toBe(undefined)
  expect(readValue(5, parseType('binary'))).toBe(undefined)
})
