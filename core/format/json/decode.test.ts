import { describe, expect, test } from 'vitest'
import { utf8 } from '../../kernel/bytes.ts'
import type { SluiceError } from '../../kernel/errors.ts'
import { parseType } from '../../model/type-text.ts'
import { fieldOf, type Plain, rowsOf } from '../arrow/batch.case.ts'
import type { Field } from '../arrow/column.ts'
import { decodeRows } from './decode.ts'

const field = (name: string, type: string, nullable = true): Field => fieldOf(name, parseType(type), nullable)
const decode = (text: string, ...fields: readonly Field[]): Plain[][] => decodeRows(utf8(text), fields, 'ndjson').flatMap(rowsOf)
const value = (type: string, json: string): Plain => decode(`{"a":${json}}`, field('a', type))[0]?.[0] ?? null

describe('values', () => {
  const big = 2n ** 63n
  test.each<[string, string, Plain]>([
    ['boolean', 'true', true],
    ['boolean', 'false', false],
    ['boolean', 'null', null],
    ['tinyint', '-128', -128],
    ['tinyint', '1.27e2', 127],
    ['smallint', '32767', 32767],
    ['int', '-2147483648', -2147483648],
    ['int', '10.0', 10],
    ['int', '-0', 0],
    ['bigint', '9007199254740993', 9007199254740993n],
    ['bigint', '"-9223372036854775808"', -big],
    ['bigint', '9223372036854775807', big - 1n],
    ['bigint', '123456789012345', 123456789012345n],
    ['bigint', '-5', -5n],
    ['bigint', '"12e3"', 12000n],
    ['bigint', '-4294967296', -4294967296n],
    ['float', '0.1', Math.fround(0.1)],
    ['double', '0.1', 0.1],
    ['double', '1e308', 1e308],
    ['double', '-0', -0],
    ['double', '123456.789', 123456.789],
    ['double', '0.30000000000000004', 0.30000000000000004],
    ['double', '5e-324', 5e-324],
    ['double', '"NaN"', Number.NaN],
    ['double', '"-Infinity"', -Infinity],
    ['decimal(10,2)', '1.10', 110n],
    ['decimal(10,2)', '"-99999999.99"', -9999999999n],
    ['decimal(10,2)', '12e2', 120000n],
    ['decimal(10,2)', '1.1000', 110n],
    ['decimal(38,0)', `"${'9'.repeat(38)}"`, 10n ** 38n - 1n],
    ['decimal(38,38)', '-0.00000000000000000000000000000000000001', -1n],
    ['decimal(5,2)', '0e999999', 0n],
    ['string', '""', ''],
    ['string', '"größe 😀"', 'größe 😀'],
    ['string', '"\\u00e9\\n\\"\\\\\\/\\ud83d\\ude00"', 'é\n"\\/😀'],
    ['string', `"${'x'.repeat(100)}"`, 'x'.repeat(100)],
    ['binary', '"AP8="', Uint8Array.of(0, 255)],
    ['binary', '""', new Uint8Array(0)],
    ['binary', '"AP8"', Uint8Array.of(0, 255)],
    ['date', '"2026-11-21"', 20778],
    ['date', '"0001-01-01"', -719162],
    ['date', '"2000-02-29"', 11016],
    ['time(0)', '"09:30:00"', 34200n],
    ['time(3)', '"09:30:00.1230"', 34200123n],
    ['time(9)', '"23:59:59.999999999"', 86399999999999n],
    ['timestamp(6)', '"2026-11-21T09:30:00.123456"', 1795253400123456n],
    ['timestamp(0)', '"1969-12-31T23:59:59"', -1n],
    ['timestamp(3)', '"0001-01-01T00:00:00"', -62135596800000n],
    ['timestamp(9)', '"1969-12-31T23:59:59.999999999"', -1n],
    ['timestamp(9)', '"2262-04-11T23:47:16.854775807"', big - 1n],
    ['timestamp_ltz(3)', '"2026-11-21T09:30:00.123Z"', 1795253400123n],
    ['timestamp_ltz(6)', '"2026-11-21T10:30:00+01:00"', 1795253400000000n],
    ['timestamp_ltz(6)', '"2026-11-21T09:00:00-00:30"', 1795253400000000n],
    ['array<int>', '[]', []],
    ['array<int>', '[1, null,3]', [1, null, 3]],
    ['array<array<string>>', '[["a"],null,[]]', [['a'], null, []]],
    [
      'map<string,int>',
      '[["a",1],["b",null]]',
      [
        ['a', 1],
        ['b', null],
      ],
    ],
    ['row<x int, y string>', '{"y":"b"}', [null, 'b']],
    ['row<x int>', '{}', [null]],
    ['vector(3)', '[1,0.5,-2]', [1, 0.5, -2]],
    ['vector(1)', '["NaN"]', [Number.NaN]],
    ['array<row<x vector(2)>>', '[{"x":null},{"x":[1,2]}]', [[null], [[1, 2]]]],
  ])('%s takes %s', (type, json, expected) => {
    expect(value(type, json)).toEqual(expected)
  })

  test.each([
    ['boolean', '1'],
    ['boolean', '"true"'],
    ['boolean', 'tru'],
    ['tinyint', '128'],
    ['tinyint', '-129'],
    ['smallint', '1e9'],
    ['int', '2147483648'],
    ['int', '1.5'],
    ['int', '"1"'],
    ['int', '01'],
    ['int', '+1'],
    ['int', '1.'],
    ['int', '.5'],
    ['int', '1e'],
    ['int', '1e99999999999999999999'],
    ['int', '-'],
    ['int', 'NaN'],
    ['int', '4294967296'],
    ['bigint', '9223372036854775808'],
    ['bigint', '"-9223372036854775809"'],
    ['bigint', '1.5'],
    ['bigint', '""'],
    ['bigint', '" 1"'],
    ['bigint', '1e19'],
    ['bigint', '9007199254740993.5'],
    ['double', '1e309'],
    ['double', '"nan"'],
    ['double', '01'],
    ['double', '1.'],
    ['float', '1e39'],
    ['double', 'true'],
    ['double', '00.5'],
    ['decimal(10,2)', '1.101'],
    ['decimal(10,2)', '100000000.00'],
    ['decimal(10,2)', '1e-3'],
    ['decimal(2,0)', '1e999999999'],
    ['decimal(10,2)', '"1,5"'],
    ['decimal(10,2)', '"NaN"'],
    ['string', '1'],
    ['string', '"\\ud800"'],
    ['string', '"\\udc00\\ud800"'],
    ['string', '"\\x"'],
    ['string', '"\\u12g4"'],
    ['string', '"a\nb"'],
    ['string', '"'],
    ['string', "'a'"],
    ['binary', '"A"'],
    ['binary', '"AP9="'],
    ['binary', '"AP8=="'],
    ['binary', '"A P8"'],
    ['binary', '"_w=="'],
    ['date', '"2026-02-29"'],
    ['date', '"2026-13-01"'],
    ['date', '"0000-01-01"'],
    ['date', '"2026-1-1"'],
    ['date', '"2026-11-21T00:00:00"'],
    ['date', '20778'],
    ['time(3)', '"24:00:00"'],
    ['time(3)', '"09:30"'],
    ['time(3)', '"09:30:00.1234"'],
    ['time(3)', '"09:30:00."'],
    ['time(0)', '"09:30:60"'],
    ['timestamp(6)', '"2026-11-21 09:30:00"'],
    ['timestamp(6)', '"2026-11-21T09:30:00Z"'],
    ['timestamp(3)', '"2026-11-21T09:30:00.0001"'],
    ['timestamp(6)', '"2026-11-21"'],
    ['timestamp(9)', '"2262-04-11T23:47:16.854775808"'],
    ['timestamp(9)', '"9999-01-01T00:00:00"'],
    ['timestamp_ltz(6)', '"2026-11-21T09:30:00"'],
    ['timestamp_ltz(6)', '"0001-01-01T00:00:00+01:00"'],
    ['timestamp_ltz(6)', '"2026-11-21T09:30:00+1:00"'],
    ['timestamp_ltz(6)', '"2026-11-21T09:30:00+24:00"'],
    ['array<int>', '[1,]'],
    ['array<int>', '[1'],
    ['array<int>', '{}'],
    ['array<int>', '[1 2]'],
    ['map<string,int>', '{"a":1}'],
    ['map<string,int>', '[[null,1]]'],
    ['map<string,int>', '[["a"]]'],
    ['row<x int>', '[]'],
    ['row<x int>', '{"x":1,"x":2}'],
    ['row<x int>', '{"x":1,}'],
    ['vector(3)', '[1,2]'],
    ['vector(1)', '[null]'],
    ['vector(1)', '[1,2]'],
  ])('%s refuses %s', (type, json) => {
    expect(() => value(type, json)).toThrow(
      expect.objectContaining({ code: 'invalid-rows', facts: expect.objectContaining({ line: 1 }) }),
    )
  })
})

