import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { utf8, utf8Text } from '../../kernel/bytes.ts'
import { offsetOf } from '../../kernel/ids.ts'
import { advancePoints, decodePoints, encodePoints, type Points } from './points.ts'

const points: Points = new Map([
  [1023, { offset: offsetOf(2n ** 63n - 1n), time: 1_800_000_000_000 }],
  [0, { offset: offsetOf(0n), time: 0 }],
  [7, { offset: offsetOf(2n ** 53n + 1n), time: 5 }],
])

test('points come back exactly, in bucket order', () => {
  const bytes = encodePoints(points)
  expect(utf8Text(bytes)).toBe(
    '{"version":1,"pages":{"":{"0":["0",0],"7":["9007199254740993",5],"1023":["9223372036854775807",1800000000000]}}}',
  )
  expect(decodePoints(bytes, crc32(bytes))).toEqual(points)
})

test('a flipped bit is noticed', () => {
  const bytes = encodePoints(points)
  const crc = crc32(bytes)
  bytes[40] = (bytes[40] as number) ^ 1
  expect(() => decodePoints(bytes, crc)).toThrow(/checksum/)
})

test.each([
  '',
  '[]',
  '{}',
  '{"version":2,"pages":{"":{}}}',
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
  const back = new Map([[7, { offset: offsetOf(1n), time: 9 }]])
  expect(() => advancePoints(points, back)).toThrow(/never goes back/)
  const on = advancePoints(points, new Map([[7, { offset: offsetOf(2n ** 53n + 2n), time: 9 }]]))
  expect(on.get(7)?.offset).toBe(2n ** 53n + 2n)
  expect(on.get(0)?.offset).toBe(0n)
})
