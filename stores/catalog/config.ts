/**
 * The deployment's configuration of external catalogs: JSON, `{"<name>": {"uri", "warehouse", "location", "auth"}}`. A secret is named,
 * by an environment variable (`…Env`) or by the ARN of one in AWS Secrets Manager (`…Arn`); one that is written out is refused, so that none
 * is in a file, a log, a template or an option. Read by the server, by the functions on Lambda and by the stack that deploys them.
 */
import { SluiceError } from '../../core/kernel/errors.ts'
import { quoted, suggestion } from '../../core/model/nearest.ts'

export interface CatalogConfig {
  readonly name: string
  readonly uri: URL
  readonly warehouse: string | undefined
  readonly location: string | undefined
  readonly auth: AuthConfig
}

export type AuthConfig =
  | { readonly type: 'none' }
  | { readonly type: 'bearer'; readonly token: SecretName }
  | {
      readonly type: 'oauth2'
      readonly clientId: string
      readonly clientSecret: SecretName
      readonly tokenUrl: URL
      readonly scope: string
    }
  | { readonly type: 'sigv4'; readonly region: string; readonly service: string }

/** Where a secret is. `field`: the one that named it, for messages. */
export type SecretName =
  | { readonly in: 'environment'; readonly field: string; readonly variable: string }
  | { readonly in: 'secrets-manager'; readonly field: string; readonly arn: string; readonly region: string }

/** Errors: `bad-request` that names the catalog and the field. */
export function parseCatalogs(text: string): readonly CatalogConfig[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw refused('it is not JSON: write {"<name>": {"uri": "https://…"}}')
  }
  return Object.entries(record(parsed, 'it')).map(([name, value]) => {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(name)) throw refused(`${quoted(name)} is no name: use letters, digits, _ and -`)
    return catalogOf(name, new Fields(value, name))
  })
}

function catalogOf(name: string, fields: Fields): CatalogConfig {
  fields.only(['uri', 'warehouse', 'location', 'auth'])
  const uri = fields.url('uri')
  return {
    name,
    uri,
    warehouse: fields.has('warehouse') ? fields.text('warehouse') : undefined,
    location: fields.has('location') ? fields.text('location') : undefined,
    auth: fields.has('auth') ? authOf(fields.nested('auth'), uri) : { type: 'none' },
  }
}

function authOf(fields: Fields, uri: URL): AuthConfig {
  const type = fields.text('type')
  switch (type) {
    case 'none':
      fields.only(['type'])
      return { type }
    case 'bearer':
      fields.only(['type', 'tokenEnv', 'tokenArn'])
      return { type, token: fields.secret('token') }
    case 'oauth2':
      fields.only(['type', 'clientId', 'clientSecretEnv', 'clientSecretArn', 'tokenUri', 'scope'])
      return {
        type,
        clientId: fields.text('clientId'),
        clientSecret: fields.secret('clientSecret'),
        tokenUrl: fields.has('tokenUri') ? fields.url('tokenUri') : new URL(`${uri.href.replace(/\/+$/, '')}/v1/oauth/tokens`),
        scope: fields.has('scope') ? fields.text('scope') : 'catalog',
      }
    case 'sigv4':
      fields.only(['type', 'region', 'service'])
      return { type, region: fields.text('region'), service: fields.text('service') }
    default:
      throw fields.refused('type', `is ${quoted(type)}: use none, bearer, oauth2 or sigv4`)
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
        throw this.refused(
          name,
          `is a secret: name the environment variable that holds it in ${reference}, or its ARN in ${name}Arn`,
        )
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
  /** `name`: without the ending that says where it is. */
  secret(name: string): SecretName {
    const [variableField, arnField] = [`${name}Env`, `${name}Arn`]
    if (this.has(variableField) === this.has(arnField))
      throw this.refused(variableField, `and ${arnField}: exactly one of them says where the secret is`)
    if (this.has(arnField)) {
      const arn = this.text(arnField)
      const [, region] = arnPattern.exec(arn) ?? []
      if (region === undefined)
        throw this.refused(arnField, 'must be the whole ARN of a secret of AWS Secrets Manager, with the six letters at its end')
      return { in: 'secrets-manager', field: `${this.#of}.${arnField}`, arn, region }
    }
    const variable = this.text(variableField)
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(variable)) throw this.refused(variableField, 'must name an environment variable')
    return { in: 'environment', field: `${this.#of}.${variableField}`, variable }
  }
  refused(name: string, why: string): SluiceError {
    return refused(`${this.#of}.${name.slice(0, 64)} ${why}`)
  }
}

const arnPattern = /^arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]{1,512}-[A-Za-z0-9]{6}$/

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refused(`${what} must be a JSON object`)
  return value as Readonly<Record<string, unknown>>
}

const refused = (why: string): SluiceError => new SluiceError('bad-request', `SLUICE_CATALOGS: ${why}`, { action: 'stop' })
