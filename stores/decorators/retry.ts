/**
 * The one retry of the product. An attempt that a store refused, or whose outcome is not known, is repeated *unchanged*
 * with exponential back-off and jitter, bounded in attempts and in time. An outcome is definite or is surfaced: when it
 * gives up and some attempt was ambiguous the error says effect `unknown`, whatever the last attempt said.
 * A create that finds its own item after an ambiguous attempt was done by that attempt; any other refusal after one is
 * marked `ambiguous`, for only the caller can tell its own write in the item that comes back.
 */
import type { Clock } from '../../core/kernel/clock.ts'
import { isSluiceError, SluiceError } from '../../core/kernel/errors.ts'
import type { Random } from '../../core/kernel/random.ts'
import type { ItemStore } from '../../core/ports/items.ts'
import type { LakeCatalog } from '../../core/ports/lake-catalog.ts'
import type { ListedObject, ObjectStore, RangeInto } from '../../core/ports/objects.ts'
import { equalValues } from '../items/evaluate.ts'

export interface RetryPolicy {
  readonly clock: Clock
  readonly random: Random
  readonly attemptsMax: number
  /** No attempt starts later than this after the first. */
  readonly totalMsMax: number
  readonly pauseMsFirst: number
  /** A throttled store wants more patience. */
  readonly throttledPauseMsFirst: number
  readonly pauseMsMax: number
  readonly onRetry?: (event: { readonly name: string; readonly attempt: number; readonly error: SluiceError }) => void
}

export const retryDefaults = {
  attemptsMax: 10,
  totalMsMax: 20_000,
  pauseMsFirst: 10,
  throttledPauseMsFirst: 50,
  pauseMsMax: 2_000,
} as const

export function retryObjects(objects: ObjectStore, policy: RetryPolicy): ObjectStore {
  const repeat = <T>(name: string, attempt: () => Promise<T>): Promise<T> =>
    repeated(policy, name, attempt).then(({ result }) => result)
  return {
    create: (key, bytes) => repeat('objects.create', () => objects.create(key, bytes)),
    read: (key, range) => repeat('objects.read', () => objects.read(key, range)),
    ...(objects.readNow && {
      readNow: (key: string, ranges: readonly RangeInto[]) => objects.readNow?.(key, ranges) ?? [],
    }),
    delete: (keys) => repeat('objects.delete', () => objects.delete(keys)),
    replace: (key, bytes) => repeat('objects.replace', () => objects.replace(key, bytes)),
    list: (prefix) => listAgain(objects, policy, prefix),
    uri: (key) => objects.uri(key),
  }
}

export function retryItems(items: ItemStore, policy: RetryPolicy): ItemStore {
  return {
    get: async (key, consistency) => (await repeated(policy, 'items.get', () => items.get(key, consistency))).result,
    query: async (query) => (await repeated(policy, 'items.query', () => items.query(query))).result,
    create: async (item) => {
      const { result, ambiguous } = await repeated(policy, 'items.create', () => items.create(item))
      const ours = ambiguous && !result.done && result.item !== undefined && equalValues(result.item.attributes, item.attributes)
      return ours ? { done: true, item } : marked(result, ambiguous)
    },
    update: async (update) => {
      const { result, ambiguous } = await repeated(policy, 'items.update', () => items.update(update))
      return marked(result, ambiguous)
    },
    delete: async (key, condition) => {
      const { result, ambiguous } = await repeated(policy, 'items.delete', () => items.delete(key, condition))
      return marked(result, ambiguous)
    },
    transact: async (actions) => {
      const { result, ambiguous } = await repeated(policy, 'items.transact', () => items.transact(actions))
      return marked(result, ambiguous)
    },
  }
}

/** A commit whose own earlier attempt was the one that won is a `conflict` too: its caller reads the table and looks for itself. */
export function retryCatalog(catalog: LakeCatalog, policy: RetryPolicy): LakeCatalog {
  const repeat = <T>(name: string, attempt: () => Promise<T>): Promise<T> =>
    repeated(policy, name, attempt).then(({ result }) => result)
  return {
    name: catalog.name,
    load: (table) => repeat('catalog.load', () => catalog.load(table)),
    create: (table, request) => repeat('catalog.create', () => catalog.create(table, request)),
    commit: (table, change) => repeat('catalog.commit', () => catalog.commit(table, change)),
    locationFor: (table) => catalog.locationFor(table),
    objectsAt: (location) => catalog.objectsAt(location),
  }
}

/** On a refusal: an earlier attempt of the same write had no known outcome and may be why this one was refused. */
export interface AfterAmbiguity {
  readonly ambiguous?: true
}

export async function repeated<T>(
  policy: RetryPolicy,
  name: string,
  attempt: () => Promise<T>,
): Promise<{ result: T; ambiguous: boolean }> {
  const started = policy.clock.now()
  let ambiguous = false
  for (let attempts = 1; ; attempts++) {
    try {
      return { result: await attempt(), ambiguous }
    } catch (error) {
      if (!isSluiceError(error)) throw error
      ambiguous ||= error.effect === 'unknown' || error.effect === 'partial'
      const pauseMs = pauseOf(policy, error, attempts)
      const late = policy.clock.now() - started + pauseMs > policy.totalMsMax
      if (error.action !== 'retry' || attempts >= policy.attemptsMax || late) throw surfaced(error, name, { ambiguous, attempts })
      policy.onRetry?.({ name, attempt: attempts, error })
      await policy.clock.sleep(pauseMs)
    }
  }
}

/** Between half and all of the doubled pause. */
function pauseOf(policy: RetryPolicy, error: SluiceError, attempts: number): number {
  const first = error.code === 'throttled' ? policy.throttledPauseMsFirst : policy.pauseMsFirst
  const full = Math.min(policy.pauseMsMax, first * 2 ** Math.min(attempts - 1, 20))
  const jitter = (policy.random.bytes(1)[0] ?? 0) / 256
  return Math.ceil((full * (1 + jitter)) / 2)
}

function surfaced(
  error: SluiceError,
  name: string,
  { ambiguous, attempts }: { ambiguous: boolean; attempts: number },
): SluiceError {
  if (attempts === 1) return error
  const effect = ambiguous ? 'unknown' : error.effect
  const { code, action, facts } = error
  return new SluiceError(code, `${error.message} (${name}, ${attempts} attempts)`, {
    effect,
    action,
    facts: { ...facts, attempts },
    cause: error,
  })
}

function marked<R extends { readonly done: boolean }>(result: R, ambiguous: boolean): R & AfterAmbiguity {
  return ambiguous && !result.done ? { ...result, ambiguous: true } : result
}

/** A listing that breaks off starts again and leaves out what it has given. */
async function* listAgain(objects: ObjectStore, policy: RetryPolicy, prefix: string): AsyncIterable<ListedObject> {
  let last = ''
  let iterator = objects.list(prefix)[Symbol.asyncIterator]()
  try {
    for (;;) {
      const { result } = await repeated(policy, 'objects.list', async () => {
        try {
          for (;;) {
            const next = await iterator.next()
            if (next.done === true || next.value.key > last) return next
          }
        } catch (error) {
          iterator = objects.list(prefix)[Symbol.asyncIterator]()
          throw error
        }
      })
      if (result.done === true) return
      last = result.value.key
      yield result.value
    }
  } finally {
    await iterator.return?.()
  }
}
