import fc from 'fast-check'
import { expect, test } from 'vitest'
import { utf8 } from '../../kernel/bytes.ts'
import { parseType } from '../../model/type-text.ts'
import { anyBatch, fieldOf, rowsOf } from '../arrow/batch.case.ts'
import { seeded, survive } from '../arrow/mutate.case.ts'
import { decodeRows } from './decode.ts'
import { encodeRows } from './encode.ts'

test('only our errors escape from damaged rows', () => {
  fc.assert(
    fc.property(anyBatch, fc.nat(), fc.boolean(), (batch, seed, isJson) => {
      const form = isJson ? 'json' : 'ndjson'
      survive(encodeRows(batch, undefined, form), { seed, rounds: 20, msMax: 1000 }, (damaged) =>
        decodeRows(damaged, batch.fields, form).map(rowsOf),
      )
    }),
    { numRuns: 60, seed: 9 },
  )
})

/** Pieces of JSON in any order find paths that flipped bits do not. */
const pieces = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"a"',
  '"b"',
  '"c"',
  '"',
  '\\',
  '\\u',
  'd800',
  'null',
  'true',
  'false',
  '-',
  '0',
  '1',
  '9'.repeat(40),
  '.',
  'e',
  '+',
  '1e400',
  '"2026-11-21"',
  '"2026-11-21T09:30:00Z"',
  '9223372036854775808',
  '9007199254740993',
  '2147483648',
  '18446744073709551616',
  '\n',
  ' ',
  '"AP8="',
  '"NaN"',
  '\ufeff',
  'x',
  '[[',
  ']]',
  '{"a":',
  ',"b":',
  '[["k",1]]',
]

test('only our errors escape from pieces of JSON', () => {
  const fields = [
    fieldOf('a', parseType('map<string,decimal(10,2)>')),
    fieldOf('b', parseType('row<a bigint, b timestamp_ltz(9), c array<vector(1)>>')),
    fieldOf('c', parseType('double'), false),
  ]
  for (let seed = 0; seed < 3000; seed++) {
    const next = seeded(seed)
    const text = Array.from({ length: 1 + next(20) }, () => pieces[next(pieces.length)]).join('')
    survive(utf8(`{"c":1,${text}`), { seed, rounds: 1, msMax: 200 }, (bytes) => decodeRows(bytes, fields, 'ndjson'))
  }
})

test('long numbers, texts and exponents cost in proportion', () => {
  const field = (type: string) => [fieldOf('a', parseType(type))]
  const long = '1'.repeat(1_000_000)
  const started = performance.now()
  for (const type of ['bigint', 'decimal(38,0)', 'double', 'int', 'float', 'string', 'time(9)', 'timestamp_ltz(6)', 'binary']) {
    for (const value of [long, `1e${long}`, `0.${long}`, `"${long}"`, `"1e-${long}"`, `-${'0'.repeat(1_000_000)}`]) {
      try {
        decodeRows(utf8(`{"a":${value}}`), field(type), 'ndjson')
      } catch (error) {
        expect(error).toMatchObject({ name: 'SluiceError' })
      }
    }
  }
  expect(performance.now() - started).toBeLessThan(5000)
})
