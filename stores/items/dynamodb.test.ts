/** What DynamoDB's answers mean, and what its expressions look like. The store itself is tested over the wire: test/wire. */
import { describe, expect, test } from 'vitest'
import type { Condition, Update } from '../../core/ports/items.ts'
import { type Answer, answering } from '../answering.ts'
import { retryDefaults, retryItems } from '../decorators/retry.ts'
import { JumpingClock, seededRandom } from '../decorators/testing.ts'
import { type DynamoItems, openDynamo } from './dynamodb.ts'
import { Expressions } from './expressions.ts'
import { marshalItem, unmarshalItem } from './marshal.ts'

const key = { partition: 'p', sort: 's' }
const update: Update = { key, set: { v: { plus: 'v', by: 1n } } }
const json = (status: number, body: object): Answer => ({
  status,
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/x-amz-json-1.0' },
})
const fails = (name: string, more: object = {}): Answer =>
  json(400, { __type: `com.amazonaws.dynamodb.v20120810#${name}`, message: 'no', ...more })
const cancelled = (...codes: string[]): Answer =>
  fails('TransactionCanceledException', { CancellationReasons: codes.map((Code) => ({ Code, Message: 'no' })) })

function against(
  answers: readonly Answer[],
  run: (items: DynamoItems, asked: readonly string[]) => Promise<void>,
): Promise<void> {
  return answering(answers, async (endpoint, asked) => {
    const credentials = { accessKeyId: 'a', secretAccessKey: 's' }
    const items = openDynamo('table', {
      endpoint,
      region: 'us-east-1',
      credentials,
      requestMsMax: answers.includes('silence') ? 300 : 15_000,
    })
    try {
      await run(items, asked)
    } finally {
      items.close()
    }
  })
}

describe('an update', () => {
  const outcomes: readonly (readonly [string, Answer, object])[] = [
    [
      'ProvisionedThroughputExceeded',
      fails('ProvisionedThroughputExceededException'),
      { code: 'throttled', effect: 'none', action: 'retry' },
    ],
    ['ThrottlingException', fails('ThrottlingException'), { code: 'throttled', effect: 'none' }],
    ['RequestLimitExceeded', fails('RequestLimitExceeded'), { code: 'throttled', effect: 'none' }],
    ['a transaction', fails('TransactionConflictException'), { code: 'unavailable', effect: 'none', action: 'retry' }],
    ['500', json(500, { __type: 'InternalServerError' }), { code: 'unavailable', effect: 'unknown', action: 'retry' }],
    ['a broken connection', 'reset', { code: 'unavailable', effect: 'unknown', action: 'retry' }],
    ['silence', 'silence', { code: 'unavailable', effect: 'unknown', action: 'retry' }],
    ['an absent table', fails('ResourceNotFoundException'), { code: 'unavailable', effect: 'none', action: 'stop' }],
    ['a missing permission', fails('AccessDeniedException'), { code: 'unavailable', effect: 'none', action: 'stop' }],
    ['a refusal of the expression', fails('ValidationException'), { code: 'internal', effect: 'none', action: 'stop' }],
    [
      'the size limit',
      fails('ValidationException', { message: 'Item size to update has exceeded the maximum allowed size' }),
      { code: 'too-large', effect: 'none' },
    ],
  ]
  for (const [title, answer, expected] of outcomes) {
    test(`that meets ${title} says so, after one attempt`, () =>
      against([answer], async (items, asked) => {
        await expect(items.update(update)).rejects.toMatchObject({ name: 'SluiceError', ...expected })
        expect(asked).toHaveLength(1)
      }))
  }

  test('behind the retry rides through throttling', () =>
    against(
      [
        fails('ProvisionedThroughputExceededException'),
        fails('ThrottlingException'),
        json(200, { Attributes: { v: { N: '2' } } }),
      ],
      async (items) => {
        const patient = retryItems(items, { ...retryDefaults, clock: new JumpingClock(), random: seededRandom(1) })
        expect(await patient.update(update)).toEqual({ done: true, item: { key, attributes: { v: 2n } } })
      },
    ))

  test('refused after a lost answer says that it may have been done', () =>
    against(
      ['reset', fails('ConditionalCheckFailedException', { Item: { pk: { S: 'p' }, sk: { S: 's' }, v: { N: '2' } } })],
      async (items) => {
        const patient = retryItems(items, { ...retryDefaults, clock: new JumpingClock(), random: seededRandom(1) })
        expect(await patient.update(update)).toEqual({ done: false, ambiguous: true, item: { key, attributes: { v: 2n } } })
      },
    ))
})

