/**
 * What a process answers of a table as it knows it, which may be in older columns: each answer is that of the naive map at the offset
 * that it says, in those columns. Who knows older ones may be told that they have changed instead, and only then.
 */
import { expect } from 'vitest'
import { batchOf, type Plain } from '../../format/arrow/batch.case.ts'
import { isSluiceError } from '../../kernel/errors.ts'
import type { Table } from '../../model/table.ts'
import type { ScanPlace } from '../scan.ts'
import type { TestKv } from '../world.case.ts'
import { ascending, shown } from './aggregate.case.ts'
import type { NaiveValues } from './bucket.case.ts'
import { keyValueOf } from './request.case.ts'
import type { State } from './state.case.ts'
import { chance, type Draw, number, oneOf } from './table.case.ts'

const bytesMax = 1 << 24

export async function expectLooks(g: Draw, state: State, process: TestKv, table: Table): Promise<void> {
  await expectLookup(g, state, process, table)
  await expectPrefixes(g, state, process, table)
  for (const [name, model] of state.models) {
    const at = await state.bucketOf(name)
    if (at === undefined) {
      expect(model.end).toBe(0n)
      continue
    }
    const scan = new LongScan(state, name)
    const rowsMax = number(g, 1, 4)
    for (let left = await scan.page(process, table, rowsMax); left !== 'none'; left = await scan.page(process, table, rowsMax)) {
      if (left === 'some') continue
      await scan.giveUp(process)
      break
    }
    const count = await inColumnsOf(state, table, process.kv.count(table, at))
    if (count !== 'changed') expect(count).toBe(BigInt(model.rowsAt(model.end)?.size ?? 0))
  }
}

async function expectLookup(g: Draw, state: State, { kv }: TestKv, table: Table): Promise<void> {
  const { keyIds, pool } = state
  const keys = batchOf(
    table.schema.columns,
    pool.map((key) => table.schema.columns.map(({ id }) => keyValueOf(keyIds, key, id) ?? null)),
  )
  const asked = drawOptions(g, table)
  const found = await inColumnsOf(state, table, kv.lookup(table, keys, asked.options))
  if (found === 'changed') return
  const byKey = new Map(rowsTold(state, found.buckets, asked).map((row) => [keyTextOf(state, row), asked.textOf(row)]))
  expect(found.rows.map((row) => row && shown(row))).toEqual(pool.map((key) => byKey.get(shown(key))))
}

async function expectPrefixes(g: Draw, state: State, { kv }: TestKv, table: Table): Promise<void> {
  const { keyIds, pool } = state
  const { schema, primaryKey = [], partitionBy, buckets } = table
  const keys = primaryKey.filter((name) => !partitionBy.includes(name))
  if (buckets.key?.length !== 1 || keys.length < 2 || buckets.key[0] !== keys[0]) return
  const columns = schema.columns.filter(({ name }) => name === keys[0] || partitionBy.includes(name))
  const prefixOf = (key: readonly Plain[]): Plain[] => columns.map(({ id }) => keyValueOf(keyIds, key, id) as Plain)
  const prefixes = [...new Map(pool.map(prefixOf).map((prefix) => [shown(prefix), prefix])).values()]
  const asked = drawOptions(g, table)
  const rowsMax = oneOf(g, [1, 2, 100])
  const found = await inColumnsOf(state, table, kv.lookupPrefix(table, batchOf(columns, prefixes), { ...asked.options, rowsMax }))
  if (found === 'changed') return
  const rows = inKeyOrder(table, rowsTold(state, found.buckets, asked))
  const isOf = (row: NaiveValues): string => shown(columns.map(({ id }) => row.get(id) ?? null))
  const expected = prefixes.map((prefix) => rows.filter((row) => isOf(row) === shown(prefix)).slice(0, rowsMax))
  expect(found.rows.map((own) => own.map((row) => shown(row)))).toEqual(expected.map((own) => own.map(asked.textOf)))
}

