/**
 * The log as one process uses it: what it remembers (heads, marks) and what it groups (appends of a table). It keeps no truth:
 * every memory is checked by the store at commit, so a process may be frozen, killed or doubled at any moment.
 */
import { present } from '../kernel/assert.ts'
import { isSluiceError, SluiceError } from '../kernel/errors.ts'
import type { BucketRef, Partition } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import type { World } from '../ports/world.ts'
import { Batcher, type BatcherConfig, type Waiting } from './append/batcher.ts'
import { runGroup } from './append/group.ts'
import { MarkKeeper } from './append/mark-keeper.ts'
import { Memos } from './append/memos.ts'
import { type EncodedRows, encodeRows, type Part } from './append/plan.ts'
import { Partitions } from './partitions.ts'
import { fetchBucket } from './read/bucket.ts'
import { readOffsets } from './read/offsets.ts'
import { type Page, type PageReading, type PageRequest, readPage } from './read/page.ts'
import { Ranges } from './read/ranges.ts'
import { Schemas } from './schemas.ts'
import type { AppendRequest, BucketAppended, BucketOffsets, Fetched, FetchRequest, Producer } from './types.ts'
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
  readonly #config: LogConfig
  readonly #memos = new Memos()
  readonly #marks: MarkKeeper
  readonly #partitions: Partitions
  readonly #reading: PageReading
  readonly #watchers: Watchers
  readonly #tables = new Map<string, { table: Table; readonly batcher: Batcher }>()
  #inFlight = 0
  #drained: (() => void)[] = []

  constructor(world: World, config: LogConfig = defaultLogConfig) {
    this.#world = world
    this.#config = config
    this.#marks = new MarkKeeper(world)
    this.#partitions = new Partitions(world)
    this.#watchers = new Watchers(world.clock)
    this.#reading = { world, ranges: new Ranges(world.objects, config.cacheBytesMax), schemas: new Schemas(world) }
  }

  /** An answer for every part, in the order of the request. Throws only where nothing was attempted (`throttled`, bad rows). */
  async append(table: Table, request: AppendRequest): Promise<readonly BucketAppended[]> {
    const rows = encodeRows(table, request)
    this.#inFlight += 1
    try {
      const appended = await this.#submit(table, rows, request.producer)
      const stale = appended.flatMap((answer, part) => (isOfDroppedPartition(answer) ? [part] : []))
      if (stale.length === 0) return appended
      const answers = [...appended]
      for (const part of stale) this.#partitions.forget(table, rows[part]?.partition ?? '')
      const again = await this.#submitAgain(table, pick(rows, stale), request.producer)
      for (const [i, part] of stale.entries()) answers[part] = present(again[i], 'an answer for every part')
      return answers
    } finally {
      this.#inFlight -= 1
      this.#watchers.notify(table.tableId)
      if (this.#inFlight === 0) for (const drained of this.#drained.splice(0)) drained()
    }
  }

  /** Errors: `not-found`, `bad-request`. */
  partition(table: Table, name: string): Promise<Partition> {
    return this.#partitions.find(table, name)
  }

  async fetch(table: Table, request: FetchRequest): Promise<Fetched> {
    assertBucket(table, request.bucket)
    return fetchBucket(this.#reading, table, request)
  }

  /** Rows of a table or a part of it. Errors: as `readPage` says. */
  readPage(table: Table, request: PageRequest): Promise<Page> {
    return readPage(this.#reading, this.#partitions, table, request)
  }

  /** Tells of rows that this process commits. */
  watch({ tableId }: Table): Watch {
    return this.#watchers.watch(tableId)
  }

  /** Those of now, in the order of their names; also those that are being dropped. */
  partitions(table: Table): Promise<readonly Partition[]> {
    return this.#partitions.list(table, 'fresh')
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

  /** Refused as a whole, each of its parts is: others of the request may be done. */
  async #submitAgain(
    table: Table,
    rows: readonly EncodedRows[],
    producer: Producer | undefined,
  ): Promise<readonly BucketAppended[]> {
    return this.#submit(table, rows, producer).catch((error: unknown) => {
      if (isSluiceError(error))
        return rows.map(({ partition, bucket }) => ({ partition, bucket, outcome: { done: false, error } }))
      throw error
    })
  }

  async #submit(table: Table, rows: readonly EncodedRows[], producer: Producer | undefined): Promise<readonly BucketAppended[]> {
    const partitions = await this.#partitions.open(table, new Set(rows.map(({ partition }) => partition)))
    const parts = rows.map((row): Part => ({ ...row, partition: present(partitions.get(row.partition), 'an opened partition') }))
    return this.#batcher(table).submit(parts, producer)
  }

  /** The newest state of a table that a caller brought serves the groups from then on. */
  #batcher(table: Table): Batcher {
    const found = this.#tables.get(table.tableId)
    if (found !== undefined) {
      found.table = table
      return found.batcher
    }
    for (const [id, { batcher }] of this.#tables) if (batcher.idle) this.#tables.delete(id)
    const run = (group: readonly Waiting[]): Promise<void> =>
      runGroup({ world: this.#world, table: entry.table, memos: this.#memos, marks: this.#marks }, group)
    const entry = { table, batcher: new Batcher(this.#world.clock, this.#config, run) }
    this.#tables.set(table.tableId, entry)
    return entry.batcher
  }
}

/** Its heads were closed, so nothing of the part happened: another partition of that name may take it. */
const isOfDroppedPartition = ({ partition, outcome }: BucketAppended): boolean =>
  partition !== '' && !outcome.done && outcome.error.code === 'not-found' && outcome.error.effect === 'none'

const pick = <T>(all: readonly T[], indices: readonly number[]): readonly T[] =>
  indices.map((index) => present(all[index], 'a part'))

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
