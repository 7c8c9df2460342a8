import { expect, test } from 'vitest'
import type { DataType } from '../../model/types.ts'
import { intBound, longBound } from '../iceberg/bounds.ts'
import type { ManifestDataFile, ManifestEntry } from '../iceberg/manifest.ts'
import { nothingMore } from '../iceberg/manifest-schema.ts'
import { partitionSpec } from '../iceberg/partition-spec.ts'
import { icebergSchema } from '../iceberg/schema.ts'
import { chooseJoins as choose, joinedFile, placeOf } from './join.ts'

const KiB = 1024
const MiB = 1024 * KiB

function entry(
  first: number,
  rows: number,
  {
    bytes = 10 * KiB,
    bucket = 0,
    ...more
  }: Partial<Omit<ManifestDataFile, 'partition'>> & { bytes?: number; bucket?: number } = {},
): ManifestEntry {
  const data_file: ManifestDataFile = {
    content: 0,
    file_path: fileOf(first),
    partition: { __bucket: bucket },
    record_count: BigInt(rows),
    file_size_in_bytes: BigInt(bytes),
    value_counts: [],
    null_value_counts: [],
    nan_value_counts: [],
    lower_bounds: [{ key: 2, value: longBound(BigInt(first)) }],
    upper_bounds: [{ key: 2, value: longBound(BigInt(first + rows - 1)) }],
    ...more,
  }
  return { status: 0, snapshot_id: 1n, sequence_number: 1n, file_sequence_number: 1n, data_file }
}

const fileOf = (first: number): string => `s3://b/lake/x/data/0199aabbccdd-${String(first).padStart(16, '0')}.parquet`
const spec = partitionSpec({ schema: { schemaId: 1, columns: [] }, partitionBy: [], buckets: { count: 2 } })
const place = placeOf(spec, icebergSchema({ schemaId: 1, columns: [] }))
const chooseJoins = (entries: readonly ManifestEntry[]) => choose(entries, place)

const firsts = (joins: ReturnType<typeof chooseJoins>) =>
  joins.map((join) => join.map(({ data_file }) => Number(data_file.file_path.replace(/^.*-0*([0-9]+)\.parquet$/, '$1'))))

test('files of one bucket whose offsets follow each other are joined, in that order', () => {
  const entries = [30, 0, 10, 20].flatMap((first) => [entry(first, 10), entry(first, 10, { bucket: 1 })])
  expect(firsts(chooseJoins(entries))).toEqual([
    [0, 10, 20, 30],
    [0, 10, 20, 30],
  ])
})

test('few files, large ones, and those across a gap or a large one are not joined', () => {
  expect(chooseJoins([0, 10, 20].map((first) => entry(first, 10)))).toEqual([])
  expect(chooseJoins([0, 10, 20, 30].map((first) => entry(first, 10, { bytes: 8 * MiB })))).toEqual([])
  expect(chooseJoins([0, 10, 30, 40].map((first) => entry(first, 10)))).toEqual([])
  const around = [0, 10, 20, 40, 50, 60].map((first) => entry(first, 10))
  expect(chooseJoins([...around, entry(30, 10, { bytes: 9 * MiB })])).toEqual([])
})

test('a joined file, and what a commit copies, are bounded', () => {
  const large = Array.from({ length: 12 }, (_, i) => entry(i, 1, { bytes: 4 * MiB - 1 }))
  expect(chooseJoins(large).map((join) => join.length)).toEqual([4, 4, 4])
  const many = Array.from({ length: 60 }, (_, i) => entry(i, 1, { bytes: 4 * MiB }))
  expect(chooseJoins(many).map((join) => join.length)).toEqual([4, 4, 4, 4])
  const buckets = Array.from({ length: 300 }, (_, bucket) => [0, 10, 20, 30].map((first) => entry(first, 10, { bucket })))
  expect(chooseJoins(buckets.flat())).toHaveLength(256)
})

test('partition values are told apart exactly, whatever width a file gave them', () => {
  const columns = [{ id: 4, name: 'p', type: { kind: 'double' as const }, nullable: true }]
  const table = { schema: { schemaId: 1, columns }, partitionBy: ['p'], buckets: { count: 2 } }
  const doubles = placeOf(partitionSpec(table), icebergSchema(table.schema))
  const places = [0, -0, Number.NaN, null, 1].map((p) => doubles({ ...entry(0, 1).data_file, partition: { p, __bucket: 0 } }))
  expect(new Set(places).size).toBe(5)
  const longs = {
    ...table,
    schema: { schemaId: 1, columns: [{ id: 4, name: 'p', type: { kind: 'bigint' as const }, nullable: true }] },
  }
  const widths = [7, 7n].map((p) =>
    placeOf(partitionSpec(longs), icebergSchema(longs.schema))({ ...entry(0, 1).data_file, partition: { p, __bucket: 0 } }),
  )
  expect(widths[0]).toBe(widths[1])
})

test('a file without bounds of its offsets, or with a name of an engine, is left alone', () => {
  const named = [0, 10, 20, 30].map((first) => entry(first, 10, { file_path: `s3://b/lake/x/data/00000-${first}.parquet` }))
  expect(chooseJoins(named)).toEqual([])
  const entries = [0, 10, 20, 30].map((first) => entry(first, 10, { lower_bounds: null }))
  expect(chooseJoins(entries)).toEqual([])
})

test('counts of a joined file are the sums, and its bounds the widest', () => {
  const types = new Map<number, DataType>([
    [4, { kind: 'int' }],
    [5, { kind: 'string' }],
    [6, { kind: 'double' }],
  ])
  const text = (value: string) => new TextEncoder().encode(value)
  const a = entry(0, 3, {
    value_counts: [4, 5, 6].map((key) => ({ key, value: 3n })),
    null_value_counts: [
      { key: 4, value: 3n },
      { key: 5, value: 0n },
      { key: 6, value: 1n },
    ],
    nan_value_counts: [{ key: 6, value: 2n }],
    lower_bounds: [{ key: 5, value: text('m') }],
    upper_bounds: [{ key: 5, value: text('q') }],
  })
  const b = entry(3, 2, {
    value_counts: [4, 5, 6].map((key) => ({ key, value: 2n })),
    null_value_counts: [
      { key: 4, value: 0n },
      { key: 5, value: 1n },
      { key: 6, value: 0n },
    ],
    nan_value_counts: [{ key: 6, value: 0n }],
    lower_bounds: [
      { key: 4, value: intBound(-5) },
      { key: 5, value: text('b') },
      { key: 6, value: new Uint8Array(8) },
    ],
    // The greatest text has no bound: it could not be raised.
    upper_bounds: [{ key: 4, value: intBound(7) }],
  })
  expect(joinedFile([a, b], { uri: 's3://b/joined.parquet', bytes: 99 }, types)).toEqual({
    ...nothingMore,
    content: 0,
    file_path: 's3://b/joined.parquet',
    first_row_id: null,
    partition: { __bucket: 0 },
    record_count: 5n,
    file_size_in_bytes: 99n,
    value_counts: [4, 5, 6].map((key) => ({ key, value: 5n })),
    null_value_counts: [
      { key: 4, value: 3n },
      { key: 5, value: 1n },
      { key: 6, value: 1n },
    ],
    nan_value_counts: [{ key: 6, value: 2n }],
    lower_bounds: [
      { key: 5, value: text('b') },
      { key: 4, value: intBound(-5) },
      { key: 6, value: new Uint8Array(8) },
    ],
    upper_bounds: [{ key: 4, value: intBound(7) }],
  })
})
