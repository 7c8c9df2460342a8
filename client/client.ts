/**
 * Sluice over HTTP, for Node 20 and browsers. Names, bodies and errors are those of the contract; an error is a `SluiceError` with code,
 * effect, action and facts. Calls that may be repeated are, with back-off, for as long as `retryForMs`.
 */
import { assert } from '../core/kernel/assert.ts'
import { isSluiceError, withEffect } from '../core/kernel/errors.ts'
import type {
  BucketOffsets,
  Cost,
  DatabaseDescription,
  PartitionDescription,
  TableChange,
  TableDescription,
  TableSpecification,
  TierState,
  Version,
} from './answers.ts'
import { databasePath, partitionPath, queryText, tablePath } from './paths.ts'
import { backOffMs, pause } from './pause.ts'
import { Producer, type ProducerOptions } from './produce/producer.ts'
import {
  type ChangeBatch,
  type ChangelogOptions,
  changesOf,
  type WholeChange,
  wholeChangeReader,
  wholeChangesOf,
} from './read/changes.ts'
import { type BytesBatch, type FetchOptions, fetchBytes, fetchRows, type RowBatch, type Source } from './read/log.ts'
import { LookupPool } from './read/lookup-pool.ts'
import type { LookupOptions, PrefixOptions } from './read/lookups.ts'
import type { PageFormat } from './read/page.ts'
import { type BytesPage, currentBytes, currentRows, endScan, type RowsOptions, type RowsPage } from './read/rows.ts'
import { type TailOptions, tailRows } from './read/tail.ts'
import { type Answer, type Ask, ask, askOnce, type Connection, type Fetch } from './request.ts'
import { RowReader } from './schema.ts'
import type { Row } from './values.ts'

export interface ClientOptions {
  /** Such as `http://127.0.0.1:8080`. */
  readonly url: string
  readonly token?: string | undefined
  /** The global one if absent. */
  readonly fetch?: Fetch
  /** Of administration; producers and readers have their own. 20 s if absent. */
  readonly retryForMs?: number
}

/** Of a call that writes once. */
export type WriteOptions = Omit<ProducerOptions, 'lanes'>

export class SluiceClient {
  readonly #connection: Connection
  readonly #lookups = new LookupPool((source) => this.#rowReader(source.db, source.table))

  constructor({ url, token, fetch = (input, init) => globalThis.fetch(input, init), retryForMs = 20_000 }: ClientOptions) {
    this.#connection = { url: url.replace(/\/+$/, ''), token, fetch, retryForMs }
  }

  version = (): Promise<Version> => this.#json('GET', '/v1')
  cost = (): Promise<Cost> => this.#json('GET', '/v1/cost')

  listDatabases = (): Promise<readonly string[]> => this.#names('/v1/databases', 'databases')
  createDatabase = (db: string): Promise<DatabaseDescription> => this.#json('PUT', databasePath(db))
  describeDatabase = (db: string): Promise<DatabaseDescription> => this.#json('GET', databasePath(db))

  alterDatabase(
    db: string,
    change: { readonly setOptions?: Readonly<Record<string, string | null>> },
  ): Promise<DatabaseDescription> {
    return this.#json('PATCH', databasePath(db), change)
  }

  /** Resolves when it is gone. */
  dropDatabase(db: string, { cascade, ifExists }: { cascade?: boolean; ifExists?: boolean } = {}): Promise<void> {
    return this.#drop(databasePath(db), { cascade, ifExists })
  }

  listTables = (db: string): Promise<readonly string[]> => this.#names(`${databasePath(db)}/tables`, 'tables')
  describeTable = (db: string, table: string): Promise<TableDescription> => this.#json('GET', tablePath(db, table))

  createTable(db: string, table: string, specification: TableSpecification): Promise<TableDescription> {
    return this.#json('PUT', tablePath(db, table), specification)
  }

  /** `ifSchemaId`: refused with `changed` if the table's is another. Not repeated when an answer is lost. */
  async alterTable(db: string, table: string, change: TableChange, ifSchemaId?: number): Promise<TableDescription> {
    const headers = ifSchemaId === undefined ? {} : { 'If-Match': `"${ifSchemaId}"` }
    return this.#json('PATCH', tablePath(db, table), change, headers)
  }

