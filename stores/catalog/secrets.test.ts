/** A catalog's token in AWS Secrets Manager: a fake that takes nothing but GetSecretValue, signed for the region in the ARN. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import type { LakeCatalog } from '../../core/ports/lake-catalog.ts'
import { MemoryObjects } from '../objects/memory.ts'
import { objectsUnder } from './objects-under.ts'
import { openCatalogs } from './open.ts'
import { isSignedBy, servedCatalog } from './serving.case.ts'

const credentials = { accessKeyId: 'AKID', secretAccessKey: 'SECRET' }
const arn = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:sluice/lake-AbC123'
const name = { namespace: ['n'], table: 't' }

interface Manager {
  secret: string | object
  status: number
  asked: number
}

async function site(
  run: (manager: Manager, catalog: LakeCatalog, time: { at: number }) => Promise<void>,
  keys = credentials,
): Promise<void> {
  const manager: Manager = { secret: 'first', status: 200, asked: 0 }
  const knows = isSignedBy(credentials, { region: 'eu-west-1', service: 'secretsmanager' })
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      manager.asked += 1
      const body = Buffer.concat(parts).toString()
      const { method = '', url: path = '', headers } = request
      const isAsked = headers['x-amz-target'] === 'secretsmanager.GetSecretValue' && body === JSON.stringify({ SecretId: arn })
      const isKnown = isAsked && knows({ method, path, headers, body })
      response.writeHead(isKnown ? manager.status : 400)
      response.end(JSON.stringify(isKnown ? { ARN: arn, SecretString: manager.secret } : { __type: 'AccessDeniedException' }))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const served = await servedCatalog({ knows: ({ headers }) => headers.authorization === `Bearer ${String(manager.secret)}` })
  const time = { at: Date.now() }
  const clock = { now: () => time.at, sleep: async () => undefined }
  const catalogs = openCatalogs({
    text: JSON.stringify({ other: { uri: served.uri, auth: { type: 'bearer', tokenArn: arn } } }),
    environment: { AWS_ENDPOINT_URL_SECRETS_MANAGER: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` },
    objectsAt: objectsUnder(new MemoryObjects()),
    clock,
    credentials: async () => keys,
    retry: {
      clock,
      random: { bytes: (count: number) => new Uint8Array(count) },
      attemptsMax: 1,
      totalMsMax: 10_000,
      pauseMsFirst: 1,
      throttledPauseMsFirst: 1,
      pauseMsMax: 1,
    },
  })
  try {
    await run(manager, catalogs.get('other') as LakeCatalog, time)
  } finally {
    server.close()
    await served.close()
  }
}

test('a secret is asked for once, again after five minutes, and again where the catalog refuses it', async () => {
  await site(async (manager, catalog, time) => {
    await Promise.all([catalog.load(name), catalog.load(name)])
    expect(manager.asked).toBe(1)
    time.at += 301_000
    await catalog.load(name)
    expect(manager.asked).toBe(2)
    manager.secret = 'rotated'
    expect(await catalog.load(name)).toBeUndefined()
    expect(manager.asked).toBe(3)
  })
})

test('a role that may not read the secret is told so, and the next use asks again', async () => {
  await site(
    async (manager, catalog) => {
      const refused = { code: 'unavailable', action: 'stop', effect: 'none' }
      await expect(catalog.load(name)).rejects.toMatchObject(refused)
      await expect(catalog.load(name)).rejects.toThrow('refused the secret that other.auth.tokenArn names (400)')
      expect(manager.asked).toBe(2)
    },
    { ...credentials, secretAccessKey: 'OTHER' },
  )
})

test.each([
  ['a store that is down', 503, 'secret', 'answered 503 for other.auth.tokenArn'],
  ['a secret that is no text', 200, { key: 'value' }, 'is no text of at most 16384 characters'],
  ['a secret that is too long', 200, 'x'.repeat(16_385), 'is no text of at most 16384 characters'],
])('%s is an error of the request that needed it', async (_name, status, secret, message) => {
  await site(async (manager, catalog) => {
    Object.assign(manager, { status, secret })
    await expect(catalog.load(name)).rejects.toThrow(message)
  })
})
