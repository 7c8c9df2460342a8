/** Scans by page: at one offset through everything that goes on meanwhile, and holding little more than a page. */
import { expect, test } from 'vitest'
import { MemoryItems } from '../../stores/items/memory.ts'
import { present } from '../kernel/assert.ts'
import { SluiceError } from '../kernel/errors.ts'
import { limits } from '../kernel/limits.ts'
import { collect } from '../log/collect.ts'
import { retain } from '../log/keep/retain.ts'
import { unpartitioned } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import type { Update, UpdateResult } from '../ports/items.ts'
import type { ByteRange } from '../ports/objects.ts'
import { readKvItem } from './item.ts'
import type { ScanPlace } from './scan.ts'
import {
  CountedObjects,
  deleteOf,
  doneOf,
  foldNow,
  keyedBody,
  keyedTable,
  plainOf,
  testKv,
  testWorld,
  upsertOf,
} from './world.case.ts'

const at = { partition: unpartitioned, bucket: 0 }
const hour = 3_600_000
const keysOf = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => `k${`${i}`.padStart(3, '0')}`)

const jobOf = ({ database, name, tableId, buckets }: Table, kind: 'collect' | 'retain') => ({
  kind,
  table: { database, table: name, tableId },
  buckets: buckets.count,
  marks: [],
})

async function aged() {
  const world = testWorld()
  const table = await keyedTable(world, { ...keyedBody, options: { 'log.ttl': '1h' } })
  const writer = testKv(world)
  for (let round = 0; round < 4; round++) {
    const rows = keysOf(60).map((k, i) => [k, BigInt(round * 100 + i), 'n'.repeat(20)])
    doneOf(
      await writer.kv.upsert(
        table,
        upsertOf(
          table,
          rows.filter((_, i) => i % (round + 1) === 0),
        ),
      ),
    )
    if (round < 3) await foldNow(world, writer, table)
  }
  const rows = keysOf(60).map((k, i) => {
    const round = [3, 2, 1, 0].find((each) => i % (each + 1) === 0) ?? 0
    return [k, BigInt(round * 100 + i), 'n'.repeat(20)]
  })
  // What is superseded from here on is old enough to be collected.
  world.time.now += 30 * hour
  /** Rewrites everything, and removes what nobody needs. */
  const churn = async (round: number): Promise<void> => {
    const { kv } = writer
    doneOf(
      await kv.upsert(
        table,
        upsertOf(
          table,
          keysOf(70).map((k) => [k, BigInt(round * 1_000), 'later']),
        ),
      ),
    )
    doneOf(
      await kv.upsert(
        table,
        deleteOf(
          table,
          keysOf(60).filter((_, i) => i % 3 === round % 3),
        ),
      ),
    )
    for (let i = 0; i < 16; i++) doneOf(await kv.upsert(table, upsertOf(table, [['a', BigInt(i), null]])))
    await foldNow(world, writer, table)
    await retain(world, jobOf(table, 'retain'), Number.POSITIVE_INFINITY)
    await collect(world, jobOf(table, 'collect'))
  }
  return { world, table, rows, churn }
}

async function countObjects(world: ReturnType<typeof testWorld>): Promise<number> {
  let count = 0
  for await (const _ of world.objects.list('')) count += 1
  return count
}

test('every page of a scan is of one offset, in every process, while rows change, snapshots are folded and old ones collected', async () => {
  const { world, table, rows, churn } = await aged()
  const found: unknown[] = []
  const offsets = new Set<bigint>()
  let place: ScanPlace | undefined
  for (let page = 1; ; page++) {
    const part = await testKv(world).kv.scan(table, at, place, { rowsMax: 7, bytesMax: 1 << 20 })
    found.push(...part.rows.map(({ row }) => plainOf(row)))
    place = part.place
    if (place !== undefined) offsets.add(place.at)
    if (part.isDone) break
    await churn(page)
    world.time.now += 30_000
  }
  expect(found).toEqual(rows)
  expect(offsets.size).toBe(1)
})

