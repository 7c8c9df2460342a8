/** Pages of rows: when they end, and what becomes of what they began. */
import { expect, test } from 'vitest'
import { media } from '../../contract/media.ts'
import { alterTable } from '../../core/catalog/tables.ts'
import { present } from '../../core/kernel/assert.ts'
import { utf8Text } from '../../core/kernel/bytes.ts'
import { limits } from '../../core/kernel/limits.ts'
import { readKvItem } from '../../core/kv/item.ts'
import { keyedTable, routedOf, testKv, testWorld } from '../../core/kv/world.case.ts'
import { unpartitioned } from '../../core/model/partition.ts'
import type { Reply } from '../call.ts'
import { TableCache } from '../tables.ts'
import type { FunctionWorld } from '../world.ts'
import { rows } from './rows.ts'

/** A table of two buckets with rows in both. */
async function site() {
  const world = testWorld()
  const table = await keyedTable(world, undefined, 2)
  const { kv, log } = testKv(world)
  await kv.upsert(
    table,
    routedOf(
      table,
      Array.from({ length: 50 }, (_, i) => [`k${i}`, BigInt(i), 'x']),
    ),
  )
  const functionWorld = { ...world, kv, log, tables: new TableCache(world) } as unknown as FunctionWorld
  const read = (query: object = {}): Promise<Reply> =>
    rows({ params: { db: 'd', table: 't' }, query, wants: media.ndjson } as never, functionWorld)
  const leases = async (bucket: number): Promise<readonly string[]> => [
    ...((await readKvItem(world, table.tableId, { partition: '', bucket }))?.leases.keys() ?? []),
  ]
  const scanBegun = async (bucket: number): Promise<() => Promise<void>> => {
    const at = { partition: unpartitioned, bucket }
    const { place } = await kv.scan(table, at, undefined, { rowsMax: 1, bytesMax: 1 << 20 })
    const { lease } = present(place, 'the place of a page')
    await kv.holdScan(table, at, lease)
    return () => kv.dropScan(table, at, lease)
  }
  return { world, table, kv, read, leases, scanBegun }
}

const keysIn = ({ body }: Reply): readonly string[] =>
  (body as readonly Uint8Array[])
    .map(utf8Text)
    .join('')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line).k)

test('a page that fails in its second bucket takes no place in the first', async () => {
  const { read, leases, scanBegun } = await site()
  for (let i = 0; i < limits.scanLeasesMax; i++) await scanBegun(1)
  await expect(read()).rejects.toMatchObject({ code: 'throttled', facts: { bucket: 1 } })
  expect(await leases(0)).toEqual([])
})

test('a page that fails is asked for again by the cursor of the one before', async () => {
  const { read, leases, scanBegun } = await site()
  const first = await read({ limit: 1n })
  const cursor = first.headers?.['Sluice-Cursor']
  const begun = await leases(0)
  expect(begun).toHaveLength(1)
  const drops: (() => Promise<void>)[] = []
  for (let i = 0; i < limits.scanLeasesMax; i++) drops.push(await scanBegun(1))
  await expect(read({ cursor })).rejects.toMatchObject({ code: 'throttled', facts: { bucket: 1 } })
  expect(await leases(0)).toEqual(begun)
  await drops[0]?.()
  expect(new Set([...keysIn(first), ...keysIn(await read({ cursor }))]).size).toBe(50)
})

test('a page that is read again because the columns have changed takes no place twice', async () => {
  const { world, kv, read, leases } = await site()
  await read({ columns: 'k' })
  const newer = await alterTable(world, 'd', 't', { addColumns: [{ name: 'more', type: 'string' }] })
  const [inSecond] = routedOf(
    newer,
    Array.from({ length: 9 }, (_, i) => [`n${i}`, 1n, 'x', 'y']),
  ).parts.filter(({ bucket }) => bucket === 1)
  await kv.upsert(newer, { op: 'upsert', parts: [present(inSecond, 'rows of the second bucket')] })
  expect(keysIn(await read()).length).toBeGreaterThan(50)
  expect([await leases(0), await leases(1)]).toEqual([[], []])
})

test('a scan that its reader goes on with gives way to no other', async () => {
  const { read, leases } = await site()
  const cursorOf = ({ headers }: Reply) => headers?.['Sluice-Cursor']
  const second = await read({ limit: 1n, cursor: cursorOf(await read({ limit: 1n })) })
  for (let i = 0; i < limits.scanLeasesMax; i++) await read({ limit: 1n })
  expect(await leases(0)).toHaveLength(limits.scanLeasesMax)
  expect(keysIn(await read({ limit: 1n, cursor: cursorOf(second) }))).toHaveLength(1)
})

test('a page of many buckets ends after ten seconds, and its cursor goes on behind what it looked at', async () => {
  const { world, kv, read, leases } = await site()
  const scan = kv.scan.bind(kv)
  kv.scan = (...of) => {
    world.time.now += 10_000
    return scan(...of)
  }
  const page = await read({ where: 'v < 0' })
  expect(keysIn(page)).toEqual([])
  expect([await leases(0), await leases(1)]).toEqual([[], []])
  const rest = await read({ cursor: page.headers?.['Sluice-Cursor'] })
  expect(keysIn(rest).length).toBeGreaterThan(0)
  expect(keysIn(rest).length).toBeLessThan(50)
  expect(rest.headers?.['Sluice-Cursor']).toBeUndefined()
})
