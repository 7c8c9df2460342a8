import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SluiceError } from '../../core/kernel/errors.ts'
import type { Job } from '../../core/ports/queue.ts'
import { decodeJob, encodeJob } from './job-codec.ts'

const job: Job = { kind: 'purge', table: { database: 'd', table: 't"', tableId: '1'.repeat(16) }, buckets: 16, marks: ['a', 'b'] }

test('a job survives the queue', () => {
  expect(decodeJob(encodeJob(job))).toEqual(job)
  expect(encodeJob(job)).toBe(
    `{"version":1,"kind":"purge","table":{"database":"d","table":"t\\"","tableId":"${'1'.repeat(16)}"},"buckets":16,"marks":["a","b"]}`,
  )
})

test('a message that is none of ours is refused with our error', () => {
  for (const text of [
    '',
    'null',
    '[]',
    '{}',
    '{"version":2}',
    encodeJob(job).replace('purge', 'rm'),
    encodeJob(job).replace('16,', '0,'),
    encodeJob(job).replace('16,', '"16",'),
    encodeJob(job).replace('["a","b"]', '[1]'),
  ]) {
    expect(() => decodeJob(text), text).toThrow(SluiceError)
  }
  fc.assert(
    fc.property(fc.json(), (text) => {
      expect(() => decodeJob(text)).toThrow(SluiceError)
    }),
  )
})
