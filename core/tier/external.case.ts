/** For the tests of external catalogs: a world with one in memory, tables whose lake is in it, and what others do to them. */
import { icebergRead } from 'icebird'
import { CatalogState, memoryCatalog } from '../../stores/catalog/memory.ts'
import { objectsUnder } from '../../stores/catalog/objects-under.ts'
import { createDatabase } from '../catalog/databases.ts'
import { createTable } from '../catalog/tables.ts'
import { batchOf, type Plain } from '../format/arrow/batch.case.ts'
import { hex } from '../kernel/bytes.ts'
import { SluiceError } from '../kernel/errors.ts'
import { type ExternalTable, tableOf } from '../lake/external/answer.ts'
import { decodeManifests, encodeManifestList, type ManifestFile } from '../lake/iceberg/manifest.ts'
import { randomSnapshotId } from '../lake/iceberg/metadata.ts'
import { assignRowIds } from '../lake/iceberg/row-lineage.ts'
import { routeRows } from '../log/route.ts'
import { requestOf, specOfBuckets, type TestWorld, testLog, testWorld } from '../log/world.case.ts'
import { parseOptions } from '../model/options.ts'
import type { Table } from '../model/table.ts'
import { parseType } from '../model/type-text.ts'
import type { CatalogAnswer, CatalogChange, CatalogTable, LakeCatalog } from '../ports/lake-catalog.ts'
import { withFetch } from './tier.case.ts'

export interface ExternalWorld extends TestWorld {
  readonly state: CatalogState
  readonly catalog: LakeCatalog
}

export const there: CatalogTable = { namespace: ['d'], table: 't' }

/** `around`: what stands between us and the catalog. */
export function externalWorld(around: (catalog: LakeCatalog) => LakeCatalog = (catalog) => catalog): ExternalWorld {
  const world = testWorld()
  const state = new CatalogState({
    locationOf: ({ namespace, table }) => world.objects.uri(`warehouse/${namespace.join('/')}/${table}`),
    newUuid: () => hex(world.random.bytes(16)),
    now: () => world.time.now,
  })
  const catalog = around(memoryCatalog('other', state, objectsUnder(world.objects)))
  return { ...world, state, catalog, catalogs: new Map([['other', catalog]]) }
}

export async function externalTestTable(
  world: TestWorld,
  options: Readonly<Record<string, string>> = {},
  buckets = 1,
): Promise<Table> {
  await createDatabase(world, 'd').catch(() => undefined)
  const spec = {
    ...specOfBuckets(buckets),
    options: parseOptions({ 'lake.format': 'iceberg', 'lake.catalog': 'other', ...options }),
  }
  return (await createTable(world, 'd', 't', spec)).table
}

export async function produce(world: TestWorld, table: Table, values: readonly number[], bucket = 0): Promise<void> {
  world.time.now += 10
  const [appended] = await testLog(world).append(table, requestOf(values, undefined, bucket))
  if (appended?.outcome.done !== true) throw new Error('the append failed')
}

export function loaded(world: ExternalWorld, name: CatalogTable = there): ExternalTable {
  const answer = world.state.load(name)
  if (answer === undefined) throw new Error('the catalog has no such table')
  return tableOf(world.catalog, name, answer)
}

/** The rows of the table as icebird reads them by the catalog's metadata. */
export async function externalRows(world: ExternalWorld, name: CatalogTable = there): Promise<Record<string, unknown>[]> {
  const answer = world.state.load(name)
  if (answer === undefined || loaded(world, name).main === undefined) return []
  const metadata = JSON.parse(JSON.stringify(answer.metadata, (_, value) => (typeof value === 'bigint' ? Number(value) : value)))
  return withFetch(world.objects, () => icebergRead({ tableUrl: metadata.location, metadata }), 'warehouse/')
}

export const externalValues = async (world: ExternalWorld): Promise<number[]> =>
  (await externalRows(world)).map((row) => Number(row['v'])).sort((a, b) => a - b)

