import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseType, printType } from './type-text.ts'
import { anyType } from './types.case.ts'

test.each([
  ['boolean', 'boolean'],
  ['TinyInt', 'tinyint'],
  ['time', 'time(6)'],
  ['timestamp_ltz ( 3 )', 'timestamp_ltz(3)'],
  ['decimal(38,38)', 'decimal(38,38)'],
  ['decimal( 10 , 2 )', 'decimal(10,2)'],
  ['vector(8192)', 'vector(8192)'],
  ['array<array<int>>', 'array<array<int>>'],
  ['map<string,array<double>>', 'map<string,array<double>>'],
  ['row<a int,"b c" row<"say ""x""" string>>', 'row<a int, "b c" row<"say ""x""" string>>'],
  ['timestamp(0)', 'timestamp(0)'],
])('%s is printed as %s', (text, canonical) => {
  expect(printType(parseType(text))).toBe(canonical)
})

test.each([
  '',
  'integer',
  'int int',
  'decimal',
  'decimal(10)',
  'decimal(39,0)',
  'decimal(5,6)',
  'decimal(0,0)',
  'time(10)',
  'timestamp(-1)',
  'vector(0)',
  'vector(8193)',
  'vector',
  'array',
  'array<int',
  'array<int>>',
  'map<int>',
  'row<>',
  'row<a>',
  'row<a int, a int>',
  'row<"a int>',
  'decimal(10,2',
  'vector(1e3)',
  'int;',
  'vector(99999999999999999999)',
  'x'.repeat(70_000),
])('%s is no type', (text) => {
  expect(() => parseType(text)).toThrow(expect.objectContaining({ code: 'invalid-schema' }))
})

test('a type that is misspelt is answered with the nearest', () => {
  expect(() => parseType('array<strnig>')).toThrow('did you mean "string"?')
})

test('nesting is bounded', () => {
  expect(printType(parseType(`${'array<'.repeat(15)}int${'>'.repeat(15)}`))).toContain('int')
  expect(() => parseType('array<'.repeat(16))).toThrow(expect.objectContaining({ code: 'invalid-schema' }))
  expect(() => parseType('row<a '.repeat(10_000))).toThrow(expect.objectContaining({ code: 'invalid-schema' }))
})

test('every type comes back from its text', () => {
  fc.assert(
    fc.property(anyType, (type) => {
      expect(parseType(printType(type))).toEqual(type)
    }),
  )
})
