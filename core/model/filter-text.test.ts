import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { utf8Text } from '../kernel/bytes.ts'
import { isSluiceError } from '../kernel/errors.ts'
import { type ColumnRef, columnsOf, type Filter, type FilterColumn, type Literal } from './filter.ts'
import { parseFilter } from './filter-text.ts'
import { parseType } from './type-text.ts'

const columns: readonly FilterColumn[] = Object.entries({
  a: 'int',
  b: 'int',
  c: 'int',
  name: 'string',
  flag: 'boolean',
  list: 'array<int>',
  embedding: 'vector(2)',
  attributes: 'map<string,int>',
  place: 'row<city string, at row<lat double, lon double>>',
  größe: 'double',
  'a.b': 'int',
  'say "x"': 'int',
  and: 'int',
  Not: 'int',
  __offset: 'bigint',
}).map(([key, type], i) => ({ name: key, type: parseType(type), id: i + 4 }))

/** One line: ranges as intervals, lists as sets, patterns in parts. */
function print(filter: Filter): string {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return `(${filter.filters.map(print).join(` ${filter.kind} `)})`
    case 'not':
      return `!${print(filter.filter)}`
    case 'null':
      return `${nameOf(filter.ref)}:null`
    case 'list':
      return `${nameOf(filter.ref)}{${filter.literals.map(valueText).join(' ')}}`
    case 'like':
      return `${nameOf(filter.ref)}~${filter.pattern.map((part) => (part === 'any' ? '%' : part === 'one' ? '_' : utf8Text(part))).join('|')}`
    case 'range': {
      const { low, high } = filter
      const from = low === undefined ? '(' : `${low.inclusive ? '[' : '('}${valueText(low.value)}`
      const to = high === undefined ? ')' : `${valueText(high.value)}${high.inclusive ? ']' : ')'}`
      return `${nameOf(filter.ref)}${from},${to}`
    }
  }
}

const nameOf = ({ column, path }: ColumnRef): string => [column.name, ...path].join('/')
const valueText = (value: Literal): string => (value instanceof Uint8Array ? `'${utf8Text(value)}'` : String(value))

test.each([
  ['a = 1', 'a[1,1]'],
  ['a <> 1', '!a[1,1]'],
  ['a != 1', '!a[1,1]'],
  ['a < 1', 'a(,1)'],
  ['a <= 1', 'a(,1]'],
  ['a > 1', 'a(1,)'],
  ['a >= 1', 'a[1,)'],
  ['a=-1', 'a[-1,-1]'],
  ['a is null', 'a:null'],
  ['a is not null', '!a:null'],
  ['a in (1)', 'a{1}'],
  ['a in (3, 1,2,\t1)', 'a{1 2 3}'],
  ['a not in (1, 2)', '!a{1 2}'],
  ['a between 1 and 2', 'a[1,2]'],
  ['a not between 2 and 1', '!a[2,1]'],
  ["name like 'a%b_'", 'name~a|%|b|_'],
  ["name not like '%_%_%'", '!name~_|_|%'],
  ["name like 'plain'", "name['plain','plain']"],
  ["name = 'it''s'", "name['it's','it's']"],
  ["name = ''", "name['','']"],
  ['flag = TRUE', 'flag[true,true]'],
  ['flag in (true, False)', 'flag{false true}'],
  ['list is null', 'list:null'],
  ['embedding is not null', '!embedding:null'],
  ['place is null', 'place:null'],
  ["place.city > 'x'", "place/0('x',)"],
  ['place.at.lon < 0.5', 'place/1/1(,0.5)'],
  ['"größe" > 1e3', 'größe(1000,)'],
  ['"a.b" = 1', 'a.b[1,1]'],
  ['"say ""x""" = 1', 'say "x"[1,1]'],
  ['and = 1 and "Not" = 2', '(and[1,1] and Not[2,2])'],
  ['__offset >= 9007199254740993', '__offset[9007199254740993,)'],
])('%s is %s', (text, expected) => {
  expect(print(parseFilter(text, columns))).toBe(expected)
})

