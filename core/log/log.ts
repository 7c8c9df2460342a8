/**
 * The log as one process uses it: what it remembers (heads, marks) and what it groups (appends of a table). It keeps no truth:
 * every memory is checked by the store at commit, so a process may be frozen, killed or doubled at any moment.
 */
import { SluiceError } from '../kernel/errors.ts'
import type { Table } from '../model/table.ts'
import type { World } from '../ports/world.ts'
import { Batcher, type BatcherConfig, type Waiting } from './append/batcher.ts'
import { runGroup } from './append/group.ts'
import { MarkKeeper } from './append/mark-keeper.ts'
import { Memos } from './append/memos.ts'
import { encodeParts } from './append/plan.ts'
import { fetchBucket } from './read/fetch.ts'
import { readOffsets } from './read/offsets.ts'
import type { AppendRequest, BucketAppended, BucketOffsets, Fetched, FetchRequest } from './types.ts'

export type LogConfig = BatcherConfig

export const defaultLogConfig: LogConfig = {
  groupIntervalMs: 5,
  groupBytesMax: 8 * 1024 * 1024,
  groupsInFlightMax: 4,
  pendingBytesMax: 256 * 1024 * 1024,
}

export class Log {
  readonly #world: World
  readonly #config: LogConfig
  readonly #memos = new Memos()
  readonly #marks: MarkKeeper
  readonly #tables = new Map<string, { table: Table; readonly batcher: Batcher }>()
  #inFlight = 0
  #drained: (() => void)[] = []

  constructor(world: World, config: LogConfig = defaultLogConfig) {
    this.#world = world
    this.#config = config
    this.#marks = new MarkKeeper(world)
  }

  /** An answer for every part, in the order of the request. Throws only where nothing was attempted (`throttled`, bad rows). */
  async append(table: Table, request: AppendRequest): Promise<readonly BucketAppended[]> {
    const parts = encodeParts(table, request)
    this.#inFlight += 1
    try {
      return await this.#batcher(table).submit(parts, request.producer)
    } finally {
      this.#inFlight -= 1
      if (this.#inFlight === 0) for (const drained of this.#drained.splice(0)) drained()
    }
  }

  async fetch(table: Table, request: FetchRequest): Promise<Fetched> {
    assertBucket(table, request.bucket)
    return fetchBucket(this.#world, table, request)
  }

  async offsets(table: Table, buckets: { readonly from: number; readonly count: number }): Promise<readonly BucketOffsets[]> {
    return readOffsets(this.#world, table, buckets)
  }

  /** Resolves when no append is in flight. */
  async drain(): Promise<void> {
    if (this.#inFlight === 0) return
    await new Promise<void>((resolve) => this.#drained.push(resolve))
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
