/**
 * Damage for decoders' tests: bit flips, cuts, repeats, and the numbers that break length arithmetic, at seeded places. The
 * same seed makes the same bytes; a failing test prints it.
 */
import { isSluiceError } from '../../kernel/errors.ts'

/** A small generator (mulberry32): numbers in [0, bound). */
export function seeded(seed: number): (bound: number) => number {
  let state = seed | 0
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 0x100000000) * bound)
  }
}

const numbers32 = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe, 0x40000000, 0x10000, 0xffff]
const numbers64 = [2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, 0n]

/** One to four kinds of damage; the first kilobyte, where lengths are, takes half of it. */
export function mutated(bytes: Uint8Array, seed: number): Uint8Array {
  const next = seeded(seed)
  let out = bytes.slice()
  for (let rounds = 1 + next(4); rounds > 0; rounds--) {
    if (out.length < 16) return out
    const at = next(next(2) === 0 ? Math.min(out.length, 1024) : out.length)
    const view = new DataView(out.buffer)
    switch (next(8)) {
      case 0:
      case 1:
        out[at] = (out[at] as number) ^ (1 << next(8))
        break
      case 2:
        out[at] = next(256)
        break
      case 3:
        view.setUint32(Math.min(at & ~3, out.length - 4), numbers32[next(numbers32.length)] as number, true)
        break
      case 4:
        view.setBigUint64(Math.min(at & ~7, out.length - 8), numbers64[next(numbers64.length)] as bigint, true)
        break
      case 5:
        view.setUint32(Math.min(at & ~3, out.length - 4), next(out.length * 2), true)
        break
      case 6:
        out = out.slice(0, at)
        break
      default: {
        const length = next(64)
        out.copyWithin(at, next(out.length), next(out.length) + length)
      }
    }
  }
  return out
}

/**
 * Runs `decode` on `rounds` damaged copies: it answers, or throws a SluiceError, each time within `msMax`. What strangers send
 * is never our `internal` error; what we stored is (`ours`).
 */
export function survive(
  bytes: Uint8Array,
  options: { seed: number; rounds: number; msMax: number; ours?: boolean },
  decode: (bytes: Uint8Array) => unknown,
): void {
  for (let i = 0; i < options.rounds; i++) {
    const seed = options.seed + i
    const started = performance.now()
    try {
      decode(mutated(bytes, seed))
    } catch (error) {
      if (!isSluiceError(error) || (error.code === 'internal' && options.ours !== true))
        throw new Error(`seed ${seed}: an error of another kind escaped`, { cause: error })
    }
    const took = performance.now() - started
    if (took > options.msMax) throw new Error(`seed ${seed}: it took ${took.toFixed(0)} ms`)
  }
}
