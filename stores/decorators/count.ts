/**
 * Counts requests by name (`objects.create`), bytes, and DynamoDB's units, for the whole process and for the request in
 * whose scope they happen. It stands below the retry: every attempt is paid for. Units follow the larger of an item's
 * sizes before and after (the size before is what this process last saw of it).
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { lengthOf } from '../../core/kernel/bytes.ts'
import type { Consistency, Item, ItemKey, ItemStore, TransactAction } from '../../core/ports/items.ts'
import type { ListedObject, ObjectStore, RangeInto } from '../../core/ports/objects.ts'
import { itemBytes } from '../items/size.ts'
import { keyOf } from '../items/validate.ts'

const sizesMax = 10_000
const listPage = 1_000
const writeUnitBytes = 1024
const readUnitBytes = 4096

/** Names with a slash are amounts, all others are requests. */
export type CountName =
  | `objects.${'create' | 'read' | 'delete' | 'list' | 'replace'}`
  | `items.${'get' | 'query' | 'create' | 'update' | 'delete' | 'transact'}`
  | 'objects/bytesIn'
  | 'objects/bytesOut'
  | 'items/writeUnits'
  | 'items/readUnits'

export class Counts {
  readonly #values = new Map<CountName, number>()

  add(name: CountName, amount: number): void {
    this.#values.set(name, (this.#values.get(name) ?? 0) + amount)
  }

  get(name: CountName): number {
    return this.#values.get(name) ?? 0
  }

  /** Sorted by name. */
  all(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#values].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  addAll(amounts: Readonly<Record<string, number>>): void {
    for (const [name, amount] of Object.entries(amounts)) this.add(name as CountName, amount)
  }

  /** All, which then count no more. */
  take(): Readonly<Record<string, number>> {
    const all = this.all()
    this.#values.clear()
    return all
  }

  /** The requests alone: `items.update=1, objects.create=1`. */
  header(): string {
    return Object.entries(this.all())
      .filter(([name]) => !name.includes('/'))
      .map(([name, count]) => `${name}=${count}`)
      .join(', ')
  }
}

export class Counter {
  readonly total = new Counts()
  readonly #scopes = new AsyncLocalStorage<Counts>()

  /** Everything that `run` and what it starts asks of the stores is also counted in `counts`. */
  scoped<T>(counts: Counts, run: () => T): T {
    return this.#scopes.run(counts, run)
  }

  add(name: CountName, amount = 1): void {
    this.total.add(name, amount)
    this.#scopes.getStore()?.add(name, amount)
  }
}

export function countObjects(objects: ObjectStore, counter: Counter): ObjectStore {
  return {
    create: (key, bytes) => {
      counter.add('objects.create')
      counter.add('objects/bytesIn', lengthOf(bytes))
      return objects.create(key, bytes)
    },
    read: async (key, range) => {
      counter.add('objects.read')
      const bytes = await objects.read(key, range)
      counter.add('objects/bytesOut', bytes.length)
      return bytes
    },
    ...(objects.readNow && {
      readNow: (key: string, ranges: readonly RangeInto[]) => {
        const found = objects.readNow?.(key, ranges) ?? []
        const reads = found.filter((bytes) => bytes !== undefined)
        if (reads.length > 0) {
          counter.add('objects.read', reads.length)
          counter.add('objects/bytesOut', lengthOf(reads))
        }
        return found
      },
    }),
    delete: (keys) => {
      counter.add('objects.delete', Math.ceil(keys.length / listPage))
      return objects.delete(keys)
    },
    replace: (key, bytes) => {
      counter.add('objects.replace')
      counter.add('objects/bytesIn', bytes.length)
      return objects.replace(key, bytes)
    },
    list: (prefix) => countList(objects.list(prefix), counter),
    uri: (key) => objects.uri(key),
  }
}

export function countItems(items: ItemStore, counter: Counter): ItemStore {
  const units = new Units(counter)
  return {
    get: async (key, consistency) => {
      counter.add('items.get')
      const item = await items.get(key, consistency)
      units.read(key, item === undefined ? [] : [item], consistency)
      return item
    },
    query: async (query) => {
      counter.add('items.query')
      const found = await items.query(query)
      units.read(undefined, found, query.consistency)
      return found
    },
    create: async (item) => {
      counter.add('items.create')
      const result = await items.create(item)
      units.write(item.key, result.item)
      return result
    },
    update: async (update) => {
      counter.add('items.update')
      const result = await items.update(update)
      units.write(update.key, result.item)
      return result
    },
    delete: async (key, condition) => {
      counter.add('items.delete')
      const result = await items.delete(key, condition)
      units.write(key, result.item)
      if (result.done) units.forget(key)
      return result
    },
    transact: async (actions) => {
      counter.add('items.transact')
      const result = await items.transact(actions)
      for (const action of actions) units.transact(action)
      return result
    },
  }
}

/** For a create that SqliteItems holds for its next transaction: it would be one request on DynamoDB. */
export function countDeferred(counter: Counter, item: Item): void {
  counter.add('items.create')
  counter.add('items/writeUnits', Math.ceil(itemBytes(item) / writeUnitBytes))
}

class Units {
  readonly #counter: Counter
  readonly #sizes = new Map<string, number>()

  constructor(counter: Counter) {
    this.#counter = counter
  }

  read(key: ItemKey | undefined, items: readonly Item[], consistency: Consistency | undefined): void {
    const bytes = items.reduce((sum, item) => sum + itemBytes(item), 0)
    const units = Math.max(1, Math.ceil(bytes / readUnitBytes))
    this.#counter.add('items/readUnits', consistency === 'eventual' ? units / 2 : units)
    if (key !== undefined) this.#remember(key, bytes)
  }

  write(key: ItemKey, item: Item | undefined): void {
    const after = item === undefined ? 0 : itemBytes(item)
    const before = this.#sizes.get(idOf(key)) ?? 0
    this.#counter.add('items/writeUnits', Math.max(1, Math.ceil(Math.max(before, after) / writeUnitBytes)))
    this.#remember(key, after)
  }

  transact(action: TransactAction): void {
    const bytes = 'create' in action ? itemBytes(action.create) : (this.#sizes.get(idOf(keyOf(action))) ?? 0)
    this.#counter.add('items/writeUnits', 2 * Math.max(1, Math.ceil(bytes / writeUnitBytes)))
  }

  forget(key: ItemKey): void {
    this.#sizes.delete(idOf(key))
  }

  #remember(key: ItemKey, bytes: number): void {
    if (this.#sizes.size >= sizesMax) this.#sizes.clear()
    this.#sizes.set(idOf(key), bytes)
  }
}

/** One request for each page of a listing. */
async function* countList(listed: AsyncIterable<ListedObject>, counter: Counter): AsyncIterable<ListedObject> {
  let given = 0
  counter.add('objects.list')
  for await (const object of listed) {
    if (given > 0 && given % listPage === 0) counter.add('objects.list')
    given++
    yield object
  }
}

const idOf = (key: ItemKey): string => `${key.partition}\n${key.sort}`
