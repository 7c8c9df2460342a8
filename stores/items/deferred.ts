/**
 * Creates that SqliteItems holds for its next transaction, seen by its own reads until then. They stay held until a
 * COMMIT says that they are durable, so a failed transaction loses none of them.
 */
import { SluiceError } from '../../core/kernel/errors.ts'
import type { Item, ItemKey, ItemQuery } from '../../core/ports/items.ts'
import { compareText } from './evaluate.ts'
import { itemBytes } from './size.ts'

const heldBytesMax = 64 * 1024 * 1024

export class Deferred {
  readonly #partitions = new Map<string, Map<string, Item>>()
  #writing: readonly Item[] = []
  #bytes = 0

  isEmpty(): boolean {
    return this.#partitions.size === 0
  }

  hold(item: Item): void {
    if (this.#bytes > heldBytesMax) {
      throw new SluiceError('unavailable', 'too many creates wait for a write transaction', {
        effect: 'none',
        facts: { bytes: this.#bytes },
      })
    }
    const partition = this.#partitions.get(item.key.partition) ?? new Map<string, Item>()
    partition.set(item.key.sort, item)
    this.#partitions.set(item.key.partition, partition)
    this.#bytes += itemBytes(item)
  }

  get(key: ItemKey): Item | undefined {
    return this.#partitions.get(key.partition)?.get(key.sort)
  }

  /** All that is held, for a transaction that begins. */
  write(): readonly Item[] {
    this.#writing = this.isEmpty() ? [] : [...this.#partitions.values()].flatMap((partition) => [...partition.values()])
    return this.#writing
  }

  /** The transaction was committed. */
  written(): void {
    for (const item of this.#writing) this.drop(item.key)
    this.#writing = []
  }

  drop(key: ItemKey): void {
    const partition = this.#partitions.get(key.partition)
    const item = partition?.get(key.sort)
    if (partition === undefined || item === undefined) return
    partition.delete(key.sort)
    if (partition.size === 0) this.#partitions.delete(key.partition)
    this.#bytes -= itemBytes(item)
  }

  /** The answer of a query with what is held in its range. */
  merge(query: ItemQuery, stored: readonly Item[]): readonly Item[] {
    const held = this.#partitions.get(query.partition)
    if (held === undefined) return stored
    const within = [...held.values()].filter(({ key }) => isWithin(query, key.sort))
    if (within.length === 0) return stored
    const sign = query.reverse === true ? -1 : 1
    // Another process may have made an item of the same key since it was held.
    const others = stored.filter(({ key }) => !held.has(key.sort))
    return [...others, ...within].sort((a, b) => sign * compareText(a.key.sort, b.key.sort)).slice(0, query.limit)
  }
}

function isWithin({ from, to }: ItemQuery, sort: string): boolean {
  return (from === undefined || compareText(sort, from) >= 0) && (to === undefined || compareText(sort, to) < 0)
}
