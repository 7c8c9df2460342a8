/** Reading and writing a lake's objects: what is written is new, what is read is checked. */
import { crc32 } from 'node:zlib'
import type { LakeItem, ObjectRef } from '../format/items/lake.ts'
import { decodePoints, type Points } from '../format/items/points.ts'
import { assert } from '../kernel/assert.ts'
import { SluiceError } from '../kernel/errors.ts'
import type { ObjectStore } from '../ports/objects.ts'

/** How far the lake is, as this version of its item says. */
export async function readPoints(objects: ObjectStore, lake: LakeItem): Promise<Points> {
  if (lake.committed === undefined) return new Map()
  const { key, crc32: expected } = lake.committed.points
  return decodePoints(await objects.read(key), expected)
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