describe('rows', () => {
  const id = field('id', 'bigint', false)
  const name = field('name', 'string')

  test('keys come in any order, and are missing where they are null', () => {
    expect(decode('{"name":"a","id":1}\n{"id":2}\n\n{"name":null,"id":3}\r\n{"\\u0069d":4,"name":"d"}', id, name)).toEqual([
      [1n, 'a'],
      [2n, null],
      [3n, null],
      [4n, 'd'],
    ])
  })

  test('system columns are ignored, whatever is in them', () => {
    expect(
      decode('{"__offset":"5","id":1,"__timestamp":{"a":[1,{"b":null}]},"__op":"+A","__bucket":-1.5e3,"__partition":""}', id),
    ).toEqual([[1n]])
  })

  test('an error names line, column and the nearest name', () => {
    const text = '{"id":1,"name":"größe"}\n{"id":2,  "nmae":"x"}'
    expect(() => decode(text, id, name)).toThrow(
      expect.objectContaining({
        code: 'unknown-field',
        message: 'line 2, column 11: the table has no column "nmae"; did you mean "name"?',
        facts: { field: 'nmae', line: 2, column: 11 },
      }),
    )
    expect(() => decode('{"name":"größe","id":x}', id, name)).toThrow(
      expect.objectContaining({ facts: { field: 'id', line: 1, column: 22 } }),
    )
  })

  test.each([
    ['null where it may not be', '{"id":null}'],
    ['a missing value where it may not be', '{"name":"a"}'],
    ['a key twice', '{"id":1,"id":1}'],
    ['a system key twice', '{"id":1,"__op":1,"__op":2}'],
    ['two rows on a line', '{"id":1} {"id":2}'],
    ['what is no object', '[1]'],
    ['null', 'null'],
    ['an open row', '{"id":1'],
    ['an open key', '{"id'],
    ['a key without value', '{"id"}'],
    ['a trailing comma', '{"id":1,}'],
    ['a byte order mark', '\ufeff{"id":1}'],
    ['a zero byte', '{"id":1}\n\0'],
    ['a comma between lines', '{"id":1},\n{"id":2}'],
  ])('%s is refused', (_, text) => {
    expect(() => decode(text, id, name)).toThrow(expect.objectContaining({ code: 'invalid-rows' }))
  })

  test('bytes that are not UTF-8 are refused where they stand', () => {
    const bytes = utf8('{"id":1}\n{"id":2,"name":"x"}')
    bytes[bytes.length - 3] = 0xff
    expect(() => decodeRows(bytes, [id, name], 'ndjson')).toThrow(
      expect.objectContaining({ code: 'invalid-rows', facts: { line: 2, column: 17 } }),
    )
  })

  test('the JSON form has its rows in an array', () => {
    const json = (text: string): Plain[][] => decodeRows(utf8(text), [id, name], 'json').flatMap(rowsOf)
    expect(json(' {"rows" : [ {"id":1} , {"id":2,"name":"b"} ] } ')).toEqual([
      [1n, null],
      [2n, 'b'],
    ])
    expect(json('{"rows":[]}')).toEqual([])
    for (const text of [
      '',
      '{}',
      '[]',
      '{"rows":[]}x',
      '{"rows":[],"rows":[]}',
      '{"rows":{}}',
      '{"rows":[{"id":1},]}',
      '{"rows":[null]}',
    ]) {
      expect(() => json(text)).toThrow(expect.objectContaining({ code: 'invalid-rows' }))
    }
    expect(() => json('{"row":[]}')).toThrow(expect.objectContaining({ code: 'unknown-field' }))
  })

  test('no rows are no batch', () => {
    expect(decodeRows(utf8('\n \r\n'), [id], 'ndjson')).toEqual([])
    expect(decodeRows(new Uint8Array(0), [id], 'ndjson')).toEqual([])
  })
})

