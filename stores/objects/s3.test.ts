/** What S3's answers mean. The store itself is tested over the wire: test/wire. */
import { describe, expect, test } from 'vitest'
import { utf8, utf8Text } from '../../core/kernel/bytes.ts'
import { type Answer, answering } from '../answering.ts'
import { retryDefaults, retryObjects } from '../decorators/retry.ts'
import { JumpingClock, seededRandom } from '../decorators/testing.ts'
import { openS3, type S3Objects } from './s3.ts'

const xml = (status: number, code: string): Answer => ({
  status,
  body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`,
})
const ok: Answer = { status: 200 }
const partial = (body: string, range: string): Answer => ({ status: 206, body, headers: { 'content-range': range } })

function against(
  answers: readonly Answer[],
  run: (objects: S3Objects, asked: readonly string[]) => Promise<void>,
): Promise<void> {
  return answering(answers, async (endpoint, asked) => {
    const credentials = { accessKeyId: 'a', secretAccessKey: 's' }
    const objects = openS3('b', 'p', {
      endpoint,
      region: 'us-east-1',
      credentials,
      pathStyle: true,
      requestMsMax: answers.includes('silence') ? 300 : 15_000,
    })
    try {
      await run(objects, asked)
    } finally {
      objects.close()
    }
  })
}

describe('a create', () => {
  const outcomes: readonly (readonly [string, Answer, object])[] = [
    ['503 SlowDown', xml(503, 'SlowDown'), { code: 'throttled', effect: 'none', action: 'retry' }],
    ['500', xml(500, 'InternalError'), { code: 'unavailable', effect: 'unknown', action: 'retry' }],
    ['503 without SlowDown', xml(503, 'ServiceUnavailable'), { code: 'unavailable', effect: 'unknown', action: 'retry' }],
    [
      '502 from something in between',
      { status: 502, body: '<html>bad gateway</html>' },
      { code: 'unavailable', effect: 'unknown', action: 'retry' },
    ],
    ['403', xml(403, 'AccessDenied'), { code: 'unavailable', effect: 'none', action: 'stop', message: /access is denied/ }],
    ['an absent bucket', xml(404, 'NoSuchBucket'), { code: 'unavailable', effect: 'none', action: 'stop' }],
    ['400', xml(400, 'InvalidRequest'), { code: 'internal', effect: 'none', action: 'stop' }],
    ['a broken connection', 'reset', { code: 'unavailable', effect: 'unknown', action: 'retry' }],
    ['silence', 'silence', { code: 'unavailable', effect: 'unknown', action: 'retry' }],
  ]
  for (const [title, answer, expected] of outcomes) {
    test(`that meets ${title} says so, after one attempt`, () =>
      against([answer], async (objects, asked) => {
        await expect(objects.create('k', utf8('mine'))).rejects.toMatchObject({ name: 'SluiceError', ...expected })
        expect(asked).toHaveLength(1)
      }))
  }

  test.each([412, 409])('that is told %i reads back: the same bytes are its own', (status) =>
    against([xml(status, 'PreconditionFailed'), { status: 200, body: 'mine' }], async (objects) => {
      expect(await objects.create('k', utf8('mine'))).toBe('created')
    }),
  )

  test.each([412, 409])('that is told %i reads back: other bytes exist', (status) =>
    against([xml(status, 'PreconditionFailed'), { status: 200, body: 'other' }], async (objects) => {
      expect(await objects.create('k', utf8('mine'))).toBe('exists')
    }),
  )

  test('that is told 409 while nothing is there had no effect', () =>
    against([xml(409, 'ConditionalRequestConflict'), xml(404, 'NoSuchKey')], async (objects) => {
      await expect(objects.create('k', utf8('mine'))).rejects.toMatchObject({
        code: 'unavailable',
        effect: 'none',
        action: 'retry',
      })
    }))

  test('that cannot read back leaves its outcome unknown', () =>
    against([xml(412, 'PreconditionFailed'), xml(500, 'InternalError')], async (objects) => {
      await expect(objects.create('k', utf8('mine'))).rejects.toMatchObject({ code: 'unavailable', effect: 'unknown' })
    }))

  test('behind the retry rides through SlowDown and a lost answer to created', () => {
    const answers = [
      xml(503, 'SlowDown'),
      xml(503, 'SlowDown'),
      'reset' as const,
      xml(412, 'PreconditionFailed'),
      { status: 200, body: 'mine' },
    ]
    return against(answers, async (objects, asked) => {
      const patient = retryObjects(objects, { ...retryDefaults, clock: new JumpingClock(), random: seededRandom(1) })
      expect(await patient.create('k', utf8('mine'))).toBe('created')
      expect(asked.map((request) => request.split(' ')[0])).toEqual(['PUT', 'PUT', 'PUT', 'PUT', 'GET'])
    })
  })
})

describe('a range read', () => {
  const range = { start: 2, end: 5 }
  test('gives the bytes that were asked for', () =>
    against([partial('234', 'bytes 2-4/10')], async (objects) => {
      expect(utf8Text(await objects.read('k', range))).toBe('234')
    }))

  const wrong: readonly (readonly [string, Answer, object])[] = [
    ['fewer bytes', partial('23', 'bytes 2-3/4'), { code: 'internal' }],
    ['another range', partial('345', 'bytes 3-5/10'), { code: 'internal' }],
    ['the whole object', { status: 200, body: '012' }, { code: 'internal', message: /ignored the range/ }],
    ['416', xml(416, 'InvalidRange'), { code: 'internal' }],
    [
      'a body that breaks off',
      { status: 206, body: '23', headers: { 'content-range': 'bytes 2-4/10', 'content-length': '3' }, breaksOff: true },
      { code: 'unavailable', effect: 'none' },
    ],
    ['404', xml(404, 'NoSuchKey'), { code: 'not-found' }],
    ['500', xml(500, 'InternalError'), { code: 'unavailable', effect: 'none', action: 'retry' }],
  ]
  for (const [title, answer, expected] of wrong) {
    test(`that is given ${title} is refused`, () =>
      against([answer], async (objects) => {
        await expect(objects.read('k', range)).rejects.toMatchObject({ name: 'SluiceError', ...expected })
      }))
  }
})

test('a batch delete in which one key fails is not done', () =>
  against(
    [{ status: 200, body: '<DeleteResult><Error><Key>p/k</Key><Code>InternalError</Code></Error></DeleteResult>' }],
    async (objects) => {
      await expect(objects.delete(['k', 'l'])).rejects.toMatchObject({
        code: 'unavailable',
        effect: 'unknown',
        facts: { code: 'InternalError' },
      })
    },
  ))

test('a replace says what is known', () =>
  against([ok, xml(500, 'InternalError')], async (objects) => {
    await objects.replace('k', utf8('x'))
    await expect(objects.replace('k', utf8('x'))).rejects.toMatchObject({ effect: 'unknown' })
  }))
