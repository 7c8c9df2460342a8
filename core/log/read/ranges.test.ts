import { expect, test } from 'vitest'
import { SluiceError } from '../../kernel/errors.ts'
import type { ByteRange, ObjectStore, RangeInto } from '../../ports/objects.ts'
import type { Wanted } from './merged.ts'
import { Ranges } from './ranges.ts'

const KiB = 1024

const bytes = new Uint8Array(2 * 1024 * KiB)
for (let i = 0; i < bytes.length; i++) bytes[i] = i % 251

/** Byte i of an object is i mod 251; reads are written down. `damage`: how many of the next reads are wrong. */
function store() {
  const reads: string[] = []
  const state = { damage: 0, short: 0 }
  const read = async (key: string, range: ByteRange): Promise<Uint8Array> => {
    reads.push(`${key} ${range.start}-${range.end}`)
    const found = bytes.slice(range.start, range.end)
    if (state.damage-- > 0) found[0] = 255
    return state.short-- > 0 ? found.subarray(1) : found
  }
  return { reads, state, objects: { read } as unknown as ObjectStore }
}

const wanted = (start: number, end: number, key = 'a'): Wanted => ({
  key,
  start,
  end,
  verify: (bytes) => {
    if (bytes[0] !== start % 251) throw new SluiceError('internal', 'damaged')
    return true
  },
})
const sizes = (found: readonly Uint8Array[]): number[] => found.map(({ length }) => length)

test('ranges that lie close are one read, others are not, and each comes back as it was asked for', async () => {
  const { reads, objects } = store()
  const far = 200 * KiB
  const found = await new Ranges(objects, 0).read([wanted(far, far + 10), wanted(0, 100), wanted(200, 300), wanted(50, 60, 'b')])
  expect(sizes(found)).toEqual([10, 100, 100, 10])
  expect(found.map(([first]) => first)).toEqual([far % 251, 0, 200, 50])
  expect(reads.sort()).toEqual(['a 0-300', `a ${far}-${far + 10}`, 'b 50-60'])
})

test('who asks for what another is reading waits for that', async () => {
  const { reads, objects } = store()
  const ranges = new Ranges(objects, 0)
  const found = await Promise.all([1, 2, 3].map(() => ranges.read([wanted(0, 100)])))
  expect([reads.length, found.map(([one]) => one?.length)]).toEqual([1, [100, 100, 100]])
})

test('what was read is kept up to a number of bytes, the longest unused goes first', async () => {
  const { reads, objects } = store()
  const ranges = new Ranges(objects, 100 * KiB)
  const part = (i: number): Wanted => wanted(i * 100 * KiB, i * 100 * KiB + 10 * KiB)
  for (let i = 0; i < 9; i++) await ranges.read([part(i)])
  await ranges.read([part(0)])
  expect([reads.length, ranges.keptBytes <= 100 * KiB]).toEqual([9, true])
  for (let i = 9; i < 15; i++) await ranges.read([part(i)])
  await ranges.read([part(0)])
  expect(reads.length).toBe(15)
  await ranges.read([part(1)])
  expect([reads.length, ranges.keptBytes <= 100 * KiB]).toEqual([16, true])
})

test('a large range is kept when it is asked for again', async () => {
  const { reads, objects } = store()
  const ranges = new Ranges(objects, 8 * 1024 * KiB)
  for (let i = 0; i < 4; i++) await ranges.read([wanted(0, 256 * KiB)])
  expect(reads.length).toBe(2)
})

test.each(['damage', 'short'] as const)(
  'a read that comes back with %s is read again, and given up after three',
  async (kind) => {
    const { reads, state, objects } = store()
    state[kind] = 2
    expect(sizes(await new Ranges(objects, 0).read([wanted(5, 9)]))).toEqual([4])
    expect(reads.length).toBe(3)
    state[kind] = 3
    await expect(new Ranges(objects, 0).read([wanted(5, 9)])).rejects.toMatchObject({ code: 'internal' })
  },
)

