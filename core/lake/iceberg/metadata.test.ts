import { expect, test } from 'vitest'
import {
  appendSnapshot,
  currentSnapshot,
  decodeMetadata,
  emptyMetadata,
  encodeMetadata,
  newSnapshotId,
  type TableMetadata,
} from './metadata.ts'
import { partitionSpec } from './partition-spec.ts'
import { icebergSchema } from './schema.ts'
import { appendSummary, totalsIn } from './summary.ts'

let drawn = 0
const random = { bytes: (count: number) => new Uint8Array(count).fill(++drawn) }
const columns = [
  {
    id: 4,
    name: 'a.b',
    type: { kind: 'array' as const, element: { kind: 'tinyint' as const }, elementId: 7 },
    nullable: true,
    comment: 'c',
  },
  {
    id: 5,
    name: 'r',
    type: { kind: 'row' as const, fields: [{ id: 6, name: 'x', type: { kind: 'vector' as const, dimension: 2, elementId: 8 } }] },
    nullable: false,
  },
]
const table = { schema: { schemaId: 1, columns }, partitionBy: [], buckets: { count: 2 } }

const empty = () =>
  emptyMetadata({
    tableId: '0123456789abcdef',
    location: 's3://b/lake/x',
    spec: partitionSpec(table),
    schema: icebergSchema(table.schema),
    lastColumnId: 8,
    createdAt: 500,
    formatVersion: 2,
  })

function append(previous: TableMetadata | undefined, number: number, now = 1000): TableMetadata {
  const summary = appendSummary(totalsIn(previous), { files: 2, rows: 10n, bytes: 100n, partitions: 1 })
  return appendSnapshot(previous === undefined ? { metadata: empty() } : { metadata: previous, uri: `s3://b/v${number - 1}` }, {
    snapshotId: newSnapshotId(previous, random),
    sequence: BigInt(number),
    manifestList: `s3://b/snap-${number}`,
    schema: icebergSchema(table.schema),
    lastColumnId: 8,
    summary,
    properties: { 'sluice.points': `p${number}` },
    now,
  })
}

test('a commit adds a snapshot to what was there', () => {
  const first = append(undefined, 1)
  const second = decodeMetadata(encodeMetadata(append(decodeMetadata(encodeMetadata(first)), 2)))
  expect(second).toMatchObject({
    'format-version': 2,
    'table-uuid': first['table-uuid'],
    location: 's3://b/lake/x',
    'last-sequence-number': 2,
    'last-column-id': 8,
    'last-partition-id': 1000,
    'sort-orders': [{ 'order-id': 1, fields: [{ 'source-id': 2, direction: 'asc' }] }],
    'metadata-log': [{ 'metadata-file': 's3://b/v1' }],
  })
  expect(second['table-uuid']).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(second.snapshots.map((snapshot) => snapshot['parent-snapshot-id'])).toEqual([undefined, first['current-snapshot-id']])
  expect(second.refs['main']?.['snapshot-id']).toBe(second['current-snapshot-id'])
  expect(second['snapshot-log']).toHaveLength(2)
  expect(currentSnapshot(second).summary).toMatchObject({
    operation: 'append',
    'added-records': '10',
    'total-records': '20',
    'total-data-files': '4',
    'total-files-size': '200',
    'total-delete-files': '0',
  })
  expect(second.properties).toMatchObject({ 'sluice.points': 'p2', 'write.metadata.previous-versions-max': '100' })
})

test('a snapshot is later than the one before, whatever the clock says', () => {
  const second = append(append(undefined, 1, 5000), 2, 10)
  expect(second['last-updated-ms']).toBe(5001)
})

test('a table is known before its first commit, as the same table', () => {
  expect(empty()).toEqual(empty())
  expect(empty()['table-uuid']).toBe(append(undefined, 1)['table-uuid'])
  expect(empty()).toMatchObject({ 'last-sequence-number': 0, snapshots: [], refs: {}, 'last-updated-ms': 500 })
})