/** An engine's commit: a new snapshot of the same manifests, and those of its own, without our words in its summary. */
export async function foreignCommit(
  world: ExternalWorld,
  more: readonly object[] = [],
  added: readonly ManifestFile[] = [],
): Promise<void> {
  const table = loaded(world)
  const store = world.catalog.objectsAt(table.location)
  const uri = table.main?.manifestList
  const key = typeof uri === 'string' ? uri.slice(table.location.length + 1) : undefined
  const manifests = [...(key === undefined ? [] : decodeManifests(await store.read(key))), ...added]
  const [snapshotId, sequence] = [randomSnapshotId(table.snapshots, world.random), table.lastSequence + 1n]
  const list = `metadata/snap-${snapshotId}-0-foreign.avro`
  const { formatVersion } = table
  const { manifests: listed, rowIds } = assignRowIds(manifests, table.nextRowId)
  await store.create(
    list,
    encodeManifestList(listed, { snapshotId, parentId: table.main?.id, sequence, random: world.random, formatVersion }),
  )
  const snapshot = {
    'snapshot-id': snapshotId,
    ...(table.main !== undefined && { 'parent-snapshot-id': table.main.id }),
    'sequence-number': Number(sequence),
    'timestamp-ms': world.time.now,
    'manifest-list': store.uri(list),
    summary: { operation: 'replace' },
    'schema-id': table.schema['schema-id'],
    ...(formatVersion === 3 && { 'first-row-id': rowIds.first, 'added-rows': rowIds.added }),
  }
  const updates = [
    { action: 'add-snapshot', snapshot },
    { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': snapshotId },
    ...more,
  ]
  const committed = world.state.commit(there, { requirements: [], updates })
  if (typeof committed === 'string') throw new Error(`the foreign commit: ${committed}`)
}

export const unknown = (): SluiceError => new SluiceError('unavailable', 'the catalog answered 504', { effect: 'unknown' })

/** Commits of snapshots pass through `around`, numbered from 1; other calls go straight. */
export function rowCommits(
  around: (
    go: () => Promise<CatalogAnswer | 'conflict' | 'absent'>,
    number: number,
  ) => Promise<CatalogAnswer | 'conflict' | 'absent'>,
): (catalog: LakeCatalog) => LakeCatalog {
  let count = 0
  return (catalog) => ({
    ...catalog,
    commit: (table, change: CatalogChange) => {
      const go = () => catalog.commit(table, change)
      return JSON.stringify(change.updates, (_, value) => (typeof value === 'bigint' ? `${value}` : value)).includes(
        'add-snapshot',
      )
        ? around(go, ++count)
        : go()
    },
  })
}

export async function appendRows(world: TestWorld, table: Table, rows: readonly (readonly Plain[])[]): Promise<void> {
  world.time.now += 10
  const parts = routeRows(table, [batchOf(table.schema.columns, rows)], { rotate: () => 0 })
  for (const { outcome } of await testLog(world).append(table, { parts })) if (!outcome.done) throw outcome.error
}

export async function partitioned(
  world: TestWorld,
  type = 'string',
  more: Readonly<Record<string, string>> = {},
): Promise<Table> {
  await createDatabase(world, 'd')
  const spec = {
    columns: [
      { name: 'v', type: parseType('bigint'), nullable: false },
      { name: 'k', type: parseType(type), nullable: true },
    ],
    partitionBy: ['k'],
    buckets: { count: 1 },
    options: parseOptions({ 'lake.format': 'iceberg', 'lake.catalog': 'other', ...more }),
  }
  return (await createTable(world, 'd', 't', spec)).table
}

/** A `v` and a `k` each. */
export const put = (world: TestWorld, table: Table, ...rows: readonly (readonly [number, Plain])[]): Promise<void> =>
  appendRows(
    world,
    table,
    rows.map(([v, k]) => [BigInt(v), k]),
  )

export function foreignTable(world: ExternalWorld, partitions: readonly object[], keyType = 'string', version = 2): void {
  const fields = [
    { id: 1, name: 'v', required: true, type: 'long' },
    { id: 2, name: 'k', required: false, type: keyType },
    { id: 3, name: '__bucket', required: false, type: 'int' },
  ]
  const request = {
    schema: { type: 'struct', fields },
    'partition-spec': { fields: partitions },
    properties: { 'format-version': String(version) },
  }
  if (world.state.create(there, request) === 'exists') throw new Error('it is there')
}
