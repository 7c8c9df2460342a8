/** Catalogs by name, from the deployment's configuration (config.ts). None is asked, and no secret is read, before it is used. */
import type { Clock } from '../../core/kernel/clock.ts'
import type { LakeCatalog, LakeCatalogs } from '../../core/ports/lake-catalog.ts'
import type { ObjectStore } from '../../core/ports/objects.ts'
import { type RetryPolicy, retryCatalog } from '../decorators/retry.ts'
import { type Authenticator, anonymous, bearer, oauth2, type Secret } from './auth.ts'
import { type AuthConfig, type CatalogConfig, parseCatalogs, type SecretName } from './config.ts'
import { RestCatalog } from './rest.ts'
import { environmentSecret, managedSecret } from './secrets.ts'
import type { AwsCredentials } from './sigv4.ts'
import { httpWire, type Wire, type WireLimits } from './wire.ts'

export interface CatalogsConfig {
  /** JSON. */
  readonly text: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly objectsAt: (location: string) => ObjectStore
  readonly clock: Clock
  readonly retry: RetryPolicy
  readonly limits?: WireLimits
  /** Default: the chain of the AWS SDK. */
  readonly credentials?: () => Promise<AwsCredentials>
}

/** Errors: `bad-request` that names the catalog and the field. */
export function openCatalogs(config: CatalogsConfig): LakeCatalogs {
  const opening = { ...config, wire: httpWire(config.limits) }
  return new Map(
    parseCatalogs(config.text).map((each) => [each.name, retryCatalog(openCatalog(each, opening), config.retry)] as const),
  )
}

interface Opening extends CatalogsConfig {
  readonly wire: Wire
}

function openCatalog({ uri, auth, ...config }: CatalogConfig, opening: Opening): LakeCatalog {
  const { wire, objectsAt } = opening
  return new RestCatalog({ ...config, uri: uri.href, auth: authOf(auth, opening), wire, objectsAt })
}

function authOf(auth: AuthConfig, opening: Opening): Authenticator {
  const { clock, wire } = opening
  switch (auth.type) {
    case 'none':
      return anonymous
    case 'bearer':
      return bearer(secretOf(auth.token, opening))
    case 'oauth2':
      return oauth2({ ...auth, clientSecret: secretOf(auth.clientSecret, opening), now: () => clock.now(), wire })
    case 'sigv4':
      return awsAuth(auth, opening)
  }
}

function secretOf(name: SecretName, opening: Opening): Secret {
  const { environment, wire, clock } = opening
  if (name.in === 'environment') return environmentSecret(name, environment)
  const sign = awsAuth({ region: name.region, service: 'secretsmanager' }, opening)
  // The SDK's own name for another address, as of an emulator.
  return managedSecret(name, { endpoint: environment['AWS_ENDPOINT_URL_SECRETS_MANAGER'], sign, wire, now: () => clock.now() })
}

/** The signer and AWS's chain of credentials are loaded by the first request that is signed. */
function awsAuth(
  place: { readonly region: string; readonly service: string },
  { clock, credentials }: Pick<Opening, 'clock' | 'credentials'>,
): Authenticator {
  let opened: Promise<Authenticator> | undefined
  const open = async (): Promise<Authenticator> => {
    const [{ sigV4 }, { defaultProvider }] = await Promise.all([
      import('./sigv4.ts'),
      import('@aws-sdk/credential-provider-node'),
    ])
    return sigV4({ ...place, credentials: credentials ?? defaultProvider(), now: () => clock.now() })
  }
  return {
    authorize: async (request) => {
      opened ??= open()
      return (await opened).authorize(request)
    },
    refused: () => false,
  }
}
