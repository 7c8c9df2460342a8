import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { utf8, utf8Text } from '../../kernel/bytes.ts'
import { offsetOf } from '../../kernel/ids.ts'
import {
  advancePoints,
  decodePoints,
  encodePoints,
  noPoints,
  type Page,
  type PlacedPoints,
  type Points,
  planPoints,
  pointAt,
} from './points.ts'

const page: Page = new Map([
  [1023, { offset: offsetOf(2n ** 63n - 1n), time: 1_800_000_000_000 }],
  [0, { offset: offsetOf(0n), time: 0 }],
  [7, { offset: offsetOf(2n ** 53n + 1n), time: 5 }],
])
const points: Points = new Map([['', page]])

test('points come back exactly, in bucket order', () => {
  const bytes = encodePoints({ pages: points, elsewhere: [] })
  expect(utf8Text(bytes)).toBe(
    '{"version":1,"pages":{"":{"0":["0",0],"7":["9007199254740993",5],"1023":["9223372036854775807",1800000000000]}}}',
  )
  expect(decodePoints(bytes, crc32(bytes))).toEqual({ pages: points, elsewhere: [] })
})

test('pages of partitions come back, with the places of those that lie elsewhere', () => {
  const pages: Points = new Map([
    ['00000001', page],
    ['ffffffff', new Map()],
  ])
  const elsewhere = [{ key: 'lake/x/points/a.json', crc32: 2 ** 32 - 1, partitions: ['0badcafe'] }]
  const bytes = encodePoints({ pages, elsewhere })
  expect(decodePoints(bytes, crc32(bytes))).toEqual({ pages, elsewhere })
})

test('a flipped bit is noticed', () => {
  const bytes = encodePoints({ pages: points, elsewhere: [] })
  const crc = crc32(bytes)
  bytes[40] = (bytes[40] as number) ^ 1
  expect(() => decodePoints(bytes, crc)).toThrow(/checksum/)
})

test.each([
  '',
  '[]',
  '{}',
  '{"version":3,"pages":{"":{}}}',
  '{"version":2,"pages":{"A0000001":{}}}',
  '{"version":2,"pages":{"0001":{}}}',
  '{"version":2,"pages":{"00000001":[]}}',
  '{"version":2,"pages":{},"elsewhere":{}}',
  '{"version":2,"pages":{},"elsewhere":[["k",1]]}',
  '{"version":2,"pages":{},"elsewhere":[["k",1,["x"]]]}',
  '{"version":1,"pages":{}}',
  '{"version":1,"pages":{"":{"-1":["0",0]}}}',
  '{"version":1,"pages":{"":{"1024":["0",0]}}}',
  '{"version":1,"pages":{"":{"01":["0",0]}}}',
  '{"version":1,"pages":{"":{"1":"5"}}}',
  '{"version":1,"pages":{"":{"1":[5,0]}}}',
  '{"version":1,"pages":{"":{"1":["-5",0]}}}',
  '{"version":1,"pages":{"":{"1":["5",0.5]}}}',
])('%j is rejected', (text) => {
  expect(() => decodePoints(utf8(text), crc32(utf8(text)))).toThrow(/points object/)
})

test('a point never goes back', () => {
  const back = new Map([['', new Map([[7, { offset: offsetOf(1n), time: 9 }]])]])
  expect(() => advancePoints(points, back)).toThrow(/never goes back/)
  const on = advancePoints(points, new Map([['', new Map([[7, { offset: offsetOf(2n ** 53n + 2n), time: 9 }]])]]))
  expect(pointAt(on, { partition: '', bucket: 7 })?.offset).toBe(2n ** 53n + 2n)
  expect(pointAt(on, { partition: '', bucket: 0 })?.offset).toBe(0n)
})

test('a partition does not stand where another of its bucket does, and leaves with its page', () => {
  const one: Points = new Map([['00000001', page]])
  expect(pointAt(one, { partition: '00000002', bucket: 7 })).toBeUndefined()
  const reached: Points = new Map([['00000002', new Map([[7, { offset: offsetOf(3n), time: 1 }]])]])
  expect(advancePoints(one, reached, new Set(['00000001']))).toEqual(reached)
})

const idOf = (i: number): string => i.toString(16).padStart(8, '0')
const sixteen = (offset: bigint): Page =>
  new Map(Array.from({ length: 16 }, (_, bucket) => [bucket, { offset: offsetOf(offset), time: 1_800_000_000_000 }]))

/** Commits of one after another of the partitions, each read back from what was written so far. */
function commits(touches: readonly (readonly string[])[]): {
  readonly placed: PlacedPoints
  readonly bytes: readonly number[]
  readonly places: number
} {
  const objects = new Map<string, Points>()
  let placed = noPoints
  const bytes = touches.map((touched, i) => {
    const reached: Points = new Map(touched.map((id) => [id, sixteen(BigInt(i + 1))]))
    const key = `lake/t/points/${i}.json`
    const planned = planPoints(placed, { points: advancePoints(placed.points, reached), touched, key })
    objects.set(key, decodePoints(planned.bytes, crc32(planned.bytes)).pages)
    placed = planned.placed
    for (const [id, { key: at }] of placed.places)
      if (objects.get(at)?.get(id)?.get(0)?.offset !== placed.points.get(id)?.get(0)?.offset)
        throw new Error(`${id} is not in ${at}`)
    return planned.bytes.length
  })
  return { placed, bytes, places: new Set([...placed.places.values()].map(({ key }) => key)).size }
}

test('a commit to one of 1,000 partitions of 16 buckets writes its page and the places of the others', () => {
  const all = Array.from({ length: 1_000 }, (_, i) => idOf(i))
  const { bytes } = commits([all, [idOf(7)], [idOf(8)], [idOf(7)]])
  expect(bytes[0]).toBeGreaterThan(300_000)
  for (const size of bytes.slice(1)) expect(size).toBeLessThan(13_000)
})

test('pages that lie in many objects are gathered, so that a reader reads at most 17', () => {
  const { placed, bytes, places } = commits(Array.from({ length: 200 }, (_, i) => [idOf(i)]))
  expect(placed.points.size).toBe(200)
  expect(places).toBeLessThanOrEqual(17)
  expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(200 * 5_000)
})
