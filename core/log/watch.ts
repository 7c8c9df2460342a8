/** Tells who waits for rows of a table that this process committed some. Rows of other processes are found by asking again. */
import type { Clock } from '../kernel/clock.ts'

export interface Watch {
  /** Resolves at the next commit since the last `next`, after `ms`, or when `signal` aborts. */
  next(ms: number, signal: AbortSignal): Promise<void>
  close(): void
}

export class Watchers {
  readonly #clock: Clock
  readonly #watching = new Map<string, Set<OneWatch>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Open it before reading: what is committed meanwhile is not missed. */
  watch(tableId: string): Watch {
    const watching = this.#watching.get(tableId) ?? new Set()
    this.#watching.set(tableId, watching)
    const watch = new OneWatch(this.#clock, () => {
      watching.delete(watch)
      if (watching.size === 0 && this.#watching.get(tableId) === watching) this.#watching.delete(tableId)
    })
    watching.add(watch)
    return watch
  }

  notify(tableId: string): void {
    for (const watch of this.#watching.get(tableId) ?? []) watch.notify()
  }
}

class OneWatch implements Watch {
  readonly #clock: Clock
  readonly close: () => void
  #isNotified = false
  #wake: AbortController | undefined

  constructor(clock: Clock, close: () => void) {
    this.#clock = clock
    this.close = close
  }

  notify(): void {
    this.#isNotified = true
    this.#wake?.abort()
  }

  async next(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#isNotified && !signal.aborted && ms > 0) {
      const wake = new AbortController()
      const onAbort = (): void => wake.abort()
      this.#wake = wake
      signal.addEventListener('abort', onAbort)
      try {
        await this.#clock.sleep(ms, wake.signal)
      } finally {
        signal.removeEventListener('abort', onAbort)
        this.#wake = undefined
      }
    }
    this.#isNotified = false
  }
}
