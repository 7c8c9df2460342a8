/** From produce to tail: how long after its request was due a row is with a reader who waits, over long polls and over events. */
import { call } from './api.ts'
import type { BenchOptions } from './append.ts'
import { runScript, startSluice } from './children.ts'
import { alternate, type Measured, type Report } from './harness.ts'
import { withScratch } from './scratch.ts'
import type { TailResult, TailSpec } from './tail-child.ts'

const perSecond = 100
const seconds = 10
const path = '/v1/databases/bench/tables/tail'

export function tail({ rounds, progress }: BenchOptions): Promise<readonly Report[]> {
  return withScratch(async (scratch) => {
    const over = async (way: TailSpec['way']): Promise<Measured> => {
      const server = await startSluice(scratch.folder())
      try {
        await call(server.port, 'PUT', '/v1/databases/bench')
        await call(server.port, 'PUT', path, JSON.stringify({ columns: [{ name: 'due', type: 'double' }] }))
        const spec: TailSpec = { port: server.port, path, way, perSecond, rows: perSecond * seconds }
        const result = await runScript<TailResult>('tail-child.ts', spec)
        return { value: result.p50Ms, figures: { 'p99 ms': result.p99Ms, 'max ms': result.maxMs, rows: result.rows } }
      } finally {
        await server.stop()
      }
    }
    const aim = { most: { 'p99 ms': 60 } }
    const report = await alternate({
      bench: `tail, 1 producer, ${perSecond} rows/s`,
      unit: 'p50 ms',
      rounds,
      progress,
      cases: [
        { name: 'long poll', run: () => over('poll') },
        { name: 'server-sent events', floor: 'long poll', aim, run: () => over('events') },
        { name: 'long poll again', floor: 'long poll', aim, run: () => over('poll') },
      ],
      notes: [
        'open loop, a request a row, latency from the time at which it was due; producer and reader are one process, so one clock',
        'ratio: against long polls in the same round',
      ],
    })
    return [report]
  })
}
