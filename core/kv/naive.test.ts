/**
 * Tables of any keys, columns, merge engine and image under any requests in any order, of several processes at once, with folds,
 * restarts and changes of their columns in between: lookups, prefixes, scans, counts and the changelog at every offset are those of a
 * naive map.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { alterTable, getTable } from '../catalog/tables.ts'
import { batchOf, type Plain, rowsOf as plainRowsOf, valueOfType } from '../format/arrow/batch.case.ts'
import { roaring32Of, roaring64Of } from '../format/roaring/roaring.case.ts'
import { encodeRoaring32 } from '../format/roaring/roaring32.ts'
import { encodeRoaring64 } from '../format/roaring/roaring64.ts'
import { routeRows } from '../log/route.ts'
import type { BucketRows, Producer } from '../log/types.ts'
import { producerWith } from '../log/world.case.ts'
import { changes, opColumn } from '../model/changelog.ts'
import { type BucketRef, unpartitioned } from '../model/partition.ts'
import type { Table } from '../model/table.ts'
import { parseType, printType } from '../model/type-text.ts'
import type { DataType } from '../model/types.ts'
import type { UpsertRequest } from './kv.ts'
import { ascending, Naive, type NaiveColumn, type NaiveOperation, shown } from './naive.case.ts'
import { anyTypes, chance, type Draw, type Drawn, drawTable, number, oneOf, smallNumber, widerThan } from './naive-table.case.ts'
import { changesIn, foldNow, keyedTable, type TestKv, testKv, testWorld } from './world.case.ts'

/** What came and what was answered, against the naive map. */
class Story {
  readonly #g: Draw
  readonly #drawn: Drawn
  readonly #world = testWorld()
  readonly #models: Naive[] = []
  readonly #aggs = new Map<number, string>()
  readonly #processes: TestKv[] = []
  readonly #pool: Plain[][] = []
  /** By bucket and end of a commit: the rows there. */
  readonly #ends: Map<bigint, Map<string, ReadonlyMap<number, Plain>>>[] = []
  readonly #last = new Map<string, UpsertRequest>()
  #table: Table | undefined
  #version: number | undefined
  #added = 0
  #sequence = 0

  constructor(g: Draw) {
    this.#g = g
    this.#drawn = drawTable(g)
  }

