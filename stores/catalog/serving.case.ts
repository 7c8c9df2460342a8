/** For tests: the catalog in memory behind HTTP, as strict about paths, headers and signatures as it is about commits. */
import { createHash, createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isSluiceError } from '../../core/kernel/errors.ts'
import { printExact } from '../../core/kernel/exact-json.ts'
import { parseExact } from '../../core/lake/iceberg/json.ts'
import type { CatalogAnswer, CatalogChange } from '../../core/ports/lake-catalog.ts'
import type { JsonObject } from './fresh-ids.ts'
import { CatalogState } from './memory.ts'

/** Before the effect, or after it instead of its answer. */
export type Fault =
  | { readonly when: 'before' | 'after'; readonly status: number; readonly body?: string }
  | 'reset'
  | 'reset-after'
  | 'silence'

export interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export interface ServedCatalog {
  readonly uri: string
  readonly state: CatalogState
  readonly asked: Asked[]
  /** For the next requests to tables, in order. */
  readonly faults: (Fault | undefined)[]
  close(): Promise<void>
}

export interface Serving {
  readonly prefix?: string
  /** False: 401. */
  readonly knows?: (asked: Asked) => boolean
  /** The answer of the token server; undefined: 400. */
  readonly token?: (form: URLSearchParams) => object | undefined
  readonly locationOf?: (table: string) => string
}

