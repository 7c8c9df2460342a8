import { expect, test } from 'vitest'
import { MemoryItems } from '../../stores/items/memory.ts'
import { MemoryObjects } from '../../stores/objects/memory.ts'
import { getDatabase } from '../catalog/databases.ts'
import { getTable } from '../catalog/tables.ts'
import { putMark } from '../jobs/marks.ts'
import { sweep } from '../jobs/sweep.ts'
import { SluiceError } from '../kernel/errors.ts'
import { labelOf } from '../kernel/ids.ts'
import { unpartitioned } from '../model/partition.ts'
import type { ObjectStore } from '../ports/objects.ts'
import { collect } from './collect.ts'
import { dropDatabase, dropTable } from './drop.ts'
import { purge } from './purge.ts'
import { quietHeads } from './quiet.ts'
import { readAll, requestOf, testLog, testTable, testWorld } from './world.case.ts'

const day = 86_400_000
const keysOf = async (objects: ObjectStore, prefix: string): Promise<string[]> => {
  const keys: string[] = []
  for await (const { key } of objects.list(prefix)) keys.push(key)
  return keys
}

test('collect deletes an old orphan and nothing that is referred to', async () => {
  const world = testWorld()
  const table = await testTable(world, 2)
  const log = testLog(world)
  for (let i = 0; i < 20; i++) await log.append(table, requestOf([i], undefined, i % 2))
  const orphan = `t/${table.tableId}/00/${labelOf(world.time.now)}-00000000000000ff`
  await world.objects.create(orphan, new Uint8Array(5))
  const before = await keysOf(world.objects, `t/${table.tableId}/`)
  world.time.now += 2 * day
  const job = { kind: 'collect', table: { database: 'd', table: 't', tableId: table.tableId }, buckets: 2, marks: [] } as const
  expect(await collect(world, job)).toEqual({ state: 'collected', deleted: 1 })
  expect(await keysOf(world.objects, `t/${table.tableId}/`)).toEqual(before.filter((key) => key !== orphan))
  expect(await readAll(log, table, 0)).toHaveLength(10)
  expect((await getTable(world, 'd', 't')).gc > labelOf(0)).toBe(true)
})

test('a writer that stalls between its object and its commit writes a new object after a collect', async () => {
  const objects = new MemoryObjects()
  let stalled: (() => Promise<void>) | undefined
  const world = testWorld({
    objects: new Proxy(objects, {
      get: (target, name) => {
        const value = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        if (name !== 'create') return value.bind(target)
        return async (key: string, bytes: Uint8Array) => {
          const created = await target.create(key, bytes)
          const meanwhile = stalled
          stalled = undefined
          await meanwhile?.()
          return created
        }
      },
    }),
  })
  const table = await testTable(world)
  const log = testLog(world)
  await log.append(table, requestOf([1]))
  const job = { kind: 'collect', table: { database: 'd', table: 't', tableId: table.tableId }, buckets: 1, marks: [] } as const
  stalled = async () => {
    world.time.now += 2 * day
    expect((await collect(world, job)).deleted).toBe(1)
  }
  const [part] = await log.append(table, requestOf([2]))
  expect(part?.outcome).toEqual({ done: true, base: 1n, end: 2n, duplicate: false })
  expect(await readAll(log, table)).toEqual([1, 2])
})

test('a purge removes what a dropped table left, and repeats until it finds nothing', async () => {
  const world = testWorld()
  const table = await testTable(world, 2)
  for (let i = 0; i < 30; i++) await testLog(world).append(table, requestOf([i], undefined, i % 2))
  await dropTable(world, 'd', 't')
  world.time.now += 2 * day
  await sweep(world)
  const [job] = world.jobs.splice(0).filter((sent) => sent.kind === 'purge')
  if (job === undefined) throw new Error('no purge was due')
  expect(await purge(world, job, world.time.now + 1000)).toBe('again')
  expect(await keysOf(world.objects, 't/')).toEqual([])
  expect(await world.items.query({ partition: `${table.tableId}#0`, limit: 10 })).toEqual([])
  world.time.now += 2 * day
  await sweep(world)
  const [again] = world.jobs.splice(0).filter((sent) => sent.kind === 'purge')
  if (again === undefined) throw new Error('no second purge was due')
  expect(await purge(world, again, world.time.now + 1000)).toBe('purged')
})

