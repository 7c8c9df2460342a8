import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { utf8, utf8Text } from '../../core/kernel/bytes.ts'
import { labelOf } from '../../core/kernel/ids.ts'
import type { Item, ItemStore } from '../../core/ports/items.ts'
import { keysOf, objectStoreCases } from '../../core/ports/objects.case.ts'
import { MemoryItems } from '../items/memory.ts'
import { openSqlite } from '../items/sqlite.ts'
import { MemoryObjects } from '../objects/memory.ts'
import { Counter, countItems } from './count.ts'
import { inlineObjects } from './inline.ts'
import { JumpingClock } from './testing.ts'

const hourMs = 3_600_000

function stores() {
  const clock = new JumpingClock()
  const counter = new Counter()
  const plain = { objects: new MemoryObjects(), items: new MemoryItems() }
  const objects = inlineObjects({ objects: plain.objects, items: countItems(plain.items, counter), clock })
  return { clock, counter, plain, objects }
}

/** For a store with one method of its own. */
const bound = (items: ItemStore): ItemStore => ({
  get: (key, consistency) => items.get(key, consistency),
  query: (query) => items.query(query),
  create: (item) => items.create(item),
  update: (update) => items.update(update),
  delete: (key, condition) => items.delete(key, condition),
  transact: (actions) => items.transact(actions),
})

const table = 'a'.repeat(16)
const keyOf = (ms: number, { shard = '00', n = 1, id = table } = {}): string =>
  `t/${id}/${shard}/${labelOf(ms)}-${n.toString(16).padStart(16, '0')}i`

objectStoreCases('memory with inline objects', async () => stores())
sqliteCases()

function sqliteCases(): void {
  objectStoreCases('memory with inline objects in SQLite', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-inline-'))
    const items = openSqlite(join(folder, 'items.db'))
    const createDeferred = items.createDeferred.bind(items)
    const objects = inlineObjects({ objects: new MemoryObjects(), items, clock: new JumpingClock(), createDeferred })
    return {
      objects,
      close: async () => {
        await items.close()
        await rm(folder, { recursive: true })
      },
    }
  })
}