describe('a transaction', () => {
  const actions = [{ update }, { create: { key: { partition: 'p', sort: 't' }, attributes: {} } }]
  test('names the first failed condition', () =>
    against([cancelled('None', 'ConditionalCheckFailed')], async (items) => {
      expect(await items.transact(actions)).toEqual({ done: false, failed: 1 })
    }))

  test.each([
    ['TransactionConflict', { code: 'unavailable', effect: 'none', action: 'retry' }],
    ['ProvisionedThroughputExceeded', { code: 'throttled', effect: 'none', action: 'retry' }],
    ['ThrottlingError', { code: 'throttled', effect: 'none', action: 'retry' }],
    ['ValidationError', { code: 'internal', effect: 'none', action: 'stop' }],
  ])('that is cancelled by %s had no effect', (reason, expected) =>
    against([cancelled('None', reason)], async (items) => {
      await expect(items.transact(actions)).rejects.toMatchObject(expected)
    }),
  )
})

describe('expressions', () => {
  test('read before they write, remove from the end, and never create', () => {
    const expressions = new Expressions()
    const written = expressions.update({
      key,
      set: {
        end: { plus: 'end', by: 3n },
        q: { plus: 'end', by: 0n },
        p: { value: { e: 1n } },
        recent: { append: ['x'] },
        once: { ifAbsent: 1n },
      },
      remove: ['gone'],
      removeLeading: { list: 'old', count: 3 },
    })
    expect(spelled(written, expressions)).toBe(
      'SET q = end + 0, end = end + 3, p = {"e":{"N":"1"}}, recent = list_append(recent, [{"S":"x"}]), once = if_not_exists(once, 1) REMOVE gone, old[2], old[1], old[0]',
    )
  })

  test('keep the nesting of conditions', () => {
    const condition: Condition = {
      is: 'and',
      all: [
        { is: 'equal', path: 'open', value: 1n },
        { is: 'shorter', path: 'recent', value: 64n },
        { is: 'lacks', path: 'recent', value: 'x' },
        {
          is: 'or',
          all: [
            { is: 'absent', path: 'p' },
            { is: 'less', path: 'p.e', value: 1n },
            {
              is: 'and',
              all: [
                { is: 'exists', path: 'p.s' },
                { is: 'contains', path: 'l', value: 'y' },
              ],
            },
          ],
        },
      ],
    }
    const expressions = new Expressions()
    expect(spelled(expressions.existing(condition), expressions)).toBe(
      'attribute_exists(pk) AND (open = 1 AND size(recent) < 64 AND (NOT contains(recent, "x")) AND (attribute_not_exists(p) OR p.e < 1 OR (attribute_exists(p.s) AND contains(l, "y"))))',
    )
  })

  function spelled(text: string, expressions: Expressions): string {
    const { ExpressionAttributeNames: names, ExpressionAttributeValues: values = {} } = expressions.placeholders()
    return text
      .replace(/#n\d+/g, (placeholder) => names[placeholder] ?? '?')
      .replace(/:v\d+/g, (placeholder) => {
        const value = values[placeholder]
        return value?.N ?? JSON.stringify(value?.S ?? value?.L ?? value?.M)
      })
  }
})

describe('marshalling', () => {
  test('is exact for every integer, however a server writes it', () => {
    for (const v of [0n, -1n, 2n ** 31n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n), 10n ** 38n - 1n]) {
      expect(unmarshalItem(marshalItem({ key, attributes: { v } })).attributes.v).toBe(v)
    }
    const read = (N: string) => unmarshalItem({ pk: { S: 'p' }, sk: { S: 's' }, v: { N } }).attributes.v
    expect([read('1E+20'), read('1.5e1'), read('-12.00'), read('+3'), read('1e2')]).toEqual([10n ** 20n, 15n, -12n, 3n, 100n])
    for (const foreign of ['1.5', '1e-1', '', 'NaN', '0x10', '1e999'])
      expect(() => read(foreign), foreign).toThrow(/we never write/)
  })

  test('refuses what we never write', () => {
    expect(() => unmarshalItem({ pk: { S: 'p' }, sk: { S: 's' }, v: { NULL: true } })).toThrow(/we never write/)
    expect(() => unmarshalItem({ pk: { S: 'p' }, sk: { S: 's' }, v: { SS: ['a'] } })).toThrow(/we never write/)
    expect(() => unmarshalItem({ v: { S: 'a' } })).toThrow(/without our key/)
  })
})
