import { describe, expect, test } from 'vitest'
import { media, rowMedia } from '../../contract/media.ts'
import { bodyEncodingOf, bodyMediaOf, chooseEncoding, chooseMedia } from './negotiate.ts'

describe('Accept', () => {
  test.each([
    [undefined, media.ndjson],
    ['*/*', media.ndjson],
    ['application/json', media.json],
    ['APPLICATION/JSON; charset=utf-8', media.json],
    ['application/*', media.ndjson],
    ['application/json;q=0.5, application/vnd.apache.arrow.stream', media.arrow],
    ['text/html, application/xhtml+xml, */*;q=0.8', media.ndjson],
    ['application/x-ndjson;q=0, */*', media.json],
  ])('%s', (accept, chosen) => {
    expect(chooseMedia(accept, rowMedia)).toBe(chosen)
  })

  test('nothing that is there: the answer names what is', () => {
    expect(() => chooseMedia('text/csv', rowMedia)).toThrow(/application\/x-ndjson, application\/json, application\/vnd/)
    expect(() => chooseMedia('application/json;q=0', [media.json])).toThrow()
  })
})

describe('Content-Type', () => {
  test.each(['application/json', 'Application/JSON', 'application/json;charset=UTF-8', 'application/json; charset="utf-8"'])(
    '%s',
    (type) => {
      expect(bodyMediaOf(type, [media.json])).toBe(media.json)
    },
  )
  test.each([
    undefined,
    '',
    'text/plain',
    'application/json;charset=latin1',
    'application/x-www-form-urlencoded',
    'application/jsonx',
  ])('%s is refused', (type) => {
    expect(() => bodyMediaOf(type, [media.json])).toThrow('application/json')
  })
})

test('encodings: the best that the caller takes, the one that came', () => {
  expect(
    [undefined, '', 'identity', 'br', 'gzip', 'gzip, zstd', 'gzip;q=1, zstd;q=0.5', '*', 'zstd;q=0'].map(chooseEncoding),
  ).toEqual([undefined, undefined, undefined, undefined, 'gzip', 'zstd', 'gzip', 'zstd', undefined])
  expect([undefined, 'identity', 'GZIP', 'zstd'].map(bodyEncodingOf)).toEqual([undefined, undefined, 'gzip', 'zstd'])
  expect(() => bodyEncodingOf('gzip, zstd')).toThrow('zstd, gzip')
})
