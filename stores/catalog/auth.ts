/**
 * How a request to a catalog says who asks: nothing, a bearer token, or OAuth2 client credentials (RFC 6749, section 4.4) whose
 * token is renewed before it expires and when it is refused. Signature version 4 is in sigv4.ts. Secrets are read where they are
 * used and are in no message.
 */
import { SluiceError } from '../../core/kernel/errors.ts'
import { type Outgoing, parseJson, type Wire } from './wire.ts'

export interface Authenticator {
  /** Headers to add. */
  authorize(request: Outgoing): Promise<Readonly<Record<string, string>>>
  /** The catalog did not know us. True: another attempt may be worth it. */
  refused(): boolean
}

/** By reference (secrets.ts). */
export interface Secret {
  /** Errors: `unavailable`, naming where it was looked for. */
  read(): Promise<string>
  /** It was refused. True: another may be there now. */
  forget(): boolean
}

export const anonymous: Authenticator = { authorize: async () => ({}), refused: () => false }

export const bearer = (token: Secret): Authenticator => ({
  authorize: async () => ({ authorization: `Bearer ${await token.read()}` }),
  refused: () => token.forget(),
})

export interface OAuth2 {
  readonly tokenUrl: URL
  readonly clientId: string
  readonly clientSecret: Secret
  readonly scope: string
  /** ms since 1970 */
  readonly now: () => number
  readonly wire: Wire
}

export function oauth2(options: OAuth2): Authenticator {
  let current: { readonly token: Promise<Token>; until: number } | undefined
  const token = (): Promise<Token> => {
    if (current !== undefined && options.now() < current.until) return current.token
    const asked = { token: askToken(options), until: Number.POSITIVE_INFINITY }
    current = asked
    asked.token.then(
      ({ lifeMs }) => {
        asked.until = options.now() + lifeMs - Math.min(renewedBeforeMs, lifeMs / 2)
      },
      () => {
        if (current === asked) current = undefined
      },
    )
    return asked.token
  }
  return {
    authorize: async () => ({ authorization: `Bearer ${(await token()).text}` }),
    refused: () => {
      current = undefined
      return true
    },
  }
}

interface Token {
  readonly text: string
  readonly lifeMs: number
}

const renewedBeforeMs = 60_000
/** Where the answer does not say. */
const defaultLifeMs = 300_000
const lifeMsMax = 86_400_000

async function askToken({ tokenUrl, clientId, clientSecret, scope, wire }: OAuth2): Promise<Token> {
  const form = { grant_type: 'client_credentials', client_id: clientId, client_secret: await clientSecret.read(), scope }
  const { status, body } = await wire({
    method: 'POST',
    url: tokenUrl,
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
    body: new URLSearchParams(form).toString(),
  })
  if (status >= 500) throw new SluiceError('unavailable', `the token server of the catalog answered ${status}`)
  if (status !== 200) {
    clientSecret.forget()
    throw new SluiceError('unavailable', `the token server of the catalog refused our client id or secret (${status})`, {
      action: 'stop',
      facts: { status },
    })
  }
  const {
    access_token: text,
    expires_in: seconds,
    token_type: type,
  } = parseJson(body, 'the token server') as Record<string, unknown>
  if (typeof text !== 'string' || !/^[\x21-\x7e]{1,16384}$/.test(text)) throw unusable('has no access_token')
  if (type !== undefined && (typeof type !== 'string' || type.toLowerCase() !== 'bearer')) throw unusable('is no bearer token')
  if (seconds !== undefined && !(typeof seconds === 'number' && seconds > 0)) throw unusable('has an expires_in that is no time')
  const lifeMs = seconds === undefined ? defaultLifeMs : Math.min(seconds * 1000, lifeMsMax)
  return { text, lifeMs }
}

const unusable = (why: string): SluiceError =>
  new SluiceError('internal', `the answer of the catalog's token server ${why}`, { action: 'stop' })
