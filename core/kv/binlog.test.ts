/** Changes with the row before and after: the same wherever pages begin and end. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { offsetOf } from '../kernel/ids.ts'
import { decodeBuffers } from '../log/read/conform.ts'
import { offsetAt } from '../log/read/rows.ts'
import type { Position } from '../log/read/walk.ts'
import { opColumn } from '../model/changelog.ts'
import { parseFilter } from '../model/filter-text.ts'
import { systemColumns } from '../model/system-columns.ts'
import type { Table } from '../model/table.ts'
import { binlogColumns, binlogPage } from './binlog.ts'
import { rowsOf } from './values.ts'
import { deleteOf, keyedBody, keyedTable, plainOf, type TestKv, testKv, testWorld, upsertOf } from './world.case.ts'

interface Read {
  readonly changes: unknown[][]
  readonly next: bigint
}

/** One page: offset, operation, row before, row after. */
async function page(
  { log }: TestKv,
  table: Table,
  first: Position,
  changesMax: number,
  { bytesMax = 1 << 20, where }: { bytesMax?: number; where?: string } = {},
): Promise<Read> {
  const fields = table.schema.columns
  const read = await log.readPage(table, {
    selection: { buckets: [{ first: 0, last: 0 }], partitions: { kind: 'all' } },
    from: { first },
    bytesMax,
    ...binlogPage({
      columns: fields,
      changesMax,
      ...(where !== undefined && { filter: parseFilter(where, [...fields, ...systemColumns, opColumn]) }),
    }),
  })
  const changes: unknown[][] = []
  let taken = 0
  for (const rows of read.rows) {
    const decoded = rowsOf(decodeBuffers(binlogColumns(fields), rows.rows, rows.columns()))
    for (const [i, [before, after, op]] of decoded.entries())
      changes.push([offsetAt(rows, i), op, plainOf(before ?? null), plainOf(after ?? null)])
    taken += rows.rows
  }
  const next = read.after(taken).offsets[0]?.offset ?? 0n
  read.release()
  return { changes, next }
}

async function told(pages: TestKv, table: Table, changesMax: number): Promise<unknown[][]> {
  const changes: unknown[][] = []
  for (let from: Position = 'earliest'; ; ) {
    const read = await page(pages, table, from, changesMax)
    if (read.changes.length === 0) return changes
    changes.push(...read.changes)
    from = offsetOf(read.next)
  }
}

const whole = [
  [0n, 1, null, ['a', 1n, 'x']],
  [1n, 1, null, ['b', 2n, 'y']],
  [3n, 3, ['a', 1n, 'x'], ['a', 3n, 'z']],
  [5n, 3, ['a', 3n, 'z'], ['a', 4n, null]],
  [6n, 4, ['b', 2n, 'y'], null],
  [8n, 3, ['a', 4n, null], ['a', 4n, null]],
]

async function bucketOf(image: 'full' | 'wal'): Promise<{ table: Table; process: TestKv }> {
  const world = testWorld()
  const table = await keyedTable(world, { ...keyedBody, options: { 'changelog.image': image } })
  const process = testKv(world)
  await process.kv.upsert(
    table,
    upsertOf(table, [
      ['a', 1n, 'x'],
      ['b', 2n, 'y'],
      ['a', 3n, 'z'],
      ['a', 4n, null],
    ]),
  )
  await process.kv.upsert(table, deleteOf(table, ['b', 'none']))
  await process.kv.upsert(table, upsertOf(table, [['a', 4n, null]]))
  return { table, process }
}

