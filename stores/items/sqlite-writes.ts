/**
 * Writes to the SQLite file, on the one connection that writes of whoever opened it, a process or a thread of it: a batch is one transaction and one sync. Each
 * write is evaluated in order and has its own outcome. A COMMIT that fails fails all of them: effect `none` while nothing was
 * committed, `unknown` where the log may hold the commit. A crash before the COMMIT leaves nothing of them.
 */
import { DatabaseSync } from 'node:sqlite'
import { type Effect, type ErrorCode, type Facts, isSluiceError, SluiceError } from '../../core/kernel/errors.ts'
import type { Attributes, Condition, Item, ItemKey, TransactAction, Update } from '../../core/ports/items.ts'
import { decodeAttributes, encodeAttributes } from './codec.ts'
import { equalValues, holds, updated } from './evaluate.ts'
import { isBusy, sqliteError } from './sqlite-error.ts'
import { planTransact } from './transact.ts'
import { checkSize } from './validate.ts'

/** Another writer may hold the lock for so long, ms. */
const lockTimeoutMs = 10_000
/**
 * Between two looks whether it has let go, ms. SQLite's own waits grow to a tenth of a second, and one that writes without a pause lets
 * go for the fraction of a millisecond between two transactions: whoever looks seldom waits for seconds.
 */
const lockLookMs = 0.2

export type Write =
  | { readonly create: Item }
  | { readonly update: Update }
  | { readonly delete: ItemKey; readonly condition?: Condition }
  | { readonly transact: readonly TransactAction[] }

/** Plain values, so that a batch can go to a thread. */
export interface WriteBatch {
  /** Creates that were promised before: they are made first, and made already is as good. */
  readonly held: readonly Item[]
  readonly writes: readonly Write[]
}

/** `body`: the item's attributes after the write, or as they were where it was refused. `failed`: of a transaction. */
export type WriteOutcome =
  | { readonly done: boolean; readonly body?: Uint8Array; readonly failed?: number }
  | { readonly error: PlainError }

/** `overtaken`: another process made another item under the key of a held one, which can never be made now. */
export type BatchResult =
  | { readonly outcomes: readonly WriteOutcome[] }
  | { readonly error: PlainError; readonly overtaken?: ItemKey }

/** A SluiceError as it goes from thread to thread. */
export interface PlainError {
  readonly code: ErrorCode
  readonly message: string
  readonly effect: Effect
  readonly action: SluiceError['action']
  readonly facts: Facts
}

export const plainError = ({ code, message, effect, action, facts }: SluiceError): PlainError => ({
  code,
  message,
  effect,
  action,
  facts,
})

/** A database whose layout is in place (sqlite.ts). */
export function openWrites(path: string): SqliteWrites {
  const database = new DatabaseSync(path, { timeout: lockTimeoutMs })
  database.exec('PRAGMA synchronous = FULL; PRAGMA cache_size = -32768; PRAGMA busy_timeout = 0')
  return new SqliteWrites(database)
}

/** Nobody wakes it. */
const sleeping = new Int32Array(new SharedArrayBuffer(4))

export class SqliteWrites {
  readonly #database: DatabaseSync
  readonly #get
  readonly #put
  readonly #insert
  readonly #remove

  constructor(database: DatabaseSync) {
    this.#database = database
    this.#get = database.prepare('SELECT body FROM items WHERE pk = ? AND sk = ?')
    this.#put = database.prepare(
      'INSERT INTO items (pk, sk, body) VALUES (?, ?, ?) ON CONFLICT (pk, sk) DO UPDATE SET body = excluded.body',
    )
    this.#insert = database.prepare('INSERT INTO items (pk, sk, body) VALUES (?, ?, ?) ON CONFLICT (pk, sk) DO NOTHING')
    this.#remove = database.prepare('DELETE FROM items WHERE pk = ? AND sk = ?')
  }

  run({ held, writes }: WriteBatch): BatchResult {
    let committing = false
    try {
      this.#begin()
      const overtaken = held.find((item) => !this.#makeHeld(item))
      if (overtaken !== undefined) {
        this.#rollback()
        return { error: plainError(overtakenError(overtaken.key)), overtaken: overtaken.key }
      }
      const outcomes = writes.map((write) => this.#outcome(write))
      committing = true
      this.#database.exec('COMMIT') // COMMIT POINT
      return { outcomes }
    } catch (error) {
      this.#rollback()
      const effect = committing && !isBusy(error) ? 'unknown' : 'none'
      return { error: plainError(sqliteError(error, 'a write failed', effect)) }
    }
  }

  close(): void {
    this.#database.close()
  }

  #begin(): void {
    const until = performance.now() + lockTimeoutMs
    for (;;) {
      try {
        return this.#database.exec('BEGIN IMMEDIATE')
      } catch (error) {
        if (!isBusy(error) || performance.now() > until) throw error
      }
      Atomics.wait(sleeping, 0, 0, lockLookMs)
    }
  }

  #makeHeld({ key, attributes }: Item): boolean {
    if (this.#insert.run(key.partition, key.sort, encodeAttributes(attributes)).changes === 1) return true
    const old = this.#old(key)
    return old === undefined || equalValues(decodeAttributes(old), attributes)
  }

  /** Our own errors belong to one write, and come before it wrote; all others end the transaction. */
  #outcome(write: Write): WriteOutcome {
    try {
      return this.#apply(write)
    } catch (error) {
      if (isSluiceError(error)) return { error: plainError(error) }
      throw error
    }
  }

  #apply(write: Write): WriteOutcome {
    if ('create' in write) {
      const old = this.#old(write.create.key)
      if (old !== undefined) return { done: false, body: old }
      return { done: true, body: this.#set(write.create.key, write.create.attributes) }
    }
    if ('update' in write) return this.#update(write.update)
    if ('delete' in write) {
      const old = this.#old(write.delete)
      const attributes = old === undefined ? undefined : decodeAttributes(old)
      const done = write.condition === undefined || holds(write.condition, attributes)
      if (old === undefined) return { done }
      if (done) this.#remove.run(write.delete.partition, write.delete.sort)
      return { done, body: old }
    }
    const plan = planTransact(write.transact, (key) => this.#attributes(key))
    if ('failed' in plan) return { done: false, failed: plan.failed }
    for (const { key, attributes } of plan.changes) {
      if (attributes === undefined) this.#remove.run(key.partition, key.sort)
      else this.#set(key, attributes)
    }
    return { done: true }
  }

  #update(update: Update): WriteOutcome {
    const body = this.#old(update.key)
    if (body === undefined) return { done: false }
    const old = decodeAttributes(body)
    if (update.condition !== undefined && !holds(update.condition, old)) return { done: false, body }
    const attributes = updated(update, old)
    checkSize({ key: update.key, attributes })
    return { done: true, body: this.#set(update.key, attributes) }
  }

  #set(key: ItemKey, attributes: Attributes): Uint8Array {
    const body = encodeAttributes(attributes)
    this.#put.run(key.partition, key.sort, body)
    return body
  }

  #attributes(key: ItemKey): Attributes | undefined {
    const body = this.#old(key)
    return body === undefined ? undefined : decodeAttributes(body)
  }

  #old(key: ItemKey): Uint8Array | undefined {
    return this.#get.get(key.partition, key.sort)?.['body'] as Uint8Array | undefined
  }

  #rollback(): void {
    try {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
    } catch {
      // SQLite rolled back by itself.
    }
  }
}

function overtakenError({ partition, sort }: ItemKey): SluiceError {
  return new SluiceError('internal', 'another process created the item that this transaction was to create', {
    effect: 'none',
    facts: { partition, sort },
  })
}
