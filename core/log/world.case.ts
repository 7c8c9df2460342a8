/** A world in memory for the tests of the log: a clock that the test moves, numbers instead of randomness, a table `d.t`. */
import { MemoryItems } from '../../stores/items/memory.ts'
import { MemoryObjects } from '../../stores/objects/memory.ts'
import { createDatabase } from '../catalog/databases.ts'
import { createTable } from '../catalog/tables.ts'
import type { Batch, Field } from '../format/arrow/column.ts'
import { viewOf } from '../kernel/bytes.ts'
import { defaultOptions } from '../model/options.ts'
import { type BucketId, unpartitioned } from '../model/partition.ts'
import type { Table, TableSpec } from '../model/table.ts'
import type { ItemStore } from '../ports/items.ts'
import type { ObjectStore } from '../ports/objects.ts'
import type { Job } from '../ports/queue.ts'
import type { World } from '../ports/world.ts'
import { defaultLogConfig, Log } from './log.ts'
import { producerOf } from './producer.ts'
import { decodeBuffers } from './read/conform.ts'
import type { FetchedRows } from './read/rows.ts'
import type { AppendRequest, Producer } from './types.ts'

export interface TestWorld extends World {
  readonly time: { now: number }
  readonly jobs: Job[]
}

export function testWorld(stores: { objects?: ObjectStore; items?: ItemStore } = {}): TestWorld {
  const time = { now: 1_700_000_000_000 }
  const jobs: Job[] = []
  const advance = (ms: number): void => {
    time.now += ms
  }
  let drawn = 0
  return {
    objects: stores.objects ?? new MemoryObjects(),
    items: stores.items ?? new MemoryItems(),
    queue: { send: async (job) => void jobs.push(job) },
    clock: { now: () => time.now, sleep: async (ms) => advance(ms) },
    random: {
      bytes: (count) => {
        const out = new Uint8Array(count)
        viewOf(out).setUint32(count - 4, ++drawn)
        return out
      },
    },
    time,
    jobs,
  }
}

/** Of a table without partitions. */
export const bucketAt = (bucket: number): BucketId => ({ partition: '', bucket })

export const valueField: Field = { id: 4, name: 'v', type: { kind: 'bigint' }, nullable: false }

export function specOfBuckets(count: number, lake: 'none' | 'iceberg' = 'none'): TableSpec {
  return {
    columns: [{ name: 'v', type: { kind: 'bigint' }, nullable: false }],
    partitionBy: [],
    buckets: { count },
    options: { ...defaultOptions, lakeFormat: lake },
  }
}

export async function testTable(world: World, buckets = 1, lake: 'none' | 'iceberg' = 'none'): Promise<Table> {
  await createDatabase(world, 'd')
  return (await createTable(world, 'd', 't', specOfBuckets(buckets, lake))).table
}

/** A table `d.t` of partitions by `k`, a text, with two columns. */
export async function partitionedTable(world: World, buckets = 1, lake: 'none' | 'iceberg' = 'none'): Promise<Table> {
  await createDatabase(world, 'd')
  const spec: TableSpec = {
    ...specOfBuckets(buckets, lake),
    columns: [
      { name: 'v', type: { kind: 'bigint' }, nullable: false },
      { name: 'k', type: { kind: 'string' }, nullable: false },
    ],
    partitionBy: ['k'],
  }
  return (await createTable(world, 'd', 't', spec)).table
}

export const testLog = (world: World): Log => new Log(world, { ...defaultLogConfig, groupIntervalMs: 0 })

export function batchOf(values: readonly number[]): Batch {
  const numbers = new BigInt64Array(values.map(BigInt))
  return {
    rows: values.length,
    fields: [valueField],
    columns: [
      {
        type: { kind: 'bigint' },
        length: values.length,
        nullCount: 0,
        validity: undefined,
        offsets: undefined,
        values: new Uint8Array(numbers.buffer),
        children: [],
      },
    ],
  }
}

export function requestOf(values: readonly number[], producer?: Producer, bucket = 0): AppendRequest {
  return { parts: [{ partition: '', bucket, batches: [batchOf(values)] }], ...(producer && { producer }) }
}

export function producerWith(
  producerId: string,
  sequence: number,
  options: { epoch?: number; body?: string; gap?: boolean } = {},
): Producer {
  return producerOf({
    principal: 'local',
    producerId,
    epoch: BigInt(options.epoch ?? 0),
    sequence: BigInt(sequence),
    body: new TextEncoder().encode(options.body ?? `${producerId} ${sequence}`),
    gapDetection: options.gap ?? false,
  })
}

/** Of the first column, which is `v`. */
export function valuesOf(fetched: readonly FetchedRows[]): number[] {
  return fetched.flatMap((batch) => {
    const [column] = decodeBuffers([valueField], batch.rows, batch.columns().slice(0, 1)).columns
    const bytes = column?.values?.slice() ?? new Uint8Array()
    return [...new BigInt64Array(bytes.buffer, 0, batch.rows)].map(Number)
  })
}

export async function readAll(log: Log, table: Table, bucket = 0): Promise<number[]> {
  const values: number[] = []
  for (let from: 'earliest' | bigint = 'earliest'; ; ) {
    const fetched = await log.fetch(table, {
      partition: unpartitioned,
      bucket,
      from: from as never,
      rowsMax: 7,
      bytesMax: 1 << 20,
    })
    values.push(...valuesOf(fetched.rows))
    if (fetched.next >= fetched.end) return values
    from = fetched.next
  }
}
