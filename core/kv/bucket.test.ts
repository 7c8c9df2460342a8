/** A bucket whose reader lost its changelog on the way: nothing is answered from inside a commit, and nobody is refused for ever. */
import { expect, test } from 'vitest'
import { batchOf } from '../format/arrow/batch.case.ts'
import type { Table } from '../model/table.ts'
import { doneOf, foldNow, keyedTable, plainOf, type TestKv, testKv, testWorld, upsertOf } from './world.case.ts'

async function lookedUp({ kv }: TestKv, table: Table, key: string): Promise<unknown> {
  const batch = batchOf(table.schema.columns, [[key, null, null]])
  return plainOf((await kv.lookup(table, batch, { stale: false, bytesMax: 1 << 20 })).rows[0])
}

test('who reads a changelog that has gone takes the snapshot in its place, and answers from it', async () => {
  const world = testWorld()
  const table = await keyedTable(world)
  const [late, writer] = [testKv(world), testKv(world)]
  doneOf(await writer.kv.upsert(table, upsertOf(table, [['a', 1n, 'x']])))
  expect(await lookedUp(late, table, 'a')).toEqual(['a', 1n, 'x'])
  doneOf(await writer.kv.upsert(table, upsertOf(table, [['a', 2n, 'y']])))
  const changelog: string[] = []
  for await (const { key } of world.objects.list('')) changelog.push(key)
  await foldNow(world, writer, table)
  await world.objects.delete(changelog)
  expect(await lookedUp(late, table, 'a')).toEqual(['a', 2n, 'y'])
  expect(doneOf(await late.kv.upsert(table, upsertOf(table, [['a', 3n, 'z']])))).toMatchObject({ base: 3n, end: 5n })
})
