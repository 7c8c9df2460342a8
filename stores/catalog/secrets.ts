/**
 * Secrets by reference: of an environment variable, read at each use, or of AWS Secrets Manager, where one signed request asks for it at
 * its first use (GetSecretValue). That one is kept for five minutes, and forgotten where whoever it was shown to refused it, so that a
 * rotation needs no deployment. No secret is in a message.
 */
import { SluiceError } from '../../core/kernel/errors.ts'
import type { Authenticator, Secret } from './auth.ts'
import type { SecretName } from './config.ts'
import { parseJson, type Wire } from './wire.ts'

type In<Place> = Extract<SecretName, { readonly in: Place }>

export function environmentSecret(
  { variable, field }: In<'environment'>,
  environment: Readonly<Record<string, string | undefined>>,
): Secret {
  return {
    read: async () => {
      const value = environment[variable]
      if (value !== undefined && value !== '') return value
      throw new SluiceError('unavailable', `the environment lacks ${variable}, which ${field} names as the place of a secret`, {
        action: 'stop',
        facts: { variable },
      })
    },
    forget: () => false,
  }
}

export interface SecretsManager {
  /** Undefined: that of the secret's region. */
  readonly endpoint: string | undefined
  /** For the service `secretsmanager` in that region. */
  readonly sign: Authenticator
  readonly wire: Wire
  /** ms since 1970 */
  readonly now: () => number
}

const keptMs = 300_000
const secretLengthMax = 16_384

export function managedSecret(name: In<'secrets-manager'>, manager: SecretsManager): Secret {
  let kept: { readonly text: Promise<string>; readonly until: number } | undefined
  return {
    read: () => {
      if (kept !== undefined && manager.now() < kept.until) return kept.text
      const asked = { text: askSecret(name, manager), until: manager.now() + keptMs }
      kept = asked
      asked.text.catch(() => {
        if (kept === asked) kept = undefined
      })
      return asked.text
    },
    forget: () => {
      kept = undefined
      return true
    },
  }
}

async function askSecret(
  { arn, region, field }: In<'secrets-manager'>,
  { endpoint, sign, wire }: SecretsManager,
): Promise<string> {
  const facts = { arn }
  const domain = arn.startsWith('arn:aws-cn:') ? 'amazonaws.com.cn' : 'amazonaws.com'
  const request = {
    method: 'POST',
    url: new URL(endpoint ?? `https://secretsmanager.${region}.${domain}/`),
    headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'secretsmanager.GetSecretValue' },
    body: JSON.stringify({ SecretId: arn }),
  }
  const { status, body } = await wire({ ...request, headers: { ...request.headers, ...(await sign.authorize(request)) } })
  if (status >= 500) throw new SluiceError('unavailable', `AWS Secrets Manager answered ${status} for ${field}`, { facts })
  if (status !== 200) {
    throw new SluiceError(
      'unavailable',
      `AWS Secrets Manager refused the secret that ${field} names (${status}): see that it is there and that this role may read it`,
      { action: 'stop', facts: { ...facts, status } },
    )
  }
  const { SecretString: text } = parseJson(body, 'AWS Secrets Manager')
  if (typeof text === 'string' && text !== '' && text.length <= secretLengthMax) return text
  throw new SluiceError('unavailable', `the secret that ${field} names is no text of at most ${secretLengthMax} characters`, {
    action: 'stop',
    facts,
  })
}
