import { expect, test } from 'vitest'
import { lakeCatalogCases, tableRequest } from '../../core/ports/lake-catalog.case.ts'
import type { CatalogTable, LakeCatalog } from '../../core/ports/lake-catalog.ts'
import { MemoryObjects } from '../objects/memory.ts'
import { type Authenticator, anonymous, bearer } from './auth.ts'
import { memoryCatalog } from './memory.ts'
import { objectsUnder } from './objects-under.ts'
import { openCatalogs } from './open.ts'
import { RestCatalog } from './rest.ts'
import { isSignedBy, type ServedCatalog, type Serving, servedCatalog } from './serving.case.ts'
import { sigV4 } from './sigv4.ts'
import { httpWire } from './wire.ts'

const objectsAt = objectsUnder(new MemoryObjects())
const limits = { timeoutMs: 300, answerBytesMax: 100_000 }

const opened = (uri: string, auth: Authenticator = anonymous): LakeCatalog =>
  new RestCatalog({ name: 'other', uri, warehouse: 'w', location: undefined, auth, wire: httpWire(limits), objectsAt })

async function served(serving: Serving, run: (site: ServedCatalog) => Promise<void>): Promise<void> {
  const site = await servedCatalog(serving)
  try {
    await run(site)
  } finally {
    await site.close()
  }
}

const name: CatalogTable = { namespace: ['n'], table: 't' }

lakeCatalogCases('the catalog in memory', async () => {
  const { state, close } = await servedCatalog()
  return { catalog: memoryCatalog('other', state, objectsAt), close }
})
lakeCatalogCases('a catalog over HTTP', async () => {
  const { uri, close } = await servedCatalog()
  return { catalog: opened(uri), close }
})
lakeCatalogCases('a catalog over HTTP with an encoded prefix', async () => {
  const { uri, close } = await servedCatalog({ prefix: 'arn%3Aaws%3As3tables%3Aeu-west-1%3A1%3Abucket%2Fb' })
  return { catalog: opened(`${uri}/`), close }
})

test.each([
  ['504 after the commit', { when: 'after', status: 504 } as const, 'unavailable'],
  ['503 after the commit', { when: 'after', status: 503 } as const, 'unavailable'],
  ['a connection that ends without an answer', 'reset-after' as const, 'unavailable'],
  ['an answer that is no JSON', { when: 'after', status: 200, body: '<html>' } as const, 'internal'],
  ['an answer without metadata', { when: 'after', status: 200, body: '{}' } as const, 'internal'],
  ['an answer without an end in time', 'silence' as const, 'timeout'],
  ['an answer that is too large', { when: 'after', status: 200, body: `{"a":"${'x'.repeat(200_000)}"}` } as const, 'internal'],
])('%s leaves the effect of a commit unknown', async (_name, fault, code) => {
  await served({}, async ({ uri, faults }) => {
    const catalog = opened(uri)
    await catalog.create(name, tableRequest)
    faults.push(fault)
    const change = { requirements: [], updates: [{ action: 'set-properties', updates: { a: '1' } }] }
    await expect(catalog.commit(name, change)).rejects.toMatchObject({ code, effect: 'unknown' })
  })
})

test('a catalog that is not there, refuses or throttles has done nothing', async () => {
  const gone = await servedCatalog()
  await gone.close()
  await expect(opened(gone.uri).load(name)).rejects.toMatchObject({ code: 'unavailable', effect: 'none' })
  await served({}, async ({ uri, faults }) => {
    const catalog = opened(uri)
    await catalog.create(name, tableRequest)
    for (const [status, code] of [
      [400, 'bad-request'],
      [429, 'throttled'],
      [403, 'unavailable'],
    ] as const) {
      faults.push({ when: 'before', status })
      await expect(catalog.commit(name, { requirements: [], updates: [] })).rejects.toMatchObject({ code, effect: 'none' })
    }
  })
})

test('a redirect is not followed: it would carry the token elsewhere', async () => {
  await served({}, async ({ uri, faults, asked }) => {
    const catalog = opened(uri, bearer({ read: async () => 'secret', forget: () => false }))
    await catalog.load(name)
    faults.push({ when: 'before', status: 307 })
    await expect(catalog.load(name)).rejects.toMatchObject({ action: 'stop' })
    expect(asked.every(({ path }) => path.startsWith('/api/v1/'))).toBe(true)
  })
})

test('a catalog behind signature version 4 takes what the signer signs, and nothing else', async () => {
  const secret = { accessKeyId: 'AKID', secretAccessKey: 'SECRET' }
  const place = { region: 'eu-west-1', service: 'glue' }
  const knows = isSignedBy(secret, place)
  await served({ knows, prefix: 'catalogs/1' }, async ({ uri, state }) => {
    const signed = (by: typeof secret) => opened(uri, sigV4({ ...place, credentials: async () => by, now: () => Date.now() }))
    const odd: CatalogTable = { namespace: ['a b', 'ü'], table: "it's (a) *table*" }
    await signed(secret).create(odd, tableRequest)
    expect(await signed(secret).load(odd)).toEqual(state.load(odd))
    await expect(signed({ ...secret, secretAccessKey: 'OTHER' }).load(odd)).rejects.toThrow('refused our credentials (401)')
  })
})

