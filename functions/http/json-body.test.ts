import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { utf8 } from '../../core/kernel/bytes.ts'
import { isSluiceError } from '../../core/kernel/errors.ts'
import { Numeral } from '../../core/kernel/exact-json.ts'
import { parseJsonBody } from './json-body.ts'

const parse = (text: string) => parseJsonBody(utf8(text))

test('what JSON.parse reads is read the same', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const back = JSON.stringify(parse(JSON.stringify(value)), (_key, part) => (typeof part === 'bigint' ? Number(part) : part))
      expect(JSON.parse(back)).toEqual(JSON.parse(JSON.stringify(value)))
    }),
    { numRuns: 200 },
  )
})

describe('numbers are never rounded', () => {
  test.each([
    ['2147483648', 2147483648],
    ['4294967296', 4294967296],
    ['9007199254740991', 9007199254740991],
    ['9007199254740993', 9007199254740993n],
    ['9223372036854775808', 9223372036854775808n],
    ['1e3', 1000],
    ['8.0', 8],
    ['-0.1', -0.1],
    ['0.00e-400', 0],
    ['123456.789012345', 123456.789012345],
  ])('%s', (text, value) => {
    expect(parse(text)).toBe(value)
  })
})

describe('what no double is keeps its digits, and is printed with them', () => {
  test.each(['0.10000000000000001', '-12345678901234567.89', '1234567890.1234567E0', '1e400', '1e-400', '4.94e-324'])(
    '%s',
    (text) => {
      expect(parse(text)).toEqual(new Numeral(text))
      expect(JSON.stringify(parse(`{"x":[${text}]}`))).toBe(`{"x":[${text}]}`)
    },
  )
})

describe('refused', () => {
  test.each([
    ['a key that occurs twice', '{"a":1,"a":2}'],
    ['a key that occurs twice, once escaped', '{"a":1,"\\u0061":2}'],
    ['33 levels', `${'['.repeat(33)}${']'.repeat(33)}`],
    ['a hundred thousand levels', '['.repeat(100_000)],
    ['something after the value', '{} {}'],
    ['a trailing comma', '[1,]'],
    ['a leading zero', '01'],
    ['a control character in a string', '"\n"'],
    ['half of a surrogate pair', '"\\ud800"'],
    ['half of a surrogate pair in a key', '{"\\udfff\\ud800":1}'],
    ['half an escape', '"\\u12"'],
    ['nothing', ''],
    ['a byte order mark', '\ufeff{}'],
    ['a comment', '{}//'],
    ['NaN', 'NaN'],
  ])('%s', (_what, text) => {
    expect(() => parse(text)).toThrow(/JSON body is not valid/)
  })

  test('bytes that are not UTF-8', () => {
    expect(() => parseJsonBody(Uint8Array.of(0x22, 0xff, 0x22))).toThrow('not UTF-8')
  })

  test('any bytes, with an error of ours', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          parseJsonBody(bytes)
        } catch (error) {
          expect(isSluiceError(error, 'bad-request')).toBe(true)
        }
      }),
    )
  })
})

test('keys of Object.prototype are keys like others', () => {
  expect(Object.keys(parse('{"__proto__":1,"constructor":2}') as object)).toEqual(['__proto__', 'constructor'])
})
