/** What engines may change of a table, and what not. */
import { describe, expect, test } from 'vitest'
import { isSluiceError } from '../../kernel/errors.ts'
import { appendSnapshot, emptyMetadata, type Snapshot, type TableMetadata } from './metadata.ts'
import { partitionSpec } from './partition-spec.ts'
import { checkRequirements, type TableRequirement } from './requirements.ts'
import { icebergSchema } from './schema.ts'
import { applyUpdates, type TableUpdate } from './updates.ts'

const table = {
  schema: { schemaId: 1, columns: [{ id: 4, name: 'v', type: { kind: 'bigint' as const }, nullable: false }] },
  partitionBy: [],
  buckets: { count: 1 },
}
const now = 10_000
const base = [11n, 12n, 13n].reduce<TableMetadata | undefined>(
  (metadata, snapshotId, at) =>
    appendSnapshot(
      {
        metadata: metadata ?? emptyMetadata({ ...tableOf(), createdAt: 0, formatVersion: 2 }),
        ...(metadata && { uri: `v${at}` }),
      },
      {
        snapshotId,
        sequence: BigInt(at + 1),
        manifestList: `l${at}`,
        schema: icebergSchema(table.schema),
        lastColumnId: 4,
        summary: { operation: 'append' },
        properties: { 'sluice.points': 'p' },
        now: 1_000 * (at + 1),
      },
    ),
  undefined,
) as TableMetadata

function tableOf() {
  return {
    tableId: 'x',
    location: 's3://b/lake/x',
    spec: partitionSpec(table),
    schema: icebergSchema(table.schema),
    lastColumnId: 4,
  }
}

const snapshot = (more: Partial<Snapshot> = {}): Snapshot => ({
  'snapshot-id': 2n ** 63n - 1n,
  'parent-snapshot-id': 13n,
  'sequence-number': 4,
  'timestamp-ms': now,
  'manifest-list': 's3://b/lake/x/metadata/l',
  summary: { operation: 'replace' },
  'schema-id': 1,
  ...more,
})
const setMain = (id: bigint): TableUpdate => ({
  action: 'set-snapshot-ref',
  'ref-name': 'main',
  type: 'branch',
  'snapshot-id': id,
})
const ids = (metadata: TableMetadata): bigint[] => metadata.snapshots.map((each) => each['snapshot-id'])
const apply = (...updates: TableUpdate[]): TableMetadata => applyUpdates(base, updates, now)

test('a snapshot that replaces files becomes main', () => {
  const next = apply({ action: 'add-snapshot', snapshot: snapshot() }, setMain(2n ** 63n - 1n))
  expect(next).toMatchObject({ 'current-snapshot-id': 2n ** 63n - 1n, 'last-sequence-number': 4, 'last-updated-ms': now })
  expect(next['snapshot-log'].at(-1)).toEqual({ 'timestamp-ms': now, 'snapshot-id': 2n ** 63n - 1n })
  expect(next.properties).toEqual(base.properties)
})

test('expired snapshots leave the log before them, the statistics and nothing else', () => {
  const statistics: TableUpdate[] = [11n, 13n].map((id) => ({
    action: 'set-statistics',
    statistics: { 'snapshot-id': id, 'statistics-path': 's' },
  }))
  const next = apply(...statistics, { action: 'remove-snapshots', 'snapshot-ids': [12n, 99n, 11n] })
  expect(ids(next)).toEqual([13n])
  expect(next['snapshot-log'].map((each) => each['snapshot-id'])).toEqual([13n])
  expect(next.statistics).toEqual([{ 'snapshot-id': 13n, 'statistics-path': 's' }])
  expect(ids(apply({ action: 'remove-snapshots', 'snapshot-ids': [12n] }))).toEqual([11n, 13n])
})

test('branches and tags come and go', () => {
  const tagged = apply({ action: 'set-snapshot-ref', 'ref-name': 't', type: 'tag', 'snapshot-id': 12n, 'max-ref-age-ms': 1 })
  expect(tagged.refs).toMatchObject({ t: { type: 'tag', 'snapshot-id': 12n, 'max-ref-age-ms': 1 }, main: { 'snapshot-id': 13n } })
  expect(applyUpdates(tagged, [{ action: 'remove-snapshot-ref', 'ref-name': 't' }], now).refs).toEqual(base.refs)
  const kept = apply({ ...setMain(13n), 'min-snapshots-to-keep': 5 } as TableUpdate)
  expect(kept.refs['main']).toEqual({ type: 'branch', 'snapshot-id': 13n, 'min-snapshots-to-keep': 5 })
})

test('properties that are nobody else’s are set and removed', () => {
  const set = apply({ action: 'set-properties', updates: { owner: 'a', 'history.expire.max-snapshot-age-ms': '1' } })
  expect(set.properties).toEqual({ ...base.properties, owner: 'a', 'history.expire.max-snapshot-age-ms': '1' })
  expect(applyUpdates(set, [{ action: 'remove-properties', removals: ['owner', 'none'] }], now).properties).not.toHaveProperty(
    'owner',
  )
})

test('what changes nothing gives back the same metadata', () => {
  const same: TableUpdate[] = [
    { action: 'assign-uuid', uuid: base['table-uuid'].toUpperCase() },
    { action: 'upgrade-format-version', 'format-version': 2 },
    { action: 'set-location', location: 's3://b/lake/x/' },
    { action: 'remove-snapshots', 'snapshot-ids': [99n] },
    { action: 'remove-snapshot-ref', 'ref-name': 'none' },
  ]
  expect(apply(...same)).toBe(base)
})

