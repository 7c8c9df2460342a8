/**
 * Enumerates every sequence of choices of a program that asks `choose(n)`: each run replays a prefix and takes the first
 * branch from there on; `next` moves to the sequence behind it, depth first, until none is left.
 */
export class Choices {
  #prefix: number[] = []
  #taken: { readonly of: number; readonly index: number }[] = []

  choose(of: number): number {
    if (of <= 1) return 0
    const index = this.#prefix[this.#taken.length] ?? 0
    this.#taken.push({ of, index })
    return index
  }

  /** False when every sequence was taken. */
  next(): boolean {
    const taken = this.#taken
    this.#taken = []
    for (let last = taken.length - 1; last >= 0; last--) {
      const { of, index } = taken[last] as { of: number; index: number }
      if (index + 1 === of) continue
      this.#prefix = [...taken.slice(0, last).map((choice) => choice.index), index + 1]
      return true
    }
    return false
  }

  /** Every choice of the prefix is made: from here on the run is new. */
  get isNew(): boolean {
    return this.#taken.length >= this.#prefix.length
  }

  /** The choices of the run that has just ended. */
  get path(): readonly number[] {
    return this.#taken.map(({ index }) => index)
  }

  replay(path: readonly number[]): void {
    this.#prefix = [...path]
    this.#taken = []
  }
}
