/**
 * A server that is killed with 1 M changes in no snapshot: how long after its successor is started keys are found again, with the start
 * of the process in it. Folding keeps up by itself, so here a worker that hangs holds the claims of all buckets; its leases outlast the
 * measurement.
 */
import { call } from './api.ts'
import type { BenchOptions } from './append.ts'
import { runScript, startKeyedUnfolded, startSluice } from './children.ts'
import { alternate, type Measured, type Report } from './harness.ts'
import { fill, keyedTable } from './keyed-table.ts'
import { type Scratch, withScratch } from './scratch.ts'

const MiB = 2 ** 20
const changes = 1_000_000
const buckets = 16

export function recover({ rounds, progress }: BenchOptions): Promise<readonly Report[]> {
  return withScratch(async (scratch) => {
    const report = await alternate({
      bench: `recover, killed with ${changes} changes unfolded in ${buckets} buckets`,
      unit: 'ms to a key',
      rounds,
      progress,
      cases: [{ name: 'from the start of its successor', aim: { valueMost: 2_000 }, run: () => recovered(scratch) }],
      notes: [
        '"to all": until keys of every bucket are found, which reads all changes; "cpu ms": of the process, its start in it',
      ],
    })
    return [report]
  })
}

async function recovered(scratch: Scratch): Promise<Measured> {
  const folder = scratch.folder()
  const doomed = await startKeyedUnfolded(folder)
  try {
    const path = await keyedTable(doomed.port, buckets)
    await call(
      doomed.port,
      'POST',
      `${path}/records`,
      JSON.stringify({ rows: [...Array(200).keys()].map((id) => ({ id: `${id}` })) }),
    )
    await fill(scratch, doomed, path, changes)
  } finally {
    await doomed.kill()
  }
  const unfolded = await runScript<number>('keyed-child.ts', { folder, mode: 'unfolded' })
  const begun = performance.now()
  const server = await startSluice(folder)
  try {
    const listening = performance.now() - begun
    const path = '/v1/databases/bench/tables/keyed/lookup'
    const find = async (ids: readonly number[]): Promise<number> => {
      const answer = (await call(server.port, 'POST', path, JSON.stringify({ keys: ids.map((id) => ({ id: `${id}` })) }))) as {
        readonly rows: readonly unknown[]
      }
      if (answer.rows.some((row) => row === null)) throw new Error('a key was not found')
      return performance.now() - begun
    }
    const value = await find([changes - 1])
    const cpuMs = server.cpuMs()
    const all = await find(Array.from({ length: 128 }, (_, i) => i * 5_003))
    const cpuMsToAll = server.cpuMs()
    const again = performance.now()
    await find([changes - 1])
    return {
      value,
      figures: {
        unfolded,
        'ms to listen': listening,
        'ms to all': all,
        'cpu ms': cpuMs,
        'cpu ms to all': cpuMsToAll,
        'again ms': performance.now() - again,
        'peak MiB': server.peakBytes() / MiB,
      },
    }
  } finally {
    await server.stop()
  }
}