describe('refused', () => {
  const tag = { action: 'set-snapshot-ref', 'ref-name': 't', type: 'tag', 'snapshot-id': 12n } as const
  const refusals: [string, string, TableUpdate[]][] = [
    ['another uuid', 'bad-request', [{ action: 'assign-uuid', uuid: '00000000-0000-4000-8000-000000000000' }]],
    ['another format', 'bad-request', [{ action: 'upgrade-format-version', 'format-version': 3 }]],
    ['another place', 'bad-request', [{ action: 'set-location', location: 's3://b/lake/y' }]],
    ['a snapshot that is there', 'bad-request', [{ action: 'add-snapshot', snapshot: snapshot({ 'snapshot-id': 12n }) }]],
    ['a schema that is not there', 'bad-request', [{ action: 'add-snapshot', snapshot: snapshot({ 'schema-id': 9 }) }]],
    ['a sequence number that is taken', 'conflict', [{ action: 'add-snapshot', snapshot: snapshot({ 'sequence-number': 3 }) }]],
    [
      'a sequence number of far',
      'bad-request',
      [{ action: 'add-snapshot', snapshot: snapshot({ 'sequence-number': 2 ** 53 - 1 }) }],
    ],
    ['a tag that keeps others', 'bad-request', [{ ...tag, 'min-snapshots-to-keep': 2 }]],
    ['a tag that keeps others for a time', 'bad-request', [{ ...tag, 'max-snapshot-age-ms': 1 }]],
    ['a time to come', 'bad-request', [{ action: 'add-snapshot', snapshot: snapshot({ 'timestamp-ms': now + 700_000 }) }]],
    ['main going back', 'conflict', [setMain(12n)]],
    ['main at nothing', 'bad-request', [setMain(99n)]],
    ['main as a tag', 'bad-request', [{ action: 'set-snapshot-ref', 'ref-name': 'main', type: 'tag', 'snapshot-id': 13n }]],
    ['main removed', 'bad-request', [{ action: 'remove-snapshot-ref', 'ref-name': 'main' }]],
    ['the current snapshot expired', 'bad-request', [{ action: 'remove-snapshots', 'snapshot-ids': [13n] }]],
    [
      'a tagged snapshot expired',
      'bad-request',
      [
        { action: 'set-snapshot-ref', 'ref-name': 't', type: 'tag', 'snapshot-id': 12n },
        { action: 'remove-snapshots', 'snapshot-ids': [12n] },
      ],
    ],
    ['points overwritten', 'bad-request', [{ action: 'set-properties', updates: { 'sluice.points': 'x' } }]],
    ['points removed', 'bad-request', [{ action: 'remove-properties', removals: ['sluice.points-crc32'] }]],
    ['files sent elsewhere', 'bad-request', [{ action: 'set-properties', updates: { 'write.data.path': 's3://b/y' } }]],
    ['a property too long', 'bad-request', [{ action: 'set-properties', updates: { a: 'x'.repeat(40_000) } }]],
    ['a ref without a name', 'bad-request', [{ action: 'set-snapshot-ref', 'ref-name': '', type: 'tag', 'snapshot-id': 12n }]],
    [
      'statistics of nothing',
      'bad-request',
      [{ action: 'set-statistics', statistics: { 'snapshot-id': 99n, 'statistics-path': 's' } }],
    ],
  ]
  test.each(refusals)('%s', (_, code, updates) => {
    expect(codeOf(() => apply(...updates))).toBe(code)
  })
})

describe('requirements', () => {
  const held: TableRequirement[] = [
    { type: 'assert-table-uuid', uuid: base['table-uuid'] },
    { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': 13n },
    { type: 'assert-ref-snapshot-id', ref: 'none', 'snapshot-id': null },
    { type: 'assert-ref-snapshot-id', ref: 'toString' },
    { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': 4 },
    { type: 'assert-current-schema-id', 'current-schema-id': 1 },
    { type: 'assert-last-assigned-partition-id', 'last-assigned-partition-id': base['last-partition-id'] },
    { type: 'assert-default-spec-id', 'default-spec-id': 0 },
    { type: 'assert-default-sort-order-id', 'default-sort-order-id': 1 },
  ]
  test('that hold', () => {
    expect(() => checkRequirements(base, held)).not.toThrow()
  })

  const broken: TableRequirement[] = [
    { type: 'assert-create' },
    { type: 'assert-table-uuid', uuid: 'x' },
    { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': 12n },
    { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': null },
    { type: 'assert-ref-snapshot-id', ref: 'none', 'snapshot-id': 13n },
    { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': 5 },
    { type: 'assert-current-schema-id', 'current-schema-id': 2 },
    { type: 'assert-last-assigned-partition-id', 'last-assigned-partition-id': 7 },
    { type: 'assert-default-spec-id', 'default-spec-id': 1 },
    { type: 'assert-default-sort-order-id', 'default-sort-order-id': 0 },
  ]
  test.each(
    broken.map((each) => [JSON.stringify(each, (_, value) => (typeof value === 'bigint' ? `${value}` : value)), each] as const),
  )('%s does not hold', (_, requirement) => {
    expect(codeOf(() => checkRequirements(base, [requirement]))).toBe('conflict')
  })
})

function codeOf(run: () => unknown): string {
  try {
    run()
    return 'none'
  } catch (error) {
    if (!isSluiceError(error)) throw error
    return error.code
  }
}
