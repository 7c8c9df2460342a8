/** Golden forms of every persisted record: old bytes must keep decoding, and a damaged record is refused, never guessed. */
import { expect, test } from 'vitest'
import { fromHex, hex } from '../../kernel/bytes.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { type Label, labelOf, offsetOf, type TableId } from '../../kernel/ids.ts'
import { defaultOptions } from '../../model/options.ts'
import type { Table } from '../../model/table.ts'
import { decodeDatabase, encodeDatabase } from './database.ts'
import { decodeEntry, type Entry, encodeEntry, keyLabel, objectKey } from './entry.ts'
import { decodeEvicted, encodeEvicted, evictedKey } from './evicted.ts'
import { decodeHead, encodeProducer, headKey, newHead } from './head.ts'
import { decodeIndexItem, encodeIndexItem } from './index-item.ts'
import { decodeMark, encodeMark, type Mark } from './mark.ts'
import { decodeTable, encodeDefinition, encodeTable } from './table.ts'

const bucketAt = (bucket: number) => ({ partition: '', bucket })

const entry: Entry = {
  label: '018bcfe56800' as Label,
  random: '00112233445566ff',
  inline: true,
  directory: 255,
  start: 2 ** 32 - 1,
  length: 2 ** 31,
  count: 1_000_000,
  time: 2 ** 47 + 5,
}
const goldenEntry = `018bcfe5680000112233445566ff01ffffffffff80000000000f4240800000000005`

test('an entry has its 34 golden bytes, and old ones decode', () => {
  expect(hex(encodeEntry(entry))).toBe(goldenEntry)
  expect(decodeEntry(fromHex(goldenEntry))).toEqual(entry)
})

test.each([goldenEntry.slice(2), `${goldenEntry}00`, goldenEntry.replace('ff01ff', 'ff02ff')])(
  'a damaged entry is refused: %s',
  (bytes) => {
    expect(() => decodeEntry(fromHex(bytes))).toThrow(SluiceError)
  },
)

test('an object key names table, directory, label and random, and gives the label back', () => {
  const key = objectKey('00000000000000aa', entry)
  expect(key).toBe('t/00000000000000aa/ff/018bcfe56800-00112233445566ffi')
  expect(keyLabel(key)).toBe(entry.label)
  expect(keyLabel('t/00000000000000aa/ff/strange')).toBeUndefined()
})

test('a head decodes with its producers, at the boundaries of 64 bits', () => {
  const born = newHead('00000000000000aa', bucketAt(3), { gc: labelOf(1), floor: offsetOf(0) })
  const producer = { epoch: 2n ** 63n - 1n, sequence: 2n ** 53n + 1n, count: 2n ** 31n, crc: 2 ** 32 - 1 }
  const head = decodeHead({
    ...born,
    attributes: {
      ...born.attributes,
      b: 2n ** 62n,
      e: 2n ** 62n + 1_000_000n,
      r: [fromHex(goldenEntry)],
      pAAAAAAAAAAA: encodeProducer(producer),
      qAAAAAAAAAAA: 2n ** 62n,
    },
  })
  expect(head.end).toBe(2n ** 62n + 1_000_000n)
  expect(head.producers.get('AAAAAAAAAAA')).toEqual({ ...producer, base: 2n ** 62n })
})

test.each([
  ['counts that do not reach the end', { e: 5n }],
  ['a start behind the base', { s: 1n }],
  ['a gc that is no label', { g: 'x' }],
  ['a missing counter', { v: 'no' }],
])('a head with %s is refused', (_name, damage) => {
  const born = newHead('00000000000000aa', bucketAt(0), { gc: labelOf(1), floor: offsetOf(0) })
  expect(() => decodeHead({ ...born, attributes: { ...born.attributes, ...damage } })).toThrow(SluiceError)
})

test('a head of eight producers and twelve entries stays within one write unit of 1 KiB', () => {
  const born = newHead('0123456789abcdef', bucketAt(1023), { gc: labelOf(Date.UTC(2026, 10, 22)), floor: offsetOf(0) })
  const producers = Array.from({ length: 8 }, (_, index) => [
    [`pAAAAAAAAAA${index}`, encodeProducer({ epoch: 12n, sequence: 123_456n, count: 24_576n, crc: 2 ** 32 - 1 })],
    [`qAAAAAAAAAA${index}`, 123_456_789n],
  ]).flat()
  const attributes = {
    ...born.attributes,
    e: 12_345_678_912n,
    b: 12_345_678_000n,
    y: 999_999_999_999n,
    r: Array.from({ length: 12 }, () => fromHex(goldenEntry)),
    ...Object.fromEntries(producers),
  }
  expect(dynamoBytes({ pk: born.key.partition, sk: born.key.sort, ...attributes })).toBeLessThanOrEqual(1024)
})

