/** Reading whole tables: any walk by pages is the log, any filter is that filter on all rows, any projection is that of the rows. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createDatabase } from '../../catalog/databases.ts'
import { alterTable, createTable } from '../../catalog/tables.ts'
import { batchOf, type Plain, rowsOf } from '../../format/arrow/batch.case.ts'
import type { Field } from '../../format/arrow/column.ts'
import { askedRows, textOf } from '../../format/arrow/filter.case.ts'
import { judge } from '../../format/arrow/filter-judge.case.ts'
import { decodeCursor, encodeCursor, nameCrcOf } from '../../format/cursor.ts'
import { present } from '../../kernel/assert.ts'
import type { Filter } from '../../model/filter.ts'
import { parseFilter } from '../../model/filter-text.ts'
import type { ReadPosition, Selection } from '../../model/selection.ts'
import { systemColumns } from '../../model/system-columns.ts'
import type { Table } from '../../model/table.ts'
import type { DataType } from '../../model/types.ts'
import type { Log } from '../log.ts'
import { specOfBuckets, testLog, testWorld } from '../world.case.ts'
import { decodeBuffers } from './conform.ts'
import { offsetAt } from './rows.ts'

const whole: Selection = { buckets: [], partitions: { kind: 'all' } }

interface Read {
  readonly bucket: number
  readonly offset: bigint
  readonly values: readonly Plain[]
}

interface Pages {
  readonly fields: readonly Field[]
  readonly filter?: Filter
  readonly rowsMax: number
  readonly bytesMax: number
  /** Of a page's rows, how many are taken; all where absent. */
  readonly taken?: (rows: number) => number
}

/** All pages from the earliest; each position goes through a cursor, as a caller's does. */
async function readAll(log: Log, table: Table, { taken = (rows) => rows, ...pages }: Pages): Promise<readonly Read[]> {
  const found: Read[] = []
  let from: ReadPosition | { readonly first: 'earliest' } = { first: 'earliest' }
  for (let page = 0; page < 10_000; page++) {
    const { rows, after, isCaughtUp } = await log.readPage(table, { selection: whole, from, ...pages })
    const count = taken(rows.reduce((sum, batch) => sum + batch.rows, 0))
    const before = found.length
    for (const batch of rows) {
      const values = rowsOf(decodeBuffers(pages.fields, batch.rows, batch.columns()))
      for (const [i, row] of values.entries()) found.push({ bucket: batch.bucket, offset: offsetAt(batch, i), values: row })
    }
    if (isCaughtUp) return found
    found.length = before + count
    const position = after(count)
    const nameCrc = nameCrcOf(table.database, table.name)
    from = decodeCursor(encodeCursor({ tableId: table.tableId, nameCrc, selection: whole, position })).position
  }
  throw new Error('the pages do not end')
}

const inOrder = (rows: readonly Read[]): readonly Read[] =>
  [...rows].sort((a, b) => a.bucket - b.bucket || Number(a.offset - b.offset))

async function tableOf(columns: readonly { readonly name: string; readonly type: DataType }[], buckets: number) {
  const world = testWorld()
  await createDatabase(world, 'd')
  const spec = { ...specOfBuckets(buckets), columns: columns.map((column) => ({ ...column, nullable: true })) }
  const { table } = await createTable(world, 'd', 't', spec)
  return { world, table, log: testLog(world) }
}

const sizes = fc.record({
  buckets: fc.integer({ min: 1, max: 3 }),
  commits: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 12 }),
  rowsMax: fc.integer({ min: 1, max: 40 }),
  bytesMax: fc.constantFrom(1, 600, 5_000, 1 << 20),
  /** Of a page, one in so many rows is taken. */
  part: fc.integer({ min: 1, max: 3 }),
  wanted: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
})

