/** `startServer`: the stores that the configuration names, and a server over them. */

import { defaultLogConfig, type LogConfig } from '../core/log/log.ts'
import { s3EngineOptions } from '../functions/engine-options.ts'
import { systemClock, systemRandom } from '../functions/system.ts'
import { openStores, type Stores, type StoresConfig } from '../stores/open.ts'
import { ParquetPool } from '../stores/parquet/pool.ts'
import type { ServeConfig } from './config.ts'
import { type Running, type ServedStores, type ServeOptions, serveOver } from './server.ts'

export async function startServer(config: ServeConfig, more: Partial<ServeOptions> = {}): Promise<Running> {
  const stores = withParquet(await openStores(storesConfig(config)))
  try {
    return await serveOver(stores, {
      port: config.port,
      clock: systemClock,
      random: systemRandom,
      log: logConfig(config),
      engineOptions: engineOptions(config),
      ...more,
    })
  } catch (error) {
    await stores.close()
    throw error
  }
}

/** A disk syncs one file after another, so fewer and larger groups bring more than many in flight; a store far away wants those. */
function logConfig({ objects }: ServeConfig): LogConfig {
  return objects === undefined ? { ...defaultLogConfig, groupIntervalMs: 2, groupsInFlightMax: 2 } : defaultLogConfig
}

function engineOptions({ objects, endpointUrl, region }: ServeConfig): Readonly<Record<string, string>> {
  return objects === undefined ? {} : s3EngineOptions({ endpoint: endpointUrl, region, pathStyle: endpointUrl !== undefined })
}

/** A server of one's own is reached by path, and seldom knows the newer checksums. */
function storesConfig({ dataDirectory, objects, items, endpointUrl, catalogs }: ServeConfig): StoresConfig {
  const remote = objects !== undefined && items !== undefined
  const endpoint = endpointUrl === undefined ? {} : { endpoint: endpointUrl }
  return {
    ...(remote ? {} : { data: dataDirectory }),
    ...(objects === undefined ? {} : { objects }),
    ...(items === undefined ? {} : { items }),
    s3: endpointUrl === undefined ? {} : { ...endpoint, pathStyle: true, checksums: 'WHEN_REQUIRED' },
    dynamodb: endpoint,
    ...(catalogs === undefined ? {} : { catalogs }),
    clock: systemClock,
    random: systemRandom,
  }
}

function withParquet(stores: Stores): ServedStores {
  const parquet = new ParquetPool({ workers: 2 })
  return {
    objects: stores.objects,
    items: stores.items,
    catalogs: stores.catalogs,
    counter: stores.counter,
    parquet,
    close: async () => {
      await parquet.close()
      await stores.flush()
      await stores.close()
    },
  }
}
