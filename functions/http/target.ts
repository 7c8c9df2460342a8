/**
 * The request target, Host and Origin. Without tokens only this machine may speak to us: any other Host is a rebound
 * name, any other Origin is a foreign web page that could drop tables.
 */
import { SluiceError } from '../../core/kernel/errors.ts'
import { limits } from '../../core/kernel/limits.ts'
import type { Headers } from '../call.ts'

export interface Target {
  readonly path: string
  /** Raw parameters, decoded once. A name that occurs twice is refused. */
  readonly query: Readonly<Record<string, string>>
}

const noQuery: Readonly<Record<string, string>> = Object.freeze({})

export function parseTarget(target: string): Target {
  const local = target.startsWith('/') ? target : withoutAuthority(target)
  const mark = local.indexOf('?')
  if (mark === -1) return { path: local, query: noQuery }
  return { path: local.slice(0, mark), query: parseQuery(local.slice(mark + 1)) }
}

/** `GET http://host/path HTTP/1.1`: a proxy's form; the Host header has been checked already and must agree. */
function withoutAuthority(target: string): string {
  const match = /^https?:\/\/[^/?#]*(.*)$/i.exec(target)
  if (match === null) throw new SluiceError('bad-request', 'the request target must be a path')
  const rest = match[1] as string
  return rest.startsWith('/') ? rest : `/${rest}`
}

function parseQuery(text: string): Readonly<Record<string, string>> {
  if (text.length > limits.queryStringBytesMax)
    throw new SluiceError('too-large', `the query is longer than ${limits.queryStringBytesMax} bytes`)
  if (text === '') return noQuery
  const query: Record<string, string> = Object.create(null)
  const pairs = text.split('&', 65)
  if (pairs.length > 64) throw new SluiceError('bad-request', 'the query has more than 64 parameters')
  for (const pair of pairs) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decodeText(equals === -1 ? pair : pair.slice(0, equals))
    if (name in query) throw new SluiceError('bad-request', `parameter ${JSON.stringify(name.slice(0, 64))} occurs twice`)
    query[name] = equals === -1 ? '' : decodeText(pair.slice(equals + 1))
  }
  return query
}

function decodeText(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw new SluiceError('bad-request', 'the query has a percent escape that is not UTF-8')
  }
}

const loopbackHost = /^(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?$/i

export function checkLoopback(headers: Headers, target: string): void {
  const host = headers.host ?? ''
  if (!loopbackHost.test(host))
    throw foreign('Host', host, 'this server has no tokens, so it answers localhost, 127.0.0.1 and [::1] alone')
  const authority = target.startsWith('/') ? undefined : /^https?:\/\/([^/?#]*)/i.exec(target)?.[1]
  if (authority !== undefined && !loopbackHost.test(authority))
    throw foreign('request target', authority, 'it names another host')
  const origin = headers.origin
  if (origin !== undefined && origin !== `http://${host}`)
    throw foreign('Origin', origin, 'only pages of this very server may call it')
}

function foreign(what: string, value: string, why: string): SluiceError {
  return new SluiceError('forbidden-origin', `${what} ${JSON.stringify(value.slice(0, 100))} is refused: ${why}`, {
    action: 'stop',
  })
}
