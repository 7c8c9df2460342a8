/** The calls of version 1 that this build has. */
import * as z from 'zod/mini'
import { limits } from '../core/kernel/limits.ts'
import {
  alterIn,
  costOut,
  databaseAlterIn,
  databaseOut,
  databasesOut,
  emptyIn,
  healthOut,
  lookupIn,
  lookupOut,
  offsetsOut,
  openapiOut,
  partitionOut,
  partitionsOut,
  prefixIn,
  prefixOut,
  producedOut,
  rowsOut,
  tableIn,
  tableOut,
  tablesOut,
  tierOut,
  versionOut,
} from './bodies.ts'
import { icebergRoutes } from './iceberg.ts'
import { media, rowMedia } from './media.ts'
import { type Answer, noBody, type Route, type Schema, type Shape } from './route.ts'
import { atLeastOne, count, flag, listQuery, partitionListQuery, uint63, wait } from './values.ts'

const databasePath = '/v1/databases/{db}'
const tablePath = '/v1/databases/{db}/tables/{table}'
const json = [media.json]

const jsonBody = <S extends Schema>(schema: S) => ({ kind: 'json', schema, required: true }) as const
const optionalJson = <S extends Schema>(schema: S) => ({ kind: 'json', schema, required: false }) as const
const answer = (description: string, schema: Schema, headers?: Shape): Answer => ({
  description,
  content: { [media.json]: schema },
  ...(headers === undefined ? {} : { headers }),
})
const gone: Answer = { description: 'gone, or absent with ifExists' }
const closing: Answer = { description: 'its buckets are being closed: repeat the call until it answers 204 or 404' }
const etag = z.looseObject({ ETag: z.string().check(z.regex(/^"[0-9]+"$/)) })

const partitionName = (description: string) =>
  z.string().check(z.maxLength(limits.partitionNameBytesMax, 'is too long'), z.meta({ description }))

const dropQuery = z.strictObject({ ifExists: z.optional(flag) })

const text = (description: string) => z.string().check(z.meta({ description }))

export const fetchQuery = z.strictObject({
  bucket: z.optional(text('a bucket, or several such as 0-7,12; all if absent')),
  offset: z.optional(text('where to begin: earliest, latest, @2026-11-21T09:30:00Z, or a number where one bucket is read')),
  cursor: z.optional(text('Sluice-Cursor of the answer before: where to go on; beats offset')),
  limit: z.optional(atLeastOne('rows at most, no more than 1,000,000; 1,000 if absent, 100,000 as Arrow')),
  maxBytes: z.optional(uint63('bytes at most, 4 MiB if absent; one row comes whatever it says')),
  partition: z.optional(partitionName('a partition, or the beginning of the names of several; all if absent')),
  columns: z.optional(text('columns to read, in that order, such as a,b or *,__offset')),
  where: z.optional(text('a filter: only rows for which it is true')),
  wait: z.optional(wait),
  form: z.optional(
    z
      .enum(['binlog'], 'must be binlog')
      .check(z.meta({ description: 'binlog: one row a change, with the row before and after; tables with a primary key' })),
  ),
})

export const produceQuery = z.strictObject({
  bucket: z.optional(count(0, limits.bucketsMax - 1, 'all rows are for this bucket; switches gap detection on')),
  op: z.optional(
    z
      .enum(['upsert', 'delete'], 'must be upsert or delete')
      .check(z.meta({ description: 'of rows without __op; tables with a primary key' })),
  ),
  columns: z.optional(text('columns of a partial update or a partial delete, such as a,b; tables with a primary key')),
  partition: z.optional(partitionName('all rows are for this partition')),
})

const produceHeaders = z.looseObject({
  'Producer-Id': z.optional(z.string().check(z.minLength(1), z.maxLength(limits.producerIdLengthMax))),
  'Producer-Epoch': z.optional(uint63('0 if absent')),
  'Producer-Seq': z.optional(uint63('from 0')),
})

