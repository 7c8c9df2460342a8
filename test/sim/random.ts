/**
 * Seeded randomness of the simulation (splitmix32): the same seed gives the same numbers on every machine.
 * `fork` gives a stream of its own to each domain, so that a draw added in one does not shift the others.
 */
import type { Random } from '../../core/kernel/random.ts'

export class Seeded implements Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  #word(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0
    let t = this.#state ^ (this.#state >>> 16)
    t = Math.imul(t, 0x21f0aaad)
    t ^= t >>> 15
    t = Math.imul(t, 0x735a2d97)
    return (t ^ (t >>> 15)) >>> 0
  }

  /** In [0, 1). */
  next(): number {
    return this.#word() / 4294967296
  }

  /** An integer in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.next() * bound)
  }

  /** An integer in [low, high]. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  /** Between low and high, every order of magnitude as likely as another. */
  magnitude(low: number, high: number): number {
    return Math.round(low * (high / low) ** this.next())
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(list: readonly T[]): T {
    const item = list[this.below(list.length)]
    if (item === undefined) throw new Error('pick from an empty list')
    return item
  }

  bytes(count: number): Uint8Array {
    const out = new Uint8Array(count)
    for (let i = 0; i < count; i++) out[i] = this.#word() & 0xff
    return out
  }

  fork(): Seeded {
    return new Seeded(this.#word())
  }
}
