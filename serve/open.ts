/** The stores that the configuration names, and what a server over them is told. Each thread of a server opens its own. */
import { defaultLogConfig, type LogConfig } from '../core/log/log.ts'
import { s3EngineOptions } from '../functions/engine-options.ts'
import { systemClock, systemRandom } from '../functions/system.ts'
import { openStores, type StoresConfig } from '../stores/open.ts'
import { ParquetPool } from '../stores/parquet/pool.ts'
import type { ServeConfig } from './config.ts'
import type { ServedStores, WorldOptions } from './world.ts'

/** `probe`: refuses stores whose conditional writes do not hold; once for a process. */
export async function openServed(config: ServeConfig, { probe }: { readonly probe: boolean }): Promise<ServedStores> {
  const { objects, items, catalogs, counter, flush, close } = await openStores({ ...storesConfig(config), probe })
  const parquet = new ParquetPool({ workers: 2 })
  return {
    objects,
    items,
    catalogs,
    counter,
    parquet,
    close: async () => {
      await parquet.close()
      await flush()
      await close()
    },
  }
}

export const worldOptions = (config: ServeConfig): WorldOptions => ({
  clock: systemClock,
  random: systemRandom,
  log: logConfig(config),
  engineOptions: engineOptions(config),
})

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
