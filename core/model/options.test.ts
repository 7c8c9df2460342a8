import { expect, test } from 'vitest'
import { defaultOptions, parseOptions, printOptions } from './options.ts'
import { parseDuration, parseSize, printDuration, printSize } from './units.ts'

test('options come back from their text', () => {
  const options = parseOptions({
    'lake.format': 'iceberg',
    'lake.freshness': '20s',
    'lake.bytes': '4MiB',
    'lake.format-version': '2',
    'log.ttl': '2d',
    'log.ttl-after-tier': '1h',
  })
  expect(options).toEqual({
    lakeFormat: 'iceberg',
    lakeFreshnessMs: 20_000,
    lakeBytes: 4 * 1024 * 1024,
    logTtlMs: 2 * 86_400_000,
    logTtlAfterTierMs: 3_600_000,
  })
  expect(parseOptions(printOptions(options))).toEqual(options)
  expect(parseOptions(printOptions(defaultOptions))).toEqual(defaultOptions)
})

test('options of auto partitions come back from their text, and as the defaults are and absent are one', () => {
  const texts = {
    'auto-partition.enabled': 'true',
    'auto-partition.key': 'day',
    'auto-partition.time-unit': 'HOUR',
    'auto-partition.time-zone': 'Europe/Berlin',
    'auto-partition.num-precreate': '3',
    'auto-partition.num-retention': '-1',
  }
  const options = parseOptions(texts)
  expect(printOptions(options)).toMatchObject({ ...texts, 'auto-partition.time-unit': 'hour' })
  expect(parseOptions(printOptions(options))).toEqual(options)
  expect(parseOptions(Object.fromEntries(Object.keys(texts).map((key) => [key, null])), options)).toEqual(defaultOptions)
  expect(parseOptions({ 'auto-partition.enabled': 'false', 'auto-partition.time-unit': 'day' })).toEqual(defaultOptions)
})

test('null takes an option back to its default', () => {
  const options = parseOptions({ 'lake.freshness': '1s', 'lake.format': 'iceberg' })
  expect(parseOptions({ 'lake.freshness': null }, options)).toEqual({ ...options, lakeFreshnessMs: 180_000 })
  const shorter = parseOptions({ 'log.ttl': '1h', 'log.ttl-after-tier': '1m' }, options)
  expect(parseOptions({ 'log.ttl': null, 'log.ttl-after-tier': null }, shorter)).toEqual(options)
})

test.each([
  ['lake.freshnes', '1s', 'unknown-field', 'lake.freshness'],
  ['constructor', 'x', 'unknown-field', 'constructor'],
  ['log.ttl', '59s', 'bad-request', '7d'],
  ['log.ttl-after-tier', '7', 'bad-request', '7d'],
  ['merge-engin', 'last-row', 'unknown-field', 'merge-engine'],
  ['merge-engine', 'first_row', 'bad-request', 'first-row'],
  ['changelog.image', 'none', 'bad-request', 'full or wal'],
  ['delete.behavior', 'deny', 'bad-request', 'allow, ignore, disable'],
  ['fields.a.agg', 'summ', 'bad-request', 'did you mean "sum"'],
  ['fields.a.agg', 'constructor', 'bad-request', 'sum'],
  ['fields.a.agg.', 'sum', 'unknown-field', 'fields.<column>.agg'],
  ['fields..agg', 'sum', 'unknown-field', 'fields.<column>.agg'],
  ['fields.a.listagg-delimiter', 'x'.repeat(17), 'bad-request', '16 characters'],
  ['auto-partition.time-unt', 'day', 'unknown-field', 'auto-partition.time-unit'],
  ['auto-partition.enabled', 'yes', 'bad-request', 'true or false'],
  ['auto-partition.time-unit', 'week', 'bad-request', 'quarter'],
  ['auto-partition.time-zone', 'Mars/Olympus', 'bad-request', 'Europe/Berlin'],
  ['auto-partition.num-precreate', '101', 'bad-request', '0 to 100'],
  ['auto-partition.num-precreate', '1.5', 'bad-request', '0 to 100'],
  ['auto-partition.num-retention', '-2', 'bad-request', '-1 to 900'],
  ['lake.format', 'lance', 'not-supported', 'lake.format=lance'],
  ['lake.format-version', '3', 'bad-request', 'lake.format=iceberg'],
  ['lake.format-version', '1', 'bad-request', 'use 2 or 3'],
  ['lake.format', 'hudi', 'bad-request', 'iceberg'],
  ['lake.freshness', '20', 'bad-request', '20s'],
  ['lake.freshness', '1ms', 'bad-request', '100ms'],
  ['lake.bytes', '1MB', 'bad-request', '64MiB'],
  ['lake.bytes', '999999999999GiB', 'bad-request', '64MiB'],
])('%s = %s is %s', (key, value, code, mention) => {
  expect(() => parseOptions({ [key]: value })).toThrow(
    expect.objectContaining({ code, message: expect.stringContaining(mention) }),
  )
})

test('durations and sizes are printed in their greatest exact unit', () => {
  expect(['90s', '60s', '24h', '1500ms', '0ms'].map((text) => printDuration(parseDuration(text) ?? -1))).toEqual([
    '90s',
    '1m',
    '1d',
    '1500ms',
    '0ms',
  ])
  expect(['1024KiB', '1536MiB', '2048MiB'].map((text) => printSize(parseSize(text) ?? -1))).toEqual(['1MiB', '1536MiB', '2GiB'])
})
