/** Shares of one amount, first come, first served. Whoever holds one waits for no other, so that nobody waits for ever. */
import { assert } from './assert.ts'

export class Shares {
  readonly #total: number
  readonly #waiting: { readonly amount: number; readonly go: () => void }[] = []
  #free: number

  constructor(total: number) {
    this.#total = total
    this.#free = total
  }

  /** Resolves once it is the caller's, until it is given back. */
  take(amount: number): Promise<void> {
    assert(amount <= this.#total, 'a share is a part of the whole', { amount, total: this.#total })
    return new Promise((go) => {
      this.#waiting.push({ amount, go })
      this.#serve()
    })
  }

  give(amount: number): void {
    this.#free += amount
    this.#serve()
  }

  #serve(): void {
    for (let next = this.#waiting[0]; next !== undefined && next.amount <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#free -= next.amount
      next.go()
    }
  }
}
