/**
 * The functions as they are deployed, over recorded stores: a table's whole life from create to purge. What each asks of
 * S3, DynamoDB and SQS is compared with what its role grants in the stack. The queue's own polling and the log group are
 * Lambda's business and left out.
 */
import { expect, test } from 'vitest'
import { sweep } from '../../core/jobs/sweep.ts'
import { labelOf } from '../../core/kernel/ids.ts'
import { Kv } from '../../core/kv/kv.ts'
import { Log } from '../../core/log/log.ts'
import { testWorld } from '../../core/log/world.case.ts'
import type { ItemStore, TransactAction } from '../../core/ports/items.ts'
import type { LakeCatalog } from '../../core/ports/lake-catalog.ts'
import type { ObjectStore } from '../../core/ports/objects.ts'
import type { Job } from '../../core/ports/queue.ts'
import { adminHandlers } from '../../functions/admin/handlers.ts'
import type { Handlers } from '../../functions/call.ts'
import { icebergHandlers } from '../../functions/iceberg/handlers.ts'
import { ingestHandlers } from '../../functions/ingest/handlers.ts'
import { runJob } from '../../functions/jobs.ts'
import { lambdaHandler } from '../../functions/lambda.ts'
import { Meter } from '../../functions/meter.ts'
import { readHandlers } from '../../functions/read/handlers.ts'
import { TableCache } from '../../functions/tables.ts'
import { type FunctionWorld, lambdaWaits } from '../../functions/world.ts'
import { CatalogState, memoryCatalog } from '../../stores/catalog/memory.ts'
import { objectsUnder } from '../../stores/catalog/objects-under.ts'
import { Counter } from '../../stores/decorators/count.ts'
import { inlineObjects } from '../../stores/decorators/inline.ts'
import { MemoryItems } from '../../stores/items/memory.ts'
import { MemoryObjects } from '../../stores/objects/memory.ts'
import { inlineParquet } from '../../stores/parquet/inline.ts'
import { granted } from '../infra/granted.ts'

type Role = 'Ingest' | 'Read' | 'Admin' | 'Catalog' | 'Tier' | 'Sweep'
const roles: readonly Role[] = ['Ingest', 'Read', 'Admin', 'Catalog', 'Tier', 'Sweep']
const notOurs = /^(sqs:(ReceiveMessage|DeleteMessage|ChangeMessageVisibility|GetQueueAttributes)|logs:)/
/** What only a race or a fault asks for. */
const rarely: Readonly<Partial<Record<Role, readonly string[]>>> = {
  // Without the right to list, S3 answers 403 instead of 404 for a key that was collected or purged meanwhile.
  Ingest: ['s3:ListBucket on ObjectsBucket'],
  Read: ['s3:ListBucket on ObjectsBucket'],
  Admin: ['s3:ListBucket on ObjectsBucket'],
  Catalog: ['s3:ListBucket on ObjectsBucket'],
}
const maintenance = (owner: string): string =>
  JSON.stringify({ requirements: [], updates: [{ action: 'set-properties', updates: { owner } }] })
const tablePath = '/v1/databases/d/tables/t'
const table = {
  columns: [{ name: 'v', type: 'string' }],
  options: { 'lake.format': 'iceberg', 'lake.freshness': '1m', 'lake.bytes': '8KiB' },
}
const partitionedPath = '/v1/databases/d/tables/p'
const keyedPath = '/v1/databases/d/tables/k'
const keyed = { columns: [{ name: 'v', type: 'string' }], primaryKey: ['v'] }
const partitioned = { columns: [{ name: 'v', type: 'string' }], partitionBy: ['v'], options: { 'lake.format': 'iceberg' } }
const day = 86_400_000