test('once its lease has run out a scan ends, and what it was reading may be collected', async () => {
  const { world, table, churn } = await aged()
  const { place } = await testKv(world).kv.scan(table, at, undefined, { rowsMax: 7, bytesMax: 1 << 20 })
  await churn(1)
  const leased = await countObjects(world)
  world.time.now += 25 * 60_000
  for (const { kv } of [testKv(world), testKv(world)])
    await expect(kv.scan(table, at, place, { rowsMax: 7, bytesMax: 1 << 20 })).rejects.toMatchObject({ code: 'gone' })
  await collect(world, jobOf(table, 'collect'))
  expect(await countObjects(world)).toBeLessThan(leased)
})

test('a page of large rows reads little more than the page has', async () => {
  const objects = new CountedObjects()
  const world = testWorld({ objects })
  const table = await keyedTable(world)
  const writer = testKv(world, 1 << 26)
  for (const k of keysOf(60)) doneOf(await writer.kv.upsert(table, upsertOf(table, [[k, 1n, 'n'.repeat(100_000)]])))
  await foldNow(world, writer, table)
  objects.bytesRead = 0
  const part = await testKv(world, 1).kv.scan(table, at, undefined, { rowsMax: 1_000, bytesMax: 300_000 })
  expect(part.rows).toHaveLength(3)
  expect(objects.bytesRead).toBeLessThan(2_000_000)
})

test('a changelog of nearly half the budget is read once, however many pages and scans of its end there are', async () => {
  const objects = new CountedObjects()
  const world = testWorld({ objects })
  const table = await keyedTable(world)
  const writer = testKv(world)
  const keys = keysOf(1_000)
  const rows = keys.map((k) => [k, 1n, 'n'.repeat(100)])
  doneOf(await writer.kv.upsert(table, upsertOf(table, rows)))
  const { kv } = testKv(world, 500_000)
  const scanned: unknown[] = []
  const page = async (place?: ScanPlace) => {
    const { rows, place: next, isDone } = await kv.scan(table, at, place, { rowsMax: 90, bytesMax: 1 << 20 })
    scanned.push(...rows.map(({ row }) => plainOf(row[0])))
    return isDone ? undefined : next
  }
  let place = await page()
  objects.bytesRead = 0
  for (; place !== undefined; place = await page(place));
  for (place = await page(); place !== undefined; place = await page(place));
  expect(scanned).toEqual([...keys, ...keys])
  expect(objects.bytesRead).toBe(0)
})

test('a scan at its end gives way to another one, the oldest first, and one that goes on to none', async () => {
  const { world, table } = await aged()
  const { kv } = testKv(world)
  const page = async (place?: ScanPlace) => {
    const part = await kv.scan(table, at, place, { rowsMax: 7, bytesMax: 1 << 20 })
    const next = present(part.place, 'the place of a page')
    await kv.holdScan(table, at, next.lease)
    return next
  }
  const places: ScanPlace[] = []
  for (let i = 0; i < limits.scanLeasesMax; i++) {
    places.push(await page())
    world.time.now += 1_000
  }
  const [first, second, third] = places as [ScanPlace, ScanPlace, ScanPlace]
  await expect(page()).rejects.toMatchObject({ code: 'throttled' })
  for (const { lease } of [third, second, second]) await kv.endScan(table, at, lease)
  await page(second)
  const more = await page()
  await expect(page(second)).rejects.toMatchObject({ code: 'gone' })
  await page(third)
  await page()
  await expect(page(third)).rejects.toMatchObject({ code: 'gone' })
  await expect(page()).rejects.toMatchObject({ code: 'throttled' })
  for (const place of [first, more, ...places.slice(3)]) await page(place)
})

