import { readFileSync } from 'node:fs'
import { zstdDecompressSync } from 'node:zlib'
import * as apache from 'apache-arrow'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concat } from '../../kernel/bytes.ts'
import { parseType } from '../../model/type-text.ts'
import { anyBatch, fieldOf, type Plain, rowsOf } from './batch.case.ts'
import type { Field } from './column.ts'
import { encodeFrame } from './frame.ts'
import { type ReadOptions, readArrowStream } from './read.ts'
import { encodeSchemaMessage, endOfStream } from './schema.ts'

const zstd = (bytes: Uint8Array, expandedBytes: number): Uint8Array =>
  zstdDecompressSync(bytes, { maxOutputLength: expandedBytes })

/** Column `name type` per entry. */
const fieldsOf = (...texts: readonly string[]): readonly Field[] =>
  texts.map((text, i) => {
    const [, name = '', type = ''] = /^(\S+) (.*)$/.exec(text) ?? []
    return fieldOf(name, parseType(type.replace(/!$/, '')), !type.endsWith('!'), i + 4)
  })

function readFixture(name: string, fields: readonly Field[], options: ReadOptions = { zstd }): Plain[][] {
  const bytes = readFileSync(new URL(`../../../test/fixtures/arrow/${name}.arrow`, import.meta.url))
  return readArrowStream(bytes, fields, options).flatMap(rowsOf)
}

const columnsOf = (rows: readonly (readonly Plain[])[]): Plain[][] =>
  (rows[0] ?? []).map((_, i) => rows.map((row) => row[i] ?? null))
const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values)
const microsAt = (iso: string): bigint => BigInt(Date.parse(iso)) * 1000n

