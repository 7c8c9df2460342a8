/**
 * Lookups of a process that knows nothing: one key of 10 M, 16 buckets, all folded, and a few changes since. The keys are upserted over
 * HTTP, in order, then 1 M more drawn uniformly, and folded by the server as it folds anything; then level 0 is merged down as well. Each
 * read of an object, inline ones too, takes 25 ms more; the time is from the look for the table to the row, without the start of Node.
 */
import type { BenchOptions } from './append.ts'
import { runScript, startSluice } from './children.ts'
import { alternate, type Measured, type Report, spreadOf } from './harness.ts'
import type { ColdLookup, KeyedChildSpec } from './keyed-child.ts'
import { arrowUpserts, fill, keyedTable, load, settled, updatesOf } from './keyed-table.ts'
import { withScratch } from './scratch.ts'

const keys = 10_000_000
const buckets = 16
const lookups = 9
const delayMs = 25
/** The second is made of the first. */
const states = [
  ['fold', 'as folds leave it'],
  ['merge', 'level 0 merged down'],
] as const

export function lookupCold({ rounds, progress }: BenchOptions): Promise<readonly Report[]> {
  return withScratch(async (scratch) => {
    const folder = scratch.folder()
    const server = await startSluice(folder)
    progress('lookup-cold: loading')
    try {
      const path = await keyedTable(server.port, buckets)
      await fill(scratch, server, path, keys)
      const { files } = updatesOf(scratch, { keys, bodies: 10, rowsEach: 100_000 })
      await load({ ...arrowUpserts(server.port, path, files), requests: files.length, warm: 0 })
      await settled(server.port)
    } finally {
      await server.stop()
    }
    const child = <T>(spec: Omit<KeyedChildSpec, 'folder'>) => runScript<T>('keyed-child.ts', { folder, ...spec })
    let drawn = 0
    const cold = async (): Promise<Measured> => {
      const all: ColdLookup[] = []
      for (let i = 0; i < lookups; i++)
        all.push(await child<ColdLookup>({ mode: 'lookup', key: (++drawn * 7_368_787) % keys, delayMs }))
      if (all.some(({ rows }) => rows !== 1)) throw new Error('a key was not found')
      const most = (of: (one: ColdLookup) => number) => Math.max(...all.map(of))
      return {
        value: spreadOf(all.map(({ ms }) => ms)).median,
        figures: {
          'item reads': most(({ itemReads }) => itemReads),
          'item waves': most(({ itemWaves }) => itemWaves),
          'object reads': most(({ objectReads }) => objectReads),
          'object waves': most(({ objectWaves }) => objectWaves),
        },
      }
    }
    const most = { 'item reads': 4, 'item waves': 2, 'object reads': 5, 'object waves': 1 }
    const reports: Report[] = []
    for (const [mode, state] of states) {
      await child({ mode })
      const report = await alternate({
        bench: `lookup-cold, 1 of ${keys} keys, ${buckets} buckets, ${delayMs} ms an object read, ${state}`,
        unit: 'p50 ms',
        rounds,
        progress,
        cases: [{ name: 'a process a lookup', aim: { valueMost: 120, most }, run: cold }],
        notes: [`${lookups} new processes a round; reads and waves: the most of any of them, the tail among the object reads`],
      })
      reports.push(report)
    }
    return reports
  })
}
