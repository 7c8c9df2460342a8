/** For the tests of the tier: a table with a column of every kind, jobs, and a lake read by a library that is not ours. */
import { icebergRead } from 'icebird'
import { inlineParquet } from '../../stores/parquet/inline.ts'
import type { Plain } from '../format/arrow/batch.case.ts'
import { batchOf } from '../format/arrow/batch.case.ts'
import { isSluiceError } from '../kernel/errors.ts'
import { hintKey, lakeFolder } from '../lake/layout.ts'
import { Log } from '../log/log.ts'
import type { Table } from '../model/table.ts'
import type { DataType } from '../model/types.ts'
import type { ObjectStore } from '../ports/objects.ts'
import type { Job } from '../ports/queue.ts'
import type { World } from '../ports/world.ts'
import type { TierOptions, TierOutcome } from './rounds.ts'
import { runTier } from './run.ts'

export const scalar = (kind: string): DataType => ({ kind }) as DataType

/** Columns that Iceberg v2 can hold: every kind, and names that no path syntax likes. */
export const everyColumn: readonly { readonly name: string; readonly type: DataType; readonly nullable: boolean }[] = [
  { name: 'id', type: scalar('bigint'), nullable: false },
  { name: 'yes', type: scalar('boolean'), nullable: true },
  { name: 'tiny', type: scalar('tinyint'), nullable: true },
  { name: 'small', type: scalar('smallint'), nullable: true },
  { name: 'int', type: scalar('int'), nullable: true },
  { name: 'float', type: scalar('float'), nullable: true },
  { name: 'double', type: scalar('double'), nullable: true },
  { name: 'price', type: { kind: 'decimal', precision: 9, scale: 2 }, nullable: true },
  { name: 'größe.m', type: scalar('string'), nullable: true },
  { name: 'raw', type: scalar('binary'), nullable: true },
  { name: 'day', type: scalar('date'), nullable: true },
  { name: 'at3', type: { kind: 'time', precision: 3 }, nullable: true },
  { name: 'ts0', type: { kind: 'timestamp', precision: 0 }, nullable: true },
  { name: 'ts6', type: { kind: 'timestamp', precision: 6 }, nullable: true },
  { name: 'ltz3', type: { kind: 'timestamp_ltz', precision: 3 }, nullable: true },
  { name: 'list', type: { kind: 'array', element: scalar('smallint'), elementId: 0 }, nullable: true },
  { name: 'map', type: { kind: 'map', key: scalar('string'), keyId: 0, value: scalar('int'), valueId: 0 }, nullable: true },
  {
    name: 'row',
    type: {
      kind: 'row',
      fields: [
        { id: 0, name: 'x', type: scalar('int') },
        { id: 0, name: 'y', type: scalar('string') },
      ],
    },
    nullable: true,
  },
  { name: 'vector', type: { kind: 'vector', dimension: 3, elementId: 0 }, nullable: true },
]

/** Row i of such a table, as plain values; every fifth is null where it may be. */
export function everyRow(i: number): readonly Plain[] {
  if (i % 5 === 4) return [BigInt(i), ...everyColumn.slice(1).map(() => null)]
  return [
    BigInt(i),
    i % 2 === 0,
    (i % 256) - 128,
    (i % 65536) - 32768,
    i * 1000,
    i + 0.5,
    i / 4,
    BigInt(i * 100 - 500),
    `text ${i}`,
    Uint8Array.of(i & 255, 255),
    20_000 + i,
    BigInt(i * 1000 + 1),
    BigInt(1_700_000_000 + i),
    1_700_000_000_000_001n + BigInt(i),
    1_700_000_000_123n + BigInt(i),
    [i % 100, null, -1],
    [
      [`k${i}`, i],
      ['n', null],
    ],
    [i, `y${i}`],
    [i, 0.5, -1],
  ]
}

export const everyBatch = (table: Table, from: number, count: number) =>
  batchOf(
    table.schema.columns,
    Array.from({ length: count }, (_, i) => everyRow(from + i)),
  )

export const tierJobOf = (table: Table, marks: readonly string[] = []): Job => ({
  kind: 'tier',
  table: { database: table.database, table: table.name, tableId: table.tableId },
  buckets: table.buckets.count,
  marks,
})

export async function tier(
  world: World,
  table: Table,
  options: Partial<TierOptions> & { readonly marks?: readonly string[] } = {},
): Promise<TierOutcome> {
  const { marks, ...limits } = options
  const log = new Log(world)
  const deadlineMs = world.clock.now() + 3_600_000
  return runTier(world, log, inlineParquet(), tierJobOf(table, marks), { deadlineMs, roundBytesMax: 1 << 28, ...limits })
}

/** All rows of the lake as icebird reads them from the folder alone; none where it has no hint yet. */
export async function folderRows(objects: ObjectStore, table: Table): Promise<Record<string, unknown>[]> {
  try {
    await objects.read(hintKey(table.tableId))
  } catch (error) {
    if (isSluiceError(error, 'not-found')) return []
    throw error
  }
  return withFetch(objects, () => icebergRead({ tableUrl: objects.uri(lakeFolder(table.tableId)) }))
}

/** Runs `read` while `fetch` answers from the object store; a key begins at `below`. */
export async function withFetch<T>(objects: ObjectStore, read: () => Promise<T>, below = 'lake/'): Promise<T> {
  const original = globalThis.fetch
  globalThis.fetch = async (input, init) => {
    const url = String(input)
    return answer(objects, url.slice(url.indexOf(below)), new Headers(init?.headers), init?.method)
  }
  try {
    return await read()
  } finally {
    globalThis.fetch = original
  }
}

async function answer(objects: ObjectStore, key: string, headers: Headers, method = 'GET'): Promise<Response> {
  const bytes = await objects.read(key)
  const range = /^bytes=([0-9]*)-([0-9]*)$/.exec(headers.get('range') ?? '')
  if (method === 'HEAD') return new Response(null, { headers: { 'content-length': String(bytes.length) } })
  if (range === null) return new Response(bytes as Uint8Array<ArrayBuffer>)
  const [from, to] =
    range[1] === ''
      ? [bytes.length - Number(range[2]), bytes.length]
      : [Number(range[1]), range[2] === '' ? bytes.length : Number(range[2]) + 1]
  return new Response(bytes.slice(from, to), { status: 206 })
}