describe('the image full', () => {
  test('one row a change, at the offset of its last record, in pages of any size', async () => {
    const { table, process } = await bucketOf('full')
    for (const changesMax of [1, 2, 3, 4, 100]) expect(await told(process, table, changesMax)).toEqual(whole)
  })

  test('a page may begin at any record: behind a -U it has the row before all the same', async () => {
    const { table, process } = await bucketOf('full')
    for (let from = 0n; from <= 9n; from++)
      for (const changesMax of [1, 2, 100]) {
        const wanted = whole.filter(([offset]) => (offset as bigint) >= from).slice(0, changesMax)
        expect((await page(process, table, offsetOf(from), changesMax)).changes).toEqual(wanted)
      }
  })

  test('a page that has room for a -U alone goes on until it has a change', async () => {
    const world = testWorld()
    const table = await keyedTable(world)
    const process = testKv(world)
    const note = 'n'.repeat(700_000)
    await process.kv.upsert(table, upsertOf(table, [['a', 1n, note]]))
    await process.kv.upsert(table, upsertOf(table, [['a', 2n, note]]))
    const { changes, next } = await page(process, table, offsetOf(1n), 100, { bytesMax: 1 })
    expect(changes.map(([offset, op, before]) => [offset, op, (before as unknown[])[1]])).toEqual([[2n, 3, 1n]])
    expect(next).toBe(3n)
  })
})

describe('a filter', () => {
  test.each([
    ['v = 3', [3n, 5n]],
    ["k = 'b'", [1n, 6n]],
    ['note is null', [5n, 8n]],
    ['__op = 2', [3n, 5n, 8n]],
    ['__op = 4 or __offset = 0', [0n, 6n]],
    ['__offset < 3', [0n, 1n, 3n]],
    ['v > 9', []],
  ])('%s selects a change by any of its records, wherever pages begin', async (where, offsets) => {
    const { table, process } = await bucketOf('full')
    const { changes, next } = await page(process, table, 'earliest', 100, { where })
    expect(changes).toEqual(whole.filter(([offset]) => (offsets as bigint[]).includes(offset as bigint)))
    expect(next).toBe(9n)
    for (let from = 0n; from <= 9n; from++) {
      const [first] = (await page(process, table, offsetOf(from), 1, { where })).changes
      expect(first?.[0]).toBe((offsets as bigint[]).find((offset) => offset >= from))
    }
  })
})

test('the image wal has nothing before an update', async () => {
  const { table, process } = await bucketOf('wal')
  expect(await told(process, table, 2)).toEqual([
    [0n, 3, null, ['a', 1n, 'x']],
    [1n, 3, null, ['b', 2n, 'y']],
    [2n, 3, null, ['a', 3n, 'z']],
    [3n, 3, null, ['a', 4n, null]],
    [4n, 4, ['b', 2n, 'y'], null],
    [5n, 3, null, ['a', 4n, null]],
  ])
})

test('whatever was written and however it is paged, the changes fold to the rows, and each begins where the one before ended', async () => {
  const operation = fc.record({ key: fc.constantFrom('a', 'b', 'c'), v: fc.option(fc.bigInt(0n, 9n), { nil: undefined }) })
  const batches = fc.array(fc.array(operation, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 5 })
  await fc.assert(
    fc.asyncProperty(batches, fc.integer({ min: 1, max: 5 }), async (written, changesMax) => {
      const world = testWorld()
      const table = await keyedTable(world)
      const process = testKv(world)
      const rows = new Map<string, bigint>()
      for (const batch of written)
        for (const { key, v } of batch) {
          await process.kv.upsert(table, v === undefined ? deleteOf(table, [key]) : upsertOf(table, [[key, v, null]]))
          if (v === undefined) rows.delete(key)
          else rows.set(key, v)
        }
      const folded = new Map<string, bigint>()
      for (const [, , before, after] of (await told(process, table, changesMax)) as [bigint, number, Told, Told][]) {
        const key = (before ?? after)?.[0] ?? ''
        expect(before?.[1]).toBe(folded.get(key))
        if (after === null) folded.delete(key)
        else folded.set(key, after[1])
      }
      expect(folded).toEqual(rows)
    }),
    { numRuns: 30 },
  )
})

type Told = readonly [key: string, v: bigint] | null
