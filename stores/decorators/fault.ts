/**
 * Seeded faults for tests of the real server: a store that refuses, throttles (S3's 503 SlowDown, DynamoDB's
 * ProvisionedThroughputExceeded), loses a request on its way, loses the answer of one that took effect, or is slow.
 * Nothing here is in use unless somebody asks for it when the stores are opened.
 */
import type { Clock } from '../../core/kernel/clock.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import type { Random } from '../../core/kernel/random.ts'
import type { ItemStore } from '../../core/ports/items.ts'
import type { ListedObject, ObjectStore } from '../../core/ports/objects.ts'

const listPage = 1_000

/** Each rate is between 0 and 1; their sum is at most 1. */
export interface FaultRates {
  /** The store says no: effect none. */
  readonly refused?: number
  /** The store asks for patience: effect none. */
  readonly throttled?: number
  /** The request never arrives, and nobody knows: effect unknown. */
  readonly lostRequest?: number
  /** The request took effect, and nobody knows: effect unknown. */
  readonly lostAck?: number
  readonly slow?: number
}

export interface Faults {
  readonly rates: FaultRates
  readonly random: Random
  readonly clock: Clock
  readonly slowMs: number
}

export function faultyObjects(objects: ObjectStore, faults: Faults): ObjectStore {
  return {
    create: (key, bytes) => faulty(faults, 'objects.create', 'write', () => objects.create(key, bytes)),
    read: (key, range) => faulty(faults, 'objects.read', 'read', () => objects.read(key, range)),
    delete: (keys) => faulty(faults, 'objects.delete', 'write', () => objects.delete(keys)),
    replace: (key, bytes) => faulty(faults, 'objects.replace', 'write', () => objects.replace(key, bytes)),
    list: (prefix) => faultyList(faults, objects.list(prefix)),
    uri: (key) => objects.uri(key),
  }
}

export function faultyItems(items: ItemStore, faults: Faults): ItemStore {
  return {
    get: (key, consistency) => faulty(faults, 'items.get', 'read', () => items.get(key, consistency)),
    query: (query) => faulty(faults, 'items.query', 'read', () => items.query(query)),
    create: (item) => faulty(faults, 'items.create', 'write', () => items.create(item)),
    update: (update) => faulty(faults, 'items.update', 'write', () => items.update(update)),
    delete: (key, condition) => faulty(faults, 'items.delete', 'write', () => items.delete(key, condition)),
    transact: (actions) => faulty(faults, 'items.transact', 'write', () => items.transact(actions)),
  }
}

async function faulty<T>(faults: Faults, name: string, kind: 'read' | 'write', request: () => Promise<T>): Promise<T> {
  const fate = drawFate(faults)
  const unknown = kind === 'write' ? 'unknown' : 'none'
  switch (fate) {
    case 'refused':
      throw new SluiceError('unavailable', `injected fault: ${name} is refused`, { effect: 'none' })
    case 'throttled':
      throw new SluiceError('throttled', `injected fault: ${name} is throttled, slow down`, { effect: 'none' })
    case 'lostRequest':
      throw new SluiceError('unavailable', `injected fault: ${name} is lost`, { effect: unknown })
    case 'lostAck':
      await request()
      throw new SluiceError('unavailable', `injected fault: the answer of ${name} is lost`, { effect: unknown })
    case 'slow':
      await faults.clock.sleep(faults.slowMs)
      return request()
    case 'fine':
      return request()
  }
}

/** Each page of a listing is a request that may fail. */
async function* faultyList(faults: Faults, listed: AsyncIterable<ListedObject>): AsyncIterable<ListedObject> {
  let given = 0
  for await (const object of listed) {
    if (given++ % listPage === 0) await faulty(faults, 'objects.list', 'read', async () => undefined)
    yield object
  }
}

const fates = ['refused', 'throttled', 'lostRequest', 'lostAck', 'slow'] as const

function drawFate({ rates, random }: Faults): (typeof fates)[number] | 'fine' {
  const [a = 0, b = 0, c = 0] = random.bytes(3)
  let left = (a * 65_536 + b * 256 + c) / 2 ** 24
  for (const fate of fates) {
    left -= rates[fate] ?? 0
    if (left < 0) return fate
  }
  return 'fine'
}
