/**
 * The strict item store of the simulation: one state for all processes, each effect atomic. Older states of an item
 * are kept, so that an eventual read may answer one. `onWrite` sees every change with its author at once.
 */
import type {
  Attributes,
  Condition,
  Consistency,
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
import { compareText, holds, updated } from '../../stores/items/evaluate.ts'
import { planTransact } from '../../stores/items/transact.ts'
import {
  checkCondition,
  checkItem,
  checkKey,
  checkQuery,
  checkSize,
  checkTransact,
  checkUpdate,
  keyOf,
} from '../../stores/items/validate.ts'
import type { Call } from './fates.ts'
import type { Manner, Network } from './network.ts'
import type { Process } from './process.ts'
import type { Seeded } from './random.ts'

const olderMax = 3

export type OnWrite = (key: ItemKey, before: Attributes | undefined, after: Attributes | undefined, author: Process) => void

interface Cell {
  readonly key: ItemKey
  current: Attributes | undefined
  /** The newest first. */
  older: (Attributes | undefined)[]
}

export class ItemsState {
  readonly #partitions = new Map<string, Map<string, Cell>>()
  readonly #random: Seeded
  onWrite: OnWrite = () => {}

  constructor(random: Seeded) {
    this.#random = random
  }

  get(key: ItemKey, manner: Manner): Item | undefined {
    const cell = this.#partitions.get(key.partition)?.get(key.sort)
    return cell === undefined ? undefined : this.#itemOf(cell, manner)
  }

  query(query: ItemQuery, manner: Manner): readonly Item[] {
    const partition = this.#partitions.get(query.partition)
    if (partition === undefined) return []
    const { from, to } = query
    const within = (sort: string): boolean =>
      (from === undefined || compareText(sort, from) >= 0) && (to === undefined || compareText(sort, to) < 0)
    const sorts = [...partition.keys()].filter(within)
    sorts.sort(compareText)
    if (query.reverse === true) sorts.reverse()
    const items: Item[] = []
    for (const sort of sorts) {
      const cell = partition.get(sort)
      const item = cell === undefined ? undefined : this.#itemOf(cell, manner)
      if (item !== undefined) items.push(item)
      if (items.length === query.limit) break
    }
    return items
  }

  create(item: Item, author: Process): UpdateResult {
    const there = this.get(item.key, 'plain')
    if (there !== undefined) return { done: false, item: there }
    this.#write(item.key, item.attributes, author)
    return { done: true, item: { key: item.key, attributes: snapshot(item.attributes) } }
  }

  update(update: Update, author: Process): UpdateResult {
    const there = this.get(update.key, 'plain')
    if (there === undefined || (update.condition !== undefined && !holds(update.condition, there.attributes)))
      return { done: false, item: there }
    const item = { key: update.key, attributes: snapshot(updated(update, there.attributes)) }
    checkSize(item)
    this.#write(item.key, item.attributes, author)
    return { done: true, item: { key: item.key, attributes: snapshot(item.attributes) } }
  }

  delete(
    key: ItemKey,
    condition: Condition | undefined,
    author: Process,
  ): { readonly done: boolean; readonly item: Item | undefined } {
    const there = this.get(key, 'plain')
    if (condition !== undefined && !holds(condition, there?.attributes)) return { done: false, item: there }
    if (there !== undefined) this.#write(key, undefined, author)
    return { done: true, item: there }
  }

  transact(actions: readonly TransactAction[], author: Process): TransactResult {
    const plan = planTransact(actions, (key) => this.get(key, 'plain')?.attributes)
    if ('failed' in plan) return { done: false, failed: plan.failed }
    for (const { key, attributes } of plan.changes) this.#write(key, attributes, author)
    return { done: true }
  }

  /** For checks: every item that there is. */
  *all(): Iterable<Item> {
    for (const partition of this.#partitions.values()) {
      for (const cell of partition.values()) {
        const item = this.#itemOf(cell, 'plain')
        if (item !== undefined) yield item
      }
    }
  }

  /** For checks: the items of one partition in sort order. */
  partition(name: string): readonly Item[] {
    return this.query({ partition: name, limit: Number.POSITIVE_INFINITY }, 'plain')
  }

  #itemOf(cell: Cell, manner: Manner): Item | undefined {
    const attributes =
      manner === 'stale' && cell.older.length > 0 ? cell.older[this.#random.below(cell.older.length)] : cell.current
    return attributes === undefined ? undefined : { key: cell.key, attributes: snapshot(attributes) }
  }

  #write(key: ItemKey, attributes: Attributes | undefined, author: Process): void {
    let partition = this.#partitions.get(key.partition)
    if (partition === undefined) {
      partition = new Map()
      this.#partitions.set(key.partition, partition)
    }
    let cell = partition.get(key.sort)
    if (cell === undefined) {
      cell = { key: { partition: key.partition, sort: key.sort }, current: undefined, older: [] }
      partition.set(key.sort, cell)
    }
    const before = cell.current
    cell.older = [before, ...cell.older].slice(0, olderMax)
    cell.current = attributes
    this.onWrite(key, before, attributes, author)
  }
}

