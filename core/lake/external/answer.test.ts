import { expect, test } from 'vitest'
import { CatalogState, memoryCatalog } from '../../../stores/catalog/memory.ts'
import { MemoryObjects } from '../../../stores/objects/memory.ts'
import { tableRequest } from '../../ports/lake-catalog.case.ts'
import type { CatalogTable } from '../../ports/lake-catalog.ts'
import { keyBelow, tableOf } from './answer.ts'
import { pointsRef } from './points.ts'

const name: CatalogTable = { namespace: ['n'], table: 't' }
const state = new CatalogState({ locationOf: () => 'memory:///w/t', newUuid: () => 'u', now: () => 1 })
const catalog = memoryCatalog('other', state, () => new MemoryObjects())
state.create(name, tableRequest)

const snapshot = (id: bigint, sequence: number, parent?: bigint, summary: object = {}) => ({
  'snapshot-id': id,
  ...(parent !== undefined && { 'parent-snapshot-id': parent }),
  'sequence-number': sequence,
  'manifest-list': `memory:///w/t/metadata/${id}.avro`,
  summary: { operation: 'append', ...summary },
})

function answered(change: object): unknown {
  const { metadata } = state.load(name) as { metadata: object }
  return { ...metadata, ...change }
}

function changed(change: (fields: readonly object[]) => readonly object[]): unknown {
  const { schemas } = answered({}) as { schemas: readonly { readonly fields: readonly object[] }[] }
  return answered({ schemas: schemas.map((schema) => ({ ...schema, fields: change(schema.fields) })) })
}

function deep(levels: number): unknown {
  let type: unknown = 'int'
  for (let id = 100; id < 100 + levels; id++) type = { type: 'list', 'element-id': id, element: type }
  return type
}

const read = (metadata: unknown) => tableOf(catalog, name, { metadata, metadataLocation: undefined })

test.each([
  ['no object', 7, 'no metadata'],
  ['version 4', answered({ 'format-version': 4 }), 'format version 4'],
  ['version 3 without row ids', answered({ 'format-version': 3 }), 'a next-row-id that is no number'],
  ['row ids near the end', answered({ 'format-version': 3, 'next-row-id': 2n ** 62n }), 'a next-row-id that is no number'],
  ['an id that is a word', answered({ 'table-uuid': 7 }), 'table-uuid'],
  ['a location that is no text', answered({ location: null }), 'location'],
  ['snapshots that are a word', answered({ snapshots: 'many' }), 'snapshots'],
  ['more snapshots than a table has', answered({ snapshots: new Array(100_001).fill({}) }), 'at most 100000'],
  [
    'a snapshot without a list',
    answered({ snapshots: [{ 'snapshot-id': 1n, summary: {} }] }),
    'a snapshot that is not understood',
  ],
  [
    'a summary of numbers',
    answered({ snapshots: [{ ...snapshot(1n, 1), summary: { rows: 1 } }] }),
    'a snapshot that is not understood',
  ],
  ['two snapshots of one id', answered({ snapshots: [snapshot(1n, 1), snapshot(1n, 2)] }), 'two snapshots 1'],
  ['a current snapshot that is not there', answered({ 'current-snapshot-id': 9n }), 'does not list'],
  [
    'a branch that is not the current snapshot',
    answered({ 'current-snapshot-id': 1n, refs: { main: { 'snapshot-id': 2n } } }),
    'main branch',
  ],
  ['no current schema', answered({ 'current-schema-id': 5 }), 'no current schema'],
  ['a schema of words', answered({ schemas: [{ 'schema-id': 0, fields: ['id'] }] }), 'no current schema'],
  ['an id of a column twice', changed((fields) => fields.map((each) => ({ ...each, id: 1 }))), 'no current schema'],
  ['a name of a column twice', changed((fields) => fields.map((each) => ({ ...each, name: 'a' }))), 'no current schema'],
  ['an id past 32 bits', changed(([first]) => [{ ...first, id: 2 ** 31 }]), 'no current schema'],
  ['a column without a type', changed(([first]) => [{ ...first, type: null }]), 'no current schema'],
  ['a list of nothing', changed(([first]) => [{ ...first, type: { type: 'list', 'element-id': 90 } }]), 'no current schema'],
  [
    'a list without the id of its elements',
    changed(([first]) => [{ ...first, type: { type: 'list', element: 'int' } }]),
    'no current schema',
  ],
  [
    'a row with a field that is none',
    changed(([first]) => [{ ...first, type: { type: 'struct', fields: [null] } }]),
    'no current schema',
  ],
  ['a type of many levels', changed(([first]) => [{ ...first, type: deep(5_000) }]), 'no current schema'],
  ['a last column id past 32 bits', answered({ 'last-column-id': 2 ** 31 }), 'last-column-id that is past 32 bits'],
  ['no default spec', answered({ 'default-spec-id': 5 }), 'no default partition spec'],
  ['properties of numbers', answered({ properties: { a: 1 } }), 'properties'],
])('an answer with %s is refused, and says whose it is', (_name, metadata, why) => {
  expect(() => read(metadata)).toThrow(why)
  expect(() => read(metadata)).toThrow('table n.t of catalog other')
})

