/**
 * Writes that arrive in one turn of the event loop share one SQLite transaction and one sync. Each is evaluated in order
 * and has its own result; replies go out after the COMMIT. A failed COMMIT rejects all of them: effect `none` while
 * nothing was committed, `unknown` where the log may hold the commit. A crash before the COMMIT leaves nothing of them.
 * A lock that another process holds is waited for without blocking the loop, at most `lockedMsMax`.
 */
import type { DatabaseSync } from 'node:sqlite'
import { isSluiceError } from '../../core/kernel/errors.ts'
import { isBusy, sqliteError } from './sqlite-error.ts'

const writesAtOnceMax = 1_000
const lockedMsMax = 10_000
const lockedPauseMs = 5

/** Reads and writes inside the transaction. It throws a SluiceError only before its first write. */
export type Write<T> = () => T

interface Waiting {
  readonly apply: Write<unknown>
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
  readonly since: number
}
type Outcome = { readonly result: unknown } | { readonly error: unknown }

export class WriteQueue {
  readonly #database: DatabaseSync
  /** Runs at the head of every transaction. */
  readonly #head: () => void
  /** After a COMMIT: what the head wrote is durable. */
  readonly #committed: () => void
  #waiting: Waiting[] = []
  #scheduled = false

  constructor(database: DatabaseSync, head: () => void, committed: () => void) {
    this.#database = database
    this.#head = head
    this.#committed = committed
  }

  write<T>(apply: Write<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ apply, resolve: resolve as (result: unknown) => void, reject, since: performance.now() })
      this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#run())
  }

  #run(): void {
    this.#scheduled = false
    const writes = this.#waiting.splice(0, writesAtOnceMax)
    if (writes.length === 0) return
    try {
      this.#database.exec('BEGIN IMMEDIATE')
    } catch (error) {
      this.#notBegun(writes, error)
      return
    }
    this.#transaction(writes)
    if (this.#waiting.length > 0) this.#schedule()
  }

  #transaction(writes: readonly Waiting[]): void {
    let committing = false
    let outcomes: readonly Outcome[]
    try {
      this.#head()
      outcomes = writes.map(outcomeOf)
      committing = true
      this.#database.exec('COMMIT') // COMMIT POINT
    } catch (error) {
      this.#rollback()
      const known = isSluiceError(error)
        ? error
        : sqliteError(error, 'a write failed', committing && !isBusy(error) ? 'unknown' : 'none')
      for (const { reject } of writes) reject(known)
      return
    }
    this.#committed()
    for (const [i, outcome] of outcomes.entries()) {
      const write = writes[i]
      if ('result' in outcome) write?.resolve(outcome.result)
      else write?.reject(outcome.error)
    }
  }

  #notBegun(writes: readonly Waiting[], error: unknown): void {
    const now = performance.now()
    const kept = isBusy(error) ? writes.filter(({ since }) => now - since < lockedMsMax) : []
    const lost = writes.filter((write) => !kept.includes(write))
    const known = sqliteError(error, 'a write cannot begin', 'none')
    for (const { reject } of lost) reject(known)
    this.#waiting.unshift(...kept)
    if (this.#waiting.length === 0) return
    this.#scheduled = true
    setTimeout(() => this.#run(), lockedPauseMs)
  }

  #rollback(): void {
    try {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
    } catch {
      // SQLite rolled back by itself.
    }
  }
}

/** Our own errors belong to one write; all others end the transaction. */
function outcomeOf({ apply }: Waiting): Outcome {
  try {
    return { result: apply() }
  } catch (error) {
    if (isSluiceError(error)) return { error }
    throw error
  }
}
