/**
 * One process as the scheduler sees it: running, frozen (what comes for it waits, timers too), or killed (its
 * pending promises never settle). A process that is thawed gets what waited in an order drawn by the seed.
 */
import type { Clock } from '../../core/kernel/clock.ts'
import type { Scheduler } from './scheduler.ts'

export class Process {
  readonly id: string
  readonly clock: Clock
  alive = true
  /** Each reply takes so much longer, because it is far away. */
  lagMs = 0
  readonly #scheduler: Scheduler
  readonly #onKill: (() => void)[] = []
  #held: (() => void)[] | undefined
  #freezes = 0

  constructor(id: string, scheduler: Scheduler, skewMs: number) {
    this.id = id
    this.#scheduler = scheduler
    this.clock = { now: () => Math.floor(scheduler.now + skewMs), sleep: (ms, signal) => this.#sleep(ms, signal) }
  }

  get running(): boolean {
    return this.alive && this.#held === undefined
  }

  /** Runs `run` now, after the thaw, or never. */
  deliver(run: () => void): void {
    if (!this.alive) return
    if (this.#held === undefined) run()
    else this.#held.push(run)
  }

  /** Without `ms`: until `thaw`. */
  freeze(ms?: number): void {
    this.#held ??= []
    const freeze = ++this.#freezes
    if (ms === undefined) return
    this.#scheduler.after(ms, 'timer', () => {
      if (this.#freezes === freeze) this.thaw()
    })
  }

  thaw(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const run of held) this.#scheduler.after(0, 'reply', () => this.deliver(run))
  }

  kill(): void {
    if (!this.alive) return
    this.alive = false
    for (const run of this.#onKill) run()
  }

  onKill(run: () => void): void {
    this.#onKill.push(run)
  }

  #sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (!this.alive) return
      if (signal?.aborted === true) return resolve()
      signal?.addEventListener('abort', () => resolve(), { once: true })
      this.#scheduler.after(ms, 'timer', () => this.deliver(resolve))
    })
  }
}
