import { expect, test } from 'vitest'
import { sigV4 } from './sigv4.ts'

const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
const now = (): number => Date.UTC(2015, 7, 30, 12, 36, 0)
const signer = (sendsHash: boolean) =>
  sigV4({ region: 'us-east-1', service: 'service', credentials: async () => credentials, now, sendsHash })

/** AWS's published test suite for signature version 4 (aws-sig-v4-test-suite): names, requests and signatures are its own. */
const unreserved = '-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
test.each([
  ['get-vanilla', 'GET', '/', {}, '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
  [
    'get-vanilla-empty-query-key',
    'GET',
    '/?Param1=value1',
    {},
    'a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb',
  ],
  [
    'get-vanilla-query-order-key-case',
    'GET',
    '/?Param2=value2&Param1=value1',
    {},
    'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  ],
  [
    'get-vanilla-query-unreserved',
    'GET',
    `/?${unreserved}=${unreserved}`,
    {},
    '9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197',
  ],
  ['post-vanilla', 'POST', '/', {}, '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
  ['post-vanilla-query', 'POST', '/?Param1=value1', {}, '28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11'],
  [
    'post-header-key-sort',
    'POST',
    '/',
    { 'my-header1': 'value1' },
    'c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c',
  ],
] as const)('%s of the test suite is signed as AWS signs it', async (_name, method, path, headers, signature) => {
  const url = new URL(path, 'https://example.amazonaws.com')
  const signed = await signer(false).authorize({ method, url, headers })
  const names = ['host', ...Object.keys(headers), 'x-amz-date'].join(';')
  expect(signed).toMatchObject({
    authorization: `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=${names}, Signature=${signature}`,
    'x-amz-date': '20150830T123600Z',
  })
})

test('post-x-www-form-urlencoded of the test suite is signed over its body', async () => {
  const signed = await signer(false).authorize({
    method: 'POST',
    url: new URL('https://example.amazonaws.com/'),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'Param1=value1',
  })
  expect(signed['authorization']).toContain('Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a')
})

test('the hash of the payload goes with the request, and so does a session', async () => {
  const session = sigV4({
    region: 'eu-west-1',
    service: 'glue',
    credentials: async () => ({ ...credentials, sessionToken: 'a session' }),
    now,
  })
  const signed = await session.authorize({
    method: 'GET',
    url: new URL('https://glue.eu-west-1.amazonaws.com/iceberg/v1/config'),
    headers: {},
  })
  expect(signed).toMatchObject({
    'x-amz-content-sha256': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    'x-amz-security-token': 'a session',
  })
  expect(signed['authorization']).toContain('SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token')
})

test('credentials that are not found are an error that says so', async () => {
  const lacking = sigV4({ region: 'r', service: 's', credentials: async () => Promise.reject(new Error('chain')), now })
  await expect(lacking.authorize({ method: 'GET', url: new URL('https://x/'), headers: {} })).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('AWS credentials'),
  })
})
