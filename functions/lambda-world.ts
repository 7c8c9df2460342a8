/**
 * The world of a Lambda function, from the environment that infra/room.ts gives it. Made once an environment, at the
 * first invocation; it holds nothing that another invocation could not find in the stores.
 */
import { Kv } from '../core/kv/kv.ts'
import { Log } from '../core/log/log.ts'
import type { ParquetReader, ParquetWriter } from '../core/ports/parquet.ts'
import { retryDefaults } from '../stores/decorators/retry.ts'
import { openStores } from '../stores/open.ts'
import { openSqs } from '../stores/queue/sqs.ts'
import { s3EngineOptions } from './engine-options.ts'
import { Meter } from './meter.ts'
import { systemClock, systemRandom } from './system.ts'
import { TableCache } from './tables.ts'
import { type FunctionWorld, lambdaWaits } from './world.ts'

/** `lakeReader`: of a function that gives rows. */
export function lambdaWorld(parquet: ParquetWriter = noParquet, lakeReader?: ParquetReader): () => Promise<FunctionWorld> {
  let world: Promise<FunctionWorld> | undefined
  return () => {
    world ??= openWorld(parquet, lakeReader).catch((error) => {
      world = undefined
      throw error
    })
    return world
  }
}

async function openWorld(parquet: ParquetWriter, lakeReader: ParquetReader | undefined): Promise<FunctionWorld> {
  const text = process.env['SLUICE_CATALOGS']
  const { objects, items, catalogs, counter } = await openStores({
    ...(text !== undefined && text !== '' && { catalogs: { text, environment: process.env } }),
    objects: required('SLUICE_OBJECTS'),
    items: required('SLUICE_ITEMS'),
    probe: false,
    clock: systemClock,
    random: systemRandom,
  })
  const core = {
    objects,
    items,
    queue: openSqs({ url: required('SLUICE_QUEUE'), retry: { ...retryDefaults, clock: systemClock, random: systemRandom } }),
    clock: systemClock,
    random: systemRandom,
    catalogs,
    ...(lakeReader && { lakeReader }),
  }
  let count = 0
  const log = new Log(core)
  return {
    ...core,
    log,
    kv: new Kv(core, log),
    parquet,
    tables: new TableCache(core),
    meter: new Meter(),
    counter,
    waits: lambdaWaits,
    engineOptions: s3EngineOptions({ region: process.env['AWS_REGION'] }),
    rotate: () => count++,
  }
}

function required(name: string): string {
  const value = process.env[name]
  if (value === undefined || value === '') throw new Error(`the environment lacks ${name}`)
  return value
}

/** Only the tier function carries the writer. */
const noParquet: ParquetWriter = {
  write: async () => {
    throw new Error('this function writes no Parquet')
  },
  join: async () => {
    throw new Error('this function writes no Parquet')
  },
}
