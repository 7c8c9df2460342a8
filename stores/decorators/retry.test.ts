import { describe, expect, test } from 'vitest'
import { utf8, utf8Text } from '../../core/kernel/bytes.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import { itemStoreCases } from '../../core/ports/items.case.ts'
import { keysOf, objectStoreCases } from '../../core/ports/objects.case.ts'
import { MemoryItems } from '../items/memory.ts'
import { MemoryObjects } from '../objects/memory.ts'
import { type FaultRates, faultyItems, faultyObjects } from './fault.ts'
import { repeated, retryDefaults, retryItems, retryObjects } from './retry.ts'
import { JumpingClock, seededRandom } from './testing.ts'

function stores(rates: FaultRates, seed = 1) {
  const clock = new JumpingClock()
  const memory = { objects: new MemoryObjects(), items: new MemoryItems() }
  const faults = { rates, random: seededRandom(seed), clock, slowMs: 1_000 }
  const policy = { ...retryDefaults, clock, random: seededRandom(seed + 1) }
  return {
    clock,
    memory,
    objects: retryObjects(faultyObjects(memory.objects, faults), policy),
    items: retryItems(faultyItems(memory.items, faults), policy),
  }
}

const rough: FaultRates = { refused: 0.1, throttled: 0.1, slow: 0.05 }
let seeds = 100
objectStoreCases('a rough memory behind the retry', async () => stores(rough, seeds++))
// Without lost answers: a blind addition that is repeated unchanged counts twice, which is why our protocols condition each.
itemStoreCases('a rough memory behind the retry', async () => stores(rough, seeds++))

describe('the retry', () => {
  test('rides through 503 SlowDown and throttling', async () => {
    const { objects, items, clock } = stores({ throttled: 0.5 })
    const started = clock.now()
    for (let i = 0; i < 50; i++) {
      expect(await objects.create(`k/${i}`, utf8('x'))).toBe('created')
      expect((await items.create({ key: { partition: 'p', sort: `${i}` }, attributes: {} })).done).toBe(true)
    }
    expect(clock.now() - started).toBeGreaterThan(50 * retryDefaults.throttledPauseMsFirst * 0.5)
  })

  test('surfaces a store that throttles for ever, within its bounds', async () => {
    const { objects, clock } = stores({ throttled: 1 })
    const started = clock.now()
    const expected = { code: 'throttled', effect: 'none', action: 'retry', facts: { attempts: retryDefaults.attemptsMax } }
    await expect(objects.create('k', utf8('x'))).rejects.toMatchObject(expected)
    expect(clock.now() - started).toBeLessThanOrEqual(retryDefaults.totalMsMax)
  })

  test('resolves the lost answer of a create to created', async () => {
    let lost = 0
    const { memory, clock } = stores({})
    const losing = {
      ...bound(memory.objects),
      create: async (key: string, bytes: Uint8Array) => {
        const result = await memory.objects.create(key, bytes)
        if (lost++ === 0) throw new SluiceError('unavailable', 'reset', { effect: 'unknown' })
        return result
      },
    }
    const objects = retryObjects(losing, { ...retryDefaults, clock, random: seededRandom(1) })
    expect(await objects.create('k', utf8('mine'))).toBe('created')
    expect(lost).toBe(2)
    expect(await objects.create('k', utf8('other'))).toBe('exists')
  })

  test('resolves the lost answer of an item create to done, and marks any other refusal after one', async () => {
    const key = { partition: 'p', sort: 's' }
    const { items } = stores({ lostAck: 0.5 }, 7)
    for (let i = 0; i < 30; i++) {
      const item = { key: { partition: 'p', sort: `${i}` }, attributes: { i: BigInt(i) } }
      expect(await items.create(item)).toEqual({ done: true, item })
    }
    const { items: worse, memory } = stores({ lostAck: 0.5 }, 7)
    await memory.items.create({ key, attributes: { v: 0n } })
    let marks = 0
    for (let v = 0n; v < 30n; v++) {
      const result = await worse.update({ key, set: { v: { value: v + 1n } }, condition: { is: 'equal', path: 'v', value: v } })
      expect(result.item?.attributes.v).toBe(v + 1n)
      if (result.done) continue
      expect(result).toMatchObject({ ambiguous: true })
      marks++
    }
    expect(marks).toBeGreaterThan(5)
  })

  test('says unknown when it gives up after an ambiguous attempt, whatever the last one said', async () => {
    let attempts = 0
    const policy = { ...retryDefaults, clock: new JumpingClock(), random: seededRandom(1) }
    const attempt = async (): Promise<never> => {
      throw new SluiceError('unavailable', 'no', { effect: ++attempts === 2 ? 'unknown' : 'none' })
    }
    await expect(repeated(policy, 'items.update', attempt)).rejects.toMatchObject({ code: 'unavailable', effect: 'unknown' })
    expect(attempts).toBe(retryDefaults.attemptsMax)
  })

  test('repeats no defect and no answer', async () => {
    let attempts = 0
    const policy = { ...retryDefaults, clock: new JumpingClock(), random: seededRandom(1) }
    for (const error of [new SluiceError('internal', 'no'), new SluiceError('not-found', 'no'), new TypeError('no')]) {
      attempts = 0
      const attempt = async (): Promise<never> => {
        attempts++
        throw error
      }
      await expect(repeated(policy, 'objects.read', attempt)).rejects.toBe(error)
      expect(attempts).toBe(1)
    }
  })

  test('goes on with a listing that broke off, without a repetition or a hole', async () => {
    const { objects, memory } = stores({ refused: 0.2 })
    const keys = Array.from({ length: 100 }, (_, i) => `k/${String(i).padStart(3, '0')}`)
    for (const key of keys) await memory.objects.create(key, utf8(key))
    const seen: string[] = []
    // Each break starts at the front again, so the bound on attempts is what a hundred objects can need.
    const patient = retryObjects(objects, {
      ...retryDefaults,
      attemptsMax: 1_000,
      totalMsMax: 1e9,
      clock: new JumpingClock(),
      random: seededRandom(3),
    })
    try {
      for await (const { key } of patient.list('k/')) seen.push(key)
    } catch (error) {
      expect(error).toBeInstanceOf(SluiceError)
    }
    expect(seen).toEqual(keys.slice(0, seen.length))
    expect(await keysOf(memory.objects, 'k/')).toEqual(keys)
    expect(utf8Text(await objects.read('k/000'))).toBe('k/000')
  })
})

function bound(objects: MemoryObjects) {
  return {
    read: objects.read.bind(objects),
    delete: objects.delete.bind(objects),
    replace: objects.replace.bind(objects),
    list: objects.list.bind(objects),
    uri: objects.uri.bind(objects),
  }
}