export const rowsQuery = z.strictObject({
  limit: z.optional(atLeastOne('rows at most, no more than 1,000,000; 1,000 if absent, 100,000 as Arrow')),
  columns: z.optional(text('columns to read, in that order, such as a,b')),
  where: z.optional(text('a filter: only rows for which it is true')),
  cursor: z.optional(text('Sluice-Cursor of the answer before: where to go on')),
  count: z.optional(flag.check(z.meta({ description: 'how many rows there are, without reading them' }))),
})

const decimal = z.string().check(z.regex(/^[0-9]{1,19}$/))
const fetchHeaders = z.looseObject({
  'Sluice-Rows': z.optional(decimal),
  'Sluice-Poll-After': z.optional(decimal),
  /** Where one bucket is read. */
  'Sluice-Start-Offset': z.optional(decimal),
  'Sluice-Next-Offset': z.optional(decimal),
  'Sluice-End-Offset': z.optional(decimal),
  'Sluice-Cursor': z.optional(z.string().check(z.minLength(1))),
})
const rowsHeaders = z.looseObject({
  'Sluice-Rows': z.optional(decimal),
  /** Absent: no rows are left. */
  'Sluice-Cursor': z.optional(z.string().check(z.minLength(1))),
})

const base = { body: noBody, bodyBytesMax: limits.jsonBodyBytesMax, produces: json, errors: [] } as const

