/** Lookups by key and by prefix: at which offset they are, and how much of the rows they hold. */
import { expect, test } from 'vitest'
import { MemoryObjects } from '../../stores/objects/memory.ts'
import { alterTable } from '../catalog/tables.ts'
import type { Plain } from '../format/arrow/batch.case.ts'
import { batchOf } from '../format/arrow/batch.case.ts'
import type { ByteRange } from '../ports/objects.ts'
import { KvBuckets } from './buckets.ts'
import { KvCache } from './cache.ts'
import { levelLimits } from './fold/levels.ts'
import { lookup, lookupPrefix } from './lookup.ts'
import { doneOf, foldNow, keyedBody, keyedTable, plainOf, testKv, testWorld, upsertOf } from './world.case.ts'

class WatchedObjects extends MemoryObjects {
  bytesRead = 0
  /** Before the next read, once. */
  next: (() => Promise<void>) | undefined

  override async read(key: string, range?: ByteRange): Promise<Uint8Array> {
    const { next } = this
    this.next = undefined
    await next?.()
    const bytes = await super.read(key, range)
    this.bytesRead += bytes.length
    return bytes
  }
}

const note = (length: number): string => 'n'.repeat(length)
const options = { stale: false, bytesMax: 1 << 20 }

async function world() {
  const objects = new WatchedObjects()
  const made = testWorld({ objects })
  return { objects, world: made, table: await keyedTable(made) }
}

/** Keys of two columns, one bucket. */
async function pairs() {
  const objects = new WatchedObjects()
  const made = testWorld({ objects })
  const columns = ['a', 'b', 'note'].map((name) => ({ name, type: 'string', nullable: name === 'note' }))
  return { objects, made, table: await keyedTable(made, { columns, primaryKey: ['a', 'b'], buckets: { key: ['a'] } }) }
}

test('of large rows the columns that are asked for are counted, and no more is read than may be answered', async () => {
  const { objects, world: made, table } = await world()
  const keys = Array.from({ length: 60 }, (_, i) => `k${i}`)
  const writer = testKv(made, 1 << 26)
  for (const k of keys) doneOf(await writer.kv.upsert(table, upsertOf(table, [[k, 1n, note(100_000)]])))
  await foldNow(made, writer, table)
  const asked = batchOf(
    table.schema.columns,
    keys.map((k) => [k, null, null]),
  )
  const few = await testKv(made, 1).kv.lookup(table, asked, { ...options, columns: ['v'] })
  expect(few.rows.map(plainOf)).toEqual(keys.map(() => [1n]))
  const { kv } = testKv(made, 1)
  objects.bytesRead = 0
  await expect(kv.lookup(table, asked, options)).rejects.toMatchObject({ code: 'too-large' })
  expect(objects.bytesRead).toBeLessThan(35 * 110_000)
})

test('a key that is asked for twice is counted twice', async () => {
  const { world: made, table } = await world()
  const { kv } = testKv(made)
  doneOf(await kv.upsert(table, upsertOf(table, [['a', 1n, note(600_000)]])))
  const of = (keys: readonly string[]) =>
    batchOf(
      table.schema.columns,
      keys.map((k) => [k, null, null]),
    )
  expect((await kv.lookup(table, of(['a', 'b']), options)).rows).toHaveLength(2)
  await expect(kv.lookup(table, of(['a', 'a']), options)).rejects.toMatchObject({ code: 'too-large' })
})

