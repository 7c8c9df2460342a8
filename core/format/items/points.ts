/**
 * The points object of a lake commit: up to which offset each bucket's log is in the lake. JSON, immutable, under
 * `lake/<tableId>/points/`; the lake item and the snapshot summary name it with its CRC-32, which every reader checks.
 * There is a page per partition, by the partition's id, because a name may come again; a table without partitions has the page "".
 * A commit writes the pages that it touched, and says in which objects of earlier commits the others lie: so its bytes are those
 * of what it did, and 11 for each partition besides. Of such objects there are at most 16, or the pages of the emptiest come along.
 * Version 1 has the page "" alone.
 */
import { crc32 } from 'node:zlib'
import { assert } from '../../kernel/assert.ts'
import { utf8, utf8Text } from '../../kernel/bytes.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { type Offset, offsetOf } from '../../kernel/ids.ts'
import { limits } from '../../kernel/limits.ts'
import type { BucketId } from '../../model/partition.ts'
import type { ObjectRef } from './lake.ts'

/** By the partition's id, then by bucket; what is absent has nothing in the lake. */
export type Points = ReadonlyMap<string, Page>
export type Page = ReadonlyMap<number, Point>

export interface Point {
  /** Rows below it are in the lake; always a batch boundary. */
  readonly offset: Offset
  /** ms since 1970: the commit time of the last row below it. */
  readonly time: number
}

/** All pages, and the object that each lies in. */
export interface PlacedPoints {
  readonly points: Points
  readonly places: ReadonlyMap<string, ObjectRef>
}

/** One points object. */
export interface PointsObject {
  readonly pages: Points
  /** Where the other pages lie. */
  readonly elsewhere: readonly (ObjectRef & { readonly partitions: readonly string[] })[]
}

export const noPoints: PlacedPoints = { points: new Map(), places: new Map() }

export const pointAt = (points: Points, { partition, bucket }: BucketId): Point | undefined => points.get(partition)?.get(bucket)

/** The points after a round, which never go back, without the pages of partitions that are gone. */
export function advancePoints(points: Points, reached: Points, gone: ReadonlySet<string> = new Set()): Points {
  const next = new Map([...points].filter(([partition]) => !gone.has(partition)))
  for (const [partition, page] of reached) {
    const pages = new Map(next.get(partition))
    for (const [bucket, point] of page) {
      assert(point.offset >= (pages.get(bucket)?.offset ?? 0n), 'a tier point never goes back', { partition, bucket })
      pages.set(bucket, point)
    }
    next.set(partition, pages)
  }
  return next
}

const elsewhereMax = 16

/** Of the next commit, to be written under `key`: `points` differ from those before in the pages of `touched`. */
export function planPoints(
  before: PlacedPoints,
  { points, touched, key }: { readonly points: Points; readonly touched: Iterable<string>; readonly key: string },
): { readonly bytes: Uint8Array; readonly placed: PlacedPoints } {
  const own = new Set(touched)
  const others = new Map<string, ObjectRef & { readonly partitions: string[] }>()
  for (const partition of points.keys()) {
    const place = own.has(partition) ? undefined : before.places.get(partition)
    if (place === undefined) own.add(partition)
    else if (others.has(place.key)) others.get(place.key)?.partitions.push(partition)
    else others.set(place.key, { ...place, partitions: [partition] })
  }
  const emptiest = [...others.values()].sort((a, b) => a.partitions.length - b.partitions.length)
  const joined = others.size > elsewhereMax ? emptiest.slice(0, others.size - elsewhereMax / 2) : []
  for (const { partitions } of joined) for (const partition of partitions) own.add(partition)
  const elsewhere = emptiest.slice(joined.length)
  const pages = new Map([...points].filter(([partition]) => own.has(partition)))
  const bytes = encodePoints({ pages, elsewhere })
  const here: ObjectRef = { key, crc32: crc32(bytes) }
  const places = new Map<string, ObjectRef>([...pages.keys()].map((partition) => [partition, here]))
  for (const { partitions, ...place } of elsewhere) for (const partition of partitions) places.set(partition, place)
  return { bytes, placed: { points, places } }
}

export function encodePoints({ pages, elsewhere }: PointsObject): Uint8Array {
  const isPlain = elsewhere.length === 0 && pages.size === 1 && pages.has('')
  const byPartition = [...pages].sort(([a], [b]) => (a < b ? -1 : 1)).map(([partition, page]) => [partition, printPage(page)])
  const others = elsewhere.map(({ key, crc32: sum, partitions }) => [key, sum, partitions])
  const root = { version: isPlain ? 1 : 2, pages: Object.fromEntries(byPartition), ...(isPlain ? {} : { elsewhere: others }) }
  return utf8(JSON.stringify(root))
}

function printPage(page: Page): Record<string, [string, number]> {
  const printed: Record<string, [string, number]> = {}
  for (const [bucket, point] of [...page].sort(([a], [b]) => a - b)) printed[bucket] = [point.offset.toString(), point.time]
  return printed
}

/** One object of them. Errors: `internal` (damaged, or of a newer version). */
export function decodePoints(bytes: Uint8Array, expectedCrc32: number): PointsObject {
  if (crc32(bytes) !== expectedCrc32) throw damaged('its checksum differs')
  let root: unknown
  try {
    root = JSON.parse(utf8Text(bytes))
  } catch (cause) {
    throw new SluiceError('internal', 'a points object is damaged: it is not JSON', { cause })
  }
  if (!isRecord(root) || !isRecord(root['pages'])) throw damaged('it has no pages')
  const { version, pages, elsewhere = [] } = root
  if (version !== 1 && version !== 2) throw damaged(`its version ${String(version)} is unknown`)
  if (version === 1 && pages[''] === undefined) throw damaged('it has no page ""')
  return {
    pages: new Map(Object.entries(pages as object).map(([partition, page]) => [partitionId(partition), readPage(page)])),
    elsewhere: version === 1 ? [] : readElsewhere(elsewhere),
  }
}

function readPage(page: unknown): Page {
  if (!isRecord(page)) throw damaged('a page is no object')
  const points = new Map<number, Point>()
  for (const [bucket, value] of Object.entries(page)) {
    if (!/^(0|[1-9][0-9]{0,3})$/.test(bucket) || Number(bucket) >= limits.bucketsMax) throw damaged(`bucket ${bucket}`)
    if (!Array.isArray(value)) throw damaged(`bucket ${bucket} has no point`)
    const [offset, time] = value as unknown[]
    if (typeof offset !== 'string' || !/^[0-9]{1,19}$/.test(offset)) throw damaged(`offset of bucket ${bucket}`)
    if (typeof time !== 'number' || !Number.isSafeInteger(time)) throw damaged(`time of bucket ${bucket}`)
    points.set(Number(bucket), { offset: offsetOf(BigInt(offset)), time })
  }
  return points
}

function readElsewhere(list: unknown): PointsObject['elsewhere'] {
  if (!Array.isArray(list)) throw damaged('the places of its pages')
  return list.map((each: unknown) => {
    const [key, sum, partitions] = Array.isArray(each) ? (each as unknown[]) : []
    if (typeof key !== 'string' || typeof sum !== 'number' || !Array.isArray(partitions)) throw damaged('the place of a page')
    return { key, crc32: sum, partitions: partitions.map(partitionId) }
  })
}

function partitionId(value: unknown): string {
  if (typeof value !== 'string' || !/^([0-9a-f]{8})?$/.test(value)) throw damaged('the id of a partition')
  return value
}

const damaged = (why: string): SluiceError => new SluiceError('internal', `a points object is damaged: ${why}`)

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
