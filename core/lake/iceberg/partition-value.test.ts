import { expect, test } from 'vitest'
import { fromHex, hex } from '../../kernel/bytes.ts'
import { parseType } from '../../model/type-text.ts'
import {
  decodeEntries,
  decodeManifestList,
  encodeEntries,
  encodeManifest,
  encodeManifestList,
  entryStatus,
  manifestFile,
} from './manifest.ts'
import { partitionSpec } from './partition-spec.ts'
import {
  avroKey,
  avroType,
  avroValue,
  isBound,
  joinSummaries,
  mayHave,
  partitionTypes,
  partitionValues,
  summarize,
} from './partition-value.ts'
import { icebergSchema } from './schema.ts'

const random = { bytes: (count: number) => new Uint8Array(count).fill(7) }

function tableBy(type: string, name = 'p') {
  const columns = [
    { id: 4, name: 'v', type: { kind: 'bigint' as const }, nullable: false },
    { id: 5, name, type: parseType(type), nullable: true },
  ]
  return { schema: { schemaId: 1, columns }, partitionBy: [name], buckets: { count: 4 } }
}

const typeOf = (table: ReturnType<typeof tableBy>): string =>
  partitionTypes(partitionSpec(table), icebergSchema(table.schema))[0] ?? ''

/** Column type, value in the partition's name, Iceberg's type, single value in hex (spec, appendix D), Avro's value. */
const cases: readonly (readonly [string, string, string, string, unknown])[] = [
  ['boolean', 'true', 'boolean', '01', true],
  ['tinyint', '-128', 'int', '80ffffff', -128],
  ['smallint', '300', 'int', '2c010000', 300],
  ['int', '-1', 'int', 'ffffffff', -1],
  ['bigint', '9223372036854775807', 'long', 'ffffffffffffff7f', 2n ** 63n - 1n],
  ['float', '0.5', 'float', '0000003f', 0.5],
  ['double', '-0.5', 'double', '000000000000e0bf', -0.5],
  ['double', 'NaN', 'double', '000000000000f87f', Number.NaN],
  ['decimal(9,2)', '14.20', 'decimal(9, 2)', '058c', Buffer.from('0000058c', 'hex')],
  ['decimal(38,0)', '-1', 'decimal(38, 0)', 'ff', Buffer.from('ff'.repeat(16), 'hex')],
  ['string', 'größe', 'string', '6772c3b6c39f65', 'größe'],
  ['string', '', 'string', '', ''],
  ['binary', 'AP8%3D', 'binary', '00ff', Buffer.from('00ff', 'hex')],
  ['date', '1970-01-02', 'date', '01000000', 1],
  ['time(3)', '00%3A00%3A00.001', 'time', 'e803000000000000', 1_000n],
  ['time(6)', '00%3A00%3A00.000001', 'time', '0100000000000000', 1n],
  ['timestamp(0)', '1970-01-01T00%3A00%3A01', 'timestamp', '40420f0000000000', 1_000_000n],
  ['timestamp(6)', '1969-12-31T23%3A59%3A59.999999', 'timestamp', 'ffffffffffffffff', -1n],
  ['timestamp(9)', '1969-12-31T23%3A59%3A59.999999999', 'timestamp_ns', 'ffffffffffffffff', -1n],
  ['timestamp_ltz(7)', '1970-01-01T00%3A00%3A00.0000001Z', 'timestamptz_ns', '6400000000000000', 100n],
  ['timestamp_ltz(3)', '1970-01-01T00%3A00%3A00.002Z', 'timestamptz', 'd007000000000000', 2_000n],
]

test.each(cases)('a partition of %s named %s is %s %s in the lake', (type, text, iceberg, bytes, avro) => {
  const table = tableBy(type)
  expect(typeOf(table)).toBe(iceberg)
  const [value] = partitionValues(table, `p=${text}`)
  expect(hex(value ?? new Uint8Array(9))).toBe(bytes)
  expect(avroValue(iceberg, value ?? null)).toEqual(avro)
})