export async function servedCatalog(serving: Serving = {}): Promise<ServedCatalog> {
  let made = 0
  const state = new CatalogState({
    locationOf: ({ namespace, table }) =>
      serving.locationOf?.(table) ?? `memory:///warehouse/${[...namespace, table].join('/')}`.toLowerCase(),
    newUuid: () => `00000000-0000-4000-8000-${String(++made).padStart(12, '0')}`,
    now: () => 1_700_000_000_000,
  })
  const asked: Asked[] = []
  const faults: (Fault | undefined)[] = []
  const namespaces = new Set<string>()
  const server = createServer((request, response) => {
    void textOf(request).then((body) => {
      const one = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body }
      asked.push(one)
      answer({ state, faults, serving, namespaces }, one, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`,
    state,
    asked,
    faults,
    close: async () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

interface Site {
  readonly state: CatalogState
  readonly faults: (Fault | undefined)[]
  readonly serving: Serving
  readonly namespaces: Set<string>
}

function answer(site: Site, asked: Asked, response: ServerResponse): void {
  const { serving } = site
  const url = new URL(asked.path, 'http://x')
  if (url.pathname === '/api/v1/oauth/tokens') {
    const token = serving.token?.(new URLSearchParams(asked.body))
    return give(response, token === undefined ? 400 : 200, token ?? { error: 'invalid_client' })
  }
  if (serving.knows?.(asked) === false) return give(response, 401, errorOf(401, 'who are you?'))
  if (url.pathname === '/api/v1/config') {
    return give(response, 200, { defaults: {}, overrides: { ...(serving.prefix !== undefined && { prefix: serving.prefix }) } })
  }
  const fault = url.pathname.includes('/tables') ? site.faults.shift() : undefined
  if (fault === 'silence') return
  if (fault === 'reset') return void response.destroy()
  if (typeof fault === 'object' && fault.when === 'before')
    return give(response, fault.status, fault.body ?? errorOf(fault.status, 'later'))
  const { status, body } = effect(site, asked, url)
  if (fault === 'reset-after') return void response.destroy()
  if (typeof fault === 'object') return give(response, fault.status, fault.body ?? errorOf(fault.status, 'state unknown'))
  give(response, status, body)
}

function effect({ state, serving, namespaces }: Site, { method, body }: Asked, url: URL): { status: number; body: object } {
  const base = `/api/v1${serving.prefix === undefined ? '' : `/${serving.prefix}`}/namespaces`
  if (!url.pathname.startsWith(base)) return { status: 404, body: errorOf(404, 'no such path') }
  const [, levels, tables, table, ...more] = url.pathname.slice(base.length).split('/')
  if (levels === undefined && method === 'POST') {
    const { namespace } = JSON.parse(body) as { readonly namespace: readonly string[] }
    namespaces.add(namespace.join('\u001f'))
    return { status: 200, body: { namespace, properties: {} } }
  }
  if (levels === undefined || tables !== 'tables' || more.length > 0) return { status: 404, body: errorOf(404, 'no such path') }
  const joined = decodeURIComponent(levels)
  if (!namespaces.has(joined)) return { status: 404, body: errorOf(404, 'no such namespace') }
  const namespace = joined.split('\u001f')
  const sent = body === '' ? {} : (parseExact(body) as JsonObject)
  if (table === undefined) {
    const made = state.create({ namespace, table: String(sent['name']) }, sent)
    return made === 'exists' ? { status: 409, body: errorOf(409, 'it is there') } : { status: 200, body: bodyOf(made) }
  }
  const name = { namespace, table: decodeURIComponent(table) }
  if (method === 'GET') {
    const found = state.load(name)
    return found === undefined ? { status: 404, body: errorOf(404, 'no such table') } : { status: 200, body: bodyOf(found) }
  }
  return committed(() => state.commit(name, sent as unknown as CatalogChange))
}

function committed(commit: () => CatalogAnswer | 'conflict' | 'absent'): { status: number; body: object } {
  try {
    const answered = commit()
    if (answered === 'conflict') return { status: 409, body: errorOf(409, 'a requirement does not hold') }
    return answered === 'absent' ? { status: 404, body: errorOf(404, 'no such table') } : { status: 200, body: bodyOf(answered) }
  } catch (error) {
    if (!isSluiceError(error)) throw error
    return { status: 400, body: errorOf(400, error.message) }
  }
}

const bodyOf = ({ metadata, metadataLocation }: CatalogAnswer): object => ({
  'metadata-location': metadataLocation,
  metadata,
  config: {},
})
const errorOf = (code: number, message: string): object => ({ error: { code, type: 'Fake', message } })

function give(response: ServerResponse, status: number, body: object | string): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(typeof body === 'string' ? body : printExact(body))
}

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts).toString('utf8')
}

/** The signature as AWS computes it, from the request as it came; by hand, so that the signer is not its own judge. */
export function isSignedBy(
  secret: { readonly accessKeyId: string; readonly secretAccessKey: string },
  { region, service }: { readonly region: string; readonly service: string },
): (asked: Asked) => boolean {
  return ({ method, path, headers, body }) => {
    const said =
      /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([0-9]{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/.exec(
        headers.authorization ?? '',
      )
    if (said === null || said[1] !== secret.accessKeyId || said[3] !== region || said[4] !== service) return false
    const [, , day = '', , , names = '', signature] = said
    const signed = names.split(';')
    if (!['host', 'x-amz-content-sha256', 'x-amz-date'].every((name) => signed.includes(name))) return false
    const hash = createHash('sha256').update(body).digest('hex')
    if (headers['x-amz-content-sha256'] !== hash) return false
    const [at = '', query = ''] = path.split('?')
    const canonicalQuery = [...new URLSearchParams(query)]
      .map(([name, value]) => `${escaped(name)}=${escaped(value)}`)
      .sort()
      .join('&')
    const canonical = [
      method,
      at.split('/').map(escaped).join('/'),
      canonicalQuery,
      ...signed.map((name) => `${name}:${String(headers[name]).trim().replace(/ +/g, ' ')}`),
      '',
      names,
      hash,
    ].join('\n')
    const scope = `${day}/${region}/${service}/aws4_request`
    const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, createHash('sha256').update(canonical).digest('hex')].join(
      '\n',
    )
    const hmac = (key: string | Buffer, of: string): Buffer => createHmac('sha256', key).update(of).digest()
    const key = hmac(hmac(hmac(hmac(`AWS4${secret.secretAccessKey}`, day), region), service), 'aws4_request')
    return hmac(key, text).toString('hex') === signature
  }
}

const escaped = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
