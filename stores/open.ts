/**
 * Opens the stores of one process with their decorators, from the inside out: the store itself, faults (tests only),
 * count, trace, retry, and inline objects over both. Nothing is read from the environment here; a composition root passes
 * flags. Stores whose conditional writes do not hold are refused (probe.ts).
 */

import type { Clock } from '../core/kernel/clock.ts'
import { SluiceError } from '../core/kernel/errors.ts'
import type { Random } from '../core/kernel/random.ts'
import type { Item, ItemStore, UpdateResult } from '../core/ports/items.ts'
import type { LakeCatalogs } from '../core/ports/lake-catalog.ts'
import type { ObjectStore } from '../core/ports/objects.ts'
import { openDataDirectory } from './data-directory.ts'
import { Counter, countDeferred, countItems, countObjects } from './decorators/count.ts'
import { type FaultRates, faultyItems, faultyObjects } from './decorators/fault.ts'
import { inlineObjects } from './decorators/inline.ts'
import { retryDefaults, retryItems, retryObjects } from './decorators/retry.ts'
import { type TraceHook, traceItems, traceObjects } from './decorators/trace.ts'
import type { DynamoOptions } from './items/dynamodb.ts'
import type { S3Options } from './objects/s3.ts'
import { probeStores } from './probe.ts'

export interface StoresConfig {
  /** A directory for both stores. */
  readonly data?: string
  /** `s3://bucket/prefix`; instead of `data`, or beside it for one store. */
  readonly objects?: string
  /** `dynamodb://table`. */
  readonly items?: string
  readonly s3?: S3Options
  readonly dynamodb?: DynamoOptions
  readonly clock: Clock
  readonly random: Random
  /** JSON of stores/catalog/open.ts, and where its secrets are. */
  readonly catalogs?: { readonly text: string; readonly environment: Readonly<Record<string, string | undefined>> }
  readonly counter?: Counter
  readonly trace?: TraceHook
  /** Default true. False where the store is known and the roles grant nothing but the work itself: on AWS. */
  readonly probe?: boolean
  /** For tests of the real server. */
  readonly faults?: { readonly rates: FaultRates; readonly slowMs: number; readonly random: Random }
}

export interface Stores {
  readonly objects: ObjectStore
  readonly items: ItemStore
  /** External ones; none is asked before it is used. */
  readonly catalogs: LakeCatalogs
  readonly counter: Counter
  /** Everything acknowledged is durable without it; it writes what waits for a next transaction. */
  flush(): Promise<void>
  close(): Promise<void>
}

export async function openStores(config: StoresConfig): Promise<Stores> {
  const bare = await openBare(config)
  try {
    const decorated = decorate(config, bare)
    const stores = { ...decorated, catalogs: await openLakeCatalogs(config, decorated) }
    if (config.probe !== false) await probeStores(stores.objects, stores.items, config.random)
    return stores
  } catch (error) {
    await bare.close()
    throw error
  }
}

interface Bare {
  readonly objects: ObjectStore
  readonly items: ItemStore
  readonly createDeferred?: (item: Item) => UpdateResult
  flush(): Promise<void>
  close(): Promise<void>
}

function decorate(config: StoresConfig, bare: Bare): Omit<Stores, 'catalogs'> {
  const { clock, random, trace, counter = new Counter() } = config
  const faults = config.faults === undefined ? undefined : { ...config.faults, clock }
  const policy = { ...retryDefaults, clock, random }
  let { objects, items } = bare
  if (faults !== undefined) [objects, items] = [faultyObjects(objects, faults), faultyItems(items, faults)]
  ;[objects, items] = [countObjects(objects, counter), countItems(items, counter)]
  if (trace !== undefined) [objects, items] = [traceObjects(objects, clock, trace), traceItems(items, clock, trace)]
  ;[objects, items] = [retryObjects(objects, policy), retryItems(items, policy)]
  const deferred = bare.createDeferred
  const createDeferred = (item: Item): UpdateResult => {
    countDeferred(counter, item)
    return deferred === undefined ? { done: false, item: undefined } : deferred(item)
  }
  return {
    objects: inlineObjects({ objects, items, clock, ...(deferred === undefined ? {} : { createDeferred }) }),
    items,
    counter,
    flush: () => bare.flush(),
    close: () => bare.close(),
  }
}

async function openLakeCatalogs(
  config: StoresConfig,
  { objects, counter }: Pick<Stores, 'objects' | 'counter'>,
): Promise<LakeCatalogs> {
  if (config.catalogs === undefined) return new Map()
  const [{ openCatalogs }, { objectsUnder }] = await Promise.all([
    import('./catalog/open.ts'),
    import('./catalog/objects-under.ts'),
  ])
  const { clock, random } = config
  const retry = { ...retryDefaults, clock, random }
  const s3 = config.objects === undefined ? undefined : await import('./objects/s3.ts')
  const open =
    s3 && ((bucket: string, prefix: string) => retryObjects(countObjects(s3.openS3(bucket, prefix, config.s3), counter), retry))
  return openCatalogs({ ...config.catalogs, objectsAt: objectsUnder(objects, open), clock, retry })
}

async function openBare(config: StoresConfig): Promise<Bare> {
  const directory = config.data === undefined ? undefined : await openDataDirectory(config.data)
  const objects = await openObjects(config, directory?.objects)
  const items = await openItems(config, directory?.items)
  return {
    ...items,
    objects: objects.objects,
    close: async () => {
      await items.close()
      await objects.close()
    },
  }
}

async function openObjects(
  { objects, s3 }: StoresConfig,
  directory: string | undefined,
): Promise<Pick<Bare, 'objects' | 'close'>> {
  if (objects !== undefined) {
    const [, bucket, prefix = ''] = /^s3:\/\/([^/]+)(?:\/(.*))?$/.exec(objects) ?? []
    if (bucket === undefined) throw misnamed('object store', objects, 's3://bucket/prefix')
    const { openS3 } = await import('./objects/s3.ts')
    const store = openS3(bucket, prefix, s3)
    return { objects: store, close: async () => store.close() }
  }
  if (directory === undefined) throw missing('object store', 'objects')
  const { openDirectory } = await import('./objects/directory.ts')
  const store = await openDirectory(directory)
  return { objects: store, close: () => store.close() }
}

async function openItems({ items, dynamodb }: StoresConfig, file: string | undefined): Promise<Omit<Bare, 'objects'>> {
  if (items !== undefined) {
    const [, table] = /^dynamodb:\/\/([A-Za-z0-9_.-]{3,255})$/.exec(items) ?? []
    if (table === undefined) throw misnamed('item store', items, 'dynamodb://table')
    const { openDynamo } = await import('./items/dynamodb.ts')
    const store = openDynamo(table, dynamodb)
    return { items: store, flush: async () => undefined, close: async () => store.close() }
  }
  if (file === undefined) throw missing('item store', 'items')
  const { openSqlite } = await import('./items/sqlite.ts')
  const store = openSqlite(file)
  return {
    items: store,
    createDeferred: (item) => store.createDeferred(item),
    flush: () => store.flush(),
    close: () => store.close(),
  }
}

function misnamed(what: string, value: string, form: string): SluiceError {
  return new SluiceError('bad-request', `${what} ${JSON.stringify(value)} is not known: name it ${form}`, { action: 'stop' })
}

function missing(what: string, setting: string): SluiceError {
  return new SluiceError('bad-request', `no ${what} is named: set data or ${setting}`, { action: 'stop' })
}
