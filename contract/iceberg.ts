/**
 * The calls of the Iceberg REST catalog that we serve (apache/iceberg, open-api/rest-catalog-open-api.yaml), below /iceberg and
 * without a prefix. A namespace is a database; a table is listed where it has an Iceberg lake.
 */
import * as z from 'zod/mini'
import { limits } from '../core/kernel/limits.ts'
import { media } from './media.ts'
import { type Answer, noBody, type Route, type Schema, type Shape } from './route.ts'
import { count } from './values.ts'

const namespacePath = '/iceberg/v1/namespaces/{db}'
const tablePath = `${namespacePath}/tables/{table}`

const text = z.string()
const described = (description: string) => text.check(z.meta({ description }))
const properties = z.record(text, text)
const namespace = z.array(text).check(z.meta({ id: 'IcebergNamespace', description: 'one level: a database' }))
const nextPage = z.nullable(text)

export const icebergErrorOut = z
  .looseObject({ error: z.looseObject({ message: text.check(z.minLength(1)), type: text, code: z.int() }) })
  .check(z.meta({ id: 'IcebergError' }))

const configOut = z.looseObject({ defaults: properties, overrides: properties, endpoints: z.array(text) })
const namespacesOut = z.looseObject({ namespaces: z.array(namespace), 'next-page-token': nextPage })
const namespaceOut = z.looseObject({ namespace, properties })
const tablesOut = z.looseObject({
  identifiers: z.array(z.looseObject({ namespace, name: text })),
  'next-page-token': nextPage,
})
const metadataOut = z
  .record(text, z.unknown())
  .check(z.meta({ id: 'IcebergTableMetadata', description: "Iceberg's table metadata; its specification says what is in it" }))
const tableOut = z.looseObject({ 'metadata-location': text, metadata: metadataOut, config: properties })

const page = {
  pageToken: z.optional(described('next-page-token of the page before, or empty for the first; absent with pageSize: all')),
  pageSize: z.optional(count(1, limits.listLimitMax, 'entries a page, 100 if absent')),
}
const reportIn = z
  .looseObject({ 'report-type': text })
  .check(z.meta({ id: 'IcebergMetricsReport', description: 'what a client measured; it is taken and not kept' }))

const commitOut = z.looseObject({ 'metadata-location': text, metadata: metadataOut })

const partsMax = 1_000
const parts = <S extends Schema>(shape: S) =>
  z.array(shape).check(
    new z.core.$ZodCheckMaxLength({
      check: 'max_length',
      maximum: partsMax,
      error: () => `has more than ${partsMax} entries`,
      when: ({ value }) => Array.isArray(value),
    }),
  )
/** The shapes of both kinds are in iceberg-commit.ts. */
const commitIn = z
  .looseObject({
    identifier: z.optional(z.looseObject({ namespace, name: text })),
    requirements: parts(z.looseObject({ type: text })),
    updates: parts(z.looseObject({ action: text })),
  })
  .check(z.meta({ id: 'IcebergCommit', description: 'maintenance: what would change rows, columns or layout is refused' }))

const etag = z.looseObject({ ETag: text.check(z.regex(/^"[0-9a-z-]+"$/)) })
const ifNoneMatch = z.looseObject({ 'If-None-Match': z.optional(described('the ETag of what the caller has')) })

const answer = (description: string, schema: Schema, headers?: Shape): Answer => ({
  description,
  content: { [media.json]: schema },
  ...(headers === undefined ? {} : { headers }),
})
const there: Answer = { description: 'it is there' }

const base = {
  function: 'catalog',
  operation: 'DESCRIBE',
  form: 'iceberg',
  body: noBody,
  bodyBytesMax: limits.jsonBodyBytesMax,
  produces: [media.json],
  errors: ['not-found'],
} as const

export const icebergRoutes = {
  icebergConfig: {
    ...base,
    method: 'GET',
    path: '/iceberg/v1/config',
    summary: 'Iceberg catalog: configuration, and the calls that it answers',
    operation: 'none',
    query: z.strictObject({ warehouse: z.optional(described('any name: there is one warehouse')) }),
    answers: { 200: answer('configuration', configOut) },
    errors: [],
  },
  icebergNamespaces: {
    ...base,
    method: 'GET',
    path: '/iceberg/v1/namespaces',
    summary: 'Iceberg catalog: list namespaces',
    query: z.strictObject({ parent: z.optional(described('a namespace; none has children')), ...page }),
    answers: { 200: answer('databases in order', namespacesOut) },
    errors: ['not-found', 'bad-cursor'],
  },
  icebergNamespace: {
    ...base,
    method: 'GET',
    path: namespacePath,
    summary: 'Iceberg catalog: describe a namespace',
    answers: { 200: answer('the database', namespaceOut) },
  },
  icebergNamespaceExists: {
    ...base,
    method: 'HEAD',
    path: namespacePath,
    summary: 'Iceberg catalog: is there such a namespace?',
    answers: { 204: there },
  },
  icebergTables: {
    ...base,
    method: 'GET',
    path: `${namespacePath}/tables`,
    summary: 'Iceberg catalog: list the tables that have an Iceberg lake',
    query: z.strictObject(page),
    answers: { 200: answer('names in order', tablesOut) },
    errors: ['not-found', 'bad-cursor'],
  },
  icebergTable: {
    ...base,
    method: 'GET',
    path: tablePath,
    summary: 'Iceberg catalog: load a table',
    operation: 'READ',
    query: z.strictObject({
      snapshots: z.optional(
        z
          .enum(['all', 'refs'], 'must be all or refs')
          .check(z.meta({ description: 'all snapshots, or those that branches and tags name' })),
      ),
      'referenced-by': z.optional(described('views that lead here; there are none')),
    }),
    headers: ifNoneMatch,
    answers: {
      200: answer('the committed metadata, and what reaching its files takes', tableOut, etag),
      304: { description: 'it is as the caller has it', headers: etag },
    },
  },
  icebergCommit: {
    ...base,
    method: 'POST',
    path: tablePath,
    summary: 'Iceberg catalog: commit maintenance to a table',
    operation: 'ALTER',
    body: { kind: 'json', schema: commitIn, required: true },
    answers: { 200: answer('the metadata after the commit', commitOut) },
    errors: ['not-found', 'conflict'],
  },
  icebergTableExists: {
    ...base,
    method: 'HEAD',
    path: tablePath,
    summary: 'Iceberg catalog: is there such a table?',
    answers: { 204: there },
  },
  icebergMetrics: {
    ...base,
    method: 'POST',
    path: `${tablePath}/metrics`,
    summary: 'Iceberg catalog: report what a scan or a commit took',
    operation: 'READ',
    body: { kind: 'json', schema: reportIn, required: true },
    answers: { 204: { description: 'taken' } },
  },
} as const satisfies Record<string, Route>

/** As `config` names them: the specification's own templates. `config` itself is not among them. */
export const icebergEndpoints: readonly string[] = Object.values<Route>(icebergRoutes)
  .filter(({ path }) => path !== icebergRoutes.icebergConfig.path)
  .map(({ method, path }) => `${method} ${path.replace('/iceberg/v1/', '/v1/{prefix}/').replace('{db}', '{namespace}')}`)