test('all prefixes of a bucket are answered at the one offset that is said, whatever is written meanwhile', async () => {
  const objects = new WatchedObjects()
  const made = testWorld({ objects })
  const body = {
    columns: [keyedBody.columns[0], { name: 'u', type: 'string', nullable: false }, { name: 'v', type: 'bigint' }],
    primaryKey: ['k', 'u'],
  }
  const table = await keyedTable(made, { ...body, buckets: { count: 1, key: ['k'] } } as never)
  const writer = testKv(made)
  const put = (kv: typeof writer.kv, rows: readonly (readonly Plain[])[]) => kv.upsert(table, upsertOf(table, rows))
  await put(writer.kv, [
    ['a', 'x', 1n],
    ['b', 'x', 1n],
    ['b', 'y', 1n],
  ])
  await foldNow(made, writer, table)
  const keys = batchOf([table.schema.columns[0] as never], [['a'], ['b'], ['a'], ['c']])
  for (const reads of [1, 2, 3]) {
    const { kv } = testKv(made)
    let left = reads
    let written: Promise<unknown> | undefined
    const next = async (): Promise<void> => {
      objects.next = --left > 0 ? next : undefined
      if (left > 0) return
      const value = BigInt(reads + 1)
      written = put(kv, [
        ['b', 'x', value],
        ['a', 'x', value],
      ])
      // It may wait for the reader.
      for (let i = 0; i < 5; i++) await new Promise(setImmediate)
    }
    objects.next = next
    const before = BigInt(reads)
    const { rows, buckets } = await kv.lookupPrefix(table, keys, { ...options, rowsMax: 10 })
    expect(left).toBe(0)
    await written
    const values = rows.map((own) => own.map(plainOf))
    const at = buckets[0]?.offset === 3n + 4n * before ? before + 1n : before
    expect(values).toEqual([
      [['a', 'x', at]],
      [
        ['b', 'x', at],
        ['b', 'y', 1n],
      ],
      [['a', 'x', at]],
      [],
    ])
  }
})

test('of a prefix the first rows are answered that are left of the stored and the changed ones', async () => {
  const { made, table } = await pairs()
  const writer = testKv(made)
  const named = (name: string, from: number, to: number, step = 1) =>
    Array.from({ length: Math.ceil((to - from) / step) }, (_, i) => ['x', `${100 + from + i * step}`, name])
  doneOf(await writer.kv.upsert(table, upsertOf(table, [...named('stored', 0, 60), ['w', '0', 'below'], ['y', '0', 'above']])))
  await foldNow(made, writer, table)
  doneOf(await writer.kv.upsert(table, { ...upsertOf(table, named('', 0, 40)), op: 'delete' }))
  doneOf(await writer.kv.upsert(table, upsertOf(table, [...named('new', 35, 90, 5), ['z', '0', 'new']])))
  const left = [...named('new', 35, 40, 5), ...named('stored', 40, 60), ...named('new', 60, 90, 5)].map(([a, b, name]) => [
    a,
    b,
    name === 'stored' && Number(b) % 5 === 0 ? 'new' : name,
  ])
  const keys = batchOf(table.schema.columns.slice(0, 1), [['z'], ['x'], ['v']])
  for (const rowsMax of [1, 2, 10, 25, 100]) {
    const { rows } = await testKv(made).kv.lookupPrefix(table, keys, { ...options, rowsMax })
    expect(rows.map((own) => own.map(plainOf))).toEqual([[['z', '0', 'new']], left.slice(0, rowsMax), []])
  }
})

test('more changed rows under prefixes than may be answered are refused before a stored one is read', async () => {
  const { objects, made, table } = await pairs()
  const writer = testKv(made)
  const rows = Array.from({ length: 200 }, (_, i) => ['x', `${i}`, ''])
  doneOf(await writer.kv.upsert(table, upsertOf(table, rows)))
  await foldNow(made, writer, table)
  doneOf(await writer.kv.upsert(table, upsertOf(table, rows)))
  const look = (bytesMax: number) => {
    objects.bytesRead = 0
    const keys = batchOf(table.schema.columns.slice(0, 1), [['x']])
    return testKv(made).kv.lookupPrefix(table, keys, { stale: false, bytesMax, rowsMax: 1_000 })
  }
  await expect(look(200 * 39)).rejects.toMatchObject({ code: 'too-large' })
  const read = objects.bytesRead
  expect((await look(200 * 40)).rows[0]).toHaveLength(200)
  expect(objects.bytesRead).toBeGreaterThan(read)
})

