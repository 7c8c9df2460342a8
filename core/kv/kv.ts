/**
 * Keyed tables as one process uses them: writes, lookups and scans over the log that they share, with one memory of snapshots and
 * changelog tails under one budget. It keeps no truth; see bucket.ts.
 */
import type { Batch } from '../format/arrow/column.ts'
import { randomId } from '../kernel/ids.ts'
import { limits } from '../kernel/limits.ts'
import { Shares } from '../kernel/shares.ts'
import { Appender } from '../log/append/appender.ts'
import { Batcher, type BatcherConfig } from '../log/append/batcher.ts'
import { defaultLogConfig, type Log } from '../log/log.ts'
import type { BucketAppended, BucketRows, Producer } from '../log/types.ts'
import { type BucketRef, bucketKey, idOf } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import type { World } from '../ports/world.ts'
import { KvBuckets } from './buckets.ts'
import { KvCache } from './cache.ts'
import { type LookedUpOrInserted, lookupOrInsert } from './insert.ts'
import { dropLease, endLease, holdLease } from './lease.ts'
import { bringToEnd, type LookedUp, type LookupOptions, lookup, lookupPrefix } from './lookup.ts'
import { type ScanContext, type ScanPart, type ScanPlace, type ScanRequest, scanBucket } from './scan.ts'
import { runKeyedGroup } from './upsert/group.ts'
import { Numbers } from './upsert/numbers.ts'
import { type KeyedRows, operationsOf, type WrittenColumns } from './upsert/operations.ts'
import type { Row } from './values.ts'

export interface KvConfig extends BatcherConfig {
  /** Of snapshots and changelog tails. */
  readonly cacheBytesMax: number
  /** Of what one group holds while it is computed, and all of a process. */
  readonly upsertBytesMax?: number
}

export const defaultKvConfig: KvConfig = { ...defaultLogConfig, cacheBytesMax: 256 * 1024 * 1024 }

export interface UpsertRequest {
  readonly parts: readonly BucketRows[]
  /** Of rows that do not say it themselves. */
  readonly op: 'upsert' | 'delete'
  readonly targets?: WrittenColumns
  readonly producer?: Producer
}

export class Kv {
  readonly #world: World
  readonly #log: Log
  readonly #cache: KvCache
  readonly #buckets: KvBuckets
  readonly #appender: Appender<KeyedRows>
  #conflicts = 0

  constructor(world: World, log: Log, config: KvConfig = defaultKvConfig) {
    this.#world = world
    this.#log = log
    const { reading, memos, marks, partitionsKnown } = log
    const { schemas } = reading
    const upsertBytesMax = config.upsertBytesMax ?? limits.upsertBytesMax
    this.#cache = new KvCache(config.cacheBytesMax)
    this.#buckets = new KvBuckets({ reading, cache: this.#cache })
    const shared = {
      world,
      memos,
      marks,
      buckets: this.#buckets,
      numbers: new Numbers(world),
      memory: new Shares(upsertBytesMax),
      upsertBytesMax,
      holder: randomId(world.random),
      schemaOf: (table: Table, schemaId: number) => schemas.ofTable(table, schemaId),
      onConflict: () => {
        this.#conflicts += 1
      },
    }
    this.#appender = new Appender({
      partitions: partitionsKnown,
      run: (table, group) => runKeyedGroup({ ...shared, table }, group),
      // One group of a bucket at a time: the next one is computed on what it has left.
      batcher: (run) => new Batcher(world.clock, config, { run, laneOf: (part) => bucketKey(idOf(part)) }),
    })
  }

  /** Races that writes of this process have lost. */
  get conflicts(): number {
    return this.#conflicts
  }

  /**
   * An answer for every part, in the order of the request. Throws only where nothing was attempted (`throttled`, `invalid-rows`). A
   * request without effect has an answer of no rows.
   */
  async upsert(table: Table, { parts, op, targets, producer }: UpsertRequest): Promise<readonly BucketAppended[]> {
    const rows = parts.map(({ partition, bucket, batches }): KeyedRows => {
      const bytes = batches.reduce((sum, batch) => sum + bytesOfBatch(batch), 0)
      return { table, partition, bucket, operations: operationsOf(table, batches, op), targets, bytes }
    })
    return this.#log.track(table, () => this.#appender.append(table, rows, producer))
  }

  /** As `lookup` says. */
  lookup(table: Table, keys: Batch, options: LookupOptions): Promise<LookedUp<Row | undefined>> {
    return lookup(this.#context, table, keys, options)
  }

  /** As `lookupOrInsert` says. */
  lookupOrInsert(table: Table, keys: Batch, options: LookupOptions): Promise<LookedUpOrInserted> {
    const insert = (parts: UpsertRequest['parts']) => this.upsert(table, { parts, op: 'upsert', targets: 'key' })
    return lookupOrInsert({ ...this.#context, insert }, table, keys, options)
  }

  /** As `lookupPrefix` says. */
  lookupPrefix(table: Table, keys: Batch, options: Parameters<typeof lookupPrefix>[3]): Promise<LookedUp<readonly Row[]>> {
    return lookupPrefix(this.#context, table, keys, options)
  }

  /** As `endLease` says. */
  endScan(table: Table, at: BucketRef, lease: string): Promise<void> {
    return endLease(this.#world, table, at, lease)
  }

  /** As `holdLease` says. */
  holdScan(table: Table, at: BucketRef, lease: string): Promise<boolean> {
    return holdLease(this.#world, table, at, lease)
  }

  /** As `dropLease` says. */
  dropScan(table: Table, at: BucketRef, lease: string): Promise<void> {
    return dropLease(this.#world, table, at, lease)
  }

  /** As `scanBucket` says. */
  scan(table: Table, at: BucketRef, place: ScanPlace | undefined, request: ScanRequest): Promise<ScanPart> {
    return scanBucket(this.#context, table, at, place, request)
  }

  /** Live rows of a bucket, at its end. Errors: `not-found`. */
  count(table: Table, at: BucketRef): Promise<bigint> {
    return this.#buckets.use(table, at, async (bucket) =>
      (await bringToEnd(this.#context, table, at, bucket)) === 'gone' ? 0n : bucket.rows,
    )
  }

  get #context(): ScanContext {
    return { world: this.#world, log: this.#log, buckets: this.#buckets, cache: this.#cache }
  }
}

function bytesOfBatch({ columns }: Batch): number {
  let bytes = 0
  const waiting = [...columns]
  for (let column = waiting.pop(); column !== undefined; column = waiting.pop()) {
    bytes += (column.values?.length ?? 0) + (column.offsets?.byteLength ?? 0) + (column.validity?.length ?? 0)
    waiting.push(...column.children)
  }
  return bytes
}
