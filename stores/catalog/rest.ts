/**
 * LakeCatalog over HTTP (Iceberg REST Catalog specification, v1). Each call is one attempt; decorators/retry.ts repeats. The
 * catalog's configuration is asked for once and kept. What a server says of itself is bounded and never shown whole; what it
 * says of a commit with 5xx, or with nothing at all, leaves the commit's effect unknown.
 */
import { utf8Text } from '../../core/kernel/bytes.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import { printExact } from '../../core/kernel/exact-json.ts'
import type { CatalogAnswer, CatalogChange, CatalogTable, LakeCatalog } from '../../core/ports/lake-catalog.ts'
import type { ObjectStore } from '../../core/ports/objects.ts'
import type { Authenticator } from './auth.ts'
import { type Answered, type Outgoing, parseJson, type Wire } from './wire.ts'

export interface RestCatalogOptions {
  readonly name: string
  /** What `/v1/…` follows. */
  readonly uri: string
  readonly warehouse: string | undefined
  /** New tables go to `<location>/<namespace>/<table>`; undefined: where the catalog puts them. */
  readonly location: string | undefined
  readonly auth: Authenticator
  readonly wire: Wire
  readonly objectsAt: (location: string) => ObjectStore
}

export class RestCatalog implements LakeCatalog {
  readonly name: string
  readonly #options: RestCatalogOptions
  #prefix: Promise<string> | undefined

  constructor(options: RestCatalogOptions) {
    this.name = options.name
    this.#options = options
  }

  async load(table: CatalogTable): Promise<CatalogAnswer | undefined> {
    const answered = await this.#ask('GET', `${await this.#tablePath(table)}?snapshots=all`)
    if (answered.status === 404) return undefined
    return tableOf(this.#done(answered), this.#from)
  }

  async create({ namespace, table }: CatalogTable, request: object): Promise<CatalogAnswer | 'exists'> {
    const body = { name: table, ...request }
    const path = `${await this.#namespacePath(namespace)}/tables`
    let answered = await this.#ask('POST', path, body)
    if (answered.status === 404) {
      await this.#createNamespace(namespace)
      answered = await this.#ask('POST', path, body)
    }
    if (answered.status === 409) return 'exists'
    return tableOf(this.#done(answered), this.#from)
  }

  async commit(table: CatalogTable, change: CatalogChange): Promise<CatalogAnswer | 'conflict' | 'absent'> {
    const body = { identifier: { namespace: table.namespace, name: table.table }, ...change }
    const answered = await this.#ask('POST', await this.#tablePath(table), body) // COMMIT POINT
    if (answered.status === 409) return 'conflict'
    if (answered.status === 404) return 'absent'
    return tableOf(this.#done(answered), this.#from)
  }

  locationFor({ namespace, table }: CatalogTable): string | undefined {
    const { location } = this.#options
    return location && [location.replace(/\/+$/, ''), ...namespace, table].join('/')
  }

  objectsAt(location: string): ObjectStore {
    return this.#options.objectsAt(location)
  }

  async #createNamespace(namespace: readonly string[]): Promise<void> {
    const answered = await this.#ask('POST', `${await this.#prefixed()}/namespaces`, { namespace, properties: {} })
    if (answered.status !== 409) this.#done(answered)
  }

  async #tablePath({ namespace, table }: CatalogTable): Promise<string> {
    return `${await this.#namespacePath(namespace)}/tables/${encodeURIComponent(table)}`
  }

  /** The levels of a namespace are one segment, apart by the unit separator. */
  async #namespacePath(namespace: readonly string[]): Promise<string> {
    return `${await this.#prefixed()}/namespaces/${encodeURIComponent(namespace.join('\u001f'))}`
  }

  #prefixed(): Promise<string> {
    this.#prefix ??= this.#askPrefix().catch((error: unknown) => {
      this.#prefix = undefined
      throw error
    })
    return this.#prefix
  }

  async #askPrefix(): Promise<string> {
    const { warehouse } = this.#options
    const query = warehouse === undefined ? '' : `?${new URLSearchParams({ warehouse })}`
    const config = this.#done(await this.#ask('GET', `/v1/config${query}`))
    const { overrides, defaults } = config as { readonly [name: string]: Readonly<Record<string, unknown>> | undefined }
    const prefix = overrides?.['prefix'] ?? defaults?.['prefix']
    if (prefix === undefined || prefix === null || prefix === '') return '/v1'
    if (typeof prefix !== 'string' || !prefixPattern.test(prefix) || prefix.includes('..')) {
      throw new SluiceError('internal', `${this.#from} has a prefix that is no path`, { action: 'stop' })
    }
    return `/v1/${prefix}`
  }

  /** A catalog that does not know us is asked once more where a new token may help. */
  async #ask(method: 'GET' | 'POST', path: string, body?: object): Promise<Answered> {
    const { uri, auth, wire } = this.#options
    for (let attempt = 1; ; attempt++) {
      const request: Outgoing = {
        method,
        url: new URL(`${uri.replace(/\/+$/, '')}${path}`),
        headers: { accept: 'application/json', ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { body: printExact(body) }),
      }
      const answered = await wire({ ...request, headers: { ...request.headers, ...(await auth.authorize(request)) } })
      const isUnknown = answered.status === 401 || answered.status === 419
      if (!isUnknown || attempt === 2 || !auth.refused()) return answered
    }
  }

  #done({ status, body }: Answered): { readonly [name: string]: unknown } {
    if (status >= 200 && status < 300) return status === 204 || body.length === 0 ? {} : parseJson(body, this.#from)
    const said = saidIn(body)
    const facts = { catalog: this.name, status, ...(said !== '' && { said }) }
    const answer = `${this.#from} answered ${status}${said === '' ? '' : `: ${said}`}`
    if (status === 401 || status === 403 || status === 419) {
      const message = `catalog ${this.name} refused our credentials (${status}): look at its auth in SLUICE_CATALOGS`
      throw new SluiceError('unavailable', message, { action: 'stop', facts })
    }
    if (status === 429) throw new SluiceError('throttled', answer, { facts })
    if (status >= 500) throw new SluiceError('unavailable', answer, { effect: 'unknown', facts })
    throw new SluiceError('bad-request', answer, { action: 'stop', facts })
  }

  get #from(): string {
    return `catalog ${this.name}`
  }
}

/** As it is in a path: some catalogs hand it out encoded. */
const prefixPattern = /^[A-Za-z0-9._~%:/+=@-]{1,1024}$/
const saidLengthMax = 200

function tableOf({ metadata, ...answer }: { readonly [name: string]: unknown }, from: string): CatalogAnswer {
  if (typeof metadata !== 'object' || metadata === null) {
    throw new SluiceError('internal', `${from} answered without a table's metadata`, { effect: 'unknown', action: 'retry' })
  }
  return { metadata, metadataLocation: answer['metadata-location'] }
}

/** What the error model carries: one line, no control characters. */
function saidIn(body: Uint8Array): string {
  try {
    const { error } = JSON.parse(utf8Text(body.subarray(0, 65_536))) as { readonly error?: { readonly message?: unknown } }
    const message = typeof error?.message === 'string' ? error.message : ''
    return message.replace(/[^\x20-\x7e]+/g, ' ').slice(0, saidLengthMax)
  } catch {
    return ''
  }
}