export class SimulatedItems implements ItemStore {
  readonly #from: Process
  readonly #network: Network
  readonly #state: ItemsState

  constructor(from: Process, network: Network, state: ItemsState) {
    this.#from = from
    this.#network = network
    this.#state = state
  }

  async get(key: ItemKey, consistency: Consistency = 'strong'): Promise<Item | undefined> {
    checkKey(key)
    return this.#call('get', nameOf(key), { mayBeStale: consistency === 'eventual' }, (manner) => this.#state.get(key, manner))
  }

  async query(query: ItemQuery): Promise<readonly Item[]> {
    checkQuery(query)
    const name = `${query.partition} [${query.from ?? ''}, ${query.to ?? ''})`
    return this.#call('query', name, { mayBeStale: query.consistency === 'eventual' }, (manner) =>
      this.#state.query(query, manner),
    )
  }

  async create(item: Item): Promise<UpdateResult> {
    checkItem(item)
    const sent = { key: item.key, attributes: snapshot(item.attributes) }
    return this.#call('create', nameOf(item.key), { writes: true }, () => this.#state.create(sent, this.#from))
  }

  async update(update: Update): Promise<UpdateResult> {
    checkUpdate(update)
    const sent = snapshotUpdate(update)
    return this.#call('update', nameOf(update.key), { writes: true }, () => this.#state.update(sent, this.#from))
  }

  async delete(key: ItemKey, condition?: Condition): Promise<{ readonly done: boolean; readonly item: Item | undefined }> {
    checkKey(key)
    if (condition !== undefined) checkCondition(condition)
    return this.#call('delete', nameOf(key), { writes: true }, () => this.#state.delete(key, condition, this.#from))
  }

  async transact(actions: readonly TransactAction[]): Promise<TransactResult> {
    checkTransact(actions)
    const keys = actions.map(keyOf)
    const sent = actions.map(snapshotAction)
    return this.#call('transact', keys.map(nameOf).join(', '), { writes: true }, () => this.#state.transact(sent, this.#from))
  }

  #call<T>(operation: string, name: string, traits: Partial<Call>, effect: (manner: Manner) => T): Promise<T> {
    return this.#network.call(this.#from, { store: 'items', operation, name, ...traitsNone, ...traits }, effect)
  }
}

const traitsNone = { writes: false, mayBeStale: false, mayBeCorrupt: false, mayBePartial: false }

const nameOf = (key: ItemKey): string => `${key.partition}/${key.sort}`

function snapshotAction(action: TransactAction): TransactAction {
  if ('create' in action) return { create: { key: action.create.key, attributes: snapshot(action.create.attributes) } }
  return 'update' in action ? { update: snapshotUpdate(action.update) } : action
}

function snapshotUpdate(update: Update): Update {
  if (update.set === undefined) return update
  const set = Object.fromEntries(
    Object.entries(update.set).map(([name, action]) => {
      if ('value' in action) return [name, { value: snapshot(action.value) }]
      if ('ifAbsent' in action) return [name, { ifAbsent: snapshot(action.ifAbsent) }]
      return [name, 'append' in action ? { append: snapshot(action.append) } : action]
    }),
  )
  return { ...update, set }
}

/** A copy whose bytes nobody else holds, and which nobody can change. What holds no bytes and is frozen is shared. */
function snapshot<T extends ItemValue>(value: T): T {
  if (typeof value !== 'object') return value
  if (value instanceof Uint8Array) return value.slice() as ItemValue as T
  if (Array.isArray(value)) return Object.freeze(value.map((element: ItemValue) => snapshot(element))) as ItemValue as T
  const copy: Record<string, ItemValue> = {}
  let isShared = Object.isFrozen(value)
  for (const name in value) {
    const inner = (value as Readonly<Record<string, ItemValue>>)[name] as ItemValue
    const own = snapshot(inner)
    copy[name] = own
    isShared &&= own === inner
  }
  return isShared ? value : (Object.freeze(copy) as ItemValue as T)
}