describe('limits', () => {
  test('rows, row sizes and bytes', () => {
    const text = field('a', 'string')
    expect(() => decodeRows(utf8('{}\n{}\n{}'), [text], 'ndjson', { rowsMax: 2 })).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    )
    expect(() => decodeRows(utf8(`{}\n{"a":"${'x'.repeat(100)}"}`), [text], 'ndjson', { rowBytesMax: 50 })).toThrow(
      expect.objectContaining({ code: 'invalid-rows', facts: { row: 1, rowBytesMax: 50, column: 'a' } }),
    )
    const wide = Array.from({ length: 1000 }, (_, i) => field(`c${i}`, 'decimal(38,0)'))
    expect(() => decodeRows(utf8('{}\n'.repeat(100_000)), wide, 'ndjson')).toThrow(expect.objectContaining({ code: 'too-large' }))
  })

  test('ignored values nest only so deep', () => {
    expect(() => decode(`{"__op":${'['.repeat(100_000)}`, field('a', 'int'))).toThrow(
      expect.objectContaining({ code: 'invalid-rows' }),
    )
  })
})

test('an error names the column that it is in, down to the field of a row', () => {
  const told = (text: string, ...fields: readonly Field[]) => {
    try {
      return decode(text, ...fields)
    } catch (error) {
      const { message, facts } = error as SluiceError
      return [message, facts.field]
    }
  }
  expect(told('{"n":1}\n{"n":300}', field('n', 'tinyint'))).toEqual(['line 2, column 9, in "n": it does not fit tinyint', 'n'])
  expect(told('{"r":{"x":[{"y":"a"}]}}', field('r', 'row<x array<row<y int>>>'))).toEqual([
    'line 1, column 17, in "r.x.y": a number is expected here',
    'r.x.y',
  ])
  expect(told('{"m":[["k"]]}', field('m', 'map<string,int>'))).toEqual(['line 1, column 11, in "m": "," is expected here', 'm'])
  expect(told('{}', field('id', 'bigint', false))).toEqual([
    'line 1, column 1, in "id": it is not nullable, and has no value here',
    'id',
  ])
  expect(told('{"id":1', field('id', 'bigint'))).toEqual(['line 1, column 8: the text ends inside a value', undefined])
})

test('a JSON body of another shape is told the shape, and what rows one a line are', () => {
  const id = field('id', 'bigint')
  for (const text of ['{"id":1}', '[{"id":1}]', '{}', '{"id":1}\n{"id":2}', '{"rows":{"id":1}}'])
    expect(() => decodeRows(utf8(text), [id], 'json')).toThrow(/\{"rows":\[.*application\/x-ndjson/)
})
