/** Ids of lately, the last `generationMax` at least. A set that forgets its oldest one would search for it at each new one. */
export class Lately {
  #ids = new Set<string>()
  #before = new Set<string>()

  has(id: string): boolean {
    return this.#ids.has(id) || this.#before.has(id)
  }

  /** Whether it was there, and is no more; otherwise it is from now on. */
  take(id: string): boolean {
    if (this.#ids.delete(id) || this.#before.delete(id)) return true
    if (this.#ids.size >= generationMax) {
      this.#before = this.#ids
      this.#ids = new Set()
    }
    this.#ids.add(id)
    return false
  }
}

const generationMax = 1_000