test('what an engine has left in the metadata is carried on, 63-bit ids to the digit', () => {
  const first = append(undefined, 1)
  const text = new TextDecoder()
    .decode(encodeMetadata(first))
    .replaceAll(String(first['current-snapshot-id']), '9223372036854775807')
    .replace(
      '"refs":{',
      '"statistics":[{"snapshot-id":9007199254740993}],"next-row-id":9007199254740993,"refs":{"t":{"snapshot-id":1,"type":"tag"},',
    )
  const second = append(decodeMetadata(new TextEncoder().encode(text)), 2)
  const printed = new TextDecoder().decode(encodeMetadata(second))
  expect(second.snapshots.map((snapshot) => snapshot['parent-snapshot-id'])).toEqual([undefined, 2n ** 63n - 1n])
  expect(printed).toContain('"parent-snapshot-id":9223372036854775807')
  expect(printed).toContain('"statistics":[{"snapshot-id":9007199254740993}],"next-row-id":9007199254740993')
  expect(second.refs).toMatchObject({ t: { 'snapshot-id': 1n, type: 'tag' }, main: { type: 'branch' } })
})

test('the metadata log is bounded', () => {
  let metadata = append(undefined, 1)
  for (let number = 2; number <= 110; number++) metadata = append(metadata, number)
  expect(metadata['metadata-log']).toHaveLength(100)
  expect(metadata['metadata-log'].at(-1)).toMatchObject({ 'metadata-file': 's3://b/v109' })
  expect(metadata.snapshots).toHaveLength(110)
  expect(new Set(metadata.snapshots.map((snapshot) => snapshot['snapshot-id'])).size).toBe(110)
})

test('snapshot ids stay exact in plain JSON', () => {
  const id = newSnapshotId(undefined, { bytes: (count) => new Uint8Array(count).fill(255) })
  expect(id).toBe(2n ** 53n - 1n)
})

test('columns keep their ids, the system columns follow, and names map to ids', () => {
  const metadata = append(undefined, 1)
  expect(metadata.schemas[0]?.fields).toEqual([
    {
      id: 4,
      name: 'a.b',
      required: false,
      doc: 'c',
      type: { type: 'list', 'element-id': 7, element: 'int', 'element-required': false },
    },
    {
      id: 5,
      name: 'r',
      required: true,
      type: {
        type: 'struct',
        fields: [
          {
            id: 6,
            name: 'x',
            required: false,
            type: { type: 'list', 'element-id': 8, element: 'float', 'element-required': false },
          },
        ],
      },
    },
    { id: 1, name: '__bucket', required: true, type: 'int' },
    { id: 2, name: '__offset', required: true, type: 'long' },
    { id: 3, name: '__timestamp', required: true, type: 'timestamptz' },
  ])
  expect(JSON.parse(metadata.properties['schema.name-mapping.default'] ?? '')).toMatchObject([
    { 'field-id': 4, names: ['a.b'], fields: [{ 'field-id': 7, names: ['element'] }] },
    { 'field-id': 5, names: ['r'], fields: [{ 'field-id': 6, names: ['x'], fields: [{ 'field-id': 8 }] }] },
    { 'field-id': 1 },
    { 'field-id': 2 },
    { 'field-id': 3 },
  ])
})

test('timestamps of 7 digits and more are those in nanoseconds', () => {
  const types = (['timestamp', 'timestamp_ltz'] as const).flatMap((kind) => [6, 7, 9].map((precision) => ({ kind, precision })))
  const columns = types.map((type, i) => ({ id: 4 + i, name: `c${i}`, type, nullable: true }))
  expect(icebergSchema({ schemaId: 1, columns }).fields.map(({ type }) => type)).toEqual([
    ...['timestamp', 'timestamp_ns', 'timestamp_ns', 'timestamptz', 'timestamptz_ns', 'timestamptz_ns'],
    ...['int', 'long', 'timestamptz'],
  ])
})

test.each([
  [undefined, 'bigint', false, 'identity', 1],
  [['k'], 'bigint', false, 'bucket[16]', 4],
  [['k'], 'tinyint', false, 'bucket[16]', 4],
  [['k'], 'decimal', false, 'bucket[16]', 4],
  [['k'], 'bigint', true, 'identity', 1],
  [['k', 'l'], 'bigint', false, 'identity', 1],
])('bucket key %j of %s, nullable %s, is partitioned by %s of column %i', (key, kind, nullable, transform, source) => {
  const schema = {
    schemaId: 1,
    columns: [
      { id: 4, name: 'k', type: { kind, precision: 9, scale: 2 } as never, nullable },
      { id: 5, name: 'l', type: { kind: 'int' as const }, nullable: false },
    ],
  }
  const [field] = partitionSpec({ schema, partitionBy: [], buckets: { count: 16, ...(key !== undefined && { key }) } }).fields
  expect(field).toMatchObject({ transform, 'source-id': source, 'field-id': 1000 })
  expect(field?.name.startsWith('__')).toBe(true)
})
