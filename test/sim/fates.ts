/**
 * What may happen to one port call. A call is two events: it *arrives* (the effect) and its *reply* is delivered.
 * ok · refused (no effect, and the caller is told) · lost-request (no effect, time-out) · lost-ack (effect, time-out) ·
 * duplicate (effect twice, the second answer) · late (time-out, the effect afterwards) · stale (an older state, where
 * permitted) · corrupt (other bytes) · partial (a multi-delete does some) · crash-before, crash-between (the process dies before
 * it sends, or between effect and reply). Beside them the caller may be frozen when the reply comes.
 */
import type { Seeded } from './random.ts'

export type Fate =
  | 'ok'
  | 'refused'
  | 'lost-request'
  | 'lost-ack'
  | 'duplicate'
  | 'late'
  | 'stale'
  | 'corrupt'
  | 'partial'
  | 'crash-before'
  | 'crash-between'

export interface Call {
  readonly store: 'objects' | 'items' | 'queue' | 'catalog'
  readonly operation: string
  /** Key or keys, for the trace. */
  readonly name: string
  readonly writes: boolean
  /** An older state may be answered. */
  readonly mayBeStale: boolean
  readonly mayBeCorrupt: boolean
  readonly mayBePartial: boolean
}

export interface Plan {
  readonly fate: Fate
  readonly arriveMs: number
  readonly replyMs: number
  /** How long the caller waits before it gives up, for fates without an answer. */
  readonly timeoutMs: number
  /** After the time-out: when a late effect happens. */
  readonly lateMs: number
  /** The caller is frozen for so long when the reply comes. */
  readonly freezeMs: number
}

export interface Fates {
  plan(call: Call): Plan
}

/** Probabilities per call. */
export interface Rates {
  readonly refused: number
  readonly lostRequest: number
  readonly lostAck: number
  readonly duplicate: number
  readonly late: number
  readonly stale: number
  readonly corrupt: number
  readonly partial: number
  readonly crash: number
  readonly freeze: number
  readonly slow: number
}

export const noFaults: Rates = {
  refused: 0,
  lostRequest: 0,
  lostAck: 0,
  duplicate: 0,
  late: 0,
  stale: 0,
  corrupt: 0,
  partial: 0,
  crash: 0,
  freeze: 0,
  slow: 0,
}

export class SeededFates implements Fates {
  rates: Rates
  /** Objects under this prefix cannot be read, in any retry of anybody; "" for none. */
  unreadable = ''
  readonly #random: Seeded
  readonly #freezeMsMax: number

  /** How many more faults this run has. */
  #left: number

  constructor(random: Seeded, rates: Rates, limits: { readonly freezeMsMax: number; readonly faultsMax: number }) {
    this.#random = random
    this.rates = rates
    this.#freezeMsMax = limits.freezeMsMax
    this.#left = limits.faultsMax
  }

  /** All but what is unreadable. */
  stop(): void {
    this.rates = noFaults
  }

  plan(call: Call): Plan {
    const plan = this.#drawn(call)
    return this.#isUnreadable(call) ? { ...plan, fate: 'refused' } : plan
  }

  #isUnreadable({ store, writes, name }: Call): boolean {
    return this.unreadable !== '' && store === 'objects' && !writes && name.startsWith(this.unreadable)
  }

  #drawn(call: Call): Plan {
    const random = this.#random
    const slow = random.chance(this.rates.slow)
    const fate = this.#fate(call)
    const freezeMs = random.chance(this.rates.freeze) ? random.magnitude(10, this.#freezeMsMax) : 0
    if ((fate !== 'ok' || freezeMs > 0) && --this.#left === 0) this.stop()
    return {
      fate,
      arriveMs: slow ? random.between(20, 3_000) : random.between(1, 12),
      replyMs: random.between(1, 8),
      timeoutMs: random.between(500, 2_000),
      lateMs: random.magnitude(1, 20 * 60_000),
      freezeMs,
    }
  }

  #fate(call: Call): Fate {
    const rates = this.rates
    let x = this.#random.next()
    const hit = (rate: number): boolean => {
      x -= rate
      return x < 0
    }
    if (hit(rates.refused)) return 'refused'
    if (hit(rates.lostRequest)) return 'lost-request'
    if (hit(rates.lostAck)) return 'lost-ack'
    if (hit(rates.crash / 2)) return 'crash-before'
    if (hit(rates.crash / 2)) return 'crash-between'
    if (call.writes && hit(rates.duplicate)) return 'duplicate'
    if (call.writes && hit(rates.late)) return 'late'
    if (call.mayBeStale && hit(rates.stale)) return 'stale'
    if (call.mayBeCorrupt && hit(rates.corrupt)) return 'corrupt'
    if (call.mayBePartial && hit(rates.partial)) return 'partial'
    return 'ok'
  }
}