test('where and columns, pushed down, give what they give on all rows; every page goes on where the last one ended', async () => {
  await fc.assert(
    fc.asyncProperty(askedRows, sizes, async ({ fields, rows, asked }, { buckets, commits, rowsMax, bytesMax, part, wanted }) => {
      const { table, log } = await tableOf(fields, buckets)
      const stored: Read[] = []
      const ends = new Map<number, bigint>()
      for (let at = 0, commit = 0; at < rows.length; commit++) {
        const bucket = commit % buckets
        const committed = rows.slice(at, at + present(commits[commit % commits.length], 'a size'))
        await log.append(table, { parts: [{ partition: '', bucket, batches: [batchOf(table.schema.columns, committed)] }] })
        const end = ends.get(bucket) ?? 0n
        for (const [i, values] of committed.entries()) stored.push({ bucket, offset: end + BigInt(i), values })
        ends.set(bucket, end + BigInt(committed.length))
        at += committed.length
      }
      const indices = [...new Set(wanted.map((index) => index % fields.length))]
      const projected = indices.map((index) => present(table.schema.columns[index], 'a column'))
      const project = (read: Read): Read => ({ ...read, values: indices.map((index) => read.values[index] ?? null) })
      const pages = { fields: projected, rowsMax, bytesMax, taken: (rows: number) => Math.ceil(rows / part) }
      expect(inOrder(await readAll(log, table, pages))).toEqual(inOrder(stored.map(project)))
      const filter = parseFilter(textOf(asked), table.schema.columns)
      const selected = stored.filter(({ values }) => judge(asked, values) === true)
      expect(inOrder(await readAll(log, table, { ...pages, filter }))).toEqual(inOrder(selected.map(project)))
    }),
    { numRuns: 150 },
  )
}, 60_000)

const tiles = 1_500

test('the same holds for frames that are so large that only parts of them are read', async () => {
  const plan = fc.record({ rowsMax: fc.constantFrom(700, 100_000), bytesMax: fc.constantFrom(50_000, 1 << 22), wanted: fc.nat() })
  await fc.assert(
    fc.asyncProperty(askedRows, plan, async ({ fields, rows, asked }, { rowsMax, bytesMax, wanted }) => {
      const { table, log } = await tableOf(fields, 1)
      const { columns } = table.schema
      const parts = [rows.slice(0, 3), rows.slice(3)].filter((part) => part.length > 0)
      for (const part of parts) {
        const batch = batchOf(columns, Array.from({ length: tiles }, () => part).flat())
        await log.append(table, { parts: [{ partition: '', bucket: 0, batches: [batch] }] })
      }
      const index = wanted % fields.length
      const projected = [present(columns[index], 'a column')]
      const text = (value: Plain): string => shownAs(value ?? null)
      const stored = parts.flatMap((part) => Array.from({ length: tiles }, () => part).flat())
      const lines = (isSelected: (row: readonly Plain[]) => boolean): string[] =>
        stored.flatMap((row, offset) => (isSelected(row) ? [`${offset} ${text(row[index] ?? null)}`] : []))
      const shown = (read: readonly Read[]): string[] => read.map(({ offset, values }) => `${offset} ${text(values[0] ?? null)}`)
      const pages = { fields: projected, rowsMax, bytesMax }
      expect(shown(await readAll(log, table, pages)).join('\n')).toBe(lines(() => true).join('\n'))
      const filter = parseFilter(textOf(asked), columns)
      const expected = lines((row) => judge(asked, row) === true)
      expect(shown(await readAll(log, table, { ...pages, filter })).join('\n')).toBe(expected.join('\n'))
    }),
    { numRuns: 10 },
  )
}, 60_000)

const shownAs = (value: Plain): string =>
  JSON.stringify(value, (_, inner) =>
    typeof inner === 'bigint' || (typeof inner === 'number' && !Number.isFinite(inner)) ? String(inner) : inner,
  )

type Step =
  | { readonly do: 'append'; readonly values: readonly number[] }
  | { readonly do: 'add' | 'drop' | 'rename' | 'widen'; readonly column: number }

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('append' as const),
        values: fc.array(fc.integer({ min: -100, max: 100 }), { minLength: 1, maxLength: 5 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constantFrom('add' as const, 'drop' as const, 'rename' as const, 'widen' as const),
        column: fc.nat(),
      }),
    },
  ),
  { minLength: 3, maxLength: 16 },
)

const wider: Readonly<Record<string, string>> = { tinyint: 'smallint', smallint: 'int', int: 'bigint' }

