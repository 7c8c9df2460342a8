import { randomBytes } from 'node:crypto'
import { env } from 'node:process'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { utf8 } from '../../core/kernel/bytes.ts'
import { objectStoreCases } from '../../core/ports/objects.case.ts'
import type { ObjectStore } from '../../core/ports/objects.ts'
import { retryDefaults, retryObjects } from '../../stores/decorators/retry.ts'
import { openS3, type S3Objects } from '../../stores/objects/s3.ts'
import { credentials, required } from './server.ts'

const bucket = 'sluice-wire'
const options = {
  endpoint: required('WIRE_S3_ENDPOINT'),
  region: 'us-east-1',
  pathStyle: true,
  credentials,
  // R2's endpoint knows neither CRC trailers nor 100-continue.
  checksums: env.WIRE_S3_CHECKSUMS === 'supported' ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED',
  expectContinue: false,
} as const

/** A busy miniflare resets connections now and then; the product never speaks to S3 without the retry either. */
function patient(objects: S3Objects): ObjectStore {
  const clock = { now: () => Date.now(), sleep: (ms: number) => setTimeout(ms) }
  return retryObjects(objects, { ...retryDefaults, clock, random: { bytes: (count) => randomBytes(count) } })
}

objectStoreCases('S3 over the wire', async () => {
  const objects = openS3(bucket, 'some/prefix', options)
  return { objects: patient(objects), close: async () => objects.close() }
})

describe('S3 over the wire', () => {
  test('more than a page of objects is listed in order and deleted at once', async () => {
    const store = openS3(bucket, 'pages', options)
    const objects = patient(store)
    const keys = Array.from({ length: 1_050 }, (_, i) => `many/${String(i).padStart(5, '0')}`)
    for (let at = 0; at < keys.length; at += 50)
      await Promise.all(keys.slice(at, at + 50).map((key) => objects.create(key, utf8('x'))))
    const listed: string[] = []
    for await (const { key } of objects.list('many/')) listed.push(key)
    expect(listed).toEqual(keys)
    await objects.delete(keys)
    for await (const { key } of objects.list('many/')) expect(key).toBe('gone')
    store.close()
  })

  test('a server that does not listen is known to have done nothing', async () => {
    const objects = openS3(bucket, '', { ...options, endpoint: 'http://127.0.0.1:9' })
    await expect(objects.create('k', utf8('x'))).rejects.toMatchObject({ code: 'unavailable', effect: 'none', action: 'retry' })
  })

  test('a time-out of a write leaves its outcome unknown', async () => {
    const objects = openS3(bucket, '', { ...options, requestMsMax: 1 })
    await expect(objects.create('late', utf8('x'))).rejects.toMatchObject({
      code: 'unavailable',
      effect: 'unknown',
      action: 'retry',
    })
    await expect(objects.read('late')).rejects.toMatchObject({ code: 'unavailable', effect: 'none' })
  })

  test('an absent bucket and wrong credentials stop, with a reason', async () => {
    const elsewhere = openS3('no-such-bucket', '', options)
    await expect(elsewhere.create('k', utf8('x'))).rejects.toMatchObject({ code: 'unavailable', effect: 'none', action: 'stop' })
    const stranger = openS3(bucket, '', { ...options, credentials: { ...credentials, secretAccessKey: 'wrong' } })
    await expect(stranger.create('k', utf8('x'))).rejects.toMatchObject({
      code: 'unavailable',
      effect: 'none',
      action: 'stop',
      message: /access is denied/,
    })
  })
})
