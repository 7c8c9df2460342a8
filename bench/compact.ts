/**
 * What compaction does for readers of many small appends, and what it costs: object reads of a whole log, read as a client does,
 * before and after, and bytes moved for each byte of the log. In one process over stores in memory, because the figures are
 * counts; the timing of a compaction is that of its store.
 */
import { createDatabase } from '../core/catalog/databases.ts'
import { createTable } from '../core/catalog/tables.ts'
import type { Batch } from '../core/format/arrow/column.ts'
import { offsetOf } from '../core/kernel/ids.ts'
import { limits } from '../core/kernel/limits.ts'
import { compact as compactTable } from '../core/log/keep/compact.ts'
import { defaultLogConfig, Log } from '../core/log/log.ts'
import { defaultOptions } from '../core/model/options.ts'
import { unpartitioned } from '../core/model/partition.ts'
import type { Table } from '../core/model/table.ts'
import type { World } from '../core/ports/world.ts'
import { systemClock, systemRandom } from '../functions/system.ts'
import { Counter, countObjects } from '../stores/decorators/count.ts'
import { MemoryItems } from '../stores/items/memory.ts'
import { MemoryObjects } from '../stores/objects/memory.ts'
import { machine } from './harness.ts'
import { number, table as textTable } from './table.ts'

const sizes = [
  { name: '8 KiB', rows: 1_024, appends: 4_096 },
  { name: '64 KiB', rows: 8_192, appends: 1_024 },
  { name: '512 KiB', rows: 65_536, appends: 128 },
] as const
const movedMax = 1.1

export interface CompactLine {
  readonly size: string
  readonly appends: number
  /** Object reads of the whole log. */
  readonly readsBefore: number
  readonly readsAfter: number
  /** Bytes of the objects written by compaction for each byte of the log. */
  readonly moved: number
}

export interface CompactReport {
  readonly bench: 'compact'
  readonly machine: string
  readonly lines: readonly CompactLine[]
  readonly aim: string
  readonly met: boolean
}

export async function compact({ progress }: { readonly progress: (text: string) => void }): Promise<CompactReport> {
  const lines: CompactLine[] = []
  for (const size of sizes) {
    progress(`compact: ${size.appends} appends of ${size.name}`)
    lines.push(await measure(size))
  }
  const met = lines.every(({ moved }) => moved <= movedMax)
  return { bench: 'compact', machine: machine(), lines, aim: `at most ${movedMax} bytes moved for each byte of the log`, met }
}

export function printCompact({ lines, aim, met, machine: on }: CompactReport): string {
  const rows = lines.map(({ size, appends, readsBefore, readsAfter, moved }) => [
    `${number(appends)} of ${size}`,
    number(readsBefore),
    number(readsAfter),
    number(moved),
  ])
  const head = ['appends', 'reads before', 'reads after', 'bytes moved a byte']
  return [
    `compact: one bucket, the whole log in bodies of 4 MiB; ${on}`,
    ...textTable(head, rows),
    `- ${aim}: ${met ? '✓ met' : '✗ not met'}`,
  ].join('\n')
}

async function measure({ name, rows, appends }: (typeof sizes)[number]): Promise<CompactLine> {
  const counter = new Counter()
  const world: World = {
    objects: countObjects(new MemoryObjects(), counter),
    items: new MemoryItems(),
    queue: { send: async () => undefined },
    clock: systemClock,
    random: systemRandom,
  }
  await createDatabase(world, 'bench')
  const { table } = await createTable(world, 'bench', 't', {
    columns: [{ name: 'v', type: { kind: 'bigint' }, nullable: false }],
    partitionBy: [],
    buckets: { count: 1 },
    options: defaultOptions,
  })
  const log = new Log(world, { ...defaultLogConfig, groupIntervalMs: 0 })
  for (let i = 0; i < appends; i++)
    await log.append(table, { parts: [{ partition: '', bucket: 0, batches: [batchOf(rows, BigInt(i * rows))] }] })
  const readsBefore = await readsOf(world, table, counter, rows * appends)
  const job = {
    kind: 'compact',
    table: { database: 'bench', table: 't', tableId: table.tableId },
    buckets: 1,
    marks: [],
  } as const
  const { bytes } = await compactTable(world, job, { deadlineMs: world.clock.now() + 600_000 })
  const readsAfter = await readsOf(world, table, counter, rows * appends)
  return { size: name, appends, readsBefore, readsAfter, moved: bytes / (8 * rows * appends) }
}

/** By a process that read nothing before. */
async function readsOf(world: World, table: Table, counter: Counter, rows: number): Promise<number> {
  const log = new Log(world)
  const before = counter.total.get('objects.read')
  let count = 0
  for (let from = offsetOf(0n); ; ) {
    const request = {
      partition: unpartitioned,
      bucket: 0,
      from,
      rowsMax: limits.fetchRowsMax,
      bytesMax: limits.fetchBodyBytesMax,
    }
    const { rows: frames, next, end } = await log.fetch(table, request)
    for (const frame of frames) {
      frame.columns()
      count += frame.rows
    }
    if (next >= end) break
    from = next
  }
  if (count !== rows) throw new Error(`${count} rows were read of ${rows}`)
  return counter.total.get('objects.read') - before
}

function batchOf(rows: number, first: bigint): Batch {
  const values = BigInt64Array.from({ length: rows }, (_, i) => first + BigInt(i))
  const type = { kind: 'bigint' } as const
  const column = { type, length: rows, nullCount: 0, validity: undefined, offsets: undefined, children: [] }
  return {
    rows,
    fields: [{ id: 4, name: 'v', type, nullable: false }],
    columns: [{ ...column, values: new Uint8Array(values.buffer) }],
  }
}
