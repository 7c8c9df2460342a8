/** For tests of the decorators: a clock that jumps instead of sleeping, and a seeded random source. */
import type { Clock } from '../../core/kernel/clock.ts'
import type { Random } from '../../core/kernel/random.ts'

export class JumpingClock implements Clock {
  #now: number

  constructor(now = 1_900_000_000_000) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  async sleep(ms: number): Promise<void> {
    this.#now += ms
  }
}

/** mulberry32. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const byte = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 16) & 255
  }
  return { bytes: (count) => Uint8Array.from({ length: count }, byte) }
}
