/**
 * ItemStore in one SQLite file (node:sqlite): WAL, synchronous = FULL, several processes on one file. Reads run here, on a
 * connection that only reads; writes go to a thread, where those that waited for one sync share a transaction and the next
 * (write-queue.ts). `createDeferred` holds a create and makes it at the head of its own next transaction, so that a
 * payload and the head that names it share one sync. A crash loses held creates: by then nothing durable names them.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { SluiceError } from '../../core/kernel/errors.ts'
import type {
  Attributes,
  Condition,
  Item,
  ItemKey,
  ItemQuery,
  ItemStore,
  TransactAction,
  TransactResult,
  Update,
  UpdateResult,
} from '../../core/ports/items.ts'
import { decodeAttributes } from './codec.ts'
import { Deferred } from './deferred.ts'
import { sqliteError } from './sqlite-error.ts'
import type { BatchResult, WriteBatch } from './sqlite-writes.ts'
import { checkCondition, checkItem, checkKey, checkQuery, checkTransact, checkUpdate } from './validate.ts'
import { WriteQueue, WriterThread, type Written } from './write-queue.ts'

const layoutVersion = 1
const openTimeoutMs = 10_000
/** Readers of a WAL wait for nobody but a recovery. */
const readTimeoutMs = 1_000

/** Commits batches, one at a time; never rejects. */
export interface Writer {
  commit(batch: WriteBatch): Promise<BatchResult>
  close(): Promise<void>
}

/** `path` of the database file; it is created if it is missing, its directory is not. */
export function openSqlite(path: string, writer: Writer = new WriterThread(path)): SqliteItems {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path, { timeout: openTimeoutMs })
    prepareDatabase(database, path)
    return new SqliteItems(database, writer)
  } catch (error) {
    database?.close()
    throw sqliteError(error, path, 'none')
  }
}

export class SqliteItems implements ItemStore {
  readonly #database: DatabaseSync
  readonly #writer: Writer
  readonly #deferred = new Deferred()
  readonly #queue: WriteQueue
  readonly #statements: Statements

  constructor(database: DatabaseSync, writer: Writer) {
    this.#database = database
    this.#writer = writer
    this.#statements = statementsOf(database)
    this.#queue = new WriteQueue(this.#deferred, (batch) => writer.commit(batch))
  }

  async get(key: ItemKey): Promise<Item | undefined> {
    checkKey(key)
    return this.#deferred.get(key) ?? this.#read(key)
  }

  async query(query: ItemQuery): Promise<readonly Item[]> {
    checkQuery(query)
    try {
      return this.#deferred.merge(query, this.#select(query))
    } catch (error) {
      throw sqliteError(error, 'a query failed', 'none')
    }
  }

  async create(item: Item): Promise<UpdateResult> {
    checkItem(item)
    const written = await this.#queue.write({ create: item })
    return written.done ? { done: true, item } : { done: false, item: itemOf(item.key, written) }
  }

  async update(update: Update): Promise<UpdateResult> {
    checkUpdate(update)
    const written = await this.#queue.write({ update })
    const item = itemOf(update.key, written)
    return written.done && item !== undefined ? { done: true, item } : { done: false, item }
  }

  async delete(key: ItemKey, condition?: Condition): Promise<{ readonly done: boolean; readonly item: Item | undefined }> {
    checkKey(key)
    if (condition !== undefined) checkCondition(condition)
    const written = await this.#queue.write({ delete: key, ...(condition === undefined ? {} : { condition }) })
    return { done: written.done, item: itemOf(key, written) }
  }

  async transact(actions: readonly TransactAction[]): Promise<TransactResult> {
    checkTransact(actions)
    const { done, failed } = await this.#queue.write({ transact: actions })
    return done ? { done } : { done, failed: failed ?? 0 }
  }

  /**
   * As `create`, but durable only with this process's next write: whoever relies on it writes an item that names it.
   * Reads through these see it at once, through others when it is durable.
   */
  createDeferred(item: Item): UpdateResult {
    checkItem(item)
    const old = this.#deferred.get(item.key) ?? this.#read(item.key)
    if (old !== undefined) return { done: false, item: old }
    this.#deferred.hold(item)
    return { done: true, item }
  }

  /** Resolves when everything held is durable. */
  async flush(): Promise<void> {
    await this.#queue.flush()
  }

  async close(): Promise<void> {
    await this.#queue.flush()
    await this.#writer.close()
    this.#database.close()
  }

  #read(key: ItemKey): Item | undefined {
    try {
      const row = this.#statements.get.get(key.partition, key.sort)
      return row === undefined ? undefined : { key, attributes: decodeAttributes(row['body'] as Uint8Array) }
    } catch (error) {
      throw sqliteError(error, 'a read failed', 'none')
    }
  }

  #select({ partition, from, to, limit, reverse }: ItemQuery): readonly Item[] {
    const statement = this.#statements.query[reverse === true ? 'descending' : 'ascending'][to === undefined ? 'open' : 'closed']
    const rows = to === undefined ? statement.all(partition, from ?? '', limit) : statement.all(partition, from ?? '', to, limit)
    return rows.map((row) => ({
      key: { partition, sort: row['sk'] as string },
      attributes: decodeAttributes(row['body'] as Uint8Array),
    }))
  }
}

function itemOf(key: ItemKey, { body }: Written): Item | undefined {
  if (body === undefined) return undefined
  const attributes: Attributes = decodeAttributes(body)
  return { key, attributes }
}

interface Statements {
  readonly get: StatementSync
  readonly query: Readonly<Record<'ascending' | 'descending', Readonly<Record<'open' | 'closed', StatementSync>>>>
}

function statementsOf(database: DatabaseSync): Statements {
  const query = (bound: string, order: string): StatementSync =>
    database.prepare(`SELECT sk, body FROM items WHERE pk = ? AND sk >= ? ${bound} ORDER BY sk ${order} LIMIT ?`)
  return {
    get: database.prepare('SELECT body FROM items WHERE pk = ? AND sk = ?'),
    query: {
      ascending: { open: query('', 'ASC'), closed: query('AND sk < ?', 'ASC') },
      descending: { open: query('', 'DESC'), closed: query('AND sk < ?', 'DESC') },
    },
  }
}

function prepareDatabase(database: DatabaseSync, path: string): void {
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -32768')
  database.exec('BEGIN IMMEDIATE')
  const version = database.prepare('PRAGMA user_version').get()?.['user_version']
  if (version !== 0 && version !== layoutVersion) {
    database.exec('ROLLBACK')
    throw new SluiceError(
      'not-supported',
      `${path} has layout ${String(version)}, this build knows ${layoutVersion}: use a newer build`,
    )
  }
  // Keys compare as bytes (BINARY), which is the order of sort keys.
  database.exec(
    'CREATE TABLE IF NOT EXISTS items (pk TEXT NOT NULL, sk TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (pk, sk)) WITHOUT ROWID, STRICT',
  )
  database.exec(`PRAGMA user_version = ${layoutVersion}`)
  database.exec('COMMIT')
  database.exec(`PRAGMA busy_timeout = ${readTimeoutMs}`)
}