const clock = { now: () => Date.now(), sleep: async () => undefined }
const retry = {
  clock,
  random: { bytes: (count: number) => new Uint8Array(count) },
  attemptsMax: 3,
  totalMsMax: 10_000,
  pauseMsFirst: 1,
  throttledPauseMsFirst: 1,
  pauseMsMax: 1,
}
const configured = (text: object | string, environment: Record<string, string> = {}, now = clock) =>
  openCatalogs({
    text: typeof text === 'string' ? text : JSON.stringify(text),
    environment,
    objectsAt,
    clock: now,
    retry,
    limits,
  })

test('a token of OAuth2 is asked for once, renewed before it expires, and again where it is refused', async () => {
  const time = { at: 1_000_000 }
  let given = 0
  const valid = new Set<string>()
  const token = (form: URLSearchParams): object | undefined => {
    if (form.get('client_id') !== 'me' || form.get('client_secret') !== 'hush' || form.get('scope') !== 'all') return undefined
    valid.add(`Bearer t${++given}`)
    return { access_token: `t${given}`, token_type: 'bearer', expires_in: 600 }
  }
  await served({ token, knows: ({ headers }) => valid.has(headers.authorization ?? '') }, async ({ uri }) => {
    const auth = { type: 'oauth2', clientId: 'me', clientSecretEnv: 'HUSH', scope: 'all' }
    const now = { ...clock, now: () => time.at }
    const catalog = configured({ other: { uri, auth } }, { HUSH: 'hush' }, now).get('other') as LakeCatalog
    await Promise.all([catalog.load(name), catalog.load(name)])
    expect(given).toBe(1)
    time.at += 545_000
    await catalog.load(name)
    expect(given).toBe(2)
    valid.clear()
    await catalog.load(name)
    expect(given).toBe(3)
    const wrong = configured({ other: { uri, auth } }, { HUSH: 'wrong' }).get('other') as LakeCatalog
    const error = await wrong.load(name).catch((thrown: Error) => thrown)
    expect(error).toMatchObject({ code: 'unavailable', action: 'stop' })
    expect(String((error as Error).message)).not.toContain('wrong')
  })
})

test.each([
  ['{', 'not JSON'],
  [{ other: { uri: 'ftp://x' } }, 'other.uri must look like https://host/path'],
  [{ other: { uri: 'https://u:p@x/' } }, 'other.uri must hold no credentials'],
  [{ other: { uri: 'https://x', wharehouse: 'w' } }, 'other.wharehouse is not known; did you mean "warehouse"?'],
  [
    { other: { uri: 'https://x', auth: { type: 'bearer', token: 's3cret' } } },
    'name the environment variable that holds it in tokenEnv',
  ],
  [{ other: { uri: 'https://x', auth: { type: 'oauth2', clientId: 'c', clientSecret: 's3cret' } } }, 'in clientSecretEnv'],
  [{ other: { uri: 'https://x', auth: { type: 'bearer' } } }, 'other.auth.tokenEnv and tokenArn: exactly one of them'],
  [{ other: { uri: 'https://x', auth: { type: 'bearer', tokenArn: 's3cret' } } }, 'other.auth.tokenArn must be the whole ARN'],
  [{ other: { uri: 'https://x', auth: { type: 'basic' } } }, 'use none, bearer, oauth2 or sigv4'],
  [{ 'a b': { uri: 'https://x' } }, 'is no name'],
])('the configuration %j is refused with the field, and no secret is in the message', (text, message) => {
  expect(() => configured(text)).toThrow(message)
  expect(() => configured(text)).not.toThrow('s3cret')
})

test('a secret that the environment lacks is an error of the request, and names the variable', async () => {
  const catalog = configured({ other: { uri: 'http://127.0.0.1:1', auth: { type: 'bearer', tokenEnv: 'LACKING' } } }).get('other')
  await expect(catalog?.load(name)).rejects.toThrow('the environment lacks LACKING')
})

test('a table elsewhere on S3 is opened by bucket and prefix, once', () => {
  const asked: string[] = []
  const elsewhere = new MemoryObjects()
  const at = objectsUnder(new MemoryObjects(), (bucket, prefix) => {
    asked.push(`${bucket} ${prefix}`)
    return elsewhere
  })
  expect(at('s3://0a1b--table-s3/Some/T/')).toBe(elsewhere)
  expect(at('s3://0a1b--table-s3/Some/T')).toBe(elsewhere)
  expect(asked).toEqual(['0a1b--table-s3 Some/T'])
  expect(() => at('gs://bucket/t')).toThrow('where this deployment cannot write')
})

test.each(['s3://own/lakes/t/x', 's3a://own/lakes/lake/x', 's3://own/lakes', 's3://own', 's3a://own/'])(
  'a table at %s, where our own objects are on S3, is refused',
  (location) => {
    const own = Object.assign(new MemoryObjects(), { uri: (key: string) => `s3://own/lakes/${key}` })
    const at = objectsUnder(own, () => new MemoryObjects())
    expect(() => at(location)).toThrow('where this deployment cannot write')
    expect(at('s3a://own/lakes/warehouse/t').uri('x')).toBe('s3://own/lakes/warehouse/t/x')
    expect(() => at('s3://own/other/t')).not.toThrow()
  },
)

test.each([
  's3://elsewhere/t',
  'file:///etc',
  'memory:///lake/0123456789abcdef/x',
  'memory:///t/x',
  'memory:///a/../b',
  'memory:///',
])('a table at %s is refused with both places', (location) => {
  expect(() => objectsAt(location)).toThrow(/where this deployment cannot write: give it a location below memory:\/\/\//)
})
