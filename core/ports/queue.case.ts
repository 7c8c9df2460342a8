/** What every JobQueue that also delivers in this process does. `make` gives a queue that calls `handle`. */
import { describe, expect, test } from 'vitest'
import type { Job, JobQueue } from './queue.ts'

export interface OpenedQueue {
  readonly queue: JobQueue
  /** Resolves when every job is done or given up. */
  idle(): Promise<void>
  close(): Promise<void>
}

export function jobQueueCases(name: string, make: (handle: (job: Job) => Promise<void>) => Promise<OpenedQueue>): void {
  const job = (table: string): Job => ({
    kind: 'tier',
    table: { database: 'd', table, tableId: '0'.repeat(16) },
    buckets: 4,
    marks: [`${table} mark`],
  })

  describe(`${name} is a job queue`, () => {
    test('every job is delivered as it was sent, delayed ones too', async () => {
      const seen: Job[] = []
      const { queue, idle, close } = await make(async (one) => {
        seen.push(one)
      })
      await queue.send(job('later'), 5_000)
      for (const table of ['a', 'b', 'c']) await queue.send(job(table))
      await idle()
      const tables = seen.map(({ table }) => table.table)
      expect([...tables].sort()).toEqual(['a', 'b', 'c', 'later'])
      expect(seen.find(({ table }) => table.table === 'b')).toEqual(job('b'))
      await close()
    })

    test('a job that fails is delivered again', async () => {
      let attempts = 0
      const { queue, idle, close } = await make(async () => {
        if (++attempts < 3) throw new Error('not yet')
      })
      await queue.send(job('a'))
      await idle()
      expect(attempts).toBe(3)
      await close()
    })

    test('a job may send jobs', async () => {
      const seen: string[] = []
      const opened = await make(async ({ table }) => {
        seen.push(table.table)
        if (seen.length < 5) await opened.queue.send(job(`${table.table}x`), 10)
      })
      await opened.queue.send(job('x'))
      await opened.idle()
      expect(seen).toEqual(['x', 'xx', 'xxx', 'xxxx', 'xxxxx'])
      await opened.close()
    })
  })
}
