/**
 * The points object of a lake commit: up to which offset each bucket's log is in the lake. JSON, immutable, under
 * `lake/<tableId>/points/`; the lake item and the snapshot summary name it with its CRC-32, which every reader checks.
 * A root holds one page per partition; an unpartitioned table has the page "".
 */
import { crc32 } from 'node:zlib'
import { assert } from '../../kernel/assert.ts'
import { utf8, utf8Text } from '../../kernel/bytes.ts'
import { SluiceError } from '../../kernel/errors.ts'
import { type Offset, offsetOf } from '../../kernel/ids.ts'
import { limits } from '../../kernel/limits.ts'

/** By bucket; a bucket that is absent has nothing in the lake. */
export type Points = ReadonlyMap<number, Point>

export interface Point {
  /** Rows below it are in the lake; always a batch boundary. */
  readonly offset: Offset
  /** ms since 1970: the commit time of the last row below it. */
  readonly time: number
}

export const pointsCodecVersion = 1

export function encodePoints(points: Points): Uint8Array {
  const page: Record<string, [string, number]> = {}
  for (const [bucket, point] of [...points].sort(([a], [b]) => a - b)) page[bucket] = [point.offset.toString(), point.time]
  return utf8(JSON.stringify({ version: pointsCodecVersion, pages: { '': page } }))
}

export function decodePoints(bytes: Uint8Array, expectedCrc32: number): Points {
  const damaged = (why: string): SluiceError => new SluiceError('internal', `a points object is damaged: ${why}`)
  if (crc32(bytes) !== expectedCrc32) throw damaged('its checksum differs')
  let root: unknown
  try {
    root = JSON.parse(utf8Text(bytes))
  } catch (cause) {
    throw new SluiceError('internal', 'a points object is damaged: it is not JSON', { cause })
  }
  if (!isRecord(root) || !isRecord(root['pages'])) throw damaged('it has no pages')
  if (root['version'] !== pointsCodecVersion) throw damaged(`its version ${String(root['version'])} is unknown`)
  const page = root['pages']['']
  if (!isRecord(page)) throw damaged('it has no page ""')
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

/** The points after a round; a point never goes back. */
export function advancePoints(points: Points, reached: Points): Points {
  const next = new Map(points)
  for (const [bucket, point] of reached) {
    assert(point.offset >= (next.get(bucket)?.offset ?? 0n), 'a tier point never goes back', { bucket })
    next.set(bucket, point)
  }
  return next
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