describe('streams of other producers', () => {
  const text = ['größe', null, '', 'a long text that does not fit into a view of twelve bytes']
  test.each(['large-utf8', 'views'])('%s', (name) => {
    const rows = readFixture(name, fieldsOf('s string', 'b binary'))
    expect(columnsOf(rows)[0]).toEqual(text)
    expect(columnsOf(rows)[1]?.map((value) => (value as Uint8Array | null)?.length ?? null)).toEqual([
      2,
      null,
      0,
      name === 'views' ? 16 : 1,
    ])
  })

  test('dictionaries of pyarrow, with nulls among indices and values', () => {
    const [s, u] = columnsOf(readFixture('dictionary', fieldsOf('s string', 'u int')))
    expect(s).toEqual([...text, ...text])
    expect(u).toEqual([null, 7, null, null, 7, 7, null, null])
  })

  test('dictionaries that grow and are replaced', () => {
    expect(columnsOf(readFixture('dictionary-deltas', fieldsOf('s string')))[0]).toEqual(['a', 'a', 'b', 'a', 'y', null])
  })

  test.each(['zstd', 'lz4'])('buffers compressed with %s', (name) => {
    const [i, s] = columnsOf(readFixture(name, fieldsOf('i bigint!', 's string')))
    expect(i?.slice(998)).toEqual([998n, 999n])
    expect(s).toEqual(Array.from({ length: 1000 }, (_, row) => (row % 5 === 0 ? null : `row ${row % 7}`)))
  })

  test('nested columns', () => {
    const fields = fieldsOf(
      'l array<int>',
      'll array<array<string>>',
      'lv array<int>',
      'f array<bigint>',
      'm map<string,bigint>',
      'r row<x int, y row<z boolean>, w string>',
      'v vector(2)',
      'vl vector(2)',
    )
    expect(columnsOf(readFixture('nested', fields))).toEqual([
      [[1, null], null, []],
      [[['a'], null], [], null],
      [[6, 7], [], [5, 6, 7]],
      [[1n, 2n], null, [5n, null]],
      [
        [
          ['k', 1n],
          ['j', null],
        ],
        [],
        null,
      ],
      [[1, [true], null], [null, null, null], null],
      [[1, 2], null, [0.5, -0]],
      [[1, 2], null, [0.5, 4]],
    ])
  })

  test('sliced tables', () => {
    expect(readFixture('sliced', fieldsOf('s string!', 'l array<bigint>', 'o boolean'))).toEqual([
      ['b', [2n, 3n], null],
      ['c', null, false],
      ['d', [4n], true],
    ])
  })

  test('numbers that fit', () => {
    const fields = fieldsOf(
      'u8 smallint',
      'u16 int',
      'u32 bigint',
      'u64 bigint',
      'i8 tinyint',
      'i64 int',
      'f16 double',
      'f32 double',
      'f64 float',
    )
    expect(columnsOf(readFixture('numbers', fields))).toEqual([
      [0, 255, null],
      [0, 65535, null],
      [0n, 4294967295n, null],
      [0n, 2n ** 63n - 1n, null],
      [-128, 127, null],
      [-2147483648, 2147483647, null],
      [1.5, -Infinity, null],
      [Math.fround(0.1), Number.NaN, null],
      [0.25, 2 ** -149, null],
    ])
  })

  test('decimals of every width, rescaled', () => {
    const fields = fieldsOf('d128 decimal(10,2)', 'd32 decimal(10,3)', 'd64 decimal(3,1)', 'd256 decimal(38,2)', 'i decimal(3,2)')
    expect(columnsOf(readFixture('decimals', fields))).toEqual([
      [110n, -9999999999n, null],
      [1100n, -100n, null],
      [11n, -1n, null],
      [110n, -990n, null],
      [700n, -800n, null],
    ])
  })

  test('dates and times in other units', () => {
    const fields = fieldsOf(
      'd32 date',
      'd64 date',
      't_ms time(6)',
      't_ns time(3)',
      'ts_ms timestamp(6)',
      'ts_ns timestamp(6)',
      'ltz timestamp_ltz(6)',
    )
    const day = Date.parse('2026-11-21') / 86_400_000
    const moment = microsAt('2026-11-21T09:30:00.123Z')
    expect(columnsOf(readFixture('times', fields))).toEqual([
      [day, -719_162, null],
      [day, 2_932_896, null],
      [34_200_123_000n, 0n, null],
      [34_200_123n, 86_399_000n, null],
      [moment, microsAt('0001-01-01T00:00:00Z'), null],
      [moment, microsAt('1900-01-01T00:00:00Z'), null],
      [moment - 3_600_000_000n, microsAt('9999-12-31T00:00:00Z'), null],
    ])
  })

  test('columns that are all null, or missing', () => {
    const types = [
      'a vector(3)',
      'b map<string,array<int>>',
      'c string',
      'd boolean',
      'e row<x int, y vector(2)>',
      'f decimal(10,2)',
    ]
    expect(readFixture('nulls', fieldsOf(...types))).toEqual(new Array(3).fill(new Array(6).fill(null)))
  })

  test('a stream without rows', () => {
    expect(readFixture('empty', fieldsOf('i bigint!', 's string'))).toEqual([])
  })

  test('a pandas frame', () => {
    const fields = fieldsOf('id bigint!', 'name string', 'at timestamp(3)', 'kind string', 'ok boolean', 'value double')
    expect(readFixture('pandas', fields)).toEqual([
      [1n, 'a', BigInt(Date.parse('2026-11-21T09:30:00.123Z')), 'x', true, 0.5],
      [2n, null, null, 'y', null, null],
      [3n, 'ü', BigInt(Date.parse('2026-11-22T00:00:00Z')), null, false, -1],
    ])
  })

  test.each(['polars', 'polars-zstd'])('a %s frame', (name) => {
    const fields = fieldsOf(
      'id int!',
      'name string',
      'at timestamp(6)',
      'day date',
      'kind string',
      'tags array<string>',
      'price decimal(10,2)',
      'pair row<key string, value bigint>',
      'bytes binary',
      'at_utc timestamp_ltz(6)',
      'emb vector(2)',
      'time time(0)',
    )
    const at = microsAt('2026-11-21T09:30:00.123Z')
    expect(readFixture(name, fields)).toEqual([
      [1, 'a', at, Date.parse('2026-11-21') / 86_400_000, 'x', ['p', 'q'], 150n, ['k', 1n], bytes(1), at, [1, 2], 34_200n],
      [2, null, null, null, 'y', [], null, null, null, null, null, null],
      [3, 'longer than twelve bytes', at, 0, null, null, -225n, ['j', null], bytes(), at, [3, 4], 1n],
    ])
  })
})

