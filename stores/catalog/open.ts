/**
 * Catalogs by name, from the deployment's configuration: JSON, `{"<name>": {"uri", "warehouse", "location", "auth"}}`. Secrets are names of
 * environment variables, read at each use; one that is written out is refused, so that none is in a file, a log or an option.
 */
import type { Clock } from '../../core/kernel/clock.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import { quoted, suggestion } from '../../core/model/nearest.ts'
import type { LakeCatalog, LakeCatalogs } from '../../core/ports/lake-catalog.ts'
import type { ObjectStore } from '../../core/ports/objects.ts'
import { type RetryPolicy, retryCatalog } from '../decorators/retry.ts'
import { type Authenticator, anonymous, bearer, oauth2, type Secret } from './auth.ts'
import { RestCatalog } from './rest.ts'
import { httpWire, type Wire, type WireLimits } from './wire.ts'

export interface CatalogsConfig {
  /** JSON. */
  readonly text: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly objectsAt: (location: string) => ObjectStore
  readonly clock: Clock
  readonly retry: RetryPolicy
  readonly limits?: WireLimits
}

/** Errors: `bad-request` that names the catalog and the field. No catalog is asked yet. */
export function openCatalogs(config: CatalogsConfig): LakeCatalogs {
  let parsed: unknown
  try {
    parsed = JSON.parse(config.text)
  } catch {
    throw refused('it is not JSON: write {"<name>": {"uri": "https://…"}}')
  }
  const catalogs = new Map<string, LakeCatalog>()
  for (const [name, value] of Object.entries(record(parsed, 'it'))) {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(name)) throw refused(`${quoted(name)} is no name: use letters, digits, _ and -`)
    catalogs.set(name, retryCatalog(openCatalog(name, new Fields(value, name), config), config.retry))
  }
  return catalogs
}

function openCatalog(name: string, fields: Fields, config: CatalogsConfig): LakeCatalog {
  fields.only(['uri', 'warehouse', 'location', 'auth'])
  const uri = fields.url('uri')
  const wire = httpWire(config.limits)
  const auth = fields.has('auth') ? authOf(fields.nested('auth'), { config, wire, uri }) : anonymous
  return new RestCatalog({
    name,
    uri: uri.href,
    warehouse: fields.has('warehouse') ? fields.text('warehouse') : undefined,
    location: fields.has('location') ? fields.text('location') : undefined,
    auth,
    wire,
    objectsAt: config.objectsAt,
  })
}

interface AuthContext {
  readonly config: CatalogsConfig
  readonly wire: Wire
  readonly uri: URL
}

function authOf(fields: Fields, { config, wire, uri }: AuthContext): Authenticator {
  const { environment, clock } = config
  const type = fields.text('type')
  switch (type) {
    case 'none':
      fields.only(['type'])
      return anonymous
    case 'bearer':
      fields.only(['type', 'tokenEnv'])
      return bearer(fields.secret('tokenEnv', environment))
    case 'oauth2':
      fields.only(['type', 'clientId', 'clientSecretEnv', 'tokenUri', 'scope'])
      return oauth2({
        tokenUrl: fields.has('tokenUri') ? fields.url('tokenUri') : new URL(`${uri.href.replace(/\/+$/, '')}/v1/oauth/tokens`),
        clientId: fields.text('clientId'),
        clientSecret: fields.secret('clientSecretEnv', environment),
        scope: fields.has('scope') ? fields.text('scope') : 'catalog',
        now: () => clock.now(),
        wire,
      })
    case 'sigv4':
      fields.only(['type', 'region', 'service'])
      return awsAuth(fields.text('region'), fields.text('service'), clock)
    default:
      throw fields.refused('type', `is ${quoted(type)}: use none, bearer, oauth2 or sigv4`)
  }
}

/** The signer and AWS's chain of credentials are loaded by the first request that is signed. */
function awsAuth(region: string, service: string, clock: Clock): Authenticator {
  let opened: Promise<Authenticator> | undefined
  const open = async (): Promise<Authenticator> => {
    const [{ sigV4 }, { defaultProvider }] = await Promise.all([
      import('./sigv4.ts'),
      import('@aws-sdk/credential-provider-node'),
    ])
    return sigV4({ region, service, credentials: defaultProvider(), now: () => clock.now() })
  }
  return {
    authorize: async (request) => {
      opened ??= open()
      return (await opened).authorize(request)
    },
    refused: () => false,
  }
}

class Fields {
  readonly #values: Readonly<Record<string, unknown>>
  readonly #of: string
  constructor(value: unknown, of: string) {
    this.#values = record(value, of)
    this.#of = of
  }
  only(names: readonly string[]): void {
    for (const name of Object.keys(this.#values)) {
      if (names.includes(name)) continue
      const reference = `${name}Env`
      if (names.includes(reference))
        throw this.refused(name, `is a secret: name the environment variable that holds it in ${reference}`)
      throw this.refused(name, `is not known${suggestion(name, names)}`)
    }
  }
  has(name: string): boolean {
    return this.#values[name] !== undefined
  }
  text(name: string): string {
    const value = this.#values[name]
    if (typeof value !== 'string' || value === '' || value.length > 2_048) throw this.refused(name, 'must be text')
    return value
  }
  url(name: string): URL {
    const url = URL.parse(this.text(name))
    if (url === null || !/^https?:$/.test(url.protocol)) throw this.refused(name, 'must look like https://host/path')
    if (url.username !== '' || url.password !== '') throw this.refused(name, 'must hold no credentials: use auth')
    if (url.search !== '' || url.hash !== '') throw this.refused(name, 'must have no query')
    return url
  }
  nested(name: string): Fields {
    return new Fields(this.#values[name], `${this.#of}.${name}`)
  }
  secret(name: string, environment: CatalogsConfig['environment']): Secret {
    const variable = this.text(name)
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(variable)) throw this.refused(name, 'must name an environment variable')
    return () => {
      const value = environment[variable]
      if (value !== undefined && value !== '') return value
      throw new SluiceError('unavailable', `the environment lacks ${variable}, which holds the secret of catalog ${this.#of}`, {
        action: 'stop',
        facts: { variable },
      })
    }
  }
  refused(name: string, why: string): SluiceError {
    return refused(`${this.#of}.${name.slice(0, 64)} ${why}`)
  }
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refused(`${what} must be a JSON object`)
  return value as Readonly<Record<string, unknown>>
}

const refused = (why: string): SluiceError => new SluiceError('bad-request', `SLUICE_CATALOGS: ${why}`, { action: 'stop' })