test.each([
  ['a = 1 and b = 2 and c = 3', '(a[1,1] and b[2,2] and c[3,3])'],
  ['a = 1 or b = 2 and c = 3', '(a[1,1] or (b[2,2] and c[3,3]))'],
  ['a = 1 and b = 2 or c = 3', '((a[1,1] and b[2,2]) or c[3,3])'],
  ['(a = 1 or b = 2) and c = 3', '((a[1,1] or b[2,2]) and c[3,3])'],
  ['not a = 1 and b = 2', '(!a[1,1] and b[2,2])'],
  ['not (a = 1 and b = 2)', '!(a[1,1] and b[2,2])'],
  ['not a <> 1', '!!a[1,1]'],
  ['a between 1 and 2 and b = 3', '(a[1,2] and b[3,3])'],
  ['NOT(a=1)oR\n((b\tIn(1)))', '(!a[1,1] or b{1})'],
])('%s binds as %s', (text, expected) => {
  expect(print(parseFilter(text, columns))).toBe(expected)
})

describe('literals take the type of their column', () => {
  const value = (type: string, literal: string): Literal => {
    const filter = parseFilter(`v >= ${literal}`, [{ name: 'v', type: parseType(type), id: 4 }])
    if (filter.kind !== 'range' || filter.low === undefined) throw new Error('a range was written')
    return filter.low.value
  }

  test.each<[type: string, literal: string, value: Literal]>([
    ['tinyint', '-128', -128],
    ['smallint', '32767', 32767],
    ['int', '2e3', 2000],
    ['int', '1.0', 1],
    ['bigint', '-9223372036854775808', -(2n ** 63n)],
    ['bigint', "'9223372036854775807'", 2n ** 63n - 1n],
    ['decimal(38,10)', '1234567890123456789012345678.0123456789', 12345678901234567890123456780123456789n],
    ['decimal(4,2)', "'1.5'", 150n],
    ['float', '0.1', Math.fround(0.1)],
    ['double', '-0', 0],
    ['double', '1e-400', 0],
    ['double', "'NaN'", Number.NaN],
    ['double', "'-Infinity'", Number.NEGATIVE_INFINITY],
    ['boolean', 'false', false],
    ['string', "'é'", Uint8Array.of(0xc3, 0xa9)],
    ['binary', "'AP8='", Uint8Array.of(0, 255)],
    ['date', "'1970-01-02'", 1],
    ['time(0)', "'00:01:00'", 60n],
    ['time(3)', "'00:00:01.5'", 1500n],
    ['time(9)', "'00:00:00.000000001'", 1n],
    ['timestamp(0)', "'1969-12-31T23:59:59'", -1n],
    ['timestamp(6)', "'1970-01-01T00:00:00.000001'", 1n],
    ['timestamp_ltz(3)', "'1970-01-01T01:00:00+01:00'", 0n],
    ['timestamp_ltz(9)', "'2026-11-21T09:30:00.123456789Z'", 1_795_253_400_123_456_789n],
  ])('%s %s', (type, literal, expected) => {
    expect(value(type, literal)).toStrictEqual(expected)
  })

  test.each([
    ['tinyint', '128', 'it goes from -128 to 127'],
    ['int', '1.5', 'a whole number is needed'],
    ['int', '1e99999999999999', 'it goes from -2147483648 to 2147483647'],
    ['int', "'1'", 'a number is needed'],
    ['int', 'true', 'a number is needed'],
    ['int', '007', 'a number is written as in JSON'],
    ['int', '+1', 'a number is written as in JSON'],
    ['int', '.5', 'a number is written as in JSON'],
    ['int', '1and', 'a number is written as in JSON'],
    ['bigint', '9223372036854775808', 'it goes from -9223372036854775808 to 9223372036854775807'],
    ['bigint', "'x'", 'a number is written as in JSON'],
    ['decimal(4,2)', '1.234', 'it has at most 2 digits after the point'],
    ['decimal(4,2)', '123', 'it has at most 2 digits before the point'],
    ['float', '1e39', 'it is too great'],
    ['double', "'nan'", "a number is needed, or 'NaN', 'Infinity', '-Infinity'"],
    ['boolean', "'true'", 'true or false is needed'],
    ['string', '5', 'a text between single quotes is needed'],
    ['binary', "'A'", 'binary is written in base64'],
    ['date', "'2026-02-29'", 'a date is written "2026-11-21"'],
    ['date', '20260221', 'a text between single quotes is needed'],
    ['time(3)', "'24:00:00'", 'a time is written "09:30:00.123"'],
    ['timestamp(3)', "'2026-11-21T00:00:00.0001'", 'it is finer than precision 3'],
    ['timestamp(3)', "'2026-11-21T00:00:00Z'", 'without a zone'],
    ['timestamp_ltz(3)', "'2026-11-21T00:00:00'", 'or with an offset such as +01:00'],
    ['timestamp(9)', "'1600-01-01T00:00:00'", 'it is outside the range of the column'],
  ])('%s is not %s: %s', (type, literal, why) => {
    expect(() => value(type, literal)).toThrow(why)
    expect(() => value(type, literal)).toThrow(`which is ${type}: `)
  })
})

