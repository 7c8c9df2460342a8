/** Seeds of random tests: from `--seed`, else from the commit hash; printed by who draws from them. */
import { execFileSync } from 'node:child_process'

export function seedOf(given: string | undefined): { readonly seed: number; readonly next: () => number } {
  const seed = given === undefined ? commitSeed() : Number(given)
  return { seed, next: drawFrom(seed) }
}

/** 1 where there is no git. */
export function commitSeed(): number {
  try {
    return Number.parseInt(
      execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8', cwd: import.meta.dirname }).slice(0, 8),
      16,
    )
  } catch {
    return 1
  }
}

/** splitmix32: numbers in [0, 1). */
export function drawFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}
