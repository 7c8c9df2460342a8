/**
 * ItemStore in one SQLite file (node:sqlite): WAL, synchronous = FULL, several processes on one file. An acked write is
 * synced; writes of one turn share a transaction (write-queue.ts). `createDeferred` holds a create and runs it at the head
 * of this process's next write transaction, so that a payload and the head that names it share one sync.
 * A crash loses held creates: by then nothing durable names them.
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
import { decodeAttributes, encodeAttributes } from './codec.ts'
import { Deferred } from './deferred.ts'
import { equalValues, holds, updated } from './evaluate.ts'
import { sqliteError } from './sqlite-error.ts'
import { planTransact } from './transact.ts'
import { checkCondition, checkItem, checkKey, checkQuery, checkSize, checkTransact, checkUpdate } from './validate.ts'
import { WriteQueue } from './write-queue.ts'

const layoutVersion = 1
const openTimeoutMs = 10_000
/** SQLite waits for a lock inside the call, so only briefly; the write queue waits outside. */
const lockTimeoutMs = 10

/** `path` of the database file; it is created if it is missing, its directory is not. */
export function openSqlite(path: string): SqliteItems {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path, { timeout: openTimeoutMs })
    prepareDatabase(database, path)
    return new SqliteItems(database)
  } catch (error) {
    database?.close()
    throw sqliteError(error, path, 'none')
  }
}

export class SqliteItems implements ItemStore {
  readonly #database: DatabaseSync
  readonly #deferred = new Deferred()
  readonly #queue: WriteQueue
  readonly #statements: Statements

  constructor(database: DatabaseSync) {
    this.#database = database
    this.#statements = statementsOf(database)
    this.#queue = new WriteQueue(
      database,
      () => this.#writeDeferred(),
      () => this.#deferred.written(),
    )
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
    return this.#queue.write(() => {
      const old = this.#old(item.key)
      if (old !== undefined) return { done: false, item: { key: item.key, attributes: old } }
      this.#put(item.key, item.attributes)
      return { done: true, item }
    })
  }

  async update(update: Update): Promise<UpdateResult> {
    checkUpdate(update)
    return this.#queue.write(() => {
      const old = this.#old(update.key)
      if (old === undefined) return { done: false, item: undefined }
      if (update.condition !== undefined && !holds(update.condition, old))
        return { done: false, item: { key: update.key, attributes: old } }
      const item = { key: update.key, attributes: updated(update, old) }
      checkSize(item)
      this.#put(item.key, item.attributes)
      return { done: true, item }
    })
  }

  async delete(key: ItemKey, condition?: Condition): Promise<{ readonly done: boolean; readonly item: Item | undefined }> {
    checkKey(key)
    if (condition !== undefined) checkCondition(condition)
    return this.#queue.write(() => {
      const attributes = this.#old(key)
      const item = attributes === undefined ? undefined : { key, attributes }
      if (condition !== undefined && !holds(condition, attributes)) return { done: false, item }
      if (item !== undefined) this.#put(key, undefined)
      return { done: true, item }
    })
  }

  async transact(actions: readonly TransactAction[]): Promise<TransactResult> {
    checkTransact(actions)
    return this.#queue.write(() => {
      const plan = planTransact(actions, (key) => this.#old(key))
      if ('failed' in plan) return { done: false, failed: plan.failed }
      for (const { key, attributes } of plan.changes) this.#put(key, attributes)
      return { done: true }
    })
  }

  /**
   * As `create`, but durable only with this process's next write: whoever relies on it writes an item that names it.
   * Reads of this process see it at once.
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
    if (!this.#deferred.isEmpty()) await this.#queue.write(() => undefined)
  }

  async close(): Promise<void> {
    await this.#queue.write(() => undefined)
    this.#database.close()
  }

  #writeDeferred(): void {
    for (const item of this.#deferred.write()) {
      if (this.#statements.insert.run(item.key.partition, item.key.sort, encodeAttributes(item.attributes)).changes === 1)
        continue
      const old = this.#old(item.key)
      if (old !== undefined && equalValues(old, item.attributes)) continue
      this.#deferred.drop(item.key)
      const facts = { partition: item.key.partition, sort: item.key.sort }
      throw new SluiceError('internal', 'another process created the item that this transaction was to create', {
        effect: 'none',
        facts,
      })
    }
  }

  #read(key: ItemKey): Item | undefined {
    try {
      const attributes = this.#old(key)
      return attributes === undefined ? undefined : { key, attributes }
    } catch (error) {
      throw sqliteError(error, 'a read failed', 'none')
    }
  }

  #old(key: ItemKey): Attributes | undefined {
    const row = this.#statements.get.get(key.partition, key.sort)
    return row === undefined ? undefined : decodeAttributes(row['body'] as Uint8Array)
  }

  #put(key: ItemKey, attributes: Attributes | undefined): void {
    if (attributes === undefined) this.#statements.remove.run(key.partition, key.sort)
    else this.#statements.put.run(key.partition, key.sort, encodeAttributes(attributes))
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

interface Statements {
  readonly get: StatementSync
  readonly put: StatementSync
  readonly insert: StatementSync
  readonly remove: StatementSync
  readonly query: Readonly<Record<'ascending' | 'descending', Readonly<Record<'open' | 'closed', StatementSync>>>>
}

function statementsOf(database: DatabaseSync): Statements {
  const query = (bound: string, order: string): StatementSync =>
    database.prepare(`SELECT sk, body FROM items WHERE pk = ? AND sk >= ? ${bound} ORDER BY sk ${order} LIMIT ?`)
  return {
    get: database.prepare('SELECT body FROM items WHERE pk = ? AND sk = ?'),
    put: database.prepare(
      'INSERT INTO items (pk, sk, body) VALUES (?, ?, ?) ON CONFLICT (pk, sk) DO UPDATE SET body = excluded.body',
    ),
    insert: database.prepare('INSERT INTO items (pk, sk, body) VALUES (?, ?, ?) ON CONFLICT (pk, sk) DO NOTHING'),
    remove: database.prepare('DELETE FROM items WHERE pk = ? AND sk = ?'),
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
  database.exec(`PRAGMA busy_timeout = ${lockTimeoutMs}`)
}
