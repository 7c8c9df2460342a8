import { expect, test } from 'vitest'
import { s3EngineOptions } from './engine-options.ts'

test('a server of one’s own is named with its endpoint and by path', () => {
  expect(s3EngineOptions({ endpoint: 'http://h:1', region: 'r', pathStyle: true })).toEqual({
    's3.endpoint': 'http://h:1',
    's3.region': 'r',
    'client.region': 'r',
    's3.path-style-access': 'true',
  })
})

test('on AWS the region is enough', () => {
  expect(s3EngineOptions({ region: 'eu-central-1' })).toEqual({ 's3.region': 'eu-central-1', 'client.region': 'eu-central-1' })
})