test('the order of changed keys that a prefix lookup needs is counted with them', async () => {
  const { made, table } = await pairs()
  const { log, kv } = testKv(made)
  doneOf(
    await kv.upsert(
      table,
      upsertOf(
        table,
        Array.from({ length: 500 }, (_, i) => ['x', `${i}`, '']),
      ),
    ),
  )
  const cache = new KvCache(1 << 20)
  const context = { world: made, log, buckets: new KvBuckets({ reading: log.reading, cache }) }
  const of = (columns: number, row: readonly string[]) => batchOf(table.schema.columns.slice(0, columns), [row])
  await lookup(context, table, of(2, ['x', '1']), options)
  const before = cache.pinnedBytes
  await lookupPrefix(context, table, of(1, ['x']), { ...options, rowsMax: 5 })
  expect(cache.pinnedBytes).toBe(before + 4 * 500)
})

test('a null is not nothing: rows of many columns without values are counted as they are held', async () => {
  const made = testWorld()
  const columns = Array.from({ length: 200 }, (_, i) => ({ name: `c${i}`, type: 'int' }))
  const table = await keyedTable(made, { ...keyedBody, columns: [...keyedBody.columns, ...columns] })
  const { kv } = testKv(made)
  const keys = Array.from({ length: 100 }, (_, i) => [`k${i}`, 1n, ''])
  doneOf(await kv.upsert(table, upsertOf(table, keys)))
  const asked = batchOf(table.schema.columns, keys)
  await expect(kv.lookup(table, asked, { stale: false, bytesMax: 100_000 })).rejects.toMatchObject({ code: 'too-large' })
  expect((await kv.lookup(table, asked, { stale: false, bytesMax: 100_000, columns: ['c1', 'k'] })).rows.map(plainOf)).toEqual(
    keys.map(([k]) => [null, k]),
  )
})

test('who knows the columns of before is answered in them while its rows have no newer ones, then told that they have changed', async () => {
  const { world: made, table } = await world()
  const writer = testKv(made)
  doneOf(await writer.kv.upsert(table, upsertOf(table, [['a', 1n, 'old']])))
  await foldNow(made, writer, table)
  const change = { dropColumns: ['v'], renameColumns: { note: 'text' } }
  const newer = await alterTable(made, 'd', 't', change)
  const ask = (k: string, asked = {}) =>
    testKv(made).kv.lookup(table, batchOf(table.schema.columns, [[k, null, null]]), { ...options, ...asked })
  expect((await ask('a')).rows.map(plainOf)).toEqual([['a', 1n, 'old']])
  expect((await ask('a', { columns: ['note', 'v'] })).rows.map(plainOf)).toEqual([['old', 1n]])
  doneOf(await writer.kv.upsert(newer, upsertOf(newer, [['b', 'new']])))
  const changed = { code: 'changed', action: 'refresh', effect: 'none', facts: { schemaId: 2 } }
  await expect(ask('a')).rejects.toMatchObject(changed)
  await foldNow(made, writer, newer)
  expect((await ask('a')).rows.map(plainOf)).toEqual([['a', 1n, 'old']])
  await expect(ask('b')).rejects.toMatchObject(changed)
})

test('a prefix lookup reads no further than its prefix, however much was deleted behind it', async () => {
  const { objects, made, table } = await pairs()
  const one = testKv(made, 1 << 26)
  const behind = Array.from({ length: 5_000 }, (_, i) => ['y', `${i}`.padStart(6, '0'), note(50)])
  doneOf(await one.kv.upsert(table, upsertOf(table, [['x', '0', 'one'], ['zz', '0', 'last'], ...behind])))
  await foldNow(made, one, table, levelLimits)
  doneOf(await one.kv.upsert(table, { ...upsertOf(table, behind), op: 'delete' }))
  await foldNow(made, one, table, levelLimits)
  objects.bytesRead = 0
  const keys = batchOf(table.schema.columns.slice(0, 1), [['x']])
  const { rows } = await testKv(made, 1 << 20).kv.lookupPrefix(table, keys, { ...options, rowsMax: 10 })
  expect(rows.map((own) => own.map(plainOf))).toEqual([[['x', '0', 'one']]])
  expect(objects.bytesRead).toBeLessThan(300_000)
})