test('each function asks for what its role grants, and every grant is asked for', async () => {
  const shared = testWorld({ objects: new MemoryObjects(), items: new MemoryItems() })
  const used = Object.fromEntries(roles.map((role) => [role, new Set<string>()])) as Record<Role, Set<string>>
  const worlds = Object.fromEntries(roles.map((role) => [role, worldOf(shared, used[role])])) as Record<Role, FunctionWorld>
  const admin = caller(adminHandlers, worlds.Admin)
  const ingest = caller(ingestHandlers, worlds.Ingest)
  const read = caller(readHandlers, worlds.Read)
  const catalog = caller(icebergHandlers, worlds.Catalog)

  await admin('PUT', '/v1/databases/d')
  const { tableId } = (await admin('PUT', tablePath, JSON.stringify(table))) as { tableId: string }
  await catalog('GET', '/iceberg/v1/namespaces/d/tables')
  await catalog('GET', '/iceberg/v1/namespaces/d/tables/t')
  await admin('PATCH', tablePath, '{"setOptions":{"lake.freshness":"2m"}}')
  for (let producer = 0; producer < 40; producer++) await ingest('POST', `${tablePath}/records`, rows(1), `p${producer}`)
  await ingest('POST', `${tablePath}/records`, rows(1), 'p0')
  await ingest('POST', `${tablePath}/records`, rows(200), 'large')
  // As many as compaction does not leave alone.
  for (let i = 0; i < 40; i++) await ingest('POST', `${tablePath}/records`, rows(1))
  await read('GET', `${tablePath}/log`, undefined, undefined, 'bucket=0&offset=earliest')
  await read('GET', `${tablePath}/offsets`)
  await admin('POST', `${tablePath}/tier`)
  shared.time.now += 10 * 60_000
  await sweep(worlds.Sweep)
  await work(shared.jobs, worlds.Tier)
  expect(await admin('GET', `${tablePath}/tier`)).toMatchObject({ lagRows: 0 })
  await read('GET', `${tablePath}/offsets`)
  await catalog('POST', '/iceberg/v1/namespaces/d/tables/t', maintenance('a'))

  await shared.objects.create(`t/${tableId}/00/${labelOf(shared.time.now)}-${'0'.repeat(16)}`, new Uint8Array(8))
  shared.time.now += 3 * day
  await sweep(worlds.Sweep)
  await work(shared.jobs, worlds.Tier)
  shared.time.now += 8 * day
  await sweep(worlds.Sweep)
  await work(shared.jobs, worlds.Tier)
  // They have left the log, and the lake has them.
  const offsets = (await read('GET', `${tablePath}/offsets`)) as { buckets: { start: string }[] }
  expect(offsets.buckets.map(({ start }) => Number(start) > 0)).toContain(true)
  expect(await read('GET', `${tablePath}/log`, undefined, undefined, 'bucket=0&offset=0&limit=1')).toMatchObject({ rows: [{}] })
  // The mark that the tier put is answered by now.
  await catalog('POST', '/iceberg/v1/namespaces/d/tables/t', maintenance('b'))
  await admin('PUT', partitionedPath, JSON.stringify(partitioned))
  await ingest('POST', `${partitionedPath}/records`, rows(2))
  await read('GET', `${partitionedPath}/offsets`)
  await read('GET', `${partitionedPath}/log`, undefined, undefined, `bucket=0&offset=earliest&partition=v=${'0'.repeat(100)}`)
  await admin('PUT', `${partitionedPath}/partitions/v=a`)
  await admin('GET', `${partitionedPath}/partitions`)
  await admin('POST', `${partitionedPath}/tier`)
  await work(shared.jobs, worlds.Tier)
  await admin('DELETE', `${partitionedPath}/partitions/v=${'0'.repeat(100)}`)
  await admin('DELETE', `${partitionedPath}/partitions/v=a`)
  await admin('DELETE', partitionedPath)
  await admin('PUT', keyedPath, JSON.stringify(keyed))
  await ingest('POST', `${keyedPath}/records`, rows(2))
  await ingest('POST', `${keyedPath}/lookup`, '{"keys":[{"v":"a"}],"insert":true}')
  await ingest('GET', `${keyedPath}/rows`, undefined, undefined, 'limit=1')
  await admin('DELETE', keyedPath)
  await admin('DELETE', tablePath)
  shared.time.now += day
  await sweep(worlds.Sweep)
  await work(shared.jobs, worlds.Tier)
  await admin('DELETE', '/v1/databases/d')

  for (const role of roles) {
    const grants = Object.entries(granted[role] ?? {}).flatMap(([on, actions]) => actions.map((action) => `${action} on ${on}`))
    const expected = grants.filter((each) => !notOurs.test(each) && !(rarely[role] ?? []).includes(each))
    expect([role, ...[...used[role]].sort()]).toEqual([role, ...expected.sort()])
  }
})

