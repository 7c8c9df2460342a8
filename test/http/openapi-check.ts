/** Is this answer one that /openapi.json describes? Path, method, status, headers, media type, body. */
import { problems, resolve } from './schema.ts'

export interface Answered {
  readonly method: string
  /** Path as it was sent, without the query. */
  readonly path: string
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

// biome-ignore lint/suspicious/noExplicitAny: a document that is walked by name
type Node = Record<string, any>

/** The complaints; none: as described. */
export function complaints(answered: Answered, document: Node): string[] {
  const { method, status } = answered
  const where = `${method} ${answered.path} → ${status}`
  const headers = headerProblems(answered)
  const item = pathItem(document, answered.path)
  if (item === undefined)
    return [...headers, ...errorOnly(answered, document, [400, 403, 404, 413, 501])].map((text) => `${where}: ${text}`)
  const operation = (item[method.toLowerCase()] ?? (method === 'HEAD' ? item['get'] : undefined)) as Node | undefined
  if (method === 'OPTIONS') return [...headers, ...(status === 204 ? [] : errorOnly(answered, document, [400, 403, 404, 413]))]
  if (operation === undefined)
    return [...headers, ...errorOnly(answered, document, [400, 403, 405, 413])].map((text) => `${where}: ${text}`)
  const found = operation.responses?.[String(status)] as Node | undefined
  if (found === undefined) return [`${where}: this status is not described`]
  const response = found.$ref === undefined ? found : resolve(document, found.$ref as string)
  return [...headers, ...responseProblems(answered, response as Node, document)].map((text) => `${where}: ${text}`)
}

function pathItem(document: Node, path: string): Node | undefined {
  const segments = path.split('/')
  const fits = Object.keys(document.paths).filter((template) => {
    const parts = template.split('/')
    // OpenAPI has no word for a parameter of several segments.
    const rest = parts.at(-1) === '{rest}' || parts.at(-1) === '{partition}'
    if (rest ? segments.length < parts.length : segments.length !== parts.length) return false
    return parts.every((part, i) => part === segments[i] || (part.startsWith('{') && segments[i] !== ''))
  })
  fits.sort((a, b) => a.split('{').length - b.split('{').length)
  return fits[0] === undefined ? undefined : document.paths[fits[0]]
}

function headerProblems({ headers, status }: Answered): string[] {
  const found: string[] = []
  for (const name of ['sluice-request-id', 'server-timing', 'sluice-requests'])
    if (!headers[name]) found.push(`header ${name} is missing`)
  if (status === 405 && !headers.allow) found.push('405 without Allow')
  if ((status === 429 || status === 503) && !headers['retry-after']) found.push(`${status} without Retry-After`)
  return found
}

/** Where no operation answers, only an error in the contract's form may come. */
function errorOnly(answered: Answered, document: Node, statuses: readonly number[]): string[] {
  if (!statuses.includes(answered.status)) return [`status ${answered.status} is not one of ${statuses}`]
  if (answered.method === 'HEAD') return []
  const schema = answered.path.startsWith('/iceberg/') ? 'IcebergError' : 'Error'
  return bodyProblems(answered, { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } }, document)
}

function responseProblems(answered: Answered, response: Node, document: Node): string[] {
  const found: string[] = []
  for (const [name, header] of Object.entries((response.headers ?? {}) as Record<string, Node>)) {
    const value = answered.headers[name.toLowerCase()]
    if (value === undefined) {
      if (header.required) found.push(`header ${name} is missing`)
    } else found.push(...problems(value, header.schema, document, name))
  }
  for (const name of Object.keys(answered.headers)) {
    const described = Object.keys(response.headers ?? {}).some((known) => known.toLowerCase() === name)
    if (name.startsWith('sluice-') && !described) found.push(`header ${name} is not described`)
  }
  if (answered.method === 'HEAD') return found
  return [...found, ...bodyProblems(answered, response.content as Node | undefined, document)]
}

function bodyProblems({ headers, body }: Answered, content: Node | undefined, document: Node): string[] {
  if (content === undefined) return body.length === 0 ? [] : ['there is a body where none is described']
  const type = (headers['content-type'] ?? '').split(';')[0] ?? ''
  const described = content[type] as Node | undefined
  if (described === undefined) return [`media type ${JSON.stringify(type)} is not one of ${Object.keys(content)}`]
  if (described.schema === undefined) return []
  return problems(JSON.parse(Buffer.from(body).toString()), described.schema, document)
}