test.each([
  ['', 1, 'the name of a column is missing at the end'],
  ['a', 2, 'a test is missing'],
  ['a = ', 5, 'a value is missing at the end'],
  ['a == 1', 4, 'a value is missing before "="'],
  ['a = null', 5, 'write is null or is not null'],
  ['a = b', 5, 'a value is missing before "b"; a text stands between single quotes'],
  ['name = "x"', 8, 'a text stands between single quotes'],
  ['a = 1 b = 2', 7, '"b" is one too many; tests are joined by and, or'],
  ['a = 1)', 6, '")" is one too many'],
  ['(a = 1', 7, '")" is missing at the end'],
  ['a = 1 and', 10, 'the name of a column is missing'],
  ['not not a = 1', 5, 'there is no column "not"; did you mean "Not"?'],
  ['a in ()', 7, 'a value is missing before ")"'],
  ['a in 1', 6, '"(" is missing before "1"'],
  ['a in (1 2)', 9, '")" is missing before "2"'],
  ['a between 1, 2', 12, '"and" and the greater value of between are missing'],
  ['a is 1', 6, '"null" is missing after "is"'],
  ['a is not 1', 10, '"null" is missing after "is not"'],
  ['a not 1', 7, 'a test is missing'],
  ["a like 'x'", 3, 'like tests strings, and "a" is int'],
  ['name like 5', 11, 'the pattern of like is a text between single quotes'],
  ["name = 'abc", 8, "the closing ' is missing"],
  ['"name = 1', 1, 'the closing " is missing'],
  ['NOT(A = 1)', 5, 'there is no column "A"; did you mean "a"?'],
  ['nam = 1', 1, 'there is no column "nam"; did you mean "name"?'],
  ['größe = 1', 1, 'stands between double quotes'],
  ['place.ctiy = 1', 7, 'there is no field "ctiy"; did you mean "city"?'],
  ['place.city.x = 1', 11, '"x" is sought in string, which has no fields'],
  ['"place".city is null', 8, 'a path is written a.b, without quotes'],
  ['list = 1', 6, '"list" is array, and can only be tested by is null'],
  ['embedding in (1)', 11, '"embedding" is vector'],
  ['attributes > 1', 12, '"attributes" is map'],
  ["place = 'x'", 7, '"place" is row'],
  ["name = '😀' and b = 'x'", 20, '"x" is no value of "b", which is int'],
  ["name = '\ud800'", 9, 'half of a surrogate pair'],
])('%s: at character %i, %s', (text, position, what) => {
  const error = refusal(text, columns)
  expect(error.message).toContain(what)
  expect(error.message.startsWith(`filter at character ${position}: `)).toBe(true)
  expect(error).toMatchObject({ code: 'invalid-filter', effect: 'none', action: 'fix', facts: { position } })
})

test('a path that is the name of a column is told to be quoted', () => {
  const dotted = [{ name: 'x.y', type: parseType('int'), id: 4 }]
  expect(refusal('x.y = 1', dotted).message).toContain('the column "x.y" is written between double quotes')
})

