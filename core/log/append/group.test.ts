import { expect, test } from 'vitest'
import { MemoryItems } from '../../../stores/items/memory.ts'
import { MemoryObjects } from '../../../stores/objects/memory.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { unpartitioned } from '../../model/partition.ts'
import type { Item, ItemKey, Update, UpdateResult } from '../../ports/items.ts'
import { producerWith, readAll, requestOf, testLog, testTable, testWorld } from '../world.case.ts'
import type { Waiting } from './batcher.ts'
import { Batcher } from './batcher.ts'
import { runGroup } from './group.ts'
import { MarkKeeper } from './mark-keeper.ts'
import { Memos } from './memos.ts'
import type { Part } from './plan.ts'
import { encodeRows } from './plan.ts'

type Answer = Awaited<Parameters<Waiting<Part>['resolve']>[0]>

const waitingFor = (table: Parameters<typeof encodeRows>[0], requests: readonly ReturnType<typeof requestOf>[]) => {
  const answers: Answer[] = []
  const group = requests.map(
    (request): Waiting<Part> => ({
      parts: encodeRows(table, request).map((rows) => ({ ...rows, partition: unpartitioned })),
      producer: request.producer,
      bytes: 0,
      resolve: (answer) => answers.push(answer),
      reject: () => undefined,
    }),
  )
  return { group, answers }
}

test('a bucket whose head cannot be read again does not answer for a bucket whose update is under way', async () => {
  const memos = new Memos()
  let isDown = false
  class Items extends MemoryItems {
    override async get(key: ItemKey): Promise<Item | undefined> {
      if (isDown && key.sort === 'h') throw new SluiceError('unavailable', 'down')
      return super.get(key)
    }
    override async update(update: Update): Promise<UpdateResult> {
      await new Promise((resolve) => setImmediate(resolve))
      return super.update(update)
    }
  }
  class Objects extends MemoryObjects {
    override async create(key: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
      memos.forget(table.tableId, { partition: '', bucket: 0 })
      isDown = true
      return super.create(key, bytes)
    }
  }
  const world = testWorld({ items: new Items(), objects: new Objects() })
  const table = await testTable(world, 2)
  const { group, answers } = waitingFor(table, [requestOf([1], undefined, 0), requestOf([2], undefined, 1)])
  await runGroup({ world, table, memos, marks: new MarkKeeper(world) }, group)
  expect(answers[0]?.[0]?.outcome).toMatchObject({ done: false, error: { code: 'unavailable', effect: 'none' } })
  expect(answers[1]?.[0]?.outcome).toMatchObject({ done: true })
  isDown = false
  expect([await readAll(testLog(world), table, 0), await readAll(testLog(world), table, 1)]).toEqual([[], [2]])
})

test('rows without a producer are not there twice when the gap beside them closes while an attempt is under way', async () => {
  let late: Update | undefined
  let isLosing = false
  class Items extends MemoryItems {
    override async update(update: Update): Promise<UpdateResult> {
      if (!isLosing || update.set?.['e'] === undefined) return super.update(update)
      // The first attempt is lost on the way, and its repetition is refused: what the retry decorator answers then.
      isLosing = false
      late = update
      return { ...(await super.update(update)), ambiguous: true } as UpdateResult
    }
  }
  const items = new Items()
  const world = testWorld({ items })
  const table = await testTable(world)
  const log = testLog(world)
  await log.append(table, requestOf([1], producerWith('p', 1, { gap: true })))
  const { group, answers } = waitingFor(table, [requestOf([30]), requestOf([3], producerWith('p', 3, { gap: true }))])
  isLosing = true
  await runGroup({ world, table, memos: new Memos(), marks: new MarkKeeper(world) }, group)
  expect(answers[1]?.[0]?.outcome).toMatchObject({ done: false, error: { code: 'sequence-gap', effect: 'unknown' } })
  await log.append(table, requestOf([2], producerWith('p', 2, { gap: true })))
  if (late !== undefined) await items.update(late)
  const values = await readAll(log, table)
  expect(values.filter((value) => value === 30).length).toBeLessThanOrEqual(1)
  expect(answers[0]?.[0]?.outcome).toMatchObject({ done: false, error: { effect: 'unknown' } })
})

test('a clock that is set back does not hold the groups', async () => {
  let now = 1_000_000
  const started: number[] = []
  const clock = {
    now: () => now,
    sleep: async (ms: number) => {
      now += ms
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
  const config = { groupIntervalMs: 5, groupBytesMax: 1, groupsInFlightMax: 4, pendingBytesMax: 1_000 }
  const batcher = new Batcher(clock, config, {
    run: async (group) => {
      started.push(now)
      for (const { resolve } of group) resolve([])
    },
  })
  await batcher.submit([], undefined)
  now -= 3_600_000
  await batcher.submit([], undefined)
  expect(started).toEqual([1_000_000, 1_000_000 - 3_600_000])
})