describe('what would lose something is refused', () => {
  const columnsIn = {
    numbers: ['u8', 'u16', 'u32', 'u64', 'i8', 'i64', 'f16', 'f32', 'f64'],
    decimals: ['d128', 'd32', 'd64', 'd256', 'i'],
    times: ['d32', 'd64', 't_ms', 't_ns', 'ts_ms', 'ts_ns', 'ltz'],
    nested: ['l', 'll', 'lv', 'f', 'm', 'r', 'v', 'vl'],
    'run-ends': ['i'],
    dictionary: ['s', 'u'],
    views: ['s', 'b'],
  }
  test.each<[keyof typeof columnsIn, string, string]>([
    ['numbers', 'u8 tinyint', '255'],
    ['numbers', 'u64 int', 'row 1'],
    ['numbers', 'i64 smallint', '-2147483648'],
    ['numbers', 'f32 bigint', 'Float32'],
    ['numbers', 'f64 string', 'Float64'],
    ['decimals', 'd128 decimal(9,2)', 'digits'],
    ['decimals', 'd128 decimal(12,1)', 'after the point'],
    ['decimals', 'i decimal(2,2)', 'digits'],
    ['times', 'ltz timestamp(6)', 'Europe/Berlin'],
    ['times', 'ts_ms timestamp_ltz(6)', 'Timestamp(ms)'],
    ['times', 'ts_ms timestamp(9)', 'row 1'],
    ['times', 'ts_ns timestamp(0)', 'finer'],
    ['times', 'ts_ms timestamp(2)', 'finer'],
    ['times', 't_ms time(2)', 'finer'],
    ['times', 'd32 timestamp(3)', 'Date32'],
    ['nested', 'v vector(3)', 'not 3'],
    ['nested', 'f vector(2)', 'null'],
    ['nested', 'l array<string>', 'Int32'],
    ['run-ends', 'i bigint', 'RunEndEncoded'],
    ['dictionary', 's bigint', 'Utf8'],
    ['views', 's binary', 'Utf8View'],
  ])('%s as %s', (name, column, mention) => {
    const known = fieldsOf(column)
    const others = columnsIn[name].filter((other) => other !== known[0]?.name)
    expect(() => readFixture(name, [...known, ...others.map((other) => fieldOf(other, { kind: 'int' }))])).toThrow(
      expect.objectContaining({ code: 'invalid-rows', message: expect.stringContaining(mention) }),
    )
  })
})

describe('columns', () => {
  const stream = (fields: readonly Field[]): Uint8Array => concat([encodeSchemaMessage(fields), endOfStream])

  test('an unknown column is answered with the nearest', () => {
    expect(() => readArrowStream(stream(fieldsOf('nmae string')), fieldsOf('name string'))).toThrow(
      expect.objectContaining({ code: 'unknown-field', message: 'the table has no column "nmae"; did you mean "name"?' }),
    )
  })

  test('system columns are ignored', () => {
    const fields = fieldsOf(
      'i bigint',
      '__offset bigint',
      '__timestamp timestamp_ltz(3)',
      '__bucket int',
      '__partition string',
      '__op tinyint',
    )
    expect(readArrowStream(stream(fields), fieldsOf('i bigint'))).toEqual([])
  })

  test('a column that comes twice is refused', () => {
    expect(() => readArrowStream(stream(fieldsOf('i int', 'i int')), fieldsOf('i int'))).toThrow(
      expect.objectContaining({ code: 'invalid-rows' }),
    )
  })

  test('null in a column that is not nullable names column and row', () => {
    expect(() =>
      readFixture(
        'pandas',
        fieldsOf('id bigint', 'name string!', 'at timestamp(3)', 'kind string', 'ok boolean', 'value double'),
      ),
    ).toThrow(expect.objectContaining({ code: 'invalid-rows', facts: { column: 'name', row: 1 } }))
  })

  test('a missing column has to be nullable', () => {
    expect(() => readFixture('nulls', fieldsOf('a int', 'b int', 'c string', 'd int', 'e int!'))).toThrow(
      expect.objectContaining({ code: 'invalid-rows', facts: { column: 'e' } }),
    )
  })

  test('zstd needs a decompressor', () => {
    expect(() => readFixture('zstd', fieldsOf('i bigint', 's string'), {})).toThrow(
      expect.objectContaining({ code: 'not-supported' }),
    )
  })
})

describe('limits', () => {
  test('rows, row sizes and expanded bytes', () => {
    const fields = fieldsOf('i bigint', 's string')
    expect(() => readFixture('zstd', fields, { zstd, rowsMax: 999 })).toThrow(expect.objectContaining({ code: 'too-large' }))
    expect(() => readFixture('zstd', fields, { zstd, expandedBytesMax: 10_000 })).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    )
    expect(() => readFixture('large-utf8', fieldsOf('s string', 'b binary'), { rowBytesMax: 60 })).toThrow(
      expect.objectContaining({ code: 'invalid-rows', facts: { row: 3, rowBytesMax: 60, column: 's' } }),
    )
  })
})

test('what we write, we read', () => {
  fc.assert(
    fc.property(anyBatch, (batch) => {
      const bytes = concat([encodeSchemaMessage(batch.fields), encodeFrame(batch), encodeFrame(batch)])
      expect(readArrowStream(bytes, batch.fields).flatMap(rowsOf)).toEqual([...rowsOf(batch), ...rowsOf(batch)])
    }),
  )
})

test('what apache-arrow makes of our streams, we read back the same', () => {
  fc.assert(
    fc.property(
      anyBatch.filter((batch) => batch.rows > 0),
      (batch) => {
        const ours = concat([encodeSchemaMessage(batch.fields), encodeFrame(batch), endOfStream])
        const theirs = apache.tableToIPC(apache.tableFromIPC(ours), 'stream')
        expect(readArrowStream(theirs, batch.fields).flatMap(rowsOf)).toEqual(rowsOf(batch))
      },
    ),
  )
})
