import { expect, test } from 'vitest'
import { decodeMetadata } from '../lake/iceberg/metadata.ts'
import { readLakeItem } from '../lake/item.ts'
import { readChecked } from '../lake/objects.ts'
import { requestOf, type TestWorld, testLog, testTable, testWorld } from '../log/world.case.ts'
import type { Table } from '../model/table.ts'
import { folderRows, tier } from './tier.case.ts'

const minutes = 60_000

/** So many commits of one row each, numbered from `from`, so far apart. */
async function tierRows(world: TestWorld, table: Table, { from = 0, count = 1, everyMs = minutes } = {}): Promise<void> {
  const log = testLog(world)
  for (let i = from; i < from + count; i++) {
    world.time.now += everyMs
    const [appended] = await log.append(table, requestOf([i], undefined, i % table.buckets.count))
    if (appended?.outcome.done !== true) throw new Error('the append failed')
    await tier(world, table)
  }
}

async function metadataOf(world: TestWorld, table: Table) {
  const lake = await readLakeItem(world.items, table.tableId)
  return decodeMetadata(await readChecked(world.objects, lake?.committed?.metadata ?? { key: 'none', crc32: 0 }))
}

test('a library that is not ours reads every row once through merged manifests', async () => {
  const world = testWorld()
  const table = await testTable(world, 2, 'iceberg')
  await tierRows(world, table, { count: 125 })
  const values = (await folderRows(world.objects, table)).map(({ v }) => Number(v)).sort((a, b) => a - b)
  expect(values).toEqual(Array.from({ length: 125 }, (_, i) => i))
})

test('a lake of rare commits keeps its newest twenty snapshots', async () => {
  const world = testWorld()
  const table = await testTable(world, 1, 'iceberg')
  await tierRows(world, table, { count: 30, everyMs: 24 * 60 * minutes })
  const metadata = await metadataOf(world, table)
  expect(metadata.snapshots).toHaveLength(20)
  expect(metadata['snapshot-log']).toHaveLength(20)
})
