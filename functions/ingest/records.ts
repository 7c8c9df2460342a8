/**
 * POST …/records: rows in, where they are out. The table may be a second old: heads are fenced by its id, so a refusal
 * for a table that was dropped or has other columns (effect none) makes us look again, once. A retry by the client is what
 * repairs `partial`.
 */
import { media } from '../../contract/media.ts'
import type { Batch } from '../../core/format/arrow/column.ts'
import { readArrowStream } from '../../core/format/arrow/read.ts'
import { decodeRows } from '../../core/format/json/decode.ts'
import { SluiceError } from '../../core/kernel/errors.ts'
import { targetsOf } from '../../core/kv/merge/operation.ts'
import { readRecords } from '../../core/kv/records.ts'
import { producerOf } from '../../core/log/producer.ts'
import { routeRows } from '../../core/log/route.ts'
import type { AppendRequest, BucketAppended } from '../../core/log/types.ts'
import { isKeyed } from '../../core/model/changelog.ts'
import type { Table } from '../../core/model/table.ts'
import type { Call, Handler, Reply } from '../call.ts'
import { columnNames } from '../columns.ts'
import { expandBuffer } from '../http/encoding.ts'
import { rowsMediaOf } from '../http/negotiate.ts'
import { jsonReply } from '../http/reply.ts'
import { mayBeOld, withTable } from '../tables.ts'
import type { FunctionWorld } from '../world.ts'
import { producedReply } from './produced.ts'
import { type ProducerHeaders, readProducerHeaders } from './producer-headers.ts'

export const records: Handler<'produce'> = async (call, world) => {
  const producer = readProducerHeaders(call.headers)
  const appended = await withTable(world.tables, call.params, (table) => appendTo(table, call, producer, world), isStale)
  return replyOf(appended)
}

type Query = Parameters<Handler<'produce'>>[0]['query']

async function appendTo(
  table: Table,
  call: Call<Query>,
  producer: ProducerHeaders | undefined,
  world: FunctionWorld,
): Promise<readonly BucketAppended[]> {
  if (isKeyed(table)) return upsertWhole({ table, call, producer, world })
  const { op, columns } = call.query
  const keyed = op !== undefined ? 'op' : columns !== undefined ? 'columns' : undefined
  if (keyed !== undefined)
    throw new SluiceError('bad-request', `${table.database}.${table.name} has no primary key: leave out ${keyed}=`, {
      facts: { parameter: keyed },
    })
  const request = appendRequest(table, call, producer, world.rotate, decodeBody(table, call))
  if (request.parts.length === 0) return []
  world.meter.add('rows.received', rowsOf(request))
  return world.log.append(table, request) // COMMIT POINT
}

interface Upsert {
  readonly table: Table
  readonly call: Call<Query>
  readonly producer: ProducerHeaders | undefined
  readonly world: FunctionWorld
}

type Place = Pick<BucketAppended, 'partition' | 'bucket'>

/**
 * Buckets that lost a race to rows of newer columns when others were done are done again in these. A key stays in its bucket whatever
 * becomes of the columns. Where that fails, what is said is that they have changed: the same request again finishes it.
 */
async function upsertWhole(upsert: Upsert): Promise<readonly BucketAppended[]> {
  const { table, call, world } = upsert
  const appended = await upsertTo(upsert)
  const left = appended.filter(({ outcome }) => !outcome.done && outcome.error.code === 'changed')
  if (left.length === 0 || left.length === appended.length) return appended
  const named = (places: readonly BucketAppended[], { partition, bucket }: Place) =>
    places.find((each) => each.partition === partition && each.bucket === bucket)
  try {
    world.tables.forget(call.params.db, call.params.table)
    const newest = await world.tables.get(call.params.db, call.params.table)
    if (newest.tableId !== table.tableId) return appended
    const again = await upsertTo({ ...upsert, table: newest }, (part) => named(left, part) !== undefined)
    return appended.map((each) => named(again, each) ?? each)
  } catch {
    return appended
  }
}

/** `isLeft`: of which buckets rows are sent, where a part of the request is done. */
async function upsertTo(
  { table, call, producer, world }: Upsert,
  isLeft?: (part: Place) => boolean,
): Promise<readonly BucketAppended[]> {
  const { op = 'upsert', columns } = call.query
  const names = columns === undefined ? undefined : columnNames(columns)
  const targets = names && targetsOf(table, names)
  const type = rowsMediaOf(call.headers['content-type'])
  const form = type === media.arrow ? 'arrow' : type === media.ndjson ? 'ndjson' : 'json'
  const batches = readRecords(table, { body: call.body, form, op, zstd: expandBuffer, ...(targets && { targets }) })
  const whole = appendRequest(table, call, producer, world.rotate, batches)
  const request = isLeft === undefined ? whole : { ...whole, parts: whole.parts.filter(isLeft) }
  if (request.parts.length === 0) return []
  if (isLeft === undefined) world.meter.add('rows.received', rowsOf(request))
  const before = world.kv.conflicts
  const appended = await world.kv.upsert(table, { ...request, op, ...(names && { targets: names }) }) // COMMIT POINT
  world.meter.add('upsert.conflicts', world.kv.conflicts - before)
  return appended
}

function appendRequest(
  table: Table,
  call: Call<Query>,
  producer: ProducerHeaders | undefined,
  rotate: () => number,
  batches: readonly Batch[],
): AppendRequest {
  const { bucket } = call.query
  const partition = partitionOf(table, call.query)
  const parts = routeRows(table, batches, {
    ...(producer === undefined ? {} : { producer }),
    ...(bucket === undefined ? {} : { bucket }),
    ...(partition === undefined ? {} : { partition }),
    rotate,
  })
  if (producer === undefined) return { parts }
  return {
    parts,
    producer: producerOf({ principal: 'local', ...producer, body: call.body, gapDetection: bucket !== undefined }),
  }
}

/** Gaps are seen in one head only, so a bucket of a partitioned table needs its partition. */
function partitionOf(table: Table, { partition = '', bucket }: Query): string | undefined {
  if (partition === '') {
    if (bucket === undefined || table.partitionBy.length === 0) return undefined
    throw new SluiceError('bad-request', `${table.database}.${table.name} is partitioned: say partition= beside bucket=`, {
      facts: { parameter: 'partition' },
    })
  }
  if (table.partitionBy.length > 0) return partition
  throw new SluiceError('bad-request', `${table.database}.${table.name} is not partitioned: leave out partition=`, {
    facts: { parameter: 'partition' },
  })
}

function decodeBody(table: Table, { headers, body }: { headers: Call['headers']; body: Uint8Array }): readonly Batch[] {
  const type = rowsMediaOf(headers['content-type'])
  const former = table.formerNames === undefined ? {} : { formerNames: table.formerNames }
  if (type === media.arrow) return readArrowStream(body, table.schema.columns, { zstd: expandBuffer, ...former })
  return decodeRows(body, table.schema.columns, type === media.ndjson ? 'ndjson' : 'json', former)
}

function rowsOf(request: AppendRequest): number {
  let rows = 0
  for (const part of request.parts) for (const batch of part.batches) rows += batch.rows
  return rows
}

/** Every bucket refused, maybe because the table that we knew is gone, or has other columns by now. */
function isStale(appended: readonly BucketAppended[]): boolean {
  return (
    appended.length > 0 &&
    appended.every(({ outcome }) => !outcome.done && outcome.error.effect === 'none' && mayBeOld(outcome.error))
  )
}

function replyOf(appended: readonly BucketAppended[]): Reply {
  return appended.length === 0 ? jsonReply(200, { buckets: [], duplicate: false }) : producedReply(appended)
}
