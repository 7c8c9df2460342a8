/**
 * JSON bodies of version 1. What comes in is strict: an unknown field is an error. What goes out is open, because
 * answers may gain fields. Types of columns and options stay text here; core/model reads them.
 */
import * as z from 'zod/mini'
import { errorCodes } from '../core/kernel/errors.ts'
import { limits } from '../core/kernel/limits.ts'
import { shownAsChanges, shownAsOptions } from './table-options.ts'

/** zod measures whatever has a `length`, a hostile object too: here only what is a text or a list. */
const atMost = (maximum: number, error: string) =>
  new z.core.$ZodCheckMaxLength({
    check: 'max_length',
    maximum,
    error: () => error,
    when: ({ value }) => typeof value === 'string' || Array.isArray(value),
  })

const text = z.string()
const decimal = z
  .string()
  .check(z.regex(/^[0-9]{1,19}$/), z.meta({ id: 'Offset', description: 'a 63-bit number as decimal text' }))
const decimalOrNull = z.nullable(decimal)

// ---- in

export const emptyIn = z.strictObject({})

/** Text, as it is read in core/model/options.ts; their forms are in /openapi.json. */
const optionsIn = z.record(text, text).check(z.meta({ id: 'TableOptions', override: shownAsOptions }))
const optionsChangeIn = z
  .record(text, z.nullable(text))
  .check(z.meta({ id: 'TableOptionChanges', description: 'null takes an option back to its default', override: shownAsChanges }))

const columnIn = z
  .strictObject({
    name: text,
    type: text.check(z.meta({ examples: ['bigint', 'string', 'timestamp(6)', 'array<int>'] })),
    nullable: z.optional(z.boolean()),
    comment: z.optional(z.string().check(atMost(limits.commentLengthMax, 'is too long'))),
    autoIncrement: z.optional(z.boolean().check(z.meta({ description: 'the table numbers its rows in this column' }))),
  })
  .check(z.meta({ id: 'NewColumn' }))

export const tableIn = z
  .strictObject({
    columns: z.array(columnIn).check(atMost(limits.columnsMax, `has more than ${limits.columnsMax} entries`)),
    primaryKey: z.optional(z.array(text)),
    partitionBy: z.optional(z.array(text)),
    buckets: z.optional(
      z.strictObject({
        count: z.optional(z.int().check(z.minimum(1, bucketCount()), z.maximum(limits.bucketsMax, bucketCount()))),
        key: z.optional(z.array(text)),
      }),
    ),
    options: z.optional(optionsIn),
  })
  .check(z.meta({ id: 'TableSpec', description: 'a table as it is asked for; one bucket if `buckets` is absent' }))
export type TableIn = z.output<typeof tableIn>

function prefixRows(): string {
  return `must be from 1 to ${limits.prefixRowsMax}`
}

function bucketCount(): string {
  return `must be from 1 to ${limits.bucketsMax}`
}

export const alterIn = z
  .strictObject({
    setOptions: z.optional(optionsChangeIn),
    addColumns: z.optional(z.array(columnIn).check(atMost(limits.columnsMax, `has more than ${limits.columnsMax} entries`))),
    dropColumns: z.optional(z.array(text).check(atMost(limits.columnsMax, `has more than ${limits.columnsMax} entries`))),
    renameColumns: z.optional(z.record(text, text)),
    widenColumns: z.optional(z.record(text, text)),
  })
  .check(
    z.meta({
      id: 'Alteration',
      description: 'columns by name, all names those before the change; null takes an option back to its default',
    }),
  )

export const databaseAlterIn = z.strictObject({ setOptions: z.optional(z.record(text, z.nullable(text))) })

const row = z.record(text, z.unknown()).check(z.meta({ id: 'Row' }))
/** As they may be said; core/kv/records.ts reads them. */
const op = z.nullable(z.enum(['+A', '+I', '+U', 'U', '-U', '-D', 'D'])).check(
  z.meta({
    description:
      'what the row asks, in tables with a primary key: +A +I +U U upsert, D -D delete, -U nothing, as a changelog has them; op= if absent or null. In Arrow also the codes 0 +A, 1 +I, 2 -U, 3 +U, 4 -D',
  }),
)
export const rowsIn = z
  .strictObject({ rows: z.array(z.looseObject({ __op: z.optional(op) })) })
  .check(z.meta({ id: 'Rows', description: 'rows by column name; as NDJSON one a line' }))

const keys = z
  .array(row)
  .check(atMost(limits.lookupKeysMax, `has more than ${limits.lookupKeysMax} entries: ask for fewer keys at once`))
const columnNames = z.optional(z.array(text).check(atMost(limits.columnsMax, `has more than ${limits.columnsMax} entries`)))
export const lookupIn = z
  .strictObject({ keys, columns: columnNames, stale: z.optional(z.boolean()), insert: z.optional(z.boolean()) })
  .check(
    z.meta({
      id: 'Lookup',
      description:
        'keys have the columns of the primary key; stale asks no one how far the log is; insert makes rows of the key, the next number of an autoIncrement column and nulls where there are none, and needs the right to write',
    }),
  )
