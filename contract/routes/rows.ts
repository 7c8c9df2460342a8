/** The calls of rows: produce, lookup, scan, fetch, offsets, tier. */
import * as z from 'zod/mini'
import { limits } from '../../core/kernel/limits.ts'
import { emptyIn, lookupIn, lookupOut, offsetsOut, prefixIn, prefixOut, producedOut, rowsOut, tierOut } from '../bodies.ts'
import { media, rowMedia } from '../media.ts'
import type { Route } from '../route.ts'
import { atLeastOne, count, flag, partitionListQuery, uint63, wait } from '../values.ts'
import { answer, base, jsonBody, optionalJson, partitionName, tablePath, text } from './parts.ts'

const fetchQuery = z.strictObject({
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

const produceQuery = z.strictObject({
  bucket: z.optional(count(0, limits.bucketsMax - 1, 'all rows are for this bucket; switches gap detection on')),
  op: z.optional(
    z.enum(['upsert', 'delete'], 'must be upsert or delete').check(
      z.meta({
        description:
          'of rows without __op, which may say +A U +I +U (upsert), D -D (delete) or -U (ignored); tables with a primary key',
      }),
    ),
  ),
  columns: z.optional(
    text(
      'columns of a partial update or a partial delete, such as a,b, with the primary key among them; values that rows have in other columns are not written; tables with a primary key',
    ),
  ),
  partition: z.optional(partitionName('all rows are for this partition')),
})

const produceHeaders = z.looseObject({
  'Producer-Id': z.optional(z.string().check(z.minLength(1), z.maxLength(limits.producerIdLengthMax))),
  'Producer-Epoch': z.optional(uint63('0 if absent')),
  'Producer-Seq': z.optional(uint63('from 0')),
})

const rowsQuery = z.strictObject({
  limit: z.optional(atLeastOne('rows at most, no more than 1,000,000; 1,000 if absent, 100,000 as Arrow')),
  columns: z.optional(text('columns to read, in that order, such as a,b')),
  where: z.optional(text('a filter: only rows for which it is true')),
  cursor: z.optional(text('Sluice-Cursor of the answer before: where to go on')),
  count: z.optional(flag.check(z.meta({ description: 'how many rows there are, without reading them' }))),
  end: z.optional(flag.check(z.meta({ description: 'ends the scan of the cursor, which holds a place of its bucket; no rows' }))),
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

export const rowsRoutes = {
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
        description: 'rows, each bucket at one offset; with count=true {"count"} alone, with end=true none',
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
} as const satisfies Record<string, Route>