describe('an inline object', () => {
  test('lies where the protocol says', async () => {
    const { clock, plain, objects } = stores()
    const key = keyOf(clock.now(), { shard: '0f' })
    expect(await objects.create(key, utf8('small'))).toBe('created')
    expect(await keysOf(plain.objects, '')).toEqual([])
    const hour = Math.floor(clock.now() / hourMs)
    const sort = `${labelOf(clock.now())}-0000000000000001i`
    const item = await plain.items.get({ partition: `${table}#inline#0f#${hour}`, sort })
    expect(item?.attributes).toEqual({ b: utf8('small') })
  })

  test('is created once, read by ranges, and deleted', async () => {
    const { clock, objects } = stores()
    const key = keyOf(clock.now())
    expect(await objects.create(key, utf8('0123456789'))).toBe('created')
    expect(await objects.create(key, utf8('0123456789'))).toBe('created')
    expect(await objects.create(key, utf8('other'))).toBe('exists')
    expect(utf8Text(await objects.read(key, { start: 2, end: 5 }))).toBe('234')
    await expect(objects.read(key, { start: 2, end: 11 })).rejects.toMatchObject({ code: 'internal' })
    await objects.delete([key, keyOf(clock.now(), { n: 9 })])
    await expect(objects.read(key)).rejects.toMatchObject({ code: 'not-found' })
    await expect(objects.replace(key, utf8('x'))).rejects.toMatchObject({ code: 'internal' })
  })

  test('over the limit is refused', async () => {
    const { clock, objects } = stores()
    await expect(objects.create(keyOf(clock.now()), new Uint8Array(4097))).rejects.toMatchObject({
      code: 'internal',
      effect: 'none',
    })
  })

  test('is listed among the others in key order, whatever its hour and whoever wrote it', async () => {
    const { clock, plain, objects } = stores()
    const keys: string[] = []
    for (const shard of ['00', '01', 'ff']) {
      for (let hour = 0; hour < 3; hour++) {
        for (let n = 0; n < 3; n++) {
          const ms = clock.now() - hour * hourMs + n
          keys.push(keyOf(ms, { shard, n }), keyOf(ms, { shard, n }).slice(0, -1))
        }
      }
    }
    for (const key of keys) await objects.create(key, utf8('x'))
    await objects.create(keyOf(clock.now(), { id: 'b'.repeat(16) }), utf8('x'))
    keys.sort()
    const other = inlineObjects({ ...plain, clock })
    expect(await keysOf(other, `t/${table}/`)).toEqual(keys)
    expect(await keysOf(other, `t/${table}/01/`)).toEqual(keys.filter((key) => key.startsWith(`t/${table}/01/`)))
    const label = `t/${table}/00/${labelOf(clock.now())}`
    expect(await keysOf(other, label)).toEqual(keys.filter((key) => key.startsWith(label)))
    await expect(keysOf(other, 't/')).rejects.toMatchObject({ code: 'internal' })
    await expect(keysOf(other, '')).rejects.toMatchObject({ code: 'internal' })
  })

  test('costs one marker for each folder and hour, and empty old hours lose theirs', async () => {
    const { clock, counter, objects, plain } = stores()
    const first = clock.now()
    for (let n = 0; n < 10; n++) await objects.create(keyOf(first, { n }), utf8('x'))
    expect(counter.total.get('items.create')).toBe(11)
    await objects.delete(await keysOf(objects, `t/${table}/`))
    await clock.sleep(48 * hourMs)
    expect(await plain.items.query({ partition: `${table}#inline`, limit: 10 })).toHaveLength(1)
    expect(await keysOf(objects, `t/${table}/`)).toEqual([])
    expect(await plain.items.query({ partition: `${table}#inline`, limit: 10 })).toHaveLength(0)
    await objects.create(keyOf(first, { n: 11 }), utf8('x'))
    expect(await keysOf(objects, `t/${table}/`)).toEqual([keyOf(first, { n: 11 })])
  })

  test('has its marker even where its process was frozen between the two, while a listing took the marker of the empty hour', async () => {
    const { clock, plain } = stores()
    const other = inlineObjects({ ...plain, clock })
    let frozen = false
    const items = {
      ...bound(plain.items),
      create: async (item: Item) => {
        const result = await plain.items.create(item)
        if (!frozen) {
          frozen = true
          await clock.sleep(41 * hourMs)
          expect(await keysOf(other, `t/${table}/`)).toEqual([])
        }
        return result
      },
    }
    const key = keyOf(clock.now())
    await inlineObjects({ ...plain, items, clock }).create(key, utf8('late'))
    expect(await keysOf(other, `t/${table}/`)).toEqual([key])
  })

  test('of an old hour keeps its marker where a listing takes it just before the create', async () => {
    const { clock, plain } = stores()
    const other = inlineObjects({ ...plain, clock })
    const key = keyOf(clock.now())
    await clock.sleep(41 * hourMs)
    const items = {
      ...bound(plain.items),
      create: async (item: Item) => {
        if (item.attributes['b'] !== undefined) expect(await keysOf(other, `t/${table}/`)).toEqual([])
        return plain.items.create(item)
      },
    }
    await inlineObjects({ ...plain, items, clock }).create(key, utf8('late'))
    expect(await keysOf(other, `t/${table}/`)).toEqual([key])
  })

  test('read with others of its hour in one turn is one request', async () => {
    const { clock, counter, objects } = stores()
    const keys = Array.from({ length: 20 }, (_, n) => keyOf(clock.now() + n, { n }))
    for (const key of keys) await objects.create(key, utf8(key))
    const read = await Promise.all(keys.map((key) => objects.read(key)))
    expect(read.map(utf8Text)).toEqual(keys)
    expect([counter.total.get('items.query'), counter.total.get('items.get')]).toEqual([1, 0])
    const one = keys[0] ?? ''
    const mixed = await Promise.allSettled([objects.read(one), objects.read(keyOf(clock.now() + 5, { n: 99 }))])
    expect(mixed.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
  })
})