test('rows of every schema that a table had are read under the one that it has, found by column id', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.integer({ min: -100, max: 100 }), async (doing, least) => {
      const { world, table: created, log } = await tableOf([{ name: 'c0', type: { kind: 'tinyint' } }], 1)
      let table = created
      let named = 1
      const stored: ReadonlyMap<number, number>[] = []
      for (const step of doing) {
        const { columns } = table.schema
        if (step.do === 'append') {
          const rows = step.values.map((value) => columns.map(({ type }) => (type.kind === 'bigint' ? BigInt(value) : value)))
          await log.append(table, { parts: [{ partition: '', bucket: 0, batches: [batchOf(columns, rows)] }] })
          for (const value of step.values) stored.push(new Map(columns.map(({ id }) => [id, value])))
          continue
        }
        const column = present(columns[step.column % columns.length], 'a column')
        const type = wider[column.type.kind]
        if ((step.do === 'widen' && type === undefined) || (step.do === 'drop' && columns.length === 1)) continue
        const fresh = `c${named++}`
        const changes = {
          add: { addColumns: [{ name: fresh, type: 'tinyint' }] },
          drop: { dropColumns: [column.name] },
          rename: { renameColumns: { [column.name]: fresh } },
          widen: { widenColumns: { [column.name]: type ?? '' } },
        }
        table = await alterTable(world, 'd', 't', changes[step.do])
      }
      const { columns } = table.schema
      const expected = stored.map((row) => columns.map(({ id }) => row.get(id) ?? null))
      const plain = (read: readonly Read[]) =>
        read.map(({ values }) => values.map((value) => (typeof value === 'bigint' ? Number(value) : value)))
      const pages = { fields: columns, rowsMax: 3, bytesMax: 1 << 20 }
      expect(plain(await readAll(log, table, pages))).toEqual(expected)
      for (const [i, { name }] of columns.entries()) {
        const filter = parseFilter(`${name} >= ${least} or ${name} is null`, columns)
        const isWanted = (value: number | null | undefined): boolean => typeof value !== 'number' || value >= least
        expect(plain(await readAll(log, table, { ...pages, filter }))).toEqual(expected.filter((row) => isWanted(row[i])))
        const present = parseFilter(`${name} is not null`, columns)
        expect(plain(await readAll(log, table, { ...pages, filter: present }))).toEqual(expected.filter((row) => row[i] !== null))
      }
    }),
    { numRuns: 120 },
  )
}, 60_000)

test.each([
  ['v > 100', [Number.NaN]],
  ['v <= 2', [1, 2]],
  ['v is null', [null]],
  ['v is not null', [1, 2, Number.NaN]],
  ['not (v = 1)', [2, Number.NaN]],
])('statistics hide neither nulls nor NaN from %s', async (where, expected) => {
  const { table, log } = await tableOf([{ name: 'v', type: { kind: 'double' } }], 1)
  const { columns } = table.schema
  for (const values of [[1, 2], [Number.NaN, 1], [null, 2], [Number.NaN], [null]])
    await log.append(table, {
      parts: [
        {
          partition: '',
          bucket: 0,
          batches: [
            batchOf(
              columns,
              values.map((value) => [value]),
            ),
          ],
        },
      ],
    })
  const read = await readAll(log, table, { fields: columns, filter: parseFilter(where, columns), rowsMax: 10, bytesMax: 1 << 20 })
  expect([...new Set(read.map(({ values }) => values[0]))]).toEqual(expect.arrayContaining(expected))
  expect(new Set(read.map(({ values }) => values[0]))).toEqual(new Set(expected))
})

test('a table at hand that is older than the rows is refused, so that its caller reads it again', async () => {
  const { world, table, log } = await tableOf([{ name: 'a', type: { kind: 'int' } }], 1)
  const newer = await alterTable(world, 'd', 't', { addColumns: [{ name: 'b', type: 'int' }] })
  await log.append(newer, { parts: [{ partition: '', bucket: 0, batches: [batchOf(newer.schema.columns, [[1, 2]])] }] })
  const pages = { fields: table.schema.columns, rowsMax: 1, bytesMax: 1 }
  await expect(readAll(log, table, pages)).rejects.toMatchObject({ code: 'changed' })
})

test('entries are not read where a filter asks for other offsets or times', async () => {
  const { world, table, log } = await tableOf([{ name: 'v', type: { kind: 'int' } }], 1)
  const { columns } = table.schema
  for (let i = 0; i < 40; i++) {
    world.time.now += 1_000
    await log.append(table, { parts: [{ partition: '', bucket: 0, batches: [batchOf(columns, [[i], [i]])] }] })
  }
  const keys = new Set<string>()
  const read = world.objects.read.bind(world.objects)
  world.objects.read = (key, range) => {
    keys.add(key)
    return read(key, range)
  }
  const system = [...columns, ...systemColumns]
  const select = async (where: string) => {
    keys.clear()
    const found = await readAll(log, table, {
      fields: columns,
      filter: parseFilter(where, system),
      rowsMax: 100,
      bytesMax: 1 << 20,
    })
    return [found.map(({ offset }) => Number(offset)), keys.size]
  }
  expect(await select('__offset between 31 and 32')).toEqual([[31, 32], 2])
  const time = new Date(world.time.now - 1_000).toISOString()
  expect(await select(`__timestamp >= '${time}'`)).toEqual([[76, 77, 78, 79], 2])
  expect(await select('__bucket = 1')).toEqual([[], 0])
})
