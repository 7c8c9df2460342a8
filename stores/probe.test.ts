import { describe, expect, test } from 'vitest'
import type { ItemStore } from '../core/ports/items.ts'
import type { ObjectStore } from '../core/ports/objects.ts'
import { faultyItems, faultyObjects } from './decorators/fault.ts'
import { retryDefaults, retryItems, retryObjects } from './decorators/retry.ts'
import { JumpingClock, seededRandom } from './decorators/testing.ts'
import { MemoryItems } from './items/memory.ts'
import { MemoryObjects } from './objects/memory.ts'
import { probeStores } from './probe.ts'

const refusal = { code: 'not-supported', action: 'stop', message: /use one whose conditional writes hold/ }

/** B12: a server that accepts a condition and ignores it. */
class BlindObjects extends MemoryObjects {
  override async create(key: string, bytes: Uint8Array): Promise<'created'> {
    await this.replace(key, bytes)
    return 'created'
  }
}
class BlindItems extends MemoryItems {
  override update({ condition: _, ...update }: Parameters<ItemStore['update']>[0]): ReturnType<ItemStore['update']> {
    return super.update(update)
  }
}
class CreatingItems extends MemoryItems {
  override async update(update: Parameters<ItemStore['update']>[0]): ReturnType<ItemStore['update']> {
    await super.create({ key: update.key, attributes: {} })
    return super.update(update)
  }
}

describe('the probe', () => {
  test('accepts stores whose conditions hold, and remembers it', async () => {
    const [objects, items] = [new MemoryObjects(), new MemoryItems()]
    await probeStores(objects, items, seededRandom(1))
    await probeStores(unreachable(objects), items, seededRandom(2))
  })

  test('is not misled by lost answers', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const clock = new JumpingClock()
      const faults = { rates: { lostAck: 0.2, throttled: 0.1 }, random: seededRandom(seed), clock, slowMs: 0 }
      const policy = { ...retryDefaults, clock, random: seededRandom(seed + 1_000) }
      const objects = retryObjects(faultyObjects(new MemoryObjects(), faults), policy)
      const items = retryItems(faultyItems(new MemoryItems(), faults), policy)
      await probeStores(objects, items, seededRandom(seed))
    }
  })

  test('refuses an object store that ignores If-None-Match', async () => {
    await expect(probeStores(new BlindObjects(), new MemoryItems(), seededRandom(1))).rejects.toMatchObject({
      ...refusal,
      facts: { store: 'object' },
    })
  })

  test('refuses an item store that ignores conditions', async () => {
    await expect(probeStores(new MemoryObjects(), new BlindItems(), seededRandom(1))).rejects.toMatchObject({
      ...refusal,
      facts: { store: 'item' },
    })
  })

  test('refuses an item store whose updates create', async () => {
    await expect(probeStores(new MemoryObjects(), new CreatingItems(), seededRandom(1))).rejects.toMatchObject(refusal)
  })
})

function unreachable(objects: ObjectStore): ObjectStore {
  const fail = async (): Promise<never> => {
    throw new Error('the probe ran again')
  }
  return {
    create: fail,
    read: fail,
    delete: fail,
    replace: fail,
    list: (prefix) => objects.list(prefix),
    uri: (key) => objects.uri(key),
  }
}
