/**
 * Method and path → route and parameters, from the contract alone: a trie by segment. Segments are split first, then
 * percent-decoded once; a literal segment is compared as it was sent. A known path under another method answers 405
 * with `Allow`; HEAD goes where GET does, unless it has a route of its own.
 */
import { SluiceError } from '../core/kernel/errors.ts'
import { nearest } from '../core/model/nearest.ts'
import { lackingRoutes } from './lacking.ts'
import type { Route } from './route.ts'
import { type RouteId, routes } from './routes.ts'

export interface Matched {
  readonly route: Route
  /** Absent for a call that this build lacks. */
  readonly id: RouteId | undefined
  /** Decoded, not yet validated. */
  readonly params: Readonly<Record<string, string>>
}

interface Node {
  readonly literals: Map<string, Node>
  parameter: { readonly name: string; readonly node: Node } | undefined
  rest: { readonly name: string; readonly node: Node } | undefined
  readonly methods: Map<string, { readonly id: RouteId | undefined; readonly route: Route }>
  /** For `Allow`; empty where no route ends. */
  allow: string
}

const root = buildTrie()

/** `path` begins with a slash and has no query. `OPTIONS` is not routed: see `allowOf`. */
export function matchRoute(method: string, path: string): Matched {
  const { node, params } = findNode(path)
  const found = node.methods.get(method) ?? (method === 'HEAD' ? node.methods.get('GET') : undefined)
  if (found === undefined) {
    const shown = method.slice(0, 20)
    throw new SluiceError('method-not-allowed', `${shown} is not allowed here, ${node.allow} are`, {
      facts: { allow: node.allow },
    })
  }
  return { route: found.route, id: found.id, params }
}

/** The `Allow` header of a known path; not-found otherwise. */
export function allowOf(path: string): string {
  return findNode(path).node.allow
}

function findNode(path: string): { node: Node; params: Record<string, string> } {
  const params: Record<string, string> = {}
  let node = root
  let at = 1
  while (at <= path.length && path !== '/') {
    let end = path.indexOf('/', at)
    if (end === -1) end = path.length
    const segment = path.slice(at, end)
    const literal = node.literals.get(segment)
    if (literal !== undefined) node = literal
    else if (node.parameter !== undefined && segment !== '') {
      params[node.parameter.name] = decodeSegment(segment)
      node = node.parameter.node
    } else if (node.rest !== undefined && segment !== '') {
      params[node.rest.name] = path.slice(at).split('/').map(decodeSegment).join('/')
      node = node.rest.node
      break
    } else throw unknownPath(path)
    at = end + 1
  }
  if (node.allow === '') throw unknownPath(path)
  return { node, params }
}

function unknownPath(path: string): SluiceError {
  const near = nearest(path, knownPaths)
  const hint = near === undefined ? 'see /openapi.json' : `did you mean ${near}? see /openapi.json`
  return new SluiceError('not-found', `no such path: ${hint}`)
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new SluiceError('bad-request', 'the path has a percent escape that is not UTF-8')
  }
}

const knownPaths: readonly string[] = [...Object.values(routes), ...lackingRoutes]
  .map((route) => route.path)
  .filter((path) => path !== '/')

function buildTrie(): Node {
  const top = newNode()
  for (const id of Object.keys(routes) as RouteId[]) insert(top, id, routes[id])
  for (const route of lackingRoutes) insert(top, undefined, route)
  return top
}

function newNode(): Node {
  return { literals: new Map(), parameter: undefined, rest: undefined, methods: new Map(), allow: '' }
}

function insert(top: Node, id: RouteId | undefined, route: Route): void {
  let node = top
  for (const segment of route.path === '/' ? [] : route.path.slice(1).split('/')) {
    const parameter = /^\{(\w+)(\.\.\.)?\}$/.exec(segment)
    if (parameter === null) {
      const next: Node = node.literals.get(segment) ?? newNode()
      node.literals.set(segment, next)
      node = next
    } else if (parameter[2] !== undefined) {
      node.rest ??= { name: parameter[1] as string, node: newNode() }
      node = node.rest.node
    } else {
      node.parameter ??= { name: parameter[1] as string, node: newNode() }
      node = node.parameter.node
    }
  }
  node.methods.set(route.method, { id, route })
  const methods = new Set([...node.methods.keys(), 'OPTIONS'])
  if (methods.has('GET')) methods.add('HEAD')
  node.allow = [...methods].sort().join(', ')
}
