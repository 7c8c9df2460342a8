/**
 * One request from its head to its reply, in two steps, so that a server learns the body's limit before it reads the
 * body: `admit` (Host, Origin, route, Accept, parameters), then `answer` (body, handler). Only errors of ours come
 * out; the handler's own commit is the only effect.
 */
import { check, keysOf, unknownField } from '../../contract/check.ts'
import { media } from '../../contract/media.ts'
import type { Route } from '../../contract/route.ts'
import { allowOf, matchRoute } from '../../contract/router.ts'
import type { RouteId } from '../../contract/routes.ts'
import { plainBytes } from '../../core/kernel/bytes.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import { limits } from '../../core/kernel/limits.ts'
import { databaseName, tableName } from '../../core/model/names.ts'
import type { Call, Handler, Handlers, Headers, Params, Reply } from '../call.ts'
import type { FunctionWorld } from '../world.ts'
import { expand } from './encoding.ts'
import { parseJsonBody } from './json-body.ts'
import { bodyEncodingOf, bodyMediaOf, chooseMedia } from './negotiate.ts'
import { emptyReply } from './reply.ts'
import { checkLoopback, parseTarget } from './target.ts'

export interface Arrival {
  readonly method: string
  /** As it was sent: path and query. */
  readonly target: string
  readonly headers: Headers
}

export interface Admitted {
  readonly route: Route
  readonly id: RouteId
  readonly params: Params
  readonly query: unknown
  readonly headers: Headers
  readonly wants: string
}

export interface Admission {
  /** Without tokens: only this machine's own names and pages. */
  readonly loopbackOnly: boolean
}

/** A reply where none of the functions is needed, else what to answer. */
export function admit(arrival: Arrival, admission: Admission): Admitted | Reply {
  const { method, target, headers } = arrival
  if (admission.loopbackOnly) checkLoopback(headers, target)
  const { path, query } = parseTarget(target)
  if (method === 'OPTIONS') return emptyReply(204, { Allow: allowOf(path) })
  const { route, id, params } = matchRoute(method, path)
  if (id === undefined) throw new SluiceError('not-supported', `${route.lacks ?? 'this call'}: not in this build`)
  return {
    route,
    id,
    params: checkParams(params),
    query: checkQuery(route, query),
    headers,
    wants: chooseMedia(headers.accept, route.produces),
  }
}

const noParams: Params = { db: '', table: '', partition: '' }

function checkParams(params: Readonly<Record<string, string>>): Params {
  if (params.db === undefined) return noParams
  return {
    db: databaseName(params.db),
    table: params.table === undefined ? '' : tableName(params.table),
    partition: params.partition ?? '',
  }
}

function checkQuery(route: Route, query: Readonly<Record<string, string>>): unknown {
  if (route.query !== undefined) return check(route.query, query, 'parameter')
  const [extra] = Object.keys(query)
  if (extra !== undefined) throw unknownField('parameter', [], extra, keysOf(route.query))
  return undefined
}

export interface Answering {
  /** As it was sent. */
  readonly body: Uint8Array
  readonly signal: AbortSignal
  readonly handlers: Handlers
  readonly world: FunctionWorld
  /** Told how long a body became that came compressed; may refuse it. */
  readonly onExpanded?: (bytes: number) => void
}

export async function answer(admitted: Admitted, { body, signal, handlers, world, onExpanded }: Answering): Promise<Reply> {
  const { route, id } = admitted
  const handler = handlers[id] as Handler<RouteId> | undefined
  if (handler === undefined)
    throw new SluiceError('not-supported', `${route.method} ${route.path} is answered by the function ${route.function}`)
  const expanded = plainBytes(await bodyOf(route, admitted.headers, body))
  if (expanded.buffer !== body.buffer) onExpanded?.(expanded.length)
  const call: Call = { ...admitted, body: expanded, value: jsonValueOf(route, admitted.headers, expanded), signal }
  return handler(call as Parameters<Handler<RouteId>>[0], world)
}

async function bodyOf(route: Route, headers: Headers, body: Uint8Array): Promise<Uint8Array> {
  if (body.length === 0) return body
  if (route.body.kind === 'none') throw new SluiceError('bad-request', `${route.method} ${route.path} takes no body`)
  if (body.length > route.bodyBytesMax) throw bodyTooLarge(route.bodyBytesMax)
  const encoding = bodyEncodingOf(headers['content-encoding'])
  if (encoding === undefined) return body
  return expand(body, encoding, route.body.kind === 'rows' ? limits.produceExpandedBytesMax : limits.jsonBodyBytesMax)
}

export function bodyTooLarge(limit: number): SluiceError {
  return new SluiceError('too-large', `the body is larger than ${limit} bytes: send less at once`, { facts: { limit } })
}

function jsonValueOf(route: Route, headers: Headers, body: Uint8Array): unknown {
  if (route.body.kind !== 'json') return undefined
  if (body.length === 0) {
    if (route.body.required) throw new SluiceError('bad-request', `${route.method} ${route.path} wants a JSON body`)
    return undefined
  }
  bodyMediaOf(headers['content-type'], [media.json])
  return check(route.body.schema, parseJsonBody(body), 'field')
}