test('a scan that nobody goes on with gives way to the ninth, the oldest first, after those at their end', async () => {
  const { world, table } = await aged()
  const { kv } = testKv(world)
  const page = async (place?: ScanPlace) =>
    present((await kv.scan(table, at, place, { rowsMax: 7, bytesMax: 1 << 20 })).place, 'the place of a page')
  const places: ScanPlace[] = []
  for (let i = 0; i < limits.scanLeasesMax; i++) {
    places.push(await page())
    world.time.now += 1_000
  }
  const [first, second, third, fourth] = places as [ScanPlace, ScanPlace, ScanPlace, ScanPlace]
  await kv.holdScan(table, at, first.lease)
  await kv.endScan(table, at, fourth.lease)
  await page()
  await expect(page(fourth)).rejects.toMatchObject({ code: 'gone' })
  await page()
  await expect(page(second)).rejects.toMatchObject({ code: 'gone' })
  for (const place of [first, third]) await page(place)
})

test('a lease that is gone is not brought back by the end of its scan', async () => {
  const { world, table } = await aged()
  const { kv } = testKv(world)
  const { place } = await kv.scan(table, at, undefined, { rowsMax: 7, bytesMax: 1 << 20 })
  const { lease } = present(place, 'the place of a page')
  await kv.dropScan(table, at, lease)
  await kv.endScan(table, at, lease)
  await expect(kv.scan(table, at, place, { rowsMax: 7, bytesMax: 1 << 20 })).rejects.toMatchObject({ code: 'gone' })
})

const down = (effect: 'none' | 'unknown'): SluiceError => new SluiceError('unavailable', 'the store is down', { effect })

class FailingObjects extends CountedObjects {
  isDown = false

  override async read(key: string, range?: ByteRange): Promise<Uint8Array> {
    if (this.isDown) throw down('none')
    return super.read(key, range)
  }
}

class FailingItems extends MemoryItems {
  isDown = false
  lostAcks = 0

  override async update(update: Update): Promise<UpdateResult> {
    if (this.isDown) throw down('none')
    const result = await super.update(update)
    if (this.lostAcks === 0) return result
    this.lostAcks -= 1
    throw down('unknown')
  }
}

/** Two rows, of which one lies in a run and one in the changelog alone. */
async function failing() {
  const objects = new FailingObjects()
  const items = new FailingItems()
  const world = testWorld({ objects, items })
  const table = await keyedTable(world)
  const writer = testKv(world)
  for (const k of ['a', 'b']) {
    doneOf(await writer.kv.upsert(table, upsertOf(table, [[k, 1n, null]])))
    if (k === 'a') await foldNow(world, writer, table)
  }
  /** In a process that knows nothing. */
  const page = (place?: ScanPlace) => testKv(world).kv.scan(table, at, place, { rowsMax: 1, bytesMax: 1 << 20 })
  const leases = async () => [...((await readKvItem(world, table.tableId, { partition: '', bucket: 0 }))?.leases.keys() ?? [])]
  return { objects, items, page, leases }
}

test('a first page that fails gives its place back, and a later one keeps it', async () => {
  const { objects, page, leases } = await failing()
  const { place } = await page()
  objects.isDown = true
  for (const each of [undefined, place]) await expect(page(each)).rejects.toMatchObject({ code: 'unavailable' })
  objects.isDown = false
  expect(await leases()).toEqual([place?.lease])
  expect((await page(place)).rows).toHaveLength(1)
})

test('a first page fails as it did when its place cannot be given back', async () => {
  const { objects, items, page, leases } = await failing()
  const read = objects.read.bind(objects)
  objects.read = async () => {
    items.isDown = true
    throw new SluiceError('internal', 'the first failure')
  }
  await expect(page()).rejects.toMatchObject({ message: 'the first failure' })
  objects.read = read
  items.isDown = false
  expect(await leases()).toHaveLength(1)
})

test('a place that was taken unknowingly is given back', async () => {
  const { items, page, leases } = await failing()
  items.lostAcks = 5
  await expect(page()).rejects.toMatchObject({ effect: 'unknown' })
  expect([items.lostAcks, await leases()]).toEqual([0, []])
})
