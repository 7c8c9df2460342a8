/** Reading and writing a lake's objects: what is written is new, what is read is checked. */
import { crc32 } from 'node:zlib'
import type { LakeCommit, LakeItem, ObjectRef } from '../format/items/lake.ts'
import { decodePoints, noPoints, type Page, type PlacedPoints } from '../format/items/points.ts'
import { assert } from '../kernel/assert.ts'
import { isSluiceError, SluiceError } from '../kernel/errors.ts'
import { mapAtOnce } from '../kernel/parallel.ts'
import type { ObjectStore } from '../ports/objects.ts'

/** How far the lake is, as this version of its item says: its points object, and those that it still refers to. */
export async function readPoints(objects: ObjectStore, lake: LakeItem): Promise<PlacedPoints> {
  return lake.committed === undefined ? noPoints : readPointsAt(objects, lake.committed.points)
}

export async function readPointsAt(objects: ObjectStore, here: ObjectRef): Promise<PlacedPoints> {
  const root = decodePoints(await objects.read(here.key), here.crc32)
  const points = new Map<string, Page>(root.pages)
  const places = new Map<string, ObjectRef>([...root.pages.keys()].map((partition) => [partition, here]))
  await mapAtOnce(root.elsewhere, root.elsewhere.length, async ({ partitions, ...place }) => {
    const { pages } = decodePoints(await objects.read(place.key), place.crc32)
    for (const partition of partitions) {
      const page = pages.get(partition)
      assert(page !== undefined, 'a points object has the pages that a later one leaves to it', { key: place.key, partition })
      points.set(partition, page)
      places.set(partition, place)
    }
  })
  return { points, places }
}

/** Those that the points object of a commit refers to. */
export async function pointsObjects(objects: ObjectStore, { points }: LakeCommit): Promise<readonly string[]> {
  return decodePoints(await objects.read(points.key), points.crc32).elsewhere.map(({ key }) => key)
}

export async function readChecked(objects: ObjectStore, ref: ObjectRef): Promise<Uint8Array> {
  const bytes = await objects.read(ref.key)
  if (crc32(bytes) !== ref.crc32) {
    throw new SluiceError('internal', `${ref.key} is damaged: its checksum differs`, { action: 'retry', facts: { key: ref.key } })
  }
  return bytes
}

/** Other bytes under a key whose bytes are ours by construction can only be damage. */
export async function createNew(objects: ObjectStore, key: string, bytes: Uint8Array): Promise<void> {
  const outcome = await objects.create(key, bytes)
  assert(outcome === 'created', 'an object of a lake is written once', { key })
}

/** Undefined where there is no such object. */
export async function orAbsent(read: Promise<Uint8Array>): Promise<Uint8Array | undefined> {
  try {
    return await read
  } catch (error) {
    if (isSluiceError(error, 'not-found')) return undefined
    throw error
  }
}