test('of the external catalogs, admin and tier ask for what their roles grant, and no other function asks', async () => {
  const shared = testWorld({ objects: new MemoryObjects(), items: new MemoryItems() })
  const [state, elsewhere] = [newCatalogState(shared), new MemoryObjects()]
  const used = Object.fromEntries(roles.map((role) => [role, new Set<string>()])) as Record<Role, Set<string>>
  const worldFor = (role: Role): FunctionWorld => {
    const catalog = recordCatalog(memoryCatalog('other', state, objectsUnder(elsewhere)), used[role])
    return { ...worldOf(shared, new Set()), catalogs: new Map([['other', catalog]]) }
  }
  const worlds = Object.fromEntries(roles.map((role) => [role, worldFor(role)])) as Record<Role, FunctionWorld>
  const admin = caller(adminHandlers, worlds.Admin)
  const ingest = caller(ingestHandlers, worlds.Ingest)
  const read = caller(readHandlers, worlds.Read)
  const options = { ...partitioned.options, 'lake.catalog': 'other' }
  await admin('PUT', '/v1/databases/d')
  await admin('PUT', partitionedPath, JSON.stringify({ ...partitioned, options }))
  for (let round = 0; round < 2; round++) {
    await ingest('POST', `${partitionedPath}/records`, rows(2))
    await admin('POST', `${partitionedPath}/tier`)
    await work(shared.jobs, worlds.Tier)
  }
  expect(await admin('GET', `${partitionedPath}/tier`)).toMatchObject({ lagRows: 0 })
  await read('GET', `${partitionedPath}/offsets`)
  await read('GET', `${partitionedPath}/log`, undefined, undefined, `bucket=0&offset=earliest&partition=v=${'0'.repeat(100)}`)
  await admin('DELETE', `${partitionedPath}/partitions/v=${'0'.repeat(100)}`)
  await admin('DELETE', partitionedPath)
  const objects = ['objects.create', 'objects.read']
  expect(Object.fromEntries(roles.map((role) => [role, [...used[role]].sort()]))).toEqual({
    Ingest: [],
    Read: [],
    Admin: ['commit', 'load', ...objects],
    Catalog: [],
    Tier: ['commit', 'create', 'load', ...objects],
    Sweep: [],
  })
})

const newCatalogState = ({ time }: ReturnType<typeof testWorld>): CatalogState =>
  new CatalogState({ locationOf: () => 'memory:///warehouse/t', newUuid: () => 'a', now: () => time.now })

/** The rights to them are those of infra/catalogs.ts by operation: `commits` is load, commit and the objects, `creates` is create. */
function recordCatalog(catalog: LakeCatalog, used: Set<string>): LakeCatalog {
  const record = <T extends object>(store: T, prefix: string): T =>
    new Proxy(store, {
      get: (target, name) => {
        const member = Reflect.get(target, name) as unknown
        if (typeof member !== 'function') return member
        if (name === 'objectsAt') return (location: string) => record(catalog.objectsAt(location), 'objects.')
        return (...given: unknown[]) => {
          if (name !== 'uri' && name !== 'locationFor') used.add(`${prefix}${String(name)}`)
          return member.apply(target, given)
        }
      },
    })
  return record(catalog, '')
}

function rows(count: number): string {
  return Array.from({ length: count }, (_, row) => `{"v":"${String(row).padStart(100, '0')}"}\n`).join('')
}

