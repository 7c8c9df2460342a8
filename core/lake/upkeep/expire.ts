/**
 * Snapshots that leave with the next metadata (spec, "Snapshot Retention Policy"). A branch keeps its newest 20 and what was current
 * in the last 6 hours, counted from when a snapshot was superseded, so that whoever read the table within that time still finds
 * what it read; of more than one a minute the newest 100 and then one a minute, so that the metadata is bounded at any pace. What
 * a tag names stays, and a branch's or the table's own settings (`history.expire.*`) go before ours. Nothing is deleted here:
 * objects that no snapshot has any more are orphans from then on (collect.ts).
 */
import type { Snapshot, SnapshotRef, TableMetadata } from '../iceberg/metadata.ts'
import { removeSnapshots } from '../iceberg/updates.ts'
import { type UpkeepLimits, upkeepLimits } from './limits.ts'

const allKept = 100
/** The gaps between older ones, ms; longer where the age is longer than six hours. */
const gapMsMin = 60_000
const gapsMax = 360
/** Of `min-snapshots-to-keep`. */
const snapshotsMinMax = 1_000

/** `now`: ms since 1970. The same object where nothing leaves. */
export function expireSnapshots(metadata: TableMetadata, now: number, limits?: UpkeepLimits): TableMetadata {
  return removeSnapshots(metadata, expiredSnapshots(metadata, now, limits))
}

/** Their ids. */
export function expiredSnapshots(metadata: TableMetadata, now: number, limits: UpkeepLimits = upkeepLimits): ReadonlySet<bigint> {
  const byId = new Map(metadata.snapshots.map((snapshot) => [snapshot['snapshot-id'], snapshot]))
  const expired = new Set(byId.keys())
  for (const ref of Object.values(metadata.refs)) {
    const lineage = lineageOf(byId, ref['snapshot-id'])
    const stay =
      ref.type === 'branch' ? keptOfBranch(lineage, policyOf(ref, metadata.properties, limits), now) : lineage.slice(0, 1)
    for (const snapshot of stay) expired.delete(snapshot['snapshot-id'])
  }
  return expired
}

interface Policy {
  readonly min: number
  readonly ageMs: number
}

function policyOf(ref: SnapshotRef, properties: Readonly<Record<string, string>>, limits: UpkeepLimits): Policy {
  const min = ref['min-snapshots-to-keep'] ?? countOf(properties['history.expire.min-snapshots-to-keep']) ?? limits.snapshotsMin
  const ageMs = ref['max-snapshot-age-ms'] ?? countOf(properties['history.expire.max-snapshot-age-ms']) ?? limits.snapshotAgeMs
  return { min: Math.min(min, snapshotsMinMax), ageMs }
}

/** `lineage`: the newest first. */
function keptOfBranch(lineage: readonly Snapshot[], { min, ageMs }: Policy, now: number): readonly Snapshot[] {
  const kept: Snapshot[] = []
  const gapMs = Math.max(gapMsMin, ageMs / gapsMax)
  const slotOf = (snapshot: Snapshot): number => Math.floor(snapshot['timestamp-ms'] / gapMs)
  lineage.forEach((snapshot, at) => {
    const child = lineage[at - 1]
    const parent = lineage[at + 1]
    const wasCurrent = child === undefined || child['timestamp-ms'] >= now - ageMs
    // The first of each slot: whoever goes has an older one beside it, so the rule chooses the same ones every time.
    const isFirst = parent === undefined || slotOf(parent) !== slotOf(snapshot)
    if (at < min || (wasCurrent && (at < allKept || isFirst))) kept.push(snapshot)
  })
  return kept
}

/** A snapshot and what came before it, the newest first. Where a parent has left, the next older snapshot follows. */
function lineageOf(byId: ReadonlyMap<bigint, Snapshot>, head: bigint): readonly Snapshot[] {
  const older = [...byId.values()].sort((a, b) => b['sequence-number'] - a['sequence-number'])
  const lineage: Snapshot[] = []
  let next = byId.get(head)
  for (let at = 0; next !== undefined; ) {
    const last: Snapshot = next
    lineage.push(last)
    while (at < older.length && (older[at]?.['sequence-number'] ?? 0) >= last['sequence-number']) at++
    const parent = last['parent-snapshot-id']
    next = parent === undefined ? undefined : (byId.get(parent) ?? older[at])
    if (next !== undefined && next['sequence-number'] >= last['sequence-number']) return lineage
  }
  return lineage
}

function countOf(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined
}
