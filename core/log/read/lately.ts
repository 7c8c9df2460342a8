/**
 * What was there lately, by numbers that are likely to be its own: the last `generationMax` at least. A set that forgets its oldest
 * one would search for it at each new one, and one of long names compares and hashes them.
 */
export class Lately {
  #ids = new Set<number>()
  #before = new Set<number>()

  has(id: number): boolean {
    return this.#ids.has(id) || this.#before.has(id)
  }

  /** Whether it was there, and is no more; otherwise it is from now on. */
  take(id: number): boolean {
    if (this.#ids.delete(id) || this.#before.delete(id)) return true
    this.add(id)
    return false
  }

  /** It was not there. */
  add(id: number): void {
    if (this.#ids.size >= generationMax) {
      this.#before = this.#ids
      this.#ids = new Set()
    }
    this.#ids.add(id)
  }
}

const generationMax = 1_000