async function work(jobs: Job[], world: FunctionWorld): Promise<void> {
  for (let turn = 0; jobs.length > 0 && turn < 20; turn++) {
    const [job] = jobs.splice(0, 1)
    if (job !== undefined) await runJob(world, job, { deadlineMs: world.clock.now() + 600_000 })
  }
}

type Caller = (method: string, path: string, body?: string, producer?: string, query?: string) => Promise<unknown>

function caller(handlers: Handlers, world: FunctionWorld): Caller {
  const handle = lambdaHandler(handlers, async () => world)
  return async (method, path, body, producer, query) => {
    const type = body?.startsWith('{"v"') ? 'application/x-ndjson' : 'application/json'
    const { statusCode, body: text } = await handle(
      {
        version: '2.0',
        rawPath: path,
        rawQueryString: query ?? '',
        headers: {
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': type }),
          ...(producer === undefined ? {} : { 'producer-id': producer, 'producer-seq': '0' }),
        },
        ...(body === undefined ? {} : { body }),
        requestContext: { http: { method, path } },
      },
      {},
    )
    if (statusCode >= 300) throw new Error(`${method} ${path} answers ${statusCode}: ${text}`)
    return text.startsWith('{') ? (JSON.parse(text) as unknown) : text
  }
}

function worldOf(shared: ReturnType<typeof testWorld>, used: Set<string>): FunctionWorld {
  const items = recordItems(shared.items, used)
  const core = {
    ...shared,
    items,
    lakeReader: inlineParquet(),
    objects: inlineObjects({ objects: recordObjects(shared.objects, used), items, clock: shared.clock }),
    queue: {
      send: async (job: Job) => {
        used.add('sqs:SendMessage on JobsQueue')
        shared.jobs.push(job)
      },
    },
  }
  const log = new Log(core)
  return {
    ...core,
    log,
    kv: new Kv(core, log),
    parquet: inlineParquet(),
    tables: new TableCache(core),
    meter: new Meter(),
    counter: new Counter(),
    waits: lambdaWaits,
    engineOptions: {},
    rotate: () => 0,
  }
}

/** A create that finds its key taken reads it back. */
function recordObjects(objects: ObjectStore, used: Set<string>): ObjectStore {
  const after = <T>(action: string, keys: readonly string[], result: T): T => {
    for (const key of keys) used.add(`s3:${action} on ObjectsBucket/${key.split('/')[0]}/*`)
    return result
  }
  return {
    create: (key, bytes) => after('PutObject', [key], after('GetObject', [key], objects.create(key, bytes))),
    replace: (key, bytes) => after('PutObject', [key], objects.replace(key, bytes)),
    read: (key, range) => after('GetObject', [key], objects.read(key, range)),
    delete: (keys) => after('DeleteObject', keys, objects.delete(keys)),
    list: (prefix) => {
      used.add('s3:ListBucket on ObjectsBucket')
      return objects.list(prefix)
    },
    uri: (key) => objects.uri(key),
  }
}

function recordItems(items: ItemStore, used: Set<string>): ItemStore {
  const after = <T>(actions: readonly string[], result: T): T => {
    for (const action of actions) used.add(`dynamodb:${action} on ItemsTable`)
    return result
  }
  return {
    get: (key, consistency) => after(['GetItem'], items.get(key, consistency)),
    query: (query) => after(['Query'], items.query(query)),
    create: (item) => after(['PutItem'], items.create(item)),
    update: (update) => after(['UpdateItem'], items.update(update)),
    delete: (key, condition) => after(['DeleteItem'], items.delete(key, condition)),
    transact: (actions) => after(actions.map(transacted), items.transact(actions)),
  }
}

function transacted(action: TransactAction): string {
  if ('create' in action) return 'PutItem'
  if ('update' in action) return 'UpdateItem'
  return 'delete' in action ? 'DeleteItem' : 'ConditionCheckItem'
}