test.each(cases)('a manifest of a partition of %s named %s comes back as it was, and its summary finds it', (type, text) => {
  const table = tableBy(type)
  const partition = partitionValues(table, `p=${text}`)
  const files = [{ uri: 's3://b/a.parquet', bytes: 10, rows: 2, partition, bucket: 3, columns: [] }]
  const context = {
    schema: icebergSchema(table.schema),
    spec: partitionSpec(table),
    snapshotId: 5n,
    random,
    formatVersion: 2 as const,
  }
  const bytes = encodeManifest(files, context)
  const listed = manifestFile(files, { ...context, uri: 's3://b/m.avro', bytes: bytes.length, sequence: 9n })
  const [fromList] = decodeManifestList(encodeManifestList([listed], { ...context, parentId: 1n, sequence: 9n }), 2n)
  if (fromList === undefined) throw new Error('the list is empty')
  expect(fromList.partitions).toEqual(listed.partitions)
  const entries = decodeEntries(bytes, context.spec) ?? []
  expect(encodeEntries(entries, context)).toEqual(bytes)
  const [iceberg = ''] = partitionTypes(context.spec, context.schema)
  expect(avroKey(iceberg, entries[0]?.data_file.partition['p'])).toBe(avroKey(iceberg, avroValue(iceberg, partition[0] ?? null)))
  expect(entries[0]).toMatchObject({
    status: entryStatus.added,
    snapshot_id: 5n,
    data_file: { partition: { __bucket: 3 }, record_count: 2n },
  })
  expect(mayHave(iceberg, (fromList.partitions ?? [])[0] ?? summarize(iceberg, []), partition[0] ?? null)).toBe(true)
})

test('Avro has the logical types of the specification', () => {
  expect(avroType('date')).toEqual({ type: 'int', logicalType: 'date' })
  expect(avroType('time')).toEqual({ type: 'long', logicalType: 'time-micros' })
  expect(avroType('timestamp')).toEqual({ type: 'long', logicalType: 'timestamp-micros', 'adjust-to-utc': false })
  expect(avroType('timestamptz')).toEqual({ type: 'long', logicalType: 'timestamp-micros', 'adjust-to-utc': true })
  expect(avroType('timestamp_ns')).toEqual({ type: 'long', logicalType: 'timestamp-nanos', 'adjust-to-utc': false })
  expect(avroType('timestamptz_ns')).toEqual({ type: 'long', logicalType: 'timestamp-nanos', 'adjust-to-utc': true })
  expect(avroType('binary')).toBe('bytes')
})

/** Bytes of a decimal's fixed, by its digits: the table of the specification's appendix on Parquet, which Avro shares. */
test.each([
  [1, 1],
  [2, 1],
  [3, 2],
  [4, 2],
  [5, 3],
  [9, 4],
  [18, 8],
  [19, 9],
  [38, 16],
])('a decimal of %i digits has %i bytes', (precision, size) => {
  expect(avroType(`decimal(${precision}, 0)`)).toMatchObject({ type: 'fixed', logicalType: 'decimal', size, precision, scale: 0 })
})

test('a summary has the least and the greatest value, nulls and NaN beside them', () => {
  const doubles = tableBy('double')
  const values = ['NaN', '3.5', '-2', '__HIVE_DEFAULT_PARTITION__'].map(
    (text) => partitionValues(doubles, `p=${text}`)[0] ?? null,
  )
  const summary = summarize('double', values)
  expect(summary).toEqual({
    contains_null: true,
    contains_nan: true,
    lower_bound: Buffer.from('00000000000000c0', 'hex'),
    upper_bound: Buffer.from('0000000000000c40', 'hex'),
  })
  expect(values.map((value) => mayHave('double', summary, value))).toEqual([true, true, true, true])
  const four = partitionValues(doubles, 'p=4')[0] ?? null
  expect(mayHave('double', summary, four)).toBe(false)
  const alone = summarize('double', [four])
  expect(values.map((value) => mayHave('double', alone, value))).toEqual([false, false, false, false])
})

