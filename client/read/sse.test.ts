import { expect, test } from 'vitest'
import { utf8 } from '../../core/kernel/bytes.ts'
import { serverEvents } from './sse.ts'

const text = 'retry: 5\r\n\r\n: alive\n\nevent: records\nid: é1\ndata: [1,\ndata:2]\n\rid: 2\n\ndata: rest'

async function* pieces(size: number) {
  const bytes = utf8(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

test.each([1, 2, 3, 7, 1_000])('events are the same in pieces of %i bytes, and what is not whole is dropped', async (size) => {
  expect(await Array.fromAsync(serverEvents(pieces(size)))).toEqual([
    { event: 'records', data: '[1,\n2]', id: 'é1', retryMs: 5 },
    { event: 'message', data: undefined, id: '2', retryMs: 5 },
  ])
})