test.each(['memory:///w/other/m.avro', 'memory:///w/tt/m.avro', 'memory:///w/t/../x.avro', 'file:///etc/passwd'])(
  'an object at %s is outside of the table',
  (uri) => {
    expect(() => keyBelow(catalog, name, read(answered({})), uri)).toThrow('outside of the table')
  },
)

test('an object below the table is found under either name of its store', () => {
  const table = read(answered({ location: 's3a://b/t' }))
  expect(keyBelow(catalog, name, table, 's3://b/t/metadata/m.avro')).toBe('metadata/m.avro')
  expect(keyBelow(catalog, name, table, 's3a://b/t/metadata/m.avro')).toBe('metadata/m.avro')
})

const tableId = '0123456789abcdef'
const points = (letter: string, id = tableId) => ({
  'sluice.points': `lake/${id}/points/${'0'.repeat(12)}-${letter.repeat(16)}.json`,
  'sluice.points-crc32': '7',
})
const on = (main: bigint, snapshots: object[], properties: object = {}) =>
  read(answered({ 'current-snapshot-id': main, refs: { main: { 'snapshot-id': main, type: 'branch' } }, snapshots, properties }))
const letterOf = (table: ReturnType<typeof read>) => pointsRef(table, tableId)?.key.at(-6)

test('points are those of the nearest ancestor of ours on the main branch, whatever the properties say', () => {
  const snapshots = [snapshot(1n, 1, undefined, points('a')), snapshot(2n, 2, 1n), snapshot(3n, 3, 2n, points('c'))]
  expect(letterOf(on(3n, snapshots, points('f')))).toBe('c')
  expect(letterOf(on(2n, snapshots, points('f')))).toBe('a')
  expect(pointsRef(on(4n, [snapshot(4n, 4)], points('f')), tableId)).toBeUndefined()
})

test('properties are believed where the snapshot that they are of was expired, and only there', () => {
  const cut = [snapshot(5n, 5, 4n), snapshot(6n, 6, 5n)]
  expect(letterOf(on(6n, cut, { ...points('f'), 'sluice.points-sequence': '4' }))).toBe('f')
  expect(() => letterOf(on(6n, cut, { ...points('f'), 'sluice.points-sequence': '7' }))).toThrow('set back')
  expect(() => letterOf(on(6n, cut, points('f')))).toThrow('set back')
  expect(letterOf(on(6n, cut))).toBeUndefined()
})

test.each([
  [{ 'sluice.points': '../../t/secret.json', 'sluice.points-crc32': '7' }, 'under a name that is none'],
  [{ 'sluice.points': points('a')['sluice.points'] }, 'without a checksum'],
  [points('a', 'ffffffffffffffff'), 'another table of sluice'],
])('points %j are refused', (summary, why) => {
  expect(() => letterOf(on(1n, [snapshot(1n, 1, undefined, summary)]))).toThrow(why)
})

test.each([
  [1, 2],
  [0, 0],
])("snapshots that are each other's parents end, with sequence numbers %d and %d", (one, other) => {
  expect(() => letterOf(on(1n, [snapshot(1n, one, 2n), snapshot(2n, other, 1n)]))).toThrow('their own ancestors')
})

test('snapshots of format version 1, which have no sequence numbers, are gone through to the first', () => {
  const of1 = (id: bigint) => ({ ...snapshot(id, 0, id > 1n ? id - 1n : undefined), 'sequence-number': undefined })
  expect(letterOf(on(3n, [of1(1n), of1(2n), of1(3n)]))).toBeUndefined()
  expect(letterOf(on(4n, [of1(1n), of1(2n), of1(3n), snapshot(4n, 1, 3n, points('d'))]))).toBe('d')
})

test.each([
  ['numbers', [7]],
  ['a word', 'many'],
])('manifests of a snapshot without a list that are %s are refused', (_name, manifests) => {
  expect(() => read(answered({ snapshots: [{ 'snapshot-id': 1n, summary: {}, manifests }] }))).toThrow('is not understood')
})

test('a table of format version 1 is told to be upgraded', () => {
  expect(() => read(answered({ 'format-version': 1 }))).toThrow('upgrade it there')
})