export const prefixIn = z
  .strictObject({
    keys,
    columns: columnNames,
    stale: z.optional(z.boolean()),
    limit: z.optional(z.int().check(z.minimum(1, prefixRows()), z.maximum(limits.prefixRowsMax, prefixRows()))),
  })
  .check(z.meta({ id: 'PrefixLookup', description: 'keys have the columns of the bucket key and of the partition' }))

// ---- out

export const databaseOut = z
  .looseObject({ name: text, createdAt: z.int(), status: z.enum(['alive', 'dropping']) })
  .check(z.meta({ id: 'Database' }))

export const databasesOut = z.looseObject({ databases: z.array(text), next: z.nullable(text) })
export const tablesOut = z.looseObject({ tables: z.array(text), next: z.nullable(text) })

export const partitionsOut = z.looseObject({ partitions: z.array(text), next: z.nullable(text) })
export const partitionOut = z
  .looseObject({ partition: text, createdAt: z.int(), status: z.enum(['alive', 'dropping']) })
  .check(z.meta({ id: 'Partition' }))

export const tableOut = z
  .looseObject({
    database: text,
    name: text,
    tableId: z.string().check(z.regex(/^[0-9a-f]{16}$/)),
    schemaId: z.int().check(z.minimum(1)),
    /** `lake-behind`: rows are kept past `log.ttl`, because they are not in the lake yet. */
    status: z.enum(['alive', 'lake-behind', 'dropping']),
    createdAt: z.int(),
    columns: z.array(
      z.looseObject({
        id: z.int().check(z.minimum(4)),
        name: text,
        type: text,
        nullable: z.boolean(),
        comment: z.optional(text),
        autoIncrement: z.optional(z.literal(true)),
      }),
    ),
    primaryKey: z.array(text),
    partitionBy: z.array(text),
    buckets: z.looseObject({ count: z.int(), key: z.optional(z.array(text)) }),
    options: z.record(text, text),
  })
  .check(z.meta({ id: 'Table' }))

const errorFields = {
  code: z.enum(errorCodes),
  message: z.string().check(z.minLength(1)),
  effect: z.enum(['none', 'done', 'partial', 'unknown']),
  action: z.enum(['fix', 'retry', 'refresh', 'stop']),
  facts: z.record(text, z.unknown()),
}
const errorInside = z.looseObject(errorFields).check(z.meta({ id: 'ErrorBody' }))
export const errorOut = z.looseObject({ error: errorInside }).check(z.meta({ id: 'Error' }))

export const producedOut = z
  .looseObject({
    buckets: z.array(
      z.looseObject({
        partition: text,
        bucket: z.int(),
        baseOffset: z.optional(decimal),
        endOffset: z.optional(decimal),
        effect: z.optional(errorFields.effect),
        duplicate: z.optional(z.boolean()),
        error: z.optional(errorInside),
      }),
    ),
    duplicate: z.boolean(),
  })
  .check(z.meta({ id: 'Produced', description: 'endOffset is exclusive' }))

const lookedAt = z.array(z.looseObject({ partition: text, bucket: z.int(), offset: decimal }))
export const lookupOut = z.looseObject({ rows: z.array(z.nullable(row)), buckets: lookedAt })
export const prefixOut = z.looseObject({ rows: z.array(z.array(row)), buckets: lookedAt })
export const rowsOut = z.looseObject({ rows: z.array(row) })

const bucketOffsets = z
  .looseObject({
    partition: text,
    bucket: z.int(),
    start: decimal,
    end: decimal,
    tierPoint: decimalOrNull,
    snapshot: decimalOrNull,
  })
  .check(z.meta({ id: 'BucketOffsets' }))
export const offsetsOut = z.looseObject({ buckets: z.array(bucketOffsets), next: z.nullable(text) })

export const tierOut = z
  .looseObject({
    state: z.enum(['none', 'idle', 'running', 'failing', 'diverged']),
    epoch: z.int(),
    snapshot: decimalOrNull,
    lagMs: z.int(),
    lagRows: z.int(),
    lagBytes: z.int().check(z.meta({ description: 'of those rows in the log; by the average for all but the latest' })),
    lastError: z.nullable(z.looseObject({ message: text, at: z.int() })),
    failures: z.int().check(z.meta({ description: 'runs that failed since the last success' })),
    nextAttemptAt: z.nullable(z.int()).check(z.meta({ description: 'ms since 1970; a call of this path waits for no pause' })),
    maintenance: z
      .nullable(z.enum(['sluice', 'catalog']))
      .check(
        z.meta({ description: 'who compacts, expires and collects orphans: sluice, or an external catalog and its engines' }),
      ),
    buckets: z.array(bucketOffsets).check(z.meta({ description: 'the first 1,024' })),
  })
  .check(z.meta({ id: 'TierState' }))

export const versionOut = z.looseObject({
  version: z.literal(1),
  limits: z.record(text, z.int()),
  capabilities: z.array(text),
})
export const costOut = z.looseObject({ requests: z.record(text, z.int()), amounts: z.record(text, z.number()), usd: z.number() })
export const healthOut = z.looseObject({ status: z.literal('ok') })
const anyObject = z.record(text, z.unknown())
export const openapiOut = z.looseObject({ openapi: text, info: anyObject, paths: anyObject, components: anyObject })
