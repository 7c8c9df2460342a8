/** The status of a produce over several buckets, as a table. */
import { describe, expect, test } from 'vitest'
import { errorBody, statusOf } from '../../contract/errors.ts'
import { joined } from '../../core/kernel/bytes.ts'
import { type ErrorCode, isSluiceError, SluiceError } from '../../core/kernel/errors.ts'
import { offsetOf } from '../../core/kernel/ids.ts'
import type { BucketAppended } from '../../core/log/types.ts'
import { producedReply } from './produced.ts'

type Outcome = 'done' | 'duplicate' | ErrorCode | `${ErrorCode}?`

function appended(outcomes: readonly Outcome[]): BucketAppended[] {
  return outcomes.map((outcome, bucket) => {
    const place = { partition: '', bucket }
    if (outcome === 'done' || outcome === 'duplicate') {
      return { ...place, outcome: { done: true, base: offsetOf(5), end: offsetOf(7), duplicate: outcome === 'duplicate' } }
    }
    const code = outcome.replace('?', '') as ErrorCode
    return {
      ...place,
      outcome: { done: false, error: new SluiceError(code, 'why', { effect: outcome.endsWith('?') ? 'unknown' : 'none' }) },
    }
  })
}

function answerTo(outcomes: readonly Outcome[]) {
  try {
    const reply = producedReply(appended(outcomes))
    return { status: reply.status, body: JSON.parse(Buffer.from(joined(reply.body)).toString()) }
  } catch (error) {
    if (!isSluiceError(error)) throw error
    return { status: statusOf[error.code], error: errorBody(error) }
  }
}

test('one bucket', () => {
  expect(answerTo(['done'])).toEqual({
    status: 200,
    body: { buckets: [{ partition: '', bucket: 0, baseOffset: '5', endOffset: '7' }], duplicate: false },
  })
  expect(answerTo(['duplicate']).body.duplicate).toBe(true)
  expect(answerTo(['sequence-gap'])).toMatchObject({ status: 409, error: { code: 'sequence-gap', effect: 'none' } })
})

test('several buckets say what became of each', () => {
  const { body } = answerTo(['done', 'duplicate'])
  expect(body.duplicate).toBe(false)
  expect(body.buckets.map((bucket: { effect: string; duplicate: boolean }) => [bucket.effect, bucket.duplicate])).toEqual([
    ['done', false],
    ['done', true],
  ])
  expect(answerTo(['duplicate', 'duplicate']).body.duplicate).toBe(true)
})

describe('some buckets fail', () => {
  const table: readonly (readonly [readonly Outcome[], number, ErrorCode, string, string])[] = [
    [['done', 'unavailable'], 503, 'unavailable', 'partial', 'retry'],
    [['done', 'throttled'], 503, 'unavailable', 'partial', 'retry'],
    [['duplicate', 'unavailable?'], 503, 'unavailable', 'partial', 'retry'],
    [['unavailable', 'unavailable'], 503, 'unavailable', 'none', 'retry'],
    [['throttled', 'throttled'], 429, 'throttled', 'none', 'retry'],
    [['done', 'changed'], 503, 'unavailable', 'partial', 'retry'],
    [['changed', 'changed'], 412, 'changed', 'none', 'retry'],
    [['unavailable', 'unavailable?'], 503, 'unavailable', 'unknown', 'retry'],
    [['done', 'sequence-old'], 409, 'sequence-old', 'partial', 'stop'],
    [['unavailable', 'stale-epoch', 'sequence-old'], 403, 'stale-epoch', 'none', 'stop'],
    [['done', 'full', 'unavailable'], 507, 'full', 'partial', 'stop'],
  ]
  test.each(table)('%o answers %d', (outcomes, status, code, effect, action) => {
    const answer = answerTo(outcomes)
    expect(answer).toMatchObject({ status, error: { code, effect, action } })
    expect(answer.error?.facts.buckets).toHaveLength(outcomes.length)
  })
})