/** Items that refuse updates of one attribute while `is` is true. */
function refusing(attribute: string, when: { is: boolean }): MemoryItems {
  return new Proxy(new MemoryItems(), {
    get: (target, name) => {
      const value = Reflect.get(target, name)
      if (name !== 'update') return typeof value === 'function' ? value.bind(target) : value
      return async (update: Parameters<MemoryItems['update']>[0]) => {
        if (when.is && update.set?.[attribute] !== undefined) throw new SluiceError('throttled', 'too fast')
        return target.update(update)
      }
    },
  })
}

test('a drop that the store refused is not carried out a day later', async () => {
  const when = { is: true }
  const world = testWorld({ items: refusing('x', when) })
  const table = await testTable(world)
  const log = testLog(world)
  await log.append(table, requestOf([1]))
  await expect(dropTable(world, 'd', 't')).rejects.toMatchObject({ code: 'throttled', effect: 'none' })
  when.is = false
  await log.append(table, requestOf([2]))
  world.time.now += 2 * day
  await sweep(world)
  const [job] = world.jobs.splice(0).filter((sent) => sent.kind === 'purge')
  if (job === undefined) throw new Error('no purge was due')
  expect(await purge(world, job, world.time.now + 1000)).toBe('alive')
  expect(await readAll(log, await getTable(world, 'd', 't'))).toEqual([1, 2])
  await sweep(world)
  expect(world.jobs.filter((sent) => sent.kind === 'purge')).toEqual([])
})

test('a drop that fails after it has begun does not say that nothing happened', async () => {
  const when = { is: true }
  const world = testWorld({ items: refusing('o', when) })
  const table = await testTable(world)
  await testLog(world).append(table, requestOf([1]))
  await expect(dropTable(world, 'd', 't')).rejects.toMatchObject({ code: 'throttled', effect: 'partial', action: 'retry' })
  await expect(getTable(world, 'd', 't')).rejects.toMatchObject({ code: 'not-found' })
  when.is = false
  expect(await dropTable(world, 'd', 't')).toBe('gone')
})

test('a drop of a database that is refused because it has tables never stops creates in it', async () => {
  const when = { is: false }
  const world = testWorld({ items: refusing('x', when) })
  await testTable(world)
  when.is = true
  await expect(dropDatabase(world, 'd', { cascade: false })).rejects.toMatchObject({ code: 'not-empty', effect: 'none' })
  when.is = false
  expect((await getDatabase(world, 'd')).state).toBe('alive')
  expect(await dropDatabase(world, 'd', { cascade: true })).toBe('gone')
  await expect(dropDatabase(world, 'd', { cascade: false })).rejects.toMatchObject({ code: 'not-found' })
})

test('a committer that relied on a mark that was taken marks again before it commits', async () => {
  const items = new MemoryItems()
  const world = testWorld({ items })
  const table = await testTable(world, 1, 'iceberg')
  const log = testLog(world)
  await log.append(table, requestOf([1]))
  world.time.now += 400_000
  await sweep(world)
  const [tier] = world.jobs.splice(0)
  expect(tier?.kind).toBe('tier')
  expect(await quietHeads(world, table, [{ partition: unpartitioned, bucket: 0, end: 1n }])).toBe(true)
  for (const sort of tier?.marks ?? [])
    await items.delete({ partition: `due#${Number.parseInt(table.tableId.slice(-2), 16) % 4}`, sort })
  await log.append(table, requestOf([2]))
  world.time.now += 400_000
  expect((await sweep(world)).jobs).toBe(1)
  expect(await quietHeads(world, table, [{ partition: unpartitioned, bucket: 0, end: 1n }])).toBe(false)
})

test('the sweep sends one job for all marks of a table and kind that are due', async () => {
  const world = testWorld()
  const table = { database: 'd', table: 't', tableId: '00000000000000aa' }
  for (const due of [0, 10, 5_000]) await putMark(world, { kind: 'tier', table, buckets: 3, due: world.time.now + due })
  world.time.now += 1_000
  expect(await sweep(world)).toEqual({ jobs: 1 })
  expect(world.jobs[0]?.marks).toHaveLength(2)
  expect(world.jobs[0]?.buckets).toBe(3)
})