test('a failure is told to all who wait, and is not kept', async () => {
  const { state, objects } = store()
  const ranges = new Ranges(objects, 100 * KiB)
  state.damage = 3
  const asked = [ranges.read([wanted(0, 9)]), ranges.read([wanted(0, 9)])]
  expect((await Promise.allSettled(asked)).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(sizes(await ranges.read([wanted(0, 9)]))).toEqual([9])
})

test('what is given back is let go, but not while another reader has it or it is kept', async () => {
  const { reads, objects } = store()
  const ranges = new Ranges(objects, 8 * 1024 * KiB)
  const large = wanted(0, 256 * KiB)
  const [first, second] = [ranges.borrow(), ranges.borrow()]
  const [[one, again], [other]] = await Promise.all([first.read([large, large]), second.read([large])])
  first.release()
  expect(sizes([one, again, other] as Uint8Array[])).toEqual([256 * KiB, 256 * KiB, 256 * KiB])
  second.release()
  second.release()
  expect(sizes([one, other] as Uint8Array[])).toEqual([0, 0])
  const third = ranges.borrow()
  const [kept] = await third.read([large])
  third.release()
  const [taken] = await ranges.read([large])
  expect([reads.length, kept?.length, taken]).toEqual([2, 256 * KiB, bytes.slice(0, 256 * KiB)])
})

test('what is no longer kept is let go when its last reader gives it back, and never if one does not', async () => {
  const { objects } = store()
  const ranges = new Ranges(objects, 160 * KiB)
  const part = (i: number): Wanted => wanted(i * 60 * KiB, i * 60 * KiB + 20 * KiB)
  const borrowed = ranges.borrow()
  const [mine] = await borrowed.read([part(0)])
  const [never] = await ranges.read([part(1)])
  const early = ranges.borrow()
  const [kept] = await early.read([part(2)])
  early.release()
  expect(sizes([kept] as Uint8Array[])).toEqual([20 * KiB])
  for (let i = 3; i < 12; i++) await ranges.read([part(i)])
  expect(sizes([mine, never, kept] as Uint8Array[])).toEqual([20 * KiB, 20 * KiB, 0])
  borrowed.release()
  expect(sizes([mine, never] as Uint8Array[])).toEqual([0, 20 * KiB])
})

test('what the store has at hand is not waited for, and what is damaged there is read again', async () => {
  const { reads, objects } = store()
  let damage = 0
  const readNow = (_: string, asked: readonly ByteRange[]): readonly (Uint8Array | undefined)[] =>
    asked.map(({ start, end }) => {
      if (end - start > 1_000) return undefined
      const found = bytes.slice(start, end)
      if (damage-- > 0) found[0] = 255
      return found
    })
  const ranges = new Ranges({ ...objects, readNow }, 0)
  const [small, again, long] = [wanted(5, 9), wanted(5, 9), wanted(100 * KiB, 110 * KiB)]
  expect(sizes(await ranges.read([small, again, long]))).toEqual([4, 4, 10 * KiB])
  expect(reads).toEqual([`a ${100 * KiB}-${110 * KiB}`])
  damage = 1
  expect(sizes(await ranges.read([small]))).toEqual([4])
  expect(reads.at(-1)).toBe('a 5-9')
})

test('what is read in passing lies in memory that is used again, what is kept or not given back does not', async () => {
  const { objects } = store()
  const readNow = (_: string, asked: readonly RangeInto[]): readonly Uint8Array[] =>
    asked.map(({ start, end, into = new Uint8Array(end - start) }) => {
      into.set(bytes.subarray(start, end))
      return into
    })
  const ranges = new Ranges({ ...objects, readNow }, 8 * 1024 * KiB)
  const parts = (first: number, bytesEach: number, key = 'a'): Wanted[] =>
    Array.from({ length: 8 }, (_, i) => wanted(first + i * 100 * KiB, first + i * 100 * KiB + bytesEach, key))
  const right = (found: readonly Uint8Array[], all: readonly Wanted[]): boolean =>
    found.every((one, i) => Buffer.from(one).equals(bytes.subarray(all[i]?.start, all[i]?.end)))
  const [passing, other, small] = [parts(0, 50 * KiB), parts(1, 50 * KiB), parts(2, 20 * KiB, 'b')]
  const first = ranges.borrow()
  const rooms: Uint8Array[] = []
  const front = { bytes: 16, give: (room: Uint8Array) => rooms.push(room.fill(9)) }
  const found = await first.read([...passing, ...small].map((one) => ({ ...one, front })))
  expect(rooms.map(({ buffer, byteOffset }) => [buffer, byteOffset + 16])).toEqual(
    found.slice(0, 8).map(({ buffer, byteOffset }) => [buffer, byteOffset]),
  )
  expect([right(found, [...passing, ...small]), new Set(found.slice(0, 8).map(({ buffer }) => buffer)).size]).toEqual([true, 1])
  const never = await ranges.read(parts(3, 50 * KiB))
  first.release()
  expect(new Set(sizes(found))).toEqual(new Set([0, 20 * KiB]))
  const second = ranges.borrow()
  const others = await second.read(other)
  const again = await second.read(passing)
  expect([right(others, other), right(again, passing), right(never, parts(3, 50 * KiB))]).toEqual([true, true, true])
  second.release()
  expect([new Set(sizes(others)), right(again, passing), right(never, parts(3, 50 * KiB))]).toEqual([new Set([0]), true, true])
})
