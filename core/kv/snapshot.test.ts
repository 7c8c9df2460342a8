/** Reading blocks of runs: what fails waits for the reads that run beside it. */
import { expect, test } from 'vitest'
import { objectKey } from '../format/items/entry.ts'
import type { RunRef } from '../format/run/manifest.ts'
import { RunWriter } from '../format/run/run.ts'
import { concat, spanOf } from '../kernel/bytes.ts'
import { SluiceError } from '../kernel/errors.ts'
import { labelOf, offsetOf } from '../kernel/ids.ts'
import type { ObjectStore } from '../ports/objects.ts'
import { KvCache } from './cache.ts'
import { Kept } from './keep.ts'
import { Room } from './room.ts'
import { findInRuns, learnRuns, runsOf } from './snapshot.ts'

function runOf(key: string): { readonly run: RunRef; readonly bytes: Uint8Array } {
  const writer = new RunWriter()
  writer.add({ key, offset: 1n, schemaId: 1, row: spanOf(new Uint8Array(1_000)) })
  const { pieces, ...encoded } = writer.finish()
  const object = { label: labelOf(1_700_000_000_000), random: key.repeat(16), inline: false, directory: 0 }
  return { run: { level: 0, object, ...encoded }, bytes: concat(pieces) }
}

test('room that an attempt gave up is not taken by reads that still ran when it failed', async () => {
  const runs = [runOf('a'), runOf('b')] as const
  const gates = new Map(runs.map(({ run }) => [objectKey('t', run.object), Promise.withResolvers<void>()]))
  const objects = {
    read: async (key: string, range: { start: number; end: number }) => {
      const own = runs.find(({ run }) => objectKey('t', run.object) === key)
      if (range.start < (own?.run.metaStart ?? 0)) await gates.get(key)?.promise
      return own?.bytes.slice(range.start, range.end)
    },
  } as unknown as ObjectStore
  const reading = { objects, cache: new KvCache(1 << 24), tableId: 't' }
  const room = new Room(1_000_000, () => new Error('full'))
  const kept = new Kept({ room, of: () => ({ value: 1, bytes: 600_000 }), rowBytesMin: 0 })
  const other = findInRuns(reading, [runs[0].run], { keys: ['a'], sought: [0] }, async () => undefined)
  await new Promise((resolve) => setTimeout(resolve, 5))
  const mine = findInRuns(
    reading,
    runs.map(({ run }) => run),
    { keys: ['a', 'b'], sought: [0, 1] },
    (states) => kept.take(states, () => undefined),
  )
  const failed = mine.then(
    () => 'found',
    () => kept.giveUp(),
  )
  await new Promise((resolve) => setTimeout(resolve, 5))
  const [first, second] = [...gates.values()]
  first?.reject(new SluiceError('not-found', 'superseded'))
  await expect(other).rejects.toThrow('superseded')
  second?.resolve()
  expect(await failed).toBeUndefined()
  expect(() => room.take(1_000_000)).not.toThrow()
})

test('whoever knows a manifest is none the worse where another who reads it fails', async () => {
  const gate = Promise.withResolvers<Uint8Array>()
  const objects = { read: () => gate.promise } as unknown as ObjectStore
  const reading = { objects, cache: new KvCache(1 << 24), tableId: 't' }
  const object = { label: labelOf(1_700_000_000_000), random: 'a'.repeat(16), inline: false, directory: 0 }
  const snapshot = { manifest: { object, bytes: 100, crc: 1 }, upTo: offsetOf(1), rows: 1n }
  const other = runsOf(reading, snapshot)
  learnRuns(reading, snapshot, [])
  gate.reject(new SluiceError('unavailable', 'the store is down'))
  await expect(other).rejects.toThrow('down')
  // A rejection that nobody handles ends the process.
  await new Promise((resolve) => setImmediate(resolve))
  learnRuns(reading, snapshot, [])
  expect(await runsOf(reading, snapshot)).toEqual([])
})