  dropTable(db: string, table: string, { ifExists }: { ifExists?: boolean } = {}): Promise<void> {
    return this.#drop(tablePath(db, table), { ifExists })
  }

  listPartitions(db: string, table: string): Promise<readonly string[]> {
    return this.#names(`${tablePath(db, table)}/partitions`, 'partitions')
  }

  createPartition(db: string, table: string, name: string): Promise<PartitionDescription> {
    return this.#json('PUT', partitionPath(db, table, name))
  }

  dropPartition(
    db: string,
    table: string,
    name: string,
    { ifExists, keepLake }: { ifExists?: boolean; keepLake?: boolean } = {},
  ): Promise<void> {
    return this.#drop(partitionPath(db, table, name), { ifExists, keepLake })
  }

  /** Of all buckets, by partition. */
  async offsets(db: string, table: string): Promise<readonly BucketOffsets[]> {
    const found: BucketOffsets[] = []
    for await (const page of this.#pages<{ buckets: BucketOffsets[] }>(`${tablePath(db, table)}/offsets`))
      found.push(...page.buckets)
    return found
  }

  tierState = (db: string, table: string): Promise<TierState> => this.#json('GET', `${tablePath(db, table)}/tier`)

  /** Brings the table into its lake; `isDone`: every row that there was is committed. */
  async tier(
    db: string,
    table: string,
    { waitMs = 20_000 }: { waitMs?: number } = {},
  ): Promise<TierState & { readonly isDone: boolean }> {
    const path = `${tablePath(db, table)}/tier${queryText({ wait: `${waitMs}ms` })}`
    const answer = await this.#call({ method: 'POST', path, timeoutMs: waitMs + 30_000 })
    return { ...bodyOf<TierState>(answer), isDone: answer.status === 200 }
  }

  /** Describes the table first: it must be there. */
  async producer(db: string, table: string, options: ProducerOptions = {}): Promise<Producer> {
    return new Producer(this.#connection, await this.describeTable(db, table), options)
  }

  /**
   * Resolves when the rows are in the log, once. Who writes often keeps a `producer`. Rows of more than a request are written in their
   * order. Errors: with effect `partial`, the first of them are in the log.
   */
  upsert(db: string, table: string, rows: Row | readonly Row[], options: WriteOptions = {}): Promise<void> {
    return this.#writeOnce(db, table, options, (producer) => producer.write(rows))
  }

  /** Of rows whose keys these are; likewise. With `columns`: empties them. */
  delete(db: string, table: string, keys: Row | readonly Row[], options: WriteOptions = {}): Promise<void> {
    return this.#writeOnce(db, table, options, (producer) => producer.delete(keys))
  }

  /** The row of a primary key, as of every acked write or newer; undefined: there is none. Those of one moment share requests. */
  lookup(db: string, table: string, key: Row, options: LookupOptions = {}): Promise<Row | undefined> {
    return this.#lookups.lookup(this.#source(db, table), key, options)
  }

  /** The rows of a bucket key that is the beginning of the primary key, in key order. */
  lookupPrefix(db: string, table: string, key: Row, options: PrefixOptions = {}): Promise<readonly Row[]> {
    return this.#lookups.lookupPrefix(this.#source(db, table), key, options)
  }

  rows(db: string, table: string, options: RowsOptions & { readonly format: PageFormat }): AsyncGenerator<BytesPage>
  rows(db: string, table: string, options?: RowsOptions & { readonly format?: 'rows' }): AsyncGenerator<RowsPage>
  rows(db: string, table: string, options: RowsOptions & { readonly format?: 'rows' | PageFormat } = {}) {
    const source = this.#source(db, table)
    const { format = 'rows' } = options
    return format === 'rows' ? currentRows(source, options, this.#rowReader(db, table)) : currentBytes(source, options, format)
  }

  /**
   * Of a reader of `rows` that stops behind a page and will not go on from its cursor: the scan gives back its place, one of eight of
   * its bucket, which it holds otherwise until it runs out.
   */
  endRows(db: string, table: string, cursor: string): Promise<void> {
    return endScan(this.#source(db, table), cursor)
  }

  /** Without reading them. */
  async rowCount(db: string, table: string): Promise<bigint> {
    const { count } = await this.#json<{ readonly count: string }>('GET', `${tablePath(db, table)}/rows?count=true`)
    return BigInt(count)
  }

  changelog(db: string, table: string, { live = false, ...options }: ChangelogOptions = {}): AsyncGenerator<ChangeBatch> {
    return changesOf(live ? this.tail(db, table, options) : this.fetch(db, table, options), options)
  }

  /** Whole changes: the row before and the row after. */
  binlog(db: string, table: string, { live = false, ...rest }: ChangelogOptions = {}): AsyncGenerator<ChangeBatch<WholeChange>> {
    const [source, reader] = [this.#source(db, table), wholeChangeReader(this.#rowReader(db, table))]
    const options = { ...rest, form: 'binlog' } as const
    return wholeChangesOf(live ? tailRows(source, options, reader) : fetchRows(source, options, reader), rest)
  }

  fetch(db: string, table: string, options: FetchOptions & { readonly format: PageFormat }): AsyncGenerator<BytesBatch>
  fetch(db: string, table: string, options?: FetchOptions & { readonly format?: 'rows' }): AsyncGenerator<RowBatch>
  fetch(db: string, table: string, options: FetchOptions & { readonly format?: 'rows' | PageFormat } = {}) {
    const source = this.#source(db, table)
    const { format = 'rows' } = options
    return format === 'rows' ? fetchRows(source, options, this.#rowReader(db, table)) : fetchBytes(source, options, format)
  }

  /** From the end on, if nothing else is said. */
  tail(db: string, table: string, options: TailOptions = {}): AsyncGenerator<RowBatch> {
    return tailRows(this.#source(db, table), options, this.#rowReader(db, table))
  }

  /** By one lane: what is acked when a request is refused is then what came before it. */
  async #writeOnce(
    db: string,
    table: string,
    options: WriteOptions,
    write: (producer: Producer) => Promise<void>,
  ): Promise<void> {
    let isAcked = false
    const onAcked: NonNullable<ProducerOptions['onAcked']> = (acked) => {
      isAcked = true
      options.onAcked?.(acked)
    }
    const producer = await this.producer(db, table, { ...options, lanes: 1, onAcked })
    try {
      await write(producer)
      await producer.close()
    } catch (error) {
      throw isAcked && isSluiceError(error) && error.effect === 'none' ? withEffect(error, 'partial') : error
    }
  }

  #source(db: string, table: string): Source {
    return { connection: this.#connection, db, table }
  }

  #rowReader(db: string, table: string): RowReader {
    return new RowReader(() => this.describeTable(db, table))
  }

  async #json<T>(
    method: Ask['method'],
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<T> {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) }
    const type = body === undefined ? {} : { 'Content-Type': 'application/json' }
    return bodyOf<T>(await this.#call({ method, path, headers: { ...type, ...headers }, ...sent }))
  }

  /** A change that may be half known is not made twice. */
  #call(request: Ask): Promise<Answer> {
    return request.method === 'PATCH' ? askOnce(this.#connection, request) : ask(this.#connection, request)
  }

  async #names(path: string, key: string): Promise<readonly string[]> {
    const names: string[] = []
    for await (const page of this.#pages<Record<string, unknown>>(path)) names.push(...(page[key] as string[]))
    return names
  }

  async *#pages<T>(path: string): AsyncGenerator<T> {
    let after: string | undefined
    do {
      const page = await this.#json<{ readonly next: string | null }>('GET', `${path}${queryText({ limit: 1_000, after })}`)
      assert(page.next !== after, 'a list goes on', { path })
      after = page.next ?? undefined
      yield page as unknown as T
    } while (after !== undefined)
  }

  /** 202 while heads are being closed. What was there once and is absent in a repeat was dropped by us. */
  async #drop(path: string, query: Readonly<Record<string, boolean | undefined>>): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const again = attempt === 0 ? query : { ...query, ifExists: true }
      try {
        const { status } = await this.#call({ method: 'DELETE', path: `${path}${queryText(again)}` })
        if (status !== 202) return
      } catch (error) {
        // an answer was lost before: the drop that it was of is done
        if (isSluiceError(error, 'not-found') && error.effect === 'unknown') return
        throw error
      }
      await pause(backOffMs(attempt))
    }
  }
}

const bodyOf = <T>({ bytes }: Answer): T => JSON.parse(new TextDecoder().decode(bytes)) as T
