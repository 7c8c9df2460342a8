/**
 * Reads of inline objects. Those that are asked for in one turn and lie in one partition become one query, so that a tail
 * of small writes is one request. Objects are immutable, so an eventual read that finds one is right; one that finds
 * nothing is asked again strongly.
 */
import type { Item, ItemKey, ItemStore } from '../../core/ports/items.ts'
import { queryLimitMax } from '../items/validate.ts'

/** A query may read past this many strangers for each object that it is asked for. */
const spread = 2

interface Reading {
  readonly sort: string
  readonly resolve: (item: Item | undefined) => void
  readonly reject: (error: unknown) => void
}

export class InlineReads {
  readonly #items: ItemStore
  readonly #waiting = new Map<string, Reading[]>()

  constructor(items: ItemStore) {
    this.#items = items
  }

  read(key: ItemKey): Promise<Item | undefined> {
    return new Promise((resolve, reject) => {
      const reading: Reading = { sort: key.sort, resolve, reject }
      const others = this.#waiting.get(key.partition)
      if (others !== undefined) {
        others.push(reading)
        return
      }
      this.#waiting.set(key.partition, [reading])
      queueMicrotask(() => this.#run(key.partition))
    })
  }

  #run(partition: string): void {
    const readings = this.#waiting.get(partition) ?? []
    this.#waiting.delete(partition)
    const found = this.#find(partition, readings)
    for (const { sort, resolve, reject } of readings) {
      found.then((items) => items.get(sort) ?? this.#items.get({ partition, sort }, 'strong')).then(resolve, reject)
    }
  }

  async #find(partition: string, readings: readonly Reading[]): Promise<ReadonlyMap<string, Item>> {
    const sorts = [...new Set(readings.map(({ sort }) => sort))].sort()
    const [first, last] = [sorts[0], sorts.at(-1)]
    if (first === undefined || last === undefined) return new Map()
    if (first === last) {
      const item = await this.#items.get({ partition, sort: first }, 'eventual')
      return new Map(item === undefined ? [] : [[first, item]])
    }
    const limit = Math.min(queryLimitMax, sorts.length * spread)
    const items = await this.#items.query({ partition, from: first, to: `${last}\0`, limit, consistency: 'eventual' })
    return new Map(items.map((item) => [item.key.sort, item]))
  }
}