export const routes = {
  ...icebergRoutes,
  version: {
    ...base,
    method: 'GET',
    path: '/v1',
    summary: 'Version, limits, capabilities',
    function: 'admin',
    operation: 'none',
    answers: { 200: answer('what this server is', versionOut) },
  },
  cost: {
    ...base,
    method: 'GET',
    path: '/v1/cost',
    summary: 'Counted storage requests and what they would cost',
    function: 'admin',
    operation: 'ALL',
    answers: { 200: answer('requests by operation, US dollars', costOut) },
  },
  listDatabases: {
    ...base,
    method: 'GET',
    path: '/v1/databases',
    summary: 'List databases',
    function: 'admin',
    operation: 'DESCRIBE',
    query: listQuery,
    answers: { 200: answer('names in order', databasesOut) },
  },
  getDatabase: {
    ...base,
    method: 'GET',
    path: databasePath,
    summary: 'Describe a database',
    function: 'admin',
    operation: 'DESCRIBE',
    answers: { 200: answer('the database', databaseOut) },
    errors: ['not-found'],
  },
  createDatabase: {
    ...base,
    method: 'PUT',
    path: databasePath,
    summary: 'Create a database',
    function: 'admin',
    operation: 'CREATE',
    body: optionalJson(emptyIn),
    answers: { 200: answer('it was there', databaseOut), 201: answer('created', databaseOut) },
    errors: ['conflict'],
  },
  alterDatabase: {
    ...base,
    method: 'PATCH',
    path: databasePath,
    summary: 'Set options of a database (there are none yet)',
    function: 'admin',
    operation: 'ALTER',
    body: jsonBody(databaseAlterIn),
    answers: { 200: answer('the database', databaseOut) },
    errors: ['not-found'],
  },
  dropDatabase: {
    ...base,
    method: 'DELETE',
    path: databasePath,
    summary: 'Drop a database',
    function: 'admin',
    operation: 'DROP',
    query: z.strictObject({ ifExists: z.optional(flag), cascade: z.optional(flag) }),
    answers: { 202: closing, 204: gone },
    errors: ['not-found', 'not-empty'],
  },
  listTables: {
    ...base,
    method: 'GET',
    path: `${databasePath}/tables`,
    summary: 'List tables',
    function: 'admin',
    operation: 'DESCRIBE',
    query: listQuery,
    answers: { 200: answer('names in order', tablesOut) },
    errors: ['not-found'],
  },
  getTable: {
    ...base,
    method: 'GET',
    path: tablePath,
    summary: 'Describe a table',
    function: 'admin',
    operation: 'DESCRIBE',
    answers: { 200: answer('the table', tableOut, etag) },
    errors: ['not-found'],
  },
  createTable: {
    ...base,
    method: 'PUT',
    path: tablePath,
    summary: 'Create a table',
    function: 'admin',
    operation: 'CREATE',
    body: jsonBody(tableIn),
    answers: { 200: answer('it was there with this specification', tableOut, etag), 201: answer('created', tableOut, etag) },
    errors: ['not-found', 'exists', 'invalid-schema', 'conflict'],
  },
  alterTable: {
    ...base,
    method: 'PATCH',
    path: tablePath,
    summary: 'Change the columns and the options of a table',
    function: 'admin',
    operation: 'ALTER',
    body: jsonBody(alterIn),
    headers: z.looseObject({ 'If-Match': z.optional(z.string().check(z.meta({ description: 'the schemaId in quotes' }))) }),
    answers: { 200: answer('the table', tableOut, etag) },
    errors: ['not-found', 'changed', 'conflict', 'invalid-schema', 'full'],
  },
  dropTable: {
    ...base,
    method: 'DELETE',
    path: tablePath,
    summary: 'Drop a table',
    function: 'admin',
    operation: 'DROP',
    query: dropQuery,
    answers: { 202: closing, 204: gone },
    errors: ['not-found'],
  },
  listPartitions: {
    ...base,
    method: 'GET',
    path: `${tablePath}/partitions`,
    summary: 'List partitions',
    function: 'admin',
    operation: 'DESCRIBE',
    query: partitionListQuery,
    answers: { 200: answer('names in order', partitionsOut) },
    errors: ['not-found'],
  },
  createPartition: {
    ...base,
    method: 'PUT',
    path: `${tablePath}/partitions/{partition...}`,
    summary: 'Add a partition, named k=v/k2=v2 with special characters as %XX',
    function: 'admin',
    operation: 'ALTER',
    body: optionalJson(emptyIn),
    answers: { 200: answer('it was there', partitionOut), 201: answer('created', partitionOut) },
    errors: ['not-found', 'invalid-name', 'conflict', 'full'],
  },
  dropPartition: {
    ...base,
    method: 'DELETE',
    path: `${tablePath}/partitions/{partition...}`,
    summary: 'Drop a partition with its rows',
    function: 'admin',
    operation: 'ALTER',
    query: z.strictObject({
      ifExists: z.optional(flag),
      keepLake: z.optional(
        flag.check(z.meta({ description: 'keep its rows in the lake; those that are not there yet are gone all the same' })),
      ),
    }),
    answers: { 202: closing, 204: gone },
    errors: ['not-found', 'invalid-name'],
  },
  produce: {
    ...base,
    method: 'POST',
    path: `${tablePath}/records`,
    summary: 'Produce rows',
    function: 'ingest',
    operation: 'WRITE',
    query: produceQuery,
    headers: produceHeaders,
    body: { kind: 'rows' },
    bodyBytesMax: limits.produceBodyBytesMax,
    answers: { 200: answer('where the rows are', producedOut) },
    errors: [
      'not-found',
      'invalid-rows',
      'stale-epoch',
      'sequence-gap',
      'sequence-old',
      'sequence-reused',
      'conflict',
      'gone',
      'full',
      'changed',
    ],
  },
  lookup: {
    ...base,
    method: 'POST',
    path: `${tablePath}/lookup`,
    summary: 'Rows by primary key; with insert=true those that are not there are inserted',
    // It may insert, and the read function writes nothing.
    function: 'ingest',
    operation: 'READ',
    body: jsonBody(lookupIn),
    produces: [media.json, media.arrow],
    answers: {
      200: {
        description: 'rows in the order of the keys; as Arrow those that were found, behind the index of their key',
        content: { [media.json]: lookupOut, [media.arrow]: undefined },
      },
    },
    errors: ['not-found', 'invalid-rows', 'conflict', 'gone', 'full', 'changed'],
  },
  lookupPrefix: {
    ...base,
    method: 'POST',
    path: `${tablePath}/lookup/prefix`,
    summary: 'Rows by bucket key, where that is the beginning of the primary key',
    function: 'read',
    operation: 'READ',
    body: jsonBody(prefixIn),
    produces: [media.json, media.arrow],
    answers: {
      200: {
        description: 'for each key its rows in key order; as Arrow all of them, behind the index of their key',
        content: { [media.json]: prefixOut, [media.arrow]: undefined },
      },
    },
    errors: ['not-found', 'invalid-rows', 'gone', 'changed'],
  },
  rows: {
    ...base,
    method: 'GET',
    path: `${tablePath}/rows`,
    summary: 'Current rows of a table with a primary key, bucket by bucket, in key order',
    // It takes leases, and the read function writes nothing.
    function: 'ingest',
    operation: 'READ',
    query: rowsQuery,
    produces: rowMedia,
    answers: {
      200: {
        description: 'rows, each bucket at one offset; or, with count=true, {"count"} alone',
        headers: rowsHeaders,
        content: { [media.ndjson]: undefined, [media.json]: undefined, [media.arrow]: undefined },
      },
    },
    errors: ['not-found', 'bad-cursor', 'invalid-filter', 'gone', 'changed'],
  },
  fetch: {
    ...base,
    method: 'GET',
    path: `${tablePath}/log`,
    summary: 'Fetch rows of a bucket, or of the table by cursor',
    function: 'read',
    operation: 'READ',
    query: fetchQuery,
    produces: [...rowMedia, media.sse],
    answers: {
      200: {
        description: 'rows from exactly where the reader is',
        headers: fetchHeaders,
        content: { [media.ndjson]: undefined, [media.json]: rowsOut, [media.arrow]: undefined, [media.sse]: undefined },
      },
    },
    errors: ['not-found', 'offset-out-of-range', 'gone', 'bad-cursor', 'invalid-filter'],
  },
  offsets: {
    ...base,
    method: 'GET',
    path: `${tablePath}/offsets`,
    summary: 'Offsets by bucket',
    function: 'read',
    operation: 'READ',
    query: partitionListQuery,
    answers: { 200: answer('a page of buckets', offsetsOut) },
    errors: ['not-found', 'gone'],
  },
  getTier: {
    ...base,
    method: 'GET',
    path: `${tablePath}/tier`,
    summary: 'State of a table in its lake',
    function: 'admin',
    operation: 'DESCRIBE',
    answers: { 200: answer('the state', tierOut) },
    errors: ['not-found', 'gone'],
  },
  tier: {
    ...base,
    method: 'POST',
    path: `${tablePath}/tier`,
    summary: 'Bring a table into its lake now',
    function: 'admin',
    operation: 'WRITE',
    query: z.strictObject({ wait: z.optional(wait) }),
    body: optionalJson(emptyIn),
    answers: { 200: answer('every row there was is committed', tierOut), 202: answer('still running', tierOut) },
    errors: ['not-found', 'gone'],
  },
  health: {
    ...base,
    method: 'GET',
    path: '/healthz',
    summary: 'Liveness',
    function: 'admin',
    operation: 'none',
    answers: { 200: answer('alive', healthOut) },
  },
  openapi: {
    ...base,
    method: 'GET',
    path: '/openapi.json',
    summary: 'This description',
    function: 'admin',
    operation: 'none',
    answers: { 200: answer('OpenAPI 3.1', openapiOut) },
  },
  metrics: {
    ...base,
    method: 'GET',
    path: '/metrics',
    summary: 'Metrics as Prometheus text',
    function: 'admin',
    operation: 'none',
    produces: [media.metrics],
    answers: { 200: { description: 'counters', content: { 'text/plain': undefined } } },
  },
  home: {
    ...base,
    method: 'GET',
    path: '/',
    summary: 'A page for people',
    function: 'admin',
    operation: 'none',
    produces: [media.html],
    answers: { 200: { description: 'HTML', content: { 'text/html': undefined } } },
  },
} as const satisfies Record<string, Route>

export type Routes = typeof routes
export type RouteId = keyof Routes
