import { expect, test } from 'vitest'
import { columnName, databaseName, tableName } from './names.ts'

test.each(['a', 'A-1_b', 'x'.repeat(200), '_a', '0'])('%s names a database and a table', (name) => {
  expect(databaseName(name)).toBe(name)
  expect(tableName(name)).toBe(name)
})

test.each(['', 'x'.repeat(201), '__a', 'a b', 'a/b', 'ä', '.', '..', 'a\n'])('%j names no table', (name) => {
  expect(() => tableName(name)).toThrow(expect.objectContaining({ code: 'invalid-name' }))
})

test.each(['a', 'größe', '列', '😀', 'a b', 'a.b', '😀'.repeat(200), '_x'])('%s names a column', (name) => {
  expect(columnName(name)).toBe(name)
})

test.each(['', 'a\u0000', 'a\u007f', '__offset', '\ud800', 'o\u0308', 'x'.repeat(201)])('%j names no column', (name) => {
  expect(() => columnName(name)).toThrow(expect.objectContaining({ code: 'invalid-name' }))
})
