/**
 * Signature version 4 of AWS (Glue and S3 Tables speak Iceberg REST behind it), by the SDK's signer. The payload's hash is signed
 * and sent. Credentials are asked for at every request: the SDK's chain keeps them and renews what expires.
 */
import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'
import { SluiceError } from '../../core/kernel/errors.ts'
import type { Authenticator } from './auth.ts'
import type { Outgoing } from './wire.ts'

export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

export interface SigV4 {
  readonly region: string
  /** As the signature names it: `glue`, `s3tables`. */
  readonly service: string
  readonly credentials: () => Promise<AwsCredentials>
  /** ms since 1970 */
  readonly now: () => number
  /** Default true: a header says the payload's hash. */
  readonly sendsHash?: boolean
}

export function sigV4(options: SigV4): Authenticator {
  return {
    authorize: (request) => signed(request, options),
    refused: () => false,
  }
}

async function signed({ method, url, headers, body }: Outgoing, options: SigV4): Promise<Readonly<Record<string, string>>> {
  const { region, service, now, sendsHash = true } = options
  const credentials = await options.credentials().catch((cause: unknown) => {
    throw new SluiceError('unavailable', 'AWS credentials for the catalog were not found: set them as the AWS SDK reads them', {
      cause,
    })
  })
  const signer = new SignatureV4({ region, service, credentials, sha256: Sha256, applyChecksum: sendsHash })
  const request = await signer.sign(
    {
      method,
      protocol: url.protocol,
      hostname: url.hostname,
      path: url.pathname,
      query: queryOf(url),
      headers: { ...headers, host: url.host },
      ...(body !== undefined && { body }),
    },
    { signingDate: new Date(now()) },
  )
  // The client of HTTP says the host itself.
  const { host: _, ...sent } = request.headers
  return sent
}

function queryOf(url: URL): Record<string, string[]> {
  const query: Record<string, string[]> = {}
  for (const name of new Set(url.searchParams.keys())) query[name] = url.searchParams.getAll(name)
  return query
}

/** As the signer asks for it. */
class Sha256 {
  readonly #hash: Hash | Hmac
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', keyOf(secret))
  }
  update(chunk: Uint8Array): void {
    this.#hash.update(chunk)
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(this.#hash.digest()))
  }
  reset(): void {
    throw new Error('a hash of the signer is used once')
  }
}

function keyOf(secret: string | ArrayBuffer | ArrayBufferView): string | Uint8Array {
  if (typeof secret === 'string') return secret
  return ArrayBuffer.isView(secret) ? new Uint8Array(secret.buffer, secret.byteOffset, secret.byteLength) : new Uint8Array(secret)
}
