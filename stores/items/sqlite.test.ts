import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { utf8 } from '../../core/kernel/bytes.ts'
import { itemStoreCases } from '../../core/ports/items.case.ts'
import { openSqlite, type SqliteItems } from './sqlite.ts'
import { SqliteWrites } from './sqlite-writes.ts'
import { WriterThread } from './write-queue.ts'

describe('over one file', () => {
  let folder = ''
  let items: SqliteItems
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-items-'))
    items = openSqlite(join(folder, 'items.db'))
  })
  afterAll(async () => {
    await items.close()
    await rm(folder, { recursive: true })
  })
  itemStoreCases('SQLite', async () => ({ items }))
})

async function within(run: (path: string, items: SqliteItems) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-items-'))
  const items = openSqlite(join(folder, 'items.db'))
  try {
    await run(join(folder, 'items.db'), items)
  } finally {
    await items.close().catch(() => undefined)
    await rm(folder, { recursive: true })
  }
}

const item = (sort: string, v: bigint) => ({ key: { partition: 'p', sort }, attributes: { v } })

describe('several stores on one file', () => {
  test('see each other', () =>
    within(async (path, one) => {
      const two = openSqlite(path)
      await one.create(item('a', 1n))
      expect(await two.get({ partition: 'p', sort: 'a' })).toEqual(item('a', 1n))
      expect((await two.create(item('a', 2n))).done).toBe(false)
      await two.close()
    }))

  test('in three processes lose no increment', () =>
    within(async (path, items) => {
      const key = { partition: 'p', sort: 'counter' }
      await items.create({ key, attributes: { n: 0n } })
      const node = process.execPath
      const script = join(import.meta.dirname, 'sqlite.child.ts')
      const children = Array.from({ length: 3 }, () => promisify(execFile)(node, [script, path, '100']))
      await Promise.all(children)
      expect((await items.get(key))?.attributes.n).toBe(300n)
    }))
})

describe('a deferred create', () => {
  test('is seen by this process at once and by another with the next write', () =>
    within(async (path, one) => {
      const two = openSqlite(path)
      expect(one.createDeferred(item('b', 1n)).done).toBe(true)
      expect(await one.get({ partition: 'p', sort: 'b' })).toEqual(item('b', 1n))
      expect(await two.get({ partition: 'p', sort: 'b' })).toBeUndefined()
      await one.create(item('a', 0n))
      expect(await two.get({ partition: 'p', sort: 'b' })).toEqual(item('b', 1n))
      await two.close()
    }))

  test('takes its place in queries, forwards, backwards and at the limit', () =>
    within(async (_, items) => {
      for (const sort of ['a', 'c', 'e']) await items.create(item(sort, 0n))
      for (const sort of ['d', 'b']) items.createDeferred(item(sort, 1n))
      const sorts = async (range: object): Promise<string[]> =>
        (await items.query({ partition: 'p', limit: 10, ...range })).map(({ key }) => key.sort)
      expect(await sorts({})).toEqual(['a', 'b', 'c', 'd', 'e'])
      expect(await sorts({ reverse: true, limit: 2 })).toEqual(['e', 'd'])
      expect(await sorts({ from: 'b', to: 'd' })).toEqual(['b', 'c'])
    }))

  test('never replaces, held or written', () =>
    within(async (_, items) => {
      items.createDeferred(item('a', 1n))
      expect(items.createDeferred(item('a', 2n))).toEqual({ done: false, item: item('a', 1n) })
      await items.flush()
      expect(items.createDeferred(item('a', 2n))).toEqual({ done: false, item: item('a', 1n) })
      expect((await items.create(item('a', 3n))).done).toBe(false)
    }))

  test('an item that two processes make alike is listed once while one of them holds it', () =>
    within(async (path, one) => {
      const two = openSqlite(path)
      one.createDeferred(item('a', 1n))
      await two.create(item('a', 1n))
      expect(await one.query({ partition: 'p', limit: 10 })).toEqual([item('a', 1n)])
      await two.close()
    }))

  test('that another process has overtaken fails the writes that rely on it', () =>
    within(async (path, one) => {
      const two = openSqlite(path)
      one.createDeferred(item('a', 1n))
      await two.create(item('a', 2n))
      await expect(one.create(item('b', 0n))).rejects.toMatchObject({ code: 'internal', effect: 'none' })
      expect(await two.get({ partition: 'p', sort: 'b' })).toBeUndefined()
      expect((await one.create(item('b', 0n))).done).toBe(true)
      await two.close()
    }))

  test('is deleted as any item is', () =>
    within(async (_, items) => {
      items.createDeferred(item('a', 1n))
      expect(await items.delete({ partition: 'p', sort: 'a' })).toEqual({ done: true, item: item('a', 1n) })
      expect(await items.get({ partition: 'p', sort: 'a' })).toBeUndefined()
    }))

  test('survives the close', () =>
    within(async (path, items) => {
      items.createDeferred(item('a', 1n))
      await items.close()
      const again = openSqlite(path)
      expect(await again.get({ partition: 'p', sort: 'a' })).toEqual(item('a', 1n))
      await again.close()
    }))
})

