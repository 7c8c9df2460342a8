/** An event for every request to a store: for logs, Server-Timing and tests. Costs two clock reads a request. */
import type { Clock } from '../../core/kernel/clock.ts'
import { isSluiceError } from '../../core/kernel/errors.ts'
import type { ItemStore } from '../../core/ports/items.ts'
import type { ObjectStore } from '../../core/ports/objects.ts'

export interface StoreEvent {
  /** As in count.ts: `objects.create`. */
  readonly name: string
  /** An object key, or `partition / sort` of an item. */
  readonly subject: string
  readonly ms: number
  /** `ok`, or the code of the error. */
  readonly outcome: string
}
export type TraceHook = (event: StoreEvent) => void

export function traceObjects(objects: ObjectStore, clock: Clock, hook: TraceHook): ObjectStore {
  const timed = timer(clock, hook)
  return {
    create: (key, bytes) => timed('objects.create', key, () => objects.create(key, bytes)),
    read: (key, range) => timed('objects.read', key, () => objects.read(key, range)),
    delete: (keys) => timed('objects.delete', `${keys.length} keys`, () => objects.delete(keys)),
    replace: (key, bytes) => timed('objects.replace', key, () => objects.replace(key, bytes)),
    list: (prefix) => objects.list(prefix),
    uri: (key) => objects.uri(key),
  }
}

export function traceItems(items: ItemStore, clock: Clock, hook: TraceHook): ItemStore {
  const timed = timer(clock, hook)
  const subject = (key: { readonly partition: string; readonly sort: string }): string => `${key.partition} / ${key.sort}`
  return {
    get: (key, consistency) => timed('items.get', subject(key), () => items.get(key, consistency)),
    query: (query) => timed('items.query', query.partition, () => items.query(query)),
    create: (item) => timed('items.create', subject(item.key), () => items.create(item)),
    update: (update) => timed('items.update', subject(update.key), () => items.update(update)),
    delete: (key, condition) => timed('items.delete', subject(key), () => items.delete(key, condition)),
    transact: (actions) => timed('items.transact', `${actions.length} actions`, () => items.transact(actions)),
  }
}

function timer(clock: Clock, hook: TraceHook) {
  return async <T>(name: string, subject: string, request: () => Promise<T>): Promise<T> => {
    const started = clock.now()
    let outcome = 'ok'
    try {
      return await request()
    } catch (error) {
      outcome = isSluiceError(error) ? error.code : 'defect'
      throw error
    } finally {
      hook({ name, subject, ms: clock.now() - started, outcome })
    }
  }
}
