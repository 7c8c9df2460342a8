/** A keyed table `d.t` (k text, v bigint, note text) in a world in memory, and operations on it in plain values. */
import { MemoryObjects } from '../../stores/objects/memory.ts'
import { createDatabase } from '../catalog/databases.ts'
import { createTable } from '../catalog/tables.ts'
import { type Plain, batchOf as plainBatch } from '../format/arrow/batch.case.ts'
import { present } from '../kernel/assert.ts'
import { utf8Text } from '../kernel/bytes.ts'
import { defaultLogConfig, Log } from '../log/log.ts'
import { decodeBuffers } from '../log/read/conform.ts'
import { routeRows } from '../log/route.ts'
import type { BucketAppended, Producer } from '../log/types.ts'
import { testWorld } from '../log/world.case.ts'
import { opColumn, prevColumn } from '../model/changelog.ts'
import { unpartitioned } from '../model/partition.ts'
import { type TableBody, tableSpecOf } from '../model/spec.ts'
import type { Table } from '../model/table.ts'
import type { ByteRange } from '../ports/objects.ts'
import type { World } from '../ports/world.ts'
import { fold } from './fold/fold.ts'
import { type LevelLimits, levelLimits } from './fold/levels.ts'
import { defaultKvConfig, Kv, type KvConfig, type UpsertRequest } from './kv.ts'
import { type Row, rowsOf, type Value } from './values.ts'

export { testWorld }

export const keyedBody: TableBody = {
  columns: [
    { name: 'k', type: 'string', nullable: false },
    { name: 'v', type: 'bigint' },
    { name: 'note', type: 'string' },
  ],
  primaryKey: ['k'],
}

export async function keyedTable(world: World, body: TableBody = keyedBody, buckets = 1): Promise<Table> {
  await createDatabase(world, 'd')
  return (await createTable(world, 'd', 't', tableSpecOf({ ...body, buckets: { ...body.buckets, count: buckets } }))).table
}

export interface TestKv {
  readonly log: Log
  readonly kv: Kv
}

export function testKv(world: World, cacheBytesMax = 1 << 24, config: Partial<KvConfig> = {}): TestKv {
  const log = new Log(world, { ...defaultLogConfig, groupIntervalMs: 0 })
  return { log, kv: new Kv(world, log, { ...defaultKvConfig, groupIntervalMs: 0, cacheBytesMax, ...config }) }
}

/** `undefined` as a row: the key is deleted. */
export type PlainOperation = readonly [key: string, row: readonly Plain[] | undefined]

export function upsertOf(table: Table, rows: readonly (readonly Plain[])[], producer?: Producer): UpsertRequest {
  const batches = [plainBatch(table.schema.columns, rows)]
  return { op: 'upsert', parts: [{ partition: '', bucket: 0, batches }], ...(producer && { producer }) }
}

/** Each row in the bucket of its key. */
export function routedOf(table: Table, rows: readonly (readonly Plain[])[]): UpsertRequest {
  return { op: 'upsert', parts: routeRows(table, [plainBatch(table.schema.columns, rows)], { rotate: () => 0 }) }
}

export function deleteOf(table: Table, keys: readonly string[], producer?: Producer): UpsertRequest {
  return {
    ...upsertOf(
      table,
      keys.map((key) => [key, null, null]),
      producer,
    ),
    op: 'delete',
  }
}

export function doneOf(appended: readonly BucketAppended[]): { base: bigint; end: bigint; duplicate: boolean } {
  const { outcome } = present(appended[0], 'an answer')
  if (!outcome.done) throw outcome.error
  return { base: outcome.base, end: outcome.end, duplicate: outcome.duplicate }
}

export const plainOf = (value: Value | undefined): unknown =>
  value instanceof Uint8Array ? utf8Text(value) : Array.isArray(value) ? value.map(plainOf) : value

export interface PlainChange {
  readonly op: '+A' | '+I' | '-U' | '+U' | '-D'
  readonly row: Row
  readonly prev: bigint | undefined
}

/** The changelog of a bucket, in the columns of the table. */
export async function changesIn(log: Log, table: Table, bucket: number, partition = unpartitioned): Promise<PlainChange[]> {
  const fields = [...table.schema.columns, opColumn, prevColumn]
  const { length } = table.schema.columns
  const out: PlainChange[] = []
  for (let from: bigint | 'earliest' = 'earliest'; ; ) {
    const request = { partition, bucket, from: from as never, fields, rowsMax: 1_000, bytesMax: 1 << 20 }
    const fetched = await log.fetch(table, request)
    for (const rows of fetched.rows)
      for (const row of rowsOf(decodeBuffers(fields, rows.rows, rows.columns()))) {
        const op = (['+A', '+I', '-U', '+U', '-D'] as const)[row[length] as number]
        out.push({
          op: present(op, 'a kind of change'),
          row: row.slice(0, length),
          prev: (row[length + 1] ?? undefined) as bigint | undefined,
        })
      }
    if (fetched.next >= fetched.end) return out
    from = fetched.next
  }
}

/** The changelog of bucket 0: op, key, v, prev. */
export async function changelogOf(log: Log, table: Table): Promise<unknown[][]> {
  const codes = ['+A', '+I', '-U', '+U', '-D']
  return (await changesIn(log, table, 0)).map(({ op, row, prev }) => [codes.indexOf(op), ...row.map(plainOf), prev ?? null])
}

/** Of a fold, without marks. */
export const jobOf = ({ database, name, tableId, buckets }: Table) => ({
  kind: 'fold' as const,
  table: { database, table: name, tableId },
  buckets: buckets.count,
  marks: [],
})

/** Few records fill a level. */
const tiny = { ...levelLimits, level0RunsMin: 2, level0RunsMax: 4, level1BytesMax: 400, levelGrowth: 2, runBytesMax: 150 }

/** As a worker two minutes later does. */
export async function foldNow(world: World, { log }: TestKv, table: Table, limits: LevelLimits = tiny): Promise<void> {
  const later = { ...world, clock: { ...world.clock, now: () => world.clock.now() + 120_000 } }
  await fold(later, log, jobOf(table), { deadlineMs: Number.POSITIVE_INFINITY, limits })
}

/** Counts what is read. */
export class CountedObjects extends MemoryObjects {
  bytesRead = 0

  override async read(key: string, range?: ByteRange): Promise<Uint8Array> {
    const bytes = await super.read(key, range)
    this.bytesRead += bytes.length
    return bytes
  }
}