function refusal(text: string, known: readonly FilterColumn[]): Error {
  try {
    parseFilter(text, known)
  } catch (error) {
    if (isSluiceError(error, 'invalid-filter')) return error
    throw error
  }
  throw new Error('it was parsed')
}

describe('bounds', () => {
  const tests = (count: number): string => Array.from({ length: count }, () => 'a=1').join(' or ')
  const nested = (depth: number): string => `${'('.repeat(depth)}a = 1${')'.repeat(depth)}`

  test('64 tests and 16 parentheses are taken, one more is not', () => {
    expect(parseFilter(tests(64), columns)).toMatchObject({ kind: 'or' })
    expect(refusal(tests(65), columns).message).toContain('filter at character 449: a filter has at most 64 tests')
    expect(print(parseFilter(nested(16), columns))).toBe('a[1,1]')
    expect(refusal(nested(17), columns).message).toContain('filter at character 17: parentheses nest at most 16 deep')
    expect(refusal('not('.repeat(1000), columns).message).toContain('parentheses nest')
  })

  test('4,096 bytes are taken, one more is not, in characters of any width', () => {
    const long = (letter: string, bytes: number): string => `name = '${letter.repeat(bytes)}'`
    expect(print(parseFilter(long('x', 4096 - 9), columns))).toHaveLength('name[,]'.length + 2 * (4096 - 9 + 2))
    expect(refusal(long('x', 4096 - 8), columns).message).toContain('at most 4096 bytes')
    expect(refusal(long('é', 2044), columns).message).toContain('at most 4096 bytes')
    expect(refusal('('.repeat(10_000_000), columns).message).toContain('at most 4096 bytes')
  })

  test('what a message echoes is short', () => {
    for (const text of [
      `${'x'.repeat(4000)} = 1`,
      `a = '${'x'.repeat(4000)}'`,
      `a = ${'1'.repeat(4000)}`,
      `a = 1 ${'y'.repeat(4000)}`,
    ])
      expect(refusal(text, columns).message.length).toBeLessThan(300)
  })
})

test('columnsOf names each column once, in the order of the text', () => {
  const filter = parseFilter("place.city = 'x' and (b = 1 or not a = 2) and place.at.lat > 0 and b is null", columns)
  expect(columnsOf(filter).map(({ name }) => name)).toEqual(['place', 'b', 'a'])
})

test('whatever the text, it is parsed or refused as invalid-filter, at once', () => {
  const pieces = [
    'a',
    'name',
    'place.city',
    '"a.b"',
    'list',
    '__offset',
    '(',
    ')',
    '(((((((',
    ',',
    '=',
    '<>',
    '<',
    '!',
    '-',
    '.',
    "'",
    '"',
  ]
  const words = [
    'and',
    'or',
    'NOT',
    'is',
    'null',
    'in',
    'between',
    'like',
    'true',
    '1',
    '-1.5e3',
    '1e999999999',
    "'x%'",
    "''",
    '\u0000',
    'é',
    '😀',
  ]
  const hostile = fc.oneof(
    fc.array(fc.constantFrom(...pieces, ...words), { maxLength: 40 }).map((parts) => parts.join(' ')),
    fc.array(fc.constantFrom(...pieces, ...words), { maxLength: 40 }).map((parts) => parts.join('')),
    fc.string({ maxLength: 50, unit: 'binary' }),
    fc.constantFrom(...pieces, ...words).map((piece) => piece.repeat(1000)),
    fc.constantFrom(...pieces, ...words).map((piece) => `a in (${`${piece},`.repeat(800)}`),
  )
  fc.assert(
    fc.property(hostile, (text) => {
      const start = performance.now()
      try {
        parseFilter(text, columns)
      } catch (error) {
        expect(isSluiceError(error, 'invalid-filter'), String(error)).toBe(true)
      }
      expect(performance.now() - start).toBeLessThan(1000)
    }),
    { numRuns: 1000 },
  )
})
