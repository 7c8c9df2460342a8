import { expect, test } from 'vitest'
import { jobQueueCases } from '../../core/ports/queue.case.ts'
import type { Job } from '../../core/ports/queue.ts'
import { JumpingClock } from '../decorators/testing.ts'
import { LocalQueue } from './local.ts'

jobQueueCases('the queue of one process', async (handle) => {
  const queue = new LocalQueue({ handle, clock: new JumpingClock(), jobsAtOnce: 2 })
  return { queue, idle: () => queue.idle(), close: () => queue.drain() }
})

const jobOf = (table: number, marks: readonly string[] = []): Job => {
  const tableId = table.toString(16).padStart(16, '0')
  return { kind: 'collect', table: { database: 'd', table: `t${table}`, tableId }, buckets: 1, marks }
}
const job = jobOf(1)

test('no more jobs run at once than it allows', async () => {
  let [running, most, done] = [0, 0, 0]
  const handle = async (): Promise<void> => {
    most = Math.max(most, ++running)
    await new Promise((resolve) => setImmediate(resolve))
    running--
    done++
  }
  const queue = new LocalQueue({ handle, clock: new JumpingClock(), jobsAtOnce: 3 })
  for (let i = 0; i < 20; i++) await queue.send(jobOf(i))
  await queue.idle()
  expect([most, done]).toEqual([3, 20])
})

test('a slow table has one job that runs and one that waits, and leaves room for others', async () => {
  const done: string[] = []
  let release = (): void => undefined
  const handle = async ({ table, marks }: Job): Promise<void> => {
    if (table.table === 't1')
      await new Promise<void>((resolve) => {
        release = resolve
      })
    done.push(`${table.table} ${marks.join()}`)
  }
  const queue = new LocalQueue({ handle, clock: new JumpingClock(), jobsAtOnce: 2 })
  for (const mark of ['a', 'b', 'c', 'c']) await queue.send(jobOf(1, [mark]))
  await queue.send(jobOf(2, ['d']))
  await new Promise((resolve) => setImmediate(resolve))
  expect(done).toEqual(['t2 d'])
  release()
  await new Promise((resolve) => setImmediate(resolve))
  release()
  await queue.idle()
  expect(done).toEqual(['t2 d', 't1 a', 't1 b,c'])
})

test('a job that always fails is given up to its mark, and said so once', async () => {
  const lasts: boolean[] = []
  const handle = async (): Promise<never> => {
    throw new Error('always')
  }
  const queue = new LocalQueue({
    handle,
    clock: new JumpingClock(),
    jobsAtOnce: 1,
    onError: (_job, _error, last) => lasts.push(last),
  })
  await queue.send(job)
  await queue.idle()
  expect(lasts).toEqual([false, false, false, false, true])
})

test('a drain waits for the job that runs, forgets those that wait, and takes no more', async () => {
  let release = (): void => undefined
  let done = 0
  const handle = async (): Promise<void> => {
    await new Promise<void>((resolve) => {
      release = resolve
    })
    done++
  }
  const sleepless = {
    now: () => 0,
    sleep: (_ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve())),
  }
  const queue = new LocalQueue({ handle, clock: sleepless, jobsAtOnce: 1 })
  await queue.send(job)
  await queue.send(job)
  await queue.send(job, 60_000)
  const drained = queue.drain()
  await expect(queue.send(job)).rejects.toMatchObject({ code: 'unavailable', effect: 'none' })
  expect(done).toBe(0)
  release()
  await drained
  expect(done).toBe(1)
})

test('a job that was sent again for marks that have been answered meanwhile is not done again, one that was asked for is', async () => {
  const done: string[] = []
  const handle = async ({ table, marks }: Job): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve))
    done.push(`${table.table} ${marks.join()}`)
  }
  const queue = new LocalQueue({ handle, clock: new JumpingClock(), jobsAtOnce: 3 })
  for (const table of [1, 2, 3]) await queue.send(jobOf(table, ['a', 'b']))
  await queue.send(jobOf(1, ['b']))
  await queue.send(jobOf(2))
  await queue.send(jobOf(3, ['b', 'c']))
  await queue.idle()
  expect(done.sort()).toEqual(['t1 a,b', 't2 ', 't2 a,b', 't3 a,b', 't3 b,c'])
})

test('jobs of two partitions are two jobs', async () => {
  const done: string[] = []
  const handle = async ({ partition, marks }: Job): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve))
    done.push(`${partition?.name} ${marks.join()}`)
  }
  const queue = new LocalQueue({ handle, clock: new JumpingClock() })
  for (const id of ['p', 'q', 'r']) await queue.send({ ...jobOf(1, [id]), partition: { id, name: id } })
  await queue.idle()
  expect(done.sort()).toEqual(['p p', 'q q', 'r r'])
})

test('a delayed job never runs before its time, though a timer wakes early', async () => {
  class EarlyClock extends JumpingClock {
    override async sleep(ms: number): Promise<void> {
      await super.sleep(Math.max(1, ms - 1))
    }
  }
  const clock = new EarlyClock()
  const due = clock.now() + 3_000
  const ran: number[] = []
  const queue = new LocalQueue({ handle: async () => void ran.push(clock.now()), clock, jobsAtOnce: 1 })
  await queue.send(job, 3_000)
  await queue.idle()
  expect(ran).toEqual([due])
})