/** A scan of a bucket, page by page, each in the columns that its process knows. */
export class LongScan {
  readonly #state: State
  readonly #name: string
  #place: ScanPlace | undefined
  #seen = 0

  constructor(state: State, name: string) {
    this.#state = state
    this.#name = name
  }

  /** What is left behind it. `changed`: it was not read, and who knows the columns of now can go on. */
  async page({ kv }: TestKv, table: Table, rowsMax: number): Promise<'some' | 'none' | 'changed'> {
    const at = await this.#state.bucketOf(this.#name)
    if (at === undefined) return 'none'
    const model = this.#state.modelAt(this.#name)
    const part = await inColumnsOf(this.#state, table, kv.scan(table, at, this.#place, { rowsMax, bytesMax }))
    if (part === 'changed') return 'changed'
    const end = part.place?.at ?? 0n
    expect(end, 'rows stay those of the first page').toBe(this.#place?.at ?? model.end)
    this.#place = part.place
    const rows = inKeyOrder(table, [...(model.rowsAt(end)?.values() ?? [])])
    const expected = rows.slice(this.#seen, part.isDone ? undefined : this.#seen + part.rows.length)
    const textOf = (row: NaiveValues): string => shown(table.schema.columns.map(({ id }) => row.get(id) ?? null))
    expect(part.rows.map(({ row }) => shown(row))).toEqual(expected.map(textOf))
    this.#seen += part.rows.length
    if (part.isDone && part.place !== undefined) await kv.endScan(table, at, part.place.lease)
    return part.isDone ? 'none' : 'some'
  }

  async giveUp({ kv }: TestKv): Promise<void> {
    const at = await this.#state.bucketOf(this.#name)
    if (at !== undefined && this.#place !== undefined) await kv.dropScan(this.#state.table, at, this.#place.lease)
  }
}

interface Asked {
  readonly options: { readonly stale: boolean; readonly bytesMax: number; readonly columns?: readonly string[] }
  /** Of a row, as it is asked for. */
  readonly textOf: (row: NaiveValues) => string
}

function drawOptions(g: Draw, { schema }: Table): Asked {
  const own = chance(g, 3) ? schema.columns.filter(() => chance(g, 5)).toReversed() : undefined
  const options = { stale: chance(g, 3), bytesMax, ...(own && { columns: own.map(({ name }) => name) }) }
  return { options, textOf: (row) => shown((own ?? schema.columns).map(({ id }) => row.get(id) ?? null)) }
}

/** Of all buckets, at the offsets that they were answered at. One that is not said has no partition, and no rows. */
function rowsTold(
  state: State,
  buckets: readonly { readonly partition: string; readonly bucket: number; readonly offset: bigint }[],
  { options: { stale } }: Asked,
): readonly NaiveValues[] {
  return buckets.flatMap(({ partition, bucket, offset }) => {
    const model = state.modelAt(`${partition}#${bucket}`)
    if (!stale) expect(offset).toBe(model.end)
    const rows = model.rowsAt(offset)
    expect(rows, 'the end of a commit').toBeDefined()
    return [...(rows?.values() ?? [])]
  })
}

const keyTextOf = ({ keyIds }: State, row: NaiveValues): string => shown(keyIds.map((id) => row.get(id) ?? null))

function inKeyOrder({ schema, primaryKey = [] }: Table, rows: readonly NaiveValues[]): readonly NaiveValues[] {
  const ids = primaryKey.map((name) => schema.columns.find((each) => each.name === name)?.id ?? 0)
  return rows.toSorted((a, b) => {
    for (const id of ids) {
      const order = ascending(a.get(id) as Plain, b.get(id) as Plain)
      if (order !== 0) return order
    }
    return 0
  })
}

/** `changed`: of a table that is older than it is now. */
function inColumnsOf<T>(state: State, table: Table, answer: Promise<T>): Promise<T | 'changed'> {
  return answer.catch((error: unknown) => {
    if (table.schema.schemaId < state.table.schema.schemaId && isSluiceError(error, 'changed')) return 'changed'
    throw error
  })
}