  async run(): Promise<void> {
    const { body, buckets, aggs } = this.#drawn
    this.#table = await keyedTable(this.#world, { ...body, buckets: { ...body.buckets, count: buckets } }, buckets)
    for (const { id, name } of this.table.schema.columns) this.#aggs.set(id, aggs.get(name) ?? 'last_value_ignore_nulls')
    const { options } = body
    this.#version = this.table.schema.columns.find(({ name }) => name === 'version')?.id
    const rules = {
      engine: options?.['merge-engine'] ?? '',
      image: options?.['changelog.image'] ?? '',
      deletes: options?.['delete.behavior'] ?? undefined,
      version: this.#version,
    }
    for (let i = 0; i < buckets; i++) this.#models.push(new Naive(rules))
    for (let i = 0; i < buckets; i++) this.#ends.push(new Map())
    for (let i = 0; i < 2; i++) this.#processes.push(testKv(this.#world))
    const keys = this.columns.filter(({ isKey }) => isKey)
    for (let i = number(this.#g, 1, 12); i > 0; i--) this.#pool.push(keys.map(({ type }) => this.#g(valueOfType, type)))
    for (let steps = number(this.#g, 1, 24); steps > 0; steps--) await this.#step()
    for (const process of [...this.#processes, testKv(this.#world), testKv(this.#world, 1)]) await this.#look(process)
    await this.#readChangelogs()
  }

  get table(): Table {
    return this.#table as Table
  }

  get columns(): readonly NaiveColumn[] {
    return this.table.schema.columns.map(({ id, name, type }) => ({
      id,
      type,
      isKey: this.table.primaryKey?.includes(name) === true,
      agg: this.table.options.keyed?.mergeEngine === 'aggregation' ? (this.#aggs.get(id) as string) : 'last_value',
    }))
  }

  async #step(): Promise<void> {
    const index = number(this.#g, 0, 1)
    const process = this.#processes[index] as TestKv
    const what = oneOf(this.#g, [
      'write',
      'write',
      'write',
      'write',
      'race',
      'race',
      'again',
      'fold',
      'fold',
      'restart',
      'look',
      'alter',
    ])
    if (what === 'write') await this.#write([[process, this.#request()]])
    else if (what === 'race') {
      const count = number(this.#g, 2, 4)
      await this.#write(Array.from({ length: count }, () => [oneOf(this.#g, this.#processes), this.#request()]))
    } else if (what === 'again') await this.#again(process)
    else if (what === 'fold') await foldNow(this.#world, process, this.table)
    else if (what === 'restart') this.#processes[index] = testKv(this.#world)
    else if (what === 'look') await this.#look(process)
    else await this.#alter()
  }

  #request(): UpsertRequest {
    const g = this.#g
    const { columns } = this.table.schema
    const names = this.table.primaryKey ?? []
    const engine = this.table.options.keyed?.mergeEngine
    const mayBePartial =
      (engine === 'last-row' || engine === 'aggregation') && columns.every((each) => names.includes(each.name) || each.nullable)
    const rows = Array.from({ length: number(g, 1, 6) }, () => {
      const key = oneOf(g, this.#pool)
      const isDelete = chance(g, 3)
      const row = columns.map(({ id, name, type, nullable }) => {
        const at = names.indexOf(name)
        return at >= 0 ? (this.#keyOf(key, name) as Plain) : this.#value(id, type, nullable && isDelete)
      })
      return [...row, isDelete ? changes.delete : changes.updateAfter]
    })
    const batch = batchOf([...columns, opColumn], rows)
    const others = columns.map(({ name }) => name).filter((name) => !names.includes(name))
    const targets = mayBePartial && chance(g, 4) ? [...names, ...others.filter(() => chance(g, 5))] : undefined
    const producer: Producer | undefined = chance(g, 5) ? producerWith(`p${this.#sequence}`, this.#sequence++) : undefined
    const parts = routeRows(this.table, [batch], { rotate: () => 0 })
    return { op: 'upsert', parts, ...(targets && { targets }), ...(producer && { producer }) }
  }

  #keyOf(key: readonly Plain[], name: string): Plain | undefined {
    const own = this.table.schema.columns.filter((each) => this.table.primaryKey?.includes(each.name) === true)
    return key[own.findIndex((each) => each.name === name)]
  }

  #value(id: number, type: DataType, isEmpty: boolean): Plain {
    const g = this.#g
    const column = this.table.schema.columns.find((each) => each.id === id)
    if (isEmpty || (column?.nullable === true && chance(g, 2))) return null
    const agg = this.table.options.keyed?.mergeEngine === 'aggregation' ? this.#aggs.get(id) : undefined
    if (agg === 'rbm32') return encodeRoaring32(roaring32Of(g(fc.array<number>, fc.nat(70_000), { maxLength: 4 })))
    if (agg === 'rbm64') return encodeRoaring64(roaring64Of(g(fc.array<bigint>, fc.bigInt(0n, 2n ** 64n - 1n), { maxLength: 4 })))
    if ((agg === 'sum' || agg === 'product') && chance(g, 8)) {
      const small = g(smallNumber)
      return type.kind === 'bigint' || type.kind === 'decimal' ? BigInt(small) : small
    }
    return g(valueOfType, type)
  }

  /** At once, each of its process. Who came first is told by the offsets; what has no effect stood before what begins where it ends. */
  async #write(requests: readonly (readonly [TestKv, UpsertRequest])[]): Promise<void> {
    const answers = await Promise.all(requests.map(([{ kv }, request]) => kv.upsert(this.table, request)))
    const all = answers.flatMap((appended, i) => {
      const request = (requests[i] as (typeof requests)[number])[1]
      if (request.producer !== undefined) this.#last.set(request.producer.id, request)
      return appended.map(({ bucket, outcome }, part) => ({ bucket, outcome, request, part: request.parts[part] }))
    })
    const refused = all.flatMap(({ outcome }) => (outcome.done ? [] : [outcome.error]))
    for (const { code, effect, message } of refused) expect([code, effect], message).toEqual(['invalid-rows', 'none'])
    if (requests.length === 1 && refused.length > 0) {
      // Whole, unless a part was committed before another lost its race and found other rows.
      const judged = all.filter(({ outcome }) => !outcome.done)
      const told = judged.map(({ bucket, request, part }) => this.#told('trial', bucket, request, part))
      expect(told).toContain('refused')
      if (refused.length < all.length) expect(told).not.toContain('done')
    }
    const done = all.flatMap((each) => (each.outcome.done ? [{ ...each, ...each.outcome }] : []))
    done.sort((a, b) => Number(a.base - b.base) || Number(a.end - b.end))
    for (const { bucket, base, end, duplicate, request, part } of done) {
      const model = this.#models[bucket] as Naive
      expect([base, duplicate]).toEqual([model.end, false])
      expect(this.#told('apply', bucket, request, part)).toBe('done')
      expect(end, 'as many changes as the map had').toBe(model.end)
      this.#ends[bucket]?.set(end, model.rows(this.columns))
    }
  }

  #told(how: 'apply' | 'trial', bucket: number, { targets }: UpsertRequest, part: BucketRows | undefined): 'done' | 'refused' {
    const { columns } = this.table.schema
    const operations = (part?.batches ?? [])
      .flatMap(plainRowsOf)
      .map((row): NaiveOperation => ({ isDelete: row[columns.length] === changes.delete, row }))
    const names = targets === 'key' ? this.table.primaryKey : targets
    const ids = names && new Set(names.map((name) => columns.find((each) => each.name === name)?.id as number))
    return (this.#models[bucket] as Naive)[how](this.columns, operations, ids)
  }

  /** A request that was sent before changes nothing. */
  async #again({ kv }: TestKv): Promise<void> {
    const [request] = [...this.#last.values()].slice(-1)
    if (request === undefined) return
    for (const { outcome } of await kv.upsert(this.table, request)) {
      if (outcome.done) expect(outcome.duplicate || outcome.base === outcome.end).toBe(true)
    }
  }

  async #alter(): Promise<void> {
    const g = this.#g
    const { schema, primaryKey = [] } = this.table
    const others = schema.columns.filter(({ id, name }) => !primaryKey.includes(name) && id !== this.#version)
    const change = oneOf(g, ['add', 'drop', 'rename', 'widen', 'widen'])
    const own = change === 'widen' ? others.filter(({ type }) => widerThan[printType(type)] !== undefined) : others
    const chosen = own.length === 0 ? undefined : oneOf(g, own)
    const wider = chosen && widerThan[printType(chosen.type)]
    const fresh = `n${this.#added++}`
    if (change === 'drop' && chosen !== undefined) await alterTable(this.#world, 'd', 't', { dropColumns: [chosen.name] })
    else if (change === 'rename')
      await alterTable(this.#world, 'd', 't', { renameColumns: { [oneOf(g, schema.columns).name]: fresh } })
    else if (change === 'widen' && chosen !== undefined && wider !== undefined)
      await alterTable(this.#world, 'd', 't', { widenColumns: { [chosen.name]: printType(parseType(wider)) } })
    else await alterTable(this.#world, 'd', 't', { addColumns: [{ name: fresh, type: printType(g(anyTypes)) }] })
    for (const model of this.#models) model.alter(this.columns)
    this.#last.clear()
    this.#table = await getTable(this.#world, 'd', 't')
    for (const { id } of this.table.schema.columns) if (!this.#aggs.has(id)) this.#aggs.set(id, 'last_value_ignore_nulls')
  }

  async #look({ kv }: TestKv): Promise<void> {
    const { table, columns } = this
    const wanted = this.#wanted()
    const keyOfRow = (row: ReadonlyMap<number, Plain>): Plain[] =>
      (table.primaryKey ?? []).map((name) => row.get(table.schema.columns.find((each) => each.name === name)?.id ?? 0) as Plain)
    const batch = batchOf(
      table.schema.columns,
      this.#pool.map((key) => table.schema.columns.map(({ name }) => this.#keyOf(key, name) ?? null)),
    )
    const found = await kv.lookup(table, batch, { stale: false, bytesMax: 1 << 24 })
    const rows = [...wanted.values()].flatMap((own) => [...own.values()])
    const textOf = (row: ReadonlyMap<number, Plain>): string => shown(columns.map(({ id }) => row.get(id) ?? null))
    const byKey = new Map(rows.map((row) => [shown(this.#inPoolOrder(row)), textOf(row)]))
    expect(found.rows.map((row) => row && shown(row))).toEqual(this.#pool.map((key) => byKey.get(shown(key))))
    const inOrder = (own: Iterable<ReadonlyMap<number, Plain>>): string[] =>
      [...own].sort((a, b) => compareKeys(keyOfRow(a), keyOfRow(b))).map(textOf)
    for (const [bucket, own] of wanted) {
      const at = { partition: unpartitioned, bucket }
      expect(await scanned(kv, table, at, number(this.#g, 1, 4))).toEqual(inOrder(own.values()))
      expect(await kv.count(table, at)).toBe(BigInt(own.size))
    }
    const [first] = table.buckets.key ?? []
    if (table.buckets.key?.length !== 1 || (table.primaryKey?.length ?? 0) < 2) return
    const column = table.schema.columns.find(({ name }) => name === first)
    if (column === undefined || column.name !== table.primaryKey?.[0]) return
    const prefixes = [
      ...new Map(this.#pool.map((key) => this.#keyOf(key, column.name) as Plain).map((value) => [shown(value), value])).values(),
    ]
    const prefixed = await kv.lookupPrefix(
      table,
      batchOf(
        [column],
        prefixes.map((value) => [value]),
      ),
      {
        stale: false,
        bytesMax: 1 << 24,
        rowsMax: 100,
      },
    )
    const expected = prefixes.map((value) => inOrder(rows.filter((row) => shown(row.get(column.id)) === shown(value))))
    expect(prefixed.rows.map((own) => own.map((row) => shown(row)))).toEqual(expected)
  }

  #inPoolOrder(row: ReadonlyMap<number, Plain>): Plain[] {
    return this.columns.filter(({ isKey }) => isKey).map(({ id }) => row.get(id) as Plain)
  }

  #wanted(): ReadonlyMap<number, Map<string, ReadonlyMap<number, Plain>>> {
    return new Map(this.#models.map((model, bucket) => [bucket, model.rows(this.columns)]))
  }

  /** Record for record, and folded up to each end of a commit. */
  async #readChangelogs(): Promise<void> {
    const { columns, table } = this
    const valuesOf = (values: ReadonlyMap<number, Plain>): string => shown(columns.map(({ id }) => values.get(id) ?? null))
    const reader = testKv(this.#world)
    for (const [bucket, model] of this.#models.entries()) {
      const records = await changesIn(reader.log, table, bucket)
      const told = records.map(({ op, row, prev }, i) => [
        op,
        shown(row),
        prev !== undefined && prev < 0n ? BigInt(i) + prev : prev,
      ])
      expect(told).toEqual(model.log.map(({ op, values, prev }) => [op, valuesOf(values), prev]))
      const rows = new Map<string, string>()
      for (const [i, { op, row }] of records.entries()) {
        const key = columns.flatMap(({ isKey }, at) => (isKey ? [shown(row[at])] : [])).join(' ')
        if (op === '+I' || op === '+U') rows.set(key, shown(row))
        else if (op === '-D') rows.delete(key)
        const then = this.#ends[bucket]?.get(BigInt(i + 1))
        if (then !== undefined) expect(rows).toEqual(new Map([...then].map(([own, values]) => [own, valuesOf(values)])))
      }
    }
  }
}

function compareKeys(a: readonly Plain[], b: readonly Plain[]): number {
  for (const [i, value] of a.entries()) {
    const order = ascending(value, b[i] as Plain)
    if (order !== 0) return order
  }
  return 0
}

async function scanned(kv: TestKv['kv'], table: Table, at: BucketRef, rowsMax: number): Promise<string[]> {
  const rows: string[] = []
  for (let place: Parameters<typeof kv.scan>[2]; ; ) {
    const part = await kv.scan(table, at, place, { rowsMax, bytesMax: 1 << 24 })
    rows.push(...part.rows.map(({ row }) => shown(row)))
    place = part.place
    if (!part.isDone) continue
    if (place !== undefined) await kv.endScan(table, at, place.lease)
    return rows
  }
}

test('whatever comes to whatever table, all of it is as a naive map has it, at every offset', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.gen(), (g) => new Story(g).run()),
    { numRuns: 120, endOnFailure: true },
  )
})
