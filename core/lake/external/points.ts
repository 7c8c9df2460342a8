/**
 * How far the log is in an external table, as the very snapshot on its main branch says (protocol section 6). The nearest
 * ancestor that we committed names the points in its summary; foreign commits above it do not. Where it was expired, the
 * table's properties have what it said, believed only if that snapshot can lie below those that are left.
 */
import type { ObjectRef } from '../../format/items/lake.ts'
import type { Page, PlacedPoints, Points } from '../../format/items/points.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { offsetOf } from '../../kernel/ids.ts'
import { lakeFolder } from '../layout.ts'
import type { ExternalSnapshot, ExternalTable } from './answer.ts'

export const pointsProperty = 'sluice.points'
export const pointsCrcProperty = 'sluice.points-crc32'
/** The sequence number of the snapshot that the properties are of. */
export const pointsSequenceProperty = 'sluice.points-sequence'
export const tableIdProperty = 'sluice.table-id'

/** Undefined: nothing of the log is in the table. Errors: `internal`, `conflict`. */
export function pointsRef(table: ExternalTable, tableId: string): ObjectRef | undefined {
  let lowest: ExternalSnapshot | undefined
  let ofVersion1 = 0
  for (let at = table.main; at !== undefined; ) {
    const named = refIn(at.summary, tableId)
    if (named !== undefined) return named
    lowest = at
    if (at.parent === undefined) return undefined
    const parent = table.snapshots.get(at.parent)
    if (parent === undefined) break
    // Those of format version 1 have no sequence numbers, so they are counted.
    const isBelow =
      at.sequence === 0n ? parent.sequence === 0n && ++ofVersion1 < table.snapshots.size : parent.sequence < at.sequence
    if (!isBelow) throw broken('snapshots that are their own ancestors')
    at = parent
  }
  return lowest === undefined ? undefined : expired(table, lowest, tableId)
}

function expired({ properties }: ExternalTable, lowest: ExternalSnapshot, tableId: string): ObjectRef | undefined {
  const named = refIn(properties, tableId)
  if (named === undefined) return undefined
  const sequence = properties[pointsSequenceProperty] ?? ''
  if (/^[0-9]{1,18}$/.test(sequence) && BigInt(sequence) < lowest.sequence) return named
  throw new SluiceError(
    'conflict',
    'the table was set back to a snapshot whose ancestors were expired, so how far the log is in it is not known: set it forward again',
    { action: 'stop' },
  )
}

function refIn(texts: Readonly<Record<string, string>>, tableId: string): ObjectRef | undefined {
  const key = texts[pointsProperty]
  if (key === undefined) return undefined
  const crc32 = texts[pointsCrcProperty] ?? ''
  if (!/^[0-9]{1,10}$/.test(crc32)) throw broken('points without a checksum')
  if (!/^lake\/[0-9a-f]{16}\/points\/[0-9a-f]{12}-[0-9a-f]{16}\.json$/.test(key)) throw broken('points under a name that is none')
  if (!key.startsWith(`${lakeFolder(tableId)}/`)) {
    throw new SluiceError('conflict', 'another table of sluice commits to it: give each a table of its own', { action: 'stop' })
  }
  return { key, crc32: Number(crc32) }
}

const broken = (what: string): SluiceError =>
  new SluiceError('internal', `the table in the catalog has ${what}`, { action: 'stop' })

const flat = (points: Points): Map<string, bigint> =>
  new Map(
    [...points].flatMap(([partition, page]) =>
      [...page].map(([bucket, { offset }]) => [`${partition}#${bucket}`, offset] as const),
    ),
  )

export function isBehind(points: Points, before: Points): boolean {
  const now = flat(points)
  return [...flat(before)].some(([place, offset]) => offset > (now.get(place) ?? 0n))
}

/** A bucket of which nothing is there any more begins where it began, not where its log does by now. */
export function setBack(placed: PlacedPoints, before: PlacedPoints): PlacedPoints {
  const points = new Map<string, Page>(placed.points)
  for (const [partition, page] of before.points) {
    const missing = [...page.keys()].filter((bucket) => !points.get(partition)?.has(bucket))
    if (missing.length === 0) continue
    const start = missing.map((bucket) => [bucket, { offset: offsetOf(0), time: 0 }] as const)
    points.set(partition, new Map([...(points.get(partition) ?? []), ...start]))
  }
  return { ...placed, points }
}

export function samePoints(a: Points, b: Points): boolean {
  const [one, other] = [flat(a), flat(b)]
  return one.size === other.size && [...one].every(([place, offset]) => other.get(place) === offset)
}
