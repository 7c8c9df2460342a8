/**
 * ItemStore in memory, for tests and the simulation: no timers, each call is one atomic step. Strict: it refuses what
 * DynamoDB refuses (validate.ts), and the values that go in and come out are copies.
 */
import type {
  Attributes,
  Condition,
  Item,
  ItemKey,
  ItemQuery,
  ItemStore,
  ItemValue,
  TransactAction,
  TransactResult,
  Update,
  UpdateResult,
} from '../../core/ports/items.ts'
import { compareText, holds, updated } from './evaluate.ts'
import { type Change, planTransact } from './transact.ts'
import { checkCondition, checkItem, checkKey, checkQuery, checkSize, checkTransact, checkUpdate } from './validate.ts'

export class MemoryItems implements ItemStore {
  readonly #partitions = new Map<string, Map<string, Attributes>>()

  async get(key: ItemKey): Promise<Item | undefined> {
    checkKey(key)
    return this.#item(key)
  }

  async query(query: ItemQuery): Promise<readonly Item[]> {
    checkQuery(query)
    const { partition, from, to, limit, reverse } = query
    const within = (sort: string): boolean =>
      (from === undefined || compareText(sort, from) >= 0) && (to === undefined || compareText(sort, to) < 0)
    const sorts = [...(this.#partitions.get(partition)?.keys() ?? [])].filter(within).sort(compareText)
    if (reverse === true) sorts.reverse()
    return sorts.slice(0, limit).flatMap((sort) => this.#item({ partition, sort }) ?? [])
  }

  async create(item: Item): Promise<UpdateResult> {
    checkItem(item)
    const old = this.#item(item.key)
    if (old !== undefined) return { done: false, item: old }
    this.#put(item.key, item.attributes)
    return { done: true, item: copyItem(item) }
  }

  async update(update: Update): Promise<UpdateResult> {
    checkUpdate(update)
    const old = this.#item(update.key)
    if (old === undefined || (update.condition !== undefined && !holds(update.condition, old.attributes)))
      return { done: false, item: old }
    const item = { key: update.key, attributes: updated(update, old.attributes) }
    checkSize(item)
    this.#put(item.key, item.attributes)
    return { done: true, item: copyItem(item) }
  }

  async delete(key: ItemKey, condition?: Condition): Promise<{ readonly done: boolean; readonly item: Item | undefined }> {
    checkKey(key)
    if (condition !== undefined) checkCondition(condition)
    const item = this.#item(key)
    if (condition !== undefined && !holds(condition, item?.attributes)) return { done: false, item }
    this.#put(key, undefined)
    return { done: true, item }
  }

  async transact(actions: readonly TransactAction[]): Promise<TransactResult> {
    checkTransact(actions)
    const plan = planTransact(actions, (key) => this.#item(key)?.attributes)
    if ('failed' in plan) return { done: false, failed: plan.failed }
    for (const change of plan.changes) this.#apply(change)
    return { done: true }
  }

  #apply({ key, attributes }: Change): void {
    this.#put(key, attributes)
  }

  #item(key: ItemKey): Item | undefined {
    const attributes = this.#partitions.get(key.partition)?.get(key.sort)
    return attributes === undefined ? undefined : copyItem({ key, attributes })
  }

  #put(key: ItemKey, attributes: Attributes | undefined): void {
    const partition = this.#partitions.get(key.partition) ?? new Map<string, Attributes>()
    if (attributes === undefined) partition.delete(key.sort)
    else partition.set(key.sort, copyItem({ key, attributes }).attributes)
    if (partition.size === 0) this.#partitions.delete(key.partition)
    else this.#partitions.set(key.partition, partition)
  }
}

function copyItem(item: Item): Item {
  return { key: { partition: item.key.partition, sort: item.key.sort }, attributes: copyFields(item.attributes) }
}

function copyFields(fields: Readonly<Record<string, ItemValue>>): Record<string, ItemValue> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, copyValue(value)]))
}

function copyValue(value: ItemValue): ItemValue {
  if (typeof value !== 'object') return value
  if (value instanceof Uint8Array) return value.slice()
  if (Array.isArray(value)) return (value as readonly ItemValue[]).map(copyValue)
  return copyFields(value as Readonly<Record<string, ItemValue>>)
}
