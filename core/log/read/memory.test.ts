import { expect, test } from 'vitest'
import { giveBack, memoryOf, type Place, Slabs } from './memory.ts'

const KiB = 1024

/** As a reader of ranges of so many bytes: each is placed and used once. */
function placed(slabs: Slabs, sizes: readonly number[]): readonly (Place | undefined)[] {
  const room = slabs.room(sizes.reduce((sum, size) => sum + size, 0))
  const places = sizes.map((size) => {
    const place = room.place(size)
    if (place !== undefined) place.memory.uses++
    return place
  })
  room.close()
  return places
}

test('ranges share a slab while at least half of it is filled, and none is taken for less', () => {
  const places = placed(new Slabs(0), [200 * KiB, 1, 200 * KiB, 300 * KiB, 200 * KiB])
  const buffers = places.map((place) => place?.bytes.buffer)
  expect(places.map((place) => place?.bytes.byteOffset)).toEqual([0, 200 * KiB, 200 * KiB + 8, 0, 300 * KiB])
  expect([buffers[0] === buffers[2], buffers[2] === buffers[3], buffers[3] === buffers[4]]).toEqual([true, false, true])
  expect(placed(new Slabs(0), [100 * KiB, 100 * KiB])).toEqual([undefined, undefined])
  expect(placed(new Slabs(0), [600 * KiB])).toEqual([undefined])
})

test('what is asked for in front of a range lies there, and ranges follow each other without a gap', () => {
  const room = new Slabs(0).room(1024 * KiB)
  const places = [room.place(300 * KiB, 16), room.place(200 * KiB, 8), room.place(12 * KiB, 8)] as Place[]
  expect(places.map(({ front, bytes }) => [front.byteOffset, front.length, bytes.byteOffset])).toEqual([
    [0, 16, 16],
    [300 * KiB + 16, 8, 300 * KiB + 24],
    [0, 8, 8],
  ])
  room.close()
})

test('a slab is used again when its last user gave it back, under a name that no old view has', () => {
  const slabs = new Slabs(512 * KiB)
  const [first, second] = placed(slabs, [150 * KiB, 150 * KiB]) as [Place, Place]
  first.bytes.fill(7)
  giveBack(first.memory)
  expect([slabs.idleBytes, first.bytes.length]).toEqual([0, 150 * KiB])
  giveBack(second.memory)
  expect([slabs.idleBytes, first.bytes.length, second.bytes.length]).toEqual([512 * KiB, 0, 0])
  const [again] = placed(slabs, [300 * KiB]) as [Place]
  expect([slabs.idleBytes, again.bytes[0], first.bytes.length]).toEqual([0, 7, 0])
})

test('no more slabs wait than are allowed, and one that nothing was placed in waits too', () => {
  const slabs = new Slabs(1024 * KiB)
  for (const place of placed(slabs, Array(12).fill(260 * KiB))) if (place !== undefined) giveBack(place.memory)
  expect(slabs.idleBytes).toBe(1024 * KiB)
  const room = slabs.room(512 * KiB)
  room.place(512 * KiB)
  expect(slabs.idleBytes).toBe(512 * KiB)
  room.close()
  expect(slabs.idleBytes).toBe(1024 * KiB)
})

test('small memory, and a part of a larger one, are left to the collector', () => {
  const [own, part, small] = [new Uint8Array(64 * KiB), new Uint8Array(64 * KiB).subarray(8), new Uint8Array(8)]
  for (const bytes of [own, part, small]) giveBack({ ...memoryOf(bytes), uses: 1 })
  expect([own.length, part.length, small.length]).toEqual([0, 64 * KiB - 8, 8])
})
