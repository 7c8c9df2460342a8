/** Jobs in a thread over the same directory as the server's own stores. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished as atEnd, expect, test } from 'vitest'
import { kvKey } from '../../core/format/items/kv.ts'
import { readKvItem } from '../../core/kv/item.ts'
import { doneOf, keyedTable, upsertOf } from '../../core/kv/world.case.ts'
import type { Table } from '../../core/model/table.ts'
import type { Job } from '../../core/ports/queue.ts'
import type { FunctionWorld } from '../../functions/world.ts'
import { type ServeConfig, serveConfig } from '../config.ts'
import { openServed, worldOptions } from '../open.ts'
import { worldOver } from '../world.ts'
import { JobsThread } from './thread.ts'

const at = { partition: '', bucket: 0 }

interface Here {
  readonly world: FunctionWorld
  readonly config: ServeConfig
  readonly thread: JobsThread
}

async function here(): Promise<Here> {
  const data = await mkdtemp(join(tmpdir(), 'sluice-jobs-'))
  const config = serveConfig({ data }, {})
  const stores = await openServed(config, { probe: false })
  const world = worldOver(stores, { send: async () => undefined }, worldOptions(config))
  const thread = new JobsThread(world, config)
  atEnd(async () => {
    await thread.close()
    await stores.close()
    await rm(data, { recursive: true })
  })
  return { world, config, thread }
}

async function unfolded({ world }: Here): Promise<Table> {
  const table = await keyedTable(world)
  for (let i = 0; i < 33; i++) doneOf(await world.kv.upsert(table, upsertOf(table, [[`k${i}`, 1n, 'x']])))
  return table
}

const foldOf = ({ name, database, tableId }: Table): Job => ({
  kind: 'fold',
  table: { database, table: name, tableId },
  buckets: 1,
  marks: [],
})

test('a job is done over the stores of its own, and counted as if it had been done here', async () => {
  const it = await here()
  const table = await unfolded(it)
  const before = it.world.counter.total.get('objects.create') + it.world.counter.total.get('items.create')
  await it.thread.run(foldOf(table))
  expect(await readKvItem(it.world, table.tableId, at)).toMatchObject({ upTo: 33n, rows: 33n })
  expect(it.world.meter.text({})).toContain('sluice_jobs_fold_total 1')
  expect(it.world.counter.total.get('objects.create') + it.world.counter.total.get('items.create')).toBeGreaterThan(before)
})

test('once time is up a job leaves the rest, in a thread that starts afterwards too', async () => {
  const it = await here()
  const table = await unfolded(it)
  it.thread.hurry()
  await it.thread.run(foldOf(table))
  expect((await readKvItem(it.world, table.tableId, at))?.upTo).not.toBe(33n)
})

test('a job that fails says why, and the thread goes on', async () => {
  const it = await here()
  const table = await unfolded(it)
  await it.world.items.create({ key: kvKey(table.tableId, at), attributes: { damaged: 'yes' } })
  await expect(it.thread.run(foldOf(table))).rejects.toThrow('invariant broken: a snapshot item is whole')
  await it.world.items.delete(kvKey(table.tableId, at))
  await it.thread.run(foldOf(table))
  expect(await readKvItem(it.world, table.tableId, at)).toMatchObject({ upTo: 33n })
})

test('a thread that cannot open its stores fails its jobs, and the next job but a moment later starts another', async () => {
  const it = await here()
  const table = await unfolded(it)
  const file = join(it.config.dataDirectory, 'a-file')
  await writeFile(file, '')
  const slept: number[] = []
  const clock = { ...it.world.clock, sleep: async (ms: number) => void slept.push(ms) }
  const thread = new JobsThread({ ...it.world, clock }, { ...it.config, dataDirectory: file })
  await expect(thread.run(foldOf(table))).rejects.toThrow('the thread that does the jobs ended: data directory')
  expect(slept).toEqual([])
  await rm(file)
  await thread.run(foldOf(table))
  expect(slept).toHaveLength(1)
  await thread.close()
})

test('once it is closed no job starts a thread, not even one that was cut and comes again', async () => {
  const it = await here()
  const table = await unfolded(it)
  const cut = it.thread.run(foldOf(table))
  const again = cut.catch(() => it.thread.run(foldOf(table)))
  await Promise.all([it.thread.close(), expect(cut).rejects.toThrow('ended'), expect(again).rejects.toThrow('has stopped')])
  expect(await readKvItem(it.world, table.tableId, at)).toBeUndefined()
})
