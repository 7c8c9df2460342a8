import { expect, test } from 'vitest'
import type { Snapshot, TableMetadata } from '../iceberg/metadata.ts'
import { expireSnapshots } from './expire.ts'
import { upkeepLimits } from './limits.ts'

const { snapshotAgeMs, snapshotsMin } = upkeepLimits

const minute = 60_000

/** A table whose commits came at these times, each expiring what it may, as rounds do. */
function after(times: readonly number[], more: Partial<TableMetadata> = {}): TableMetadata {
  let metadata = { snapshots: [], 'snapshot-log': [], properties: {}, refs: {}, ...more } as unknown as TableMetadata
  times.forEach((time, index) => {
    const id = BigInt(index + 1)
    const snapshot = {
      'snapshot-id': id,
      ...(index > 0 && { 'parent-snapshot-id': BigInt(index) }),
      'sequence-number': index + 1,
      'timestamp-ms': time,
    } as unknown as Snapshot
    metadata = expireSnapshots(
      {
        ...metadata,
        snapshots: [...metadata.snapshots, snapshot],
        'snapshot-log': [...metadata['snapshot-log'], { 'timestamp-ms': time, 'snapshot-id': id }],
        refs: { ...metadata.refs, main: { 'snapshot-id': id, type: 'branch' } },
      },
      time,
    )
  })
  return metadata
}

const every = (ms: number, count: number): number[] => Array.from({ length: count }, (_, i) => 1_700_000_040_000 + i * ms)
const ids = (metadata: TableMetadata) => metadata.snapshots.map((each) => Number(each['snapshot-id']))

test('what was current within six hours is kept', () => {
  const metadata = after(every(3 * minute, 500))
  const current = snapshotAgeMs / (3 * minute)
  // The first of them was current when the six hours began.
  expect(ids(metadata)).toEqual(Array.from({ length: current + 2 }, (_, i) => 500 - current - 1 + i))
  expect(metadata['snapshot-log']).toHaveLength(current + 2)
})

test('the newest twenty are kept however old they are', () => {
  expect(ids(after(every(24 * 60 * minute, 50)))).toHaveLength(snapshotsMin)
})

test('at a fast pace the newest hundred are kept and then one a minute, so metadata is bounded', () => {
  const metadata = after(every(5_000, 8 * 720))
  const kept = ids(metadata)
  expect(kept.slice(-100)).toEqual(Array.from({ length: 100 }, (_, i) => 8 * 720 - 99 + i))
  expect(kept.length).toBeLessThanOrEqual(100 + 361)
  expect(kept.length).toBeGreaterThan(100 + 350)
  const oldest = metadata.snapshots[0]?.['timestamp-ms'] ?? 0
  const newest = metadata.snapshots.at(-1)?.['timestamp-ms'] ?? 0
  expect(newest - oldest).toBeGreaterThanOrEqual(snapshotAgeMs - minute)
})

test('the log of snapshots begins anew after one that left, because a gap would name a wrong one', () => {
  const metadata = after(every(1_000, 3_600))
  const kept = new Set(ids(metadata))
  const logged = metadata['snapshot-log'].map((each) => Number(each['snapshot-id']))
  expect(logged.every((id, at) => kept.has(id) && (at === 0 || id === (logged[at - 1] ?? 0) + 1))).toBe(true)
  expect(logged.at(-1)).toBe(3_600)
})

test('what a tag or another branch names stays', () => {
  const refs = { t: { 'snapshot-id': 3n, type: 'tag' }, b: { 'snapshot-id': 30n, type: 'branch', 'min-snapshots-to-keep': 2 } }
  const metadata = after(every(60 * minute, 100), { refs } as never)
  expect(ids(metadata)).toEqual([3, 29, 30, ...Array.from({ length: 20 }, (_, i) => 81 + i)])
})

test('settings of the table and of the branch go before ours', () => {
  const properties = { 'history.expire.min-snapshots-to-keep': '3', 'history.expire.max-snapshot-age-ms': String(10 * minute) }
  expect(ids(after(every(3 * minute, 50), { properties }))).toEqual([46, 47, 48, 49, 50])
  expect(ids(after(every(60 * minute, 50), { properties }))).toEqual([48, 49, 50])
  expect(
    ids(after(every(60 * minute, 50), { properties: { ...properties, 'history.expire.min-snapshots-to-keep': 'x' } })),
  ).toHaveLength(20)
})

test('a snapshot that is superseded stays for six hours, however old it was', () => {
  const times = [
    ...every(7 * 24 * 60 * minute, 2),
    ...Array.from({ length: 40 }, (_, i) => 1_700_000_040_000 + 7 * 24 * 60 * minute + 1 + i),
  ]
  expect(ids(after(times))).toContain(2)
})