test('an index item keeps eight entries under their end, and its counts span its offsets', () => {
  const entries = Array.from({ length: 8 }, () => ({ ...entry, count: 3 }))
  const item = encodeIndexItem('00000000000000aa', bucketAt(1), { start: offsetOf(8), end: offsetOf(32), entries, maxTime: 7 })
  expect(item.key).toEqual({ partition: '00000000000000aa#1', sort: 'i/0000000000000000032' })
  expect(decodeIndexItem(item)).toEqual({ start: 8n, end: 32n, entries, maxTime: 7 })
  expect(() => decodeIndexItem({ ...item, attributes: { ...item.attributes, s: 9n } })).toThrow(SluiceError)
})

test('an evicted producer decodes as it was', () => {
  const state = { epoch: 1n, sequence: 2n ** 63n - 1n, count: 3n, crc: 4, base: offsetOf(2n ** 53n + 1n) }
  expect(decodeEvicted(encodeEvicted(evictedKey('00000000000000aa', bucketAt(0), 'AAAAAAAAAAA'), state, 9))).toEqual({
    ...state,
    expiresAt: 9,
  })
  expect(() => decodeEvicted({ key: headKey('a', bucketAt(0)), attributes: {} })).toThrow(SluiceError)
})

test('a mark decodes as it was, and sorts by the time that it is due', () => {
  const mark: Mark = {
    kind: 'tier',
    table: { database: 'd', table: 't', tableId: '00000000000000aa' },
    buckets: 4,
    due: 1_700_000_000_000,
    random: 'ff',
  }
  const item = encodeMark(mark)
  expect(item.key).toEqual({ partition: 'due#2', sort: '1700000000000#tier#00000000000000aa#ff' })
  expect(decodeMark(item)).toEqual(mark)
  expect(encodeMark({ ...mark, due: 5 }).key.sort < item.key.sort).toBe(true)
  expect(() => decodeMark({ ...item, key: { ...item.key, sort: 'x' } })).toThrow(SluiceError)
})

test('a table and a database decode as they were', () => {
  const table: Table = {
    database: 'd',
    name: 't',
    tableId: '00000000000000aa' as TableId,
    schema: { schemaId: 1, columns: [{ id: 4, name: 'v', type: { kind: 'bigint' }, nullable: false }] },
    partitionBy: [],
    buckets: { count: 4, key: ['v'] },
    options: defaultOptions,
    gc: labelOf(0),
    state: 'alive',
    createdAt: 1,
    lastColumnId: 4,
  }
  expect(decodeTable(encodeTable(table))).toEqual(table)
  const kept = { ...table, options: { ...defaultOptions, logTtlMs: 60_000, logTtlAfterTierMs: 120_000 }, lakeBehindSince: 5 }
  const item = encodeTable(kept)
  expect(decodeTable({ ...item, attributes: { ...item.attributes, b: 5n } })).toEqual(kept)
  const columns = [
    ...table.schema.columns,
    { id: 5, name: 'n', type: { kind: 'int' }, nullable: true, autoIncrement: true },
  ] as const
  const counted = { ...table, schema: { schemaId: 1, columns } }
  expect([encodeTable(counted).attributes['n'], encodeTable(table).attributes['n']]).toEqual([1n, undefined])
  expect(decodeTable(encodeTable(counted))).toEqual(counted)
  const database = { name: 'd', state: 'dropping', createdAt: 1 } as const
  expect(decodeDatabase(encodeDatabase(database))).toEqual(database)
})

test('a definition of a build that knew no time to live is written again as it was', () => {
  const options = '{"lakeFormat":"none","lakeFreshnessMs":180000,"lakeBytes":67108864}'
  const d = `{"version":1,"schema":{"schemaId":1,"columns":[]},"buckets":{"count":1},"options":${options},"createdAt":1,"lastColumnId":3}`
  const table = decodeTable({ key: { partition: 'db/d', sort: 't' }, attributes: { i: 'aa', g: labelOf(0), x: 'alive', d } })
  expect(table.options).toEqual(defaultOptions)
  expect(encodeDefinition(table)).toBe(d)
})

/** The size that DynamoDB bills: names and values; numbers 1 byte per two digits and 1; lists and maps 3 and 1 an element. */
function dynamoBytes(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (typeof value === 'bigint') return Math.ceil(value.toString().replace(/0+$/, '').length / 2) + 1
  if (value instanceof Uint8Array) return value.length
  if (Array.isArray(value)) return 3 + value.reduce((sum: number, element) => sum + 1 + dynamoBytes(element), 0)
  const top = typeof value === 'object' && value !== null && 'pk' in value
  return Object.entries(value as object).reduce(
    (sum, [name, field]) => sum + name.length + dynamoBytes(field) + (top ? 0 : 1),
    top ? 0 : 3,
  )
}