test('the summary of an int that was widened since still tells where a value may be', () => {
  const ints = summarize('int', [fromHex('feffffff'), fromHex('05000000')])
  const long = (value: bigint) => new Uint8Array(BigInt64Array.of(value).buffer)
  expect([-3n, -2n, 0n, 5n, 6n].map((value) => mayHave('long', ints, long(value)))).toEqual([false, true, true, true, false])
  expect(avroKey('long', -2)).toBe(avroKey('long', -2n))
})

test.each([
  ['int', 'bigint', '-7', -7n],
  ['smallint', 'int', '3', 3],
  ['decimal(3,1)', 'decimal(38,1)', '-1.5', Buffer.from(`${'ff'.repeat(15)}f1`, 'hex')],
])('a manifest of a partition of %s is written again where the column is %s by now', (narrow, wide, text, avro) => {
  const [before, now] = [tableBy(narrow), tableBy(wide)]
  const file = { uri: 'u', bytes: 1, rows: 1, partition: partitionValues(before, `p=${text}`), bucket: 0, columns: [] }
  const spec = partitionSpec(before)
  const bytes = encodeManifest([file], {
    schema: icebergSchema(before.schema),
    spec,
    snapshotId: 1n,
    random,
    formatVersion: 2 as const,
  })
  const again = encodeEntries(decodeEntries(bytes, spec) ?? [], {
    schema: icebergSchema(now.schema),
    spec,
    random,
    formatVersion: 2,
  })
  expect(decodeEntries(again, spec)?.[0]?.data_file.partition['p']).toEqual(avro)
})

test('names that Avro cannot have are made plain, and stay apart', () => {
  const columns = ['a.b', 'a_x2Eb', '9', 'größe'].map((name, i) => ({ id: 4 + i, name, type: parseType('int'), nullable: true }))
  const table = { schema: { schemaId: 1, columns }, partitionBy: columns.map(({ name }) => name), buckets: { count: 1 } }
  const spec = partitionSpec(table)
  expect(spec.fields.map((field) => field['field-id'])).toEqual([1000, 1001, 1002, 1003, 1004])
  const partition = partitionValues(table, 'a.b=1/a_x2Eb=2/9=3/größe=4')
  const file = { uri: 'u', bytes: 1, rows: 1, partition, bucket: 0, columns: [] }
  const context = { schema: icebergSchema(table.schema), spec, snapshotId: 1n, random, formatVersion: 2 as const }
  const bytes = encodeManifest([file], context)
  const [entry] = decodeEntries(bytes, spec) ?? []
  expect(entry?.data_file.partition).toEqual({ a_x2Eb: 1, a_x2Eb__1001: 2, _9: 3, gr_xF6_xDFe: 4, __bucket: 0 })
})

test('of two manifests it is known that there is no NaN only where both say so', () => {
  const summary = (contains_nan: boolean | null) => ({ ...summarize('double', []), contains_nan })
  const joined = (a: boolean | null, b: boolean | null) => joinSummaries('double', summary(a), summary(b)).contains_nan
  expect([joined(false, false), joined(false, null), joined(null, false), joined(null, null)]).toEqual([false, null, null, null])
  expect([joined(true, null), joined(false, true)]).toEqual([true, true])
})

test('bytes bound a value of a type by their number', () => {
  const bounds = (type: string): readonly number[] =>
    [0, 1, 4, 8, 16, 17].filter((length) => isBound(type, new Uint8Array(length)))
  expect(bounds('long')).toEqual([4, 8])
  expect(bounds('double')).toEqual([4, 8])
  expect(bounds('boolean')).toEqual([1])
  expect(bounds('decimal(9, 2)')).toEqual([1, 4, 8, 16])
  expect(bounds('string')).toEqual([0, 1, 4, 8, 16, 17])
})
