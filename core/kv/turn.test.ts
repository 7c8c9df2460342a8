/** A writer that loses races asks for a turn: then it goes first. */
import { expect, test } from 'vitest'
import { MemoryItems } from '../../stores/items/memory.ts'
import { present } from '../kernel/assert.ts'
import { readHead } from '../log/head/birth.ts'
import type { Update } from '../ports/items.ts'
import { changelogOf, doneOf, keyedTable, testKv, testWorld, upsertOf } from './world.case.ts'

/** Lets something happen before the next commit to a head is tried, once. */
class WatchedItems extends MemoryItems {
  next: (() => Promise<void>) | undefined

  override async update(update: Update): ReturnType<MemoryItems['update']> {
    const { next } = this
    if (next !== undefined && update.key.sort === 'h' && update.set?.['e'] !== undefined) {
      this.next = undefined
      await next()
    }
    return super.update(update)
  }
}

const passing = async (times: number): Promise<void> => {
  for (let i = 0; i < times; i++) await new Promise(setImmediate)
}

test('a writer that lost two races has the turn, others wait for its commit once they see that, and then it is over', async () => {
  const items = new WatchedItems()
  const world = testWorld({ items })
  const table = await keyedTable(world)
  const patient = { ...world, clock: { ...world.clock, sleep: () => passing(1) } }
  const [one, two] = [testKv(world), testKv(patient)]
  const turn = async () => present(await readHead(world, table.tableId, { partition: '', bucket: 0 }), 'a head').turn
  const put = async (who: typeof one, v: bigint) => doneOf(await who.kv.upsert(table, upsertOf(table, [['a', v, 'x']])))
  await put(two, 0n)

  const turns: boolean[] = []
  const overtake = async (): Promise<void> => {
    turns.push((await turn()) !== undefined)
    await put(two, BigInt(turns.length))
    items.next = turns.length < 3 ? overtake : meet
  }
  let waiting: Promise<unknown> | undefined
  let hasCommitted = false
  const meet = async (): Promise<void> => {
    waiting = put(two, 4n).then(() => {
      hasCommitted = true
    })
    await passing(20)
    turns.push(!hasCommitted)
  }
  items.next = overtake
  await put(one, 100n)
  // The third commit of the other was on its way when the turn was asked for.
  expect(turns).toEqual([false, false, true, true])
  expect(await turn()).toBeUndefined()
  await waiting
  const written = (await changelogOf(one.log, table)).filter(([op]) => op !== 2).map(([, , v]) => v)
  expect(written).toEqual([0n, 1n, 2n, 3n, 100n, 4n])
  expect(one.kv.conflicts).toBe(3)
})