test('writes of one turn share a transaction, and one that is refused spoils no other', () =>
  within(async (_, items) => {
    await items.create(item('n', 0n))
    const key = { partition: 'p', sort: 'n' }
    const results = await Promise.allSettled([
      items.update({ key, set: { v: { plus: 'v', by: 1n } } }),
      items.update({ key, set: { v: { plus: 'absent', by: 1n } } }),
      items.update({ key, set: { v: { plus: 'v', by: 1n } } }),
      items.create({ key: { partition: 'p', sort: 'x' }, attributes: { b: utf8('x') } }),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
    expect((await items.get(key))?.attributes.v).toBe(2n)
  }))

describe('a thread that ends with a batch', () => {
  const dying = new URL(
    `data:text/javascript,${encodeURIComponent(
      "import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => process.exit(3))",
    )}`,
  )

  test('leaves the outcome of its writes unknown, and the next batch has a thread of its own', () =>
    within(async (path) => {
      const items = openSqlite(path, new WriterThread(path, dying))
      for (const sort of ['a', 'b']) {
        await expect(items.create(item(sort, 1n))).rejects.toMatchObject({
          code: 'unavailable',
          effect: 'unknown',
          action: 'retry',
        })
      }
      await items.close()
    }))

  test('loses no held create', () =>
    within(async (path) => {
      const items = openSqlite(path, new WriterThread(path, dying))
      items.createDeferred(item('held', 1n))
      await expect(items.create(item('a', 1n))).rejects.toMatchObject({ effect: 'unknown' })
      expect(await items.get({ partition: 'p', sort: 'held' })).toEqual(item('held', 1n))
      await items.close()
    }))
})

describe('a transaction that cannot be', () => {
  test('for another process holds the lock, waits without blocking the loop', () =>
    within(async (path, items) => {
      const other = new DatabaseSync(path)
      other.exec('BEGIN IMMEDIATE')
      const write = items.create(item('a', 1n))
      let turns = 0
      while (turns < 20) {
        await new Promise((resolve) => setImmediate(resolve))
        turns++
      }
      other.exec('COMMIT')
      expect((await write).done).toBe(true)
      other.close()
    }))

  test('for the disk is full, had no effect, loses no held create and spoils nothing later', () =>
    within(async (path, items) => {
      await items.create(item('a', 0n))
      const full = new DatabaseSync(path)
      full.exec('PRAGMA max_page_count = 1')
      const writes = new SqliteWrites(full)
      const small = openSqlite(path, { commit: async (batch) => writes.run(batch), close: async () => writes.close() })
      expect(small.createDeferred(item('held', 1n)).done).toBe(true)
      const large = { key: { partition: 'p', sort: 'large' }, attributes: { body: new Uint8Array(100_000) } }
      const refused = await Promise.allSettled([small.create(item('b', 1n)), small.create(large)])
      for (const write of refused)
        expect(write).toMatchObject({
          status: 'rejected',
          reason: { code: 'unavailable', effect: 'none', message: /the disk is full/ },
        })
      expect(await items.query({ partition: 'p', limit: 10 })).toEqual([item('a', 0n)])
      full.exec('PRAGMA max_page_count = 100000')
      expect((await small.create(large)).done).toBe(true)
      expect((await items.query({ partition: 'p', limit: 10 })).map(({ key }) => key.sort)).toEqual(['a', 'held', 'large'])
      await small.close()
    }))
})
