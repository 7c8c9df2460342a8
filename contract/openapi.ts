/**
 * /openapi.json, computed from the routes. Loaded on demand: the hot path never imports it. Built once.
 */
import * as z from 'zod/mini'
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi'
import type { ErrorCode } from '../core/kernel/errors.ts'
import { errorOut, rowsIn } from './bodies.ts'
import { statusOf } from './errors.ts'
import { icebergErrorOut } from './iceberg.ts'
import { icebergStatusOf } from './iceberg-errors.ts'
import { lackingRoutes } from './lacking.ts'
import { media } from './media.ts'
import type { Answer, Route } from './route.ts'
import { routes } from './routes.ts'
import { name } from './values.ts'

let document: ReturnType<typeof createDocument> | undefined

export function openapiDocument(): ReturnType<typeof createDocument> {
  document ??= createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Sluice',
      version: '1',
      description: 'Streaming tables over HTTP, kept in object storage, tiered into Apache Iceberg.',
    },
    paths: paths(),
  })
  return document
}

function paths(): ZodOpenApiPathsObject {
  const out: Record<string, Record<string, ZodOpenApiOperationObject>> = {}
  for (const [id, route] of Object.entries<Route>(routes)) place(out, route, { operationId: id })
  for (const route of lackingRoutes) place(out, route, { operationId: `lacking ${route.method} ${route.path}` })
  return out
}

function place(
  out: Record<string, Record<string, ZodOpenApiOperationObject>>,
  route: Route,
  named: { operationId: string },
): void {
  const path = route.path.replace('...', '')
  const methods = out[path] ?? {}
  out[path] = methods
  methods[route.method.toLowerCase()] = operation(route, named.operationId)
}

const everyAnswer = z.looseObject({
  'Sluice-Request-Id': z.string().check(z.regex(/^[0-9a-z-]{8,64}$/)),
  'Server-Timing': z.string().check(z.minLength(1)),
  'Sluice-Requests': z.optional(z.string().check(z.meta({ description: 'counted storage requests; where one process serves' }))),
})
const allow = z.looseObject({ Allow: z.string() })
const retryAfter = z.looseObject({ 'Retry-After': z.string().check(z.regex(/^[0-9]+$/)) })

/** What any call may answer, whatever it does. */
const anyCall: readonly ErrorCode[] = [
  'bad-request',
  'forbidden-origin',
  'not-acceptable',
  'too-large',
  'throttled',
  'internal',
  'unavailable',
  'timeout',
]

function operation(route: Route, operationId: string): ZodOpenApiOperationObject {
  const responses: Record<string, object> = {}
  for (const [status, answer] of Object.entries(route.answers)) responses[status] = response(answer)
  for (const [status, codes] of errorStatuses(route)) responses[status] = errorResponse(status, codes, route.form)
  return {
    operationId,
    summary: route.summary,
    'x-function': route.function,
    'x-operation': route.operation,
    ...parameters(route),
    ...requestBody(route),
    responses,
  } as ZodOpenApiOperationObject
}

function response(answer: Answer): object {
  const content = Object.entries(answer.content ?? {}).map(([type, schema]) => [type, schema === undefined ? {} : { schema }])
  const headers = z.looseObject({ ...everyAnswer._zod.def.shape, ...answer.headers?._zod.def.shape })
  return { description: answer.description, headers, ...(content.length === 0 ? {} : { content: Object.fromEntries(content) }) }
}

function errorStatuses(route: Route): [number, ErrorCode[]][] {
  const codes = new Set<ErrorCode>([...anyCall, ...route.errors, 'method-not-allowed'])
  if (route.lacks === undefined && (route.query !== undefined || route.body.kind === 'json')) codes.add('not-supported')
  codes.add('unknown-field')
  if (route.path.includes('{')) codes.add('invalid-name')
  if (route.body.kind !== 'none') codes.add('unsupported-media-type')
  if (route.body.kind === 'rows') codes.add('not-supported')
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of codes) {
    const status = route.form === 'iceberg' ? icebergStatusOf(code) : statusOf[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return [...byStatus].sort(([a], [b]) => a - b)
}

/** By id: the document refers to one object a kind of answer, and wants it to be the same object. */
const errorResponses = new Map<string, object>()

function errorResponse(status: number, codes: readonly ErrorCode[], form: Route['form']): object {
  const id = [...(form === undefined ? [] : [form]), status, ...[...codes].sort()].join('.')
  const known = errorResponses.get(id) ?? newErrorResponse(id, status, codes, form)
  errorResponses.set(id, known)
  return known
}

function newErrorResponse(id: string, status: number, codes: readonly ErrorCode[], form: Route['form']): object {
  const extra = status === 405 ? allow : status === 429 || status === 503 ? retryAfter : undefined
  return {
    id,
    description: codes.join(', '),
    headers: z.looseObject({ ...everyAnswer._zod.def.shape, ...extra?._zod.def.shape }),
    content: { [media.json]: { schema: form === 'iceberg' ? icebergErrorOut : errorOut } },
  }
}

function parameters(route: Route): object {
  const names = [...route.path.matchAll(/\{(\w+)(\.\.\.)?\}/g)].map((match) => match[1] as string)
  const path = Object.fromEntries(names.map((segment) => [segment, segment === 'db' || segment === 'table' ? name : z.string()]))
  return {
    requestParams: {
      ...(names.length === 0 ? {} : { path: z.object(path) }),
      ...(route.query === undefined ? {} : { query: route.query }),
      ...(route.headers === undefined ? {} : { header: route.headers }),
    },
  }
}

function requestBody(route: Route): object {
  if (route.body.kind === 'none') return {}
  if (route.body.kind === 'json') {
    return { requestBody: { required: route.body.required, content: { [media.json]: { schema: route.body.schema } } } }
  }
  return {
    requestBody: {
      required: true,
      content: {
        [media.arrow]: {},
        [media.ndjson]: {},
        [media.json]: { schema: rowsIn },
      },
    },
  }
}
