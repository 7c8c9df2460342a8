/**
 * The log as one process uses it: what it remembers (heads, marks) and what it groups (appends of a table). It keeps no truth:
 * every memory is checked by the store at commit, so a process may be frozen, killed or doubled at any moment.
 */
import { SluiceError } from '../kernel/errors.ts'
import { LakeIndex } from '../lake/files-at.ts'
import type { BucketRef, Partition } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import type { World } from '../ports/world.ts'
import { Appender } from './append/appender.ts'
import { Batcher, type BatcherConfig } from './append/batcher.ts'
import { runGroup } from './append/group.ts'
import { MarkKeeper } from './append/mark-keeper.ts'
import { Memos } from './append/memos.ts'
import { type EncodedRows, encodeRows } from './append/plan.ts'
import { Partitions } from './partitions.ts'
import { fetchBucket } from './read/bucket.ts'
import { readOffsets } from './read/offsets.ts'
import { type Page, type PageRequest, readPage } from './read/page.ts'
import { Ranges } from './read/ranges.ts'
import type { ShapeReading } from './read/shape.ts'
import { Schemas } from './schemas.ts'
import type { AppendRequest, BucketAppended, BucketOffsets, Fetched, FetchRequest } from './types.ts'
import { type Watch, Watchers } from './watch.ts'

export interface LogConfig extends BatcherConfig {
  /** Of verified ranges that reads keep. */
  readonly cacheBytesMax: number
}

export const defaultLogConfig: LogConfig = {
  groupIntervalMs: 5,
  groupBytesMax: 8 * 1024 * 1024,
  groupsInFlightMax: 4,
  pendingBytesMax: 256 * 1024 * 1024,
  cacheBytesMax: 64 * 1024 * 1024,
}

export class Log {
  readonly #world: World
  /** What appends of this process share; the keyed buckets above the log append with the same. */
  readonly memos = new Memos()
  readonly marks: MarkKeeper
  readonly partitionsKnown: Partitions
  readonly reading: ShapeReading
  readonly #watchers: Watchers
  readonly #appender: Appender<EncodedRows>
  #inFlight = 0
  #drained: (() => void)[] = []

  constructor(world: World, config: LogConfig = defaultLogConfig) {
    this.#world = world
    this.marks = new MarkKeeper(world)
    this.partitionsKnown = new Partitions(world)
    this.#watchers = new Watchers(world.clock)
    this.reading = {
      world,
      ranges: new Ranges(world.objects, config.cacheBytesMax),
      schemas: new Schemas(world),
      lake: new LakeIndex(world),
    }
    this.#appender = new Appender({
      partitions: this.partitionsKnown,
      run: (table, group) => runGroup({ world, table, memos: this.memos, marks: this.marks }, group),
      batcher: (run) => new Batcher(world.clock, config, { run }),
    })
  }

  /** An answer for every part, in the order of the request. Throws only where nothing was attempted (`throttled`, bad rows). */
  async append(table: Table, request: AppendRequest): Promise<readonly BucketAppended[]> {
    const rows = encodeRows(table, request)
    return this.track(table, () => this.#appender.append(table, rows, request.producer))
  }

  /** Work that a drain waits for, and that may bring rows. */
  async track<T>({ tableId }: Table, work: () => Promise<T>): Promise<T> {
    this.#inFlight += 1
    try {
      return await work()
    } finally {
      this.#inFlight -= 1
      this.#watchers.notify(tableId)
      if (this.#inFlight === 0) for (const drained of this.#drained.splice(0)) drained()
    }
  }

  /** Errors: `not-found`, `bad-request`. */
  partition(table: Table, name: string): Promise<Partition> {
    return this.partitionsKnown.find(table, name)
  }

  async fetch(table: Table, request: FetchRequest): Promise<Fetched> {
    assertBucket(table, request.bucket)
    return fetchBucket(this.reading, table, request)
  }

  /** Rows of a table or a part of it. Errors: as `readPage` says. */
  readPage(table: Table, request: PageRequest): Promise<Page> {
    return readPage(this.reading, this.partitionsKnown, table, request)
  }

  /** Tells of rows that this process commits. */
  watch({ tableId }: Table): Watch {
    return this.#watchers.watch(tableId)
  }

  /** Those of now, in the order of their names; also those that are being dropped. */
  partitions(table: Table): Promise<readonly Partition[]> {
    return this.partitionsKnown.list(table, 'fresh')
  }

  /** In the order of `buckets`. */
  async offsets(table: Table, buckets: readonly BucketRef[]): Promise<readonly BucketOffsets[]> {
    return readOffsets(this.#world, table, buckets)
  }

  /** Resolves when no append is in flight. */
  async drain(): Promise<void> {
    if (this.#inFlight === 0) return
    await new Promise<void>((resolve) => this.#drained.push(resolve))
  }
}

function assertBucket(table: Table, bucket: number): void {
  if (Number.isInteger(bucket) && bucket >= 0 && bucket < table.buckets.count) return
  throw new SluiceError(
    'bad-request',
    `bucket ${bucket} does not exist: ${table.database}.${table.name} has buckets 0 to ${table.buckets.count - 1}`,
    {
      facts: { parameter: 'bucket', buckets: table.buckets.count },
    },
  )
}
