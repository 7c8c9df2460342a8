/**
 * Tables of any keys, partitions, columns, merge engine and image under any requests in any order, of several processes at once, also of
 * writers that know older columns, with folds, restarts and changes of their columns in between: lookups, prefixes, scans, counts and the
 * changelog at every offset are those of a naive map.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { findPartition } from '../catalog/partitions.ts'
import { alterTable, getTable } from '../catalog/tables.ts'
import { batchOf, type Plain, rowsOf as plainRowsOf, valueOfType } from '../format/arrow/batch.case.ts'
import type { BucketRows } from '../log/types.ts'
import { changes } from '../model/changelog.ts'
import { type BucketRef, unpartitioned } from '../model/partition.ts'
import type { Column, Table } from '../model/table.ts'
import { parseType, printType } from '../model/type-text.ts'
import { ascending, Naive, type NaiveColumn, type NaiveOperation, shown } from './naive.case.ts'
import { drawRequest, keyValueOf, type Sent } from './naive-request.case.ts'
import { anyTypes, chance, type Draw, type Drawn, drawTable, number, oneOf, widerThan } from './naive-table.case.ts'
import { changesIn, foldNow, keyedTable, type TestKv, testKv, testWorld } from './world.case.ts'

const partitions = ['x', 'y']

/** What came and what was answered, against the naive map. */
class Story {
  readonly #g: Draw
  readonly #drawn: Drawn
  readonly #world = testWorld()
  /** By partition and bucket. */
  readonly #models = new Map<string, Naive>()
  readonly #numbers = new Set<string>()
  readonly #aggs = new Map<number, string>()
  readonly #processes: TestKv[] = []
  readonly #pool: Plain[][] = []
  /** By bucket and end of a commit: the rows there. */
  readonly #ends = new Map<string, Map<bigint, Map<string, ReadonlyMap<number, Plain>>>>()
  readonly #last = new Map<string, Sent>()
  /** As writers know it that have not looked for long: of each change of its columns the table before. */
  readonly #older: Table[] = []
  #table: Table | undefined
  #keyIds: readonly number[] = []
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
    for (const partition of this.table.partitionBy.length > 0 ? partitions.map((value) => `p=${value}`) : [''])
      for (let i = 0; i < buckets; i++) this.#models.set(`${partition}#${i}`, new Naive(rules))
    for (const at of this.#models.keys()) this.#ends.set(at, new Map())
    for (let i = 0; i < 2; i++) this.#processes.push(testKv(this.#world))
    const isKey = ({ name }: Column): boolean => this.table.primaryKey?.includes(name) === true
    const keys = this.table.schema.columns.filter(isKey)
    this.#keyIds = keys.map(({ id }) => id)
    const value = ({ name, type }: Column): Plain => (name === 'p' ? oneOf(this.#g, partitions) : this.#g(valueOfType, type))
    for (let i = number(this.#g, 1, 12); i > 0; i--) this.#pool.push(keys.map(value))
    for (let steps = number(this.#g, 1, 24); steps > 0; steps--) await this.#step()
    for (const process of [...this.#processes, testKv(this.#world), testKv(this.#world, 1)]) await this.#look(process)
    await this.#readChangelogs()
  }

  get table(): Table {
    return this.#table as Table
  }

  get columns(): readonly NaiveColumn[] {
    return this.#columnsOf(this.table)
  }

  #columnsOf({ schema, primaryKey, options }: Table): readonly NaiveColumn[] {
    return schema.columns.map(({ id, name, type, autoIncrement }) => ({
      id,
      type,
      isKey: primaryKey?.includes(name) === true,
      agg: options.keyed?.mergeEngine === 'aggregation' ? (this.#aggs.get(id) as string) : 'last_value',
      isDrawn: autoIncrement === true,
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

  #request(): Sent {
    const table = this.#older.length > 0 && chance(this.#g, 3) ? oneOf(this.#g, this.#older) : this.table
    return drawRequest(this.#g, table, {
      newest: this.table,
      pool: this.#pool,
      keyIds: this.#keyIds,
      aggs: this.#aggs,
      sequence: this.#sequence++,
    })
  }

  /** At once, each of its process. Who came first is told by the offsets; what has no effect stood before what begins where it ends. */
  async #write(sent: readonly (readonly [TestKv, Sent])[]): Promise<void> {
    const answers = await Promise.all(sent.map(([{ kv }, { table, request }]) => kv.upsert(table, request)))
    const all = answers.flatMap((appended, i) => {
      const own = (sent[i] as (typeof sent)[number])[1]
      const { producer, parts } = own.request
      if (producer !== undefined && appended.every(({ outcome }) => outcome.done)) this.#last.set(producer.id, own)
      return appended.map(({ outcome }, part) => {
        const rows = parts[part] as BucketRows
        return { at: `${rows.partition}#${rows.bucket}`, outcome, sent: own, rows }
      })
    })
    const refused = all.flatMap((each) => (each.outcome.done ? [] : [{ ...each, error: each.outcome.error }]))
    for (const { error, sent: own } of refused) {
      const codes = own.table === this.table ? ['invalid-rows'] : ['invalid-rows', 'changed']
      expect(codes, error.message).toContain(error.code)
      expect(error.effect).toBe('none')
    }
    const isJudged = refused.some(({ error }) => error.code === 'invalid-rows')
    if (sent.length === 1 && isJudged) {
      // Whole, or, where parts were committed before others lost their races, all of those.
      const told = refused.map((each) => [this.table, each.sent.table].some((as) => this.#told('trial', each, as) === 'refused'))
      expect(told).toContain(true)
    }
    const done = all.flatMap((each) => (each.outcome.done ? [{ ...each, ...each.outcome }] : []))
    done.sort((a, b) => Number(a.base - b.base) || Number(a.end - b.end))
    for (const each of done) {
      const { at, base, end, duplicate } = each
      const model = this.#models.get(at) as Naive
      expect([base, duplicate]).toEqual([model.end, false])
      model.numbers = await this.#drawnIn(at, base, end)
      expect(this.#told('apply', each)).toBe('done')
      expect(model.numbers, 'a number for each row that is new').toEqual([])
      expect(end, 'as many changes as the map had').toBe(model.end)
      this.#ends.get(at)?.set(end, model.rows(this.columns))
    }
  }

  async #bucketOf(at: string): Promise<BucketRef | undefined> {
    const [name = '', bucket] = at.split('#')
    if (name === '') return { partition: unpartitioned, bucket: Number(bucket) }
    const partition = await findPartition(this.#world, this.table, name)
    return partition && { partition, bucket: Number(bucket) }
  }

  /** What the rows that a commit inserted were given, which no row before was. */
  async #drawnIn(at: string, base: bigint, end: bigint): Promise<Plain[]> {
    const index = this.columns.findIndex(({ isDrawn }) => isDrawn)
    const bucket = await this.#bucketOf(at)
    if (index < 0 || bucket === undefined) return []
    const records = await changesIn(testKv(this.#world).log, this.table, bucket.bucket, bucket.partition)
    const isWal = this.table.options.keyed?.changelogImage === 'wal'
    const isNew = ({ op, prev }: (typeof records)[number]): boolean => op === '+I' || (isWal && op === '+U' && prev === undefined)
    const drawn = records
      .slice(Number(base), Number(end))
      .filter(isNew)
      .map(({ row }) => row[index] as Plain)
    for (const value of drawn) {
      expect(value).not.toBeNull()
      expect(this.#numbers.has(String(value)), 'a number is drawn once').toBe(false)
      this.#numbers.add(String(value))
    }
    return drawn
  }

  /** `as`: whose columns it is done in. */
  #told(
    how: 'apply' | 'trial',
    { at, sent: { table, request }, rows }: { readonly at: string; readonly sent: Sent; readonly rows: BucketRows },
    as: Table = this.table,
  ): 'done' | 'refused' {
    const { columns } = table.schema
    const operations = rows.batches.flatMap(plainRowsOf).map((row): NaiveOperation => {
      const values = as.schema.columns.map((wanted) => {
        const value = row[columns.findIndex(({ id }) => id === wanted.id)] ?? null
        return wanted.type.kind === 'bigint' && typeof value === 'number' ? BigInt(value) : value
      })
      return { isDelete: row[columns.length] === changes.delete, row: values }
    })
    const names = request.targets === 'key' ? table.primaryKey : request.targets
    const ids = names && new Set(names.map((name) => columns.find((each) => each.name === name)?.id as number))
    return (this.#models.get(at) as Naive)[how](this.#columnsOf(as), operations, ids)
  }

  /** A request that was sent before changes nothing. */
  async #again({ kv }: TestKv): Promise<void> {
    const [last] = [...this.#last.values()].slice(-1)
    if (last === undefined) return
    for (const { outcome } of await kv.upsert(last.table, last.request)) {
      if (outcome.done) expect(outcome.duplicate || outcome.base === outcome.end).toBe(true)
    }
  }

  async #alter(): Promise<void> {
    const g = this.#g
    const { schema, primaryKey = [] } = this.table
    const others = schema.columns.filter(
      ({ id, name, autoIncrement }) => !primaryKey.includes(name) && id !== this.#version && autoIncrement !== true,
    )
    // The names of partitions have the name.
    const renamed = schema.columns.filter(({ name }) => !this.table.partitionBy.includes(name))
    const change = oneOf(g, ['add', 'drop', 'rename', 'widen', 'widen'])
    const own = change === 'widen' ? others.filter((column) => this.#mayBeWidened(column)) : others
    const chosen = own.length === 0 ? undefined : oneOf(g, own)
    const wider = chosen && widerThan[printType(chosen.type)]
    const fresh = `n${this.#added++}`
    this.#older.push(this.table)
    if (change === 'drop' && chosen !== undefined) await alterTable(this.#world, 'd', 't', { dropColumns: [chosen.name] })
    else if (change === 'rename') await alterTable(this.#world, 'd', 't', { renameColumns: { [oneOf(g, renamed).name]: fresh } })
    else if (change === 'widen' && chosen !== undefined && wider !== undefined)
      await alterTable(this.#world, 'd', 't', { widenColumns: { [chosen.name]: printType(parseType(wider)) } })
    else await alterTable(this.#world, 'd', 't', { addColumns: [{ name: fresh, type: printType(g(anyTypes)) }] })
    this.#table = await getTable(this.#world, 'd', 't')
    for (const model of this.#models.values()) model.alter(this.columns)
    this.#last.clear()
    for (const { id } of this.table.schema.columns) if (!this.#aggs.has(id)) this.#aggs.set(id, 'last_value_ignore_nulls')
  }

  /** What writers of before add up in a float is another sum than in a double. */
  #mayBeWidened({ id, type }: Column): boolean {
    const agg = this.#aggs.get(id)
    return widerThan[printType(type)] !== undefined && !(type.kind === 'float' && (agg === 'sum' || agg === 'product'))
  }

  async #look({ kv }: TestKv): Promise<void> {
    const { table, columns } = this
    const keyOfRow = (row: ReadonlyMap<number, Plain>): Plain[] =>
      (table.primaryKey ?? []).map((name) => row.get(table.schema.columns.find((each) => each.name === name)?.id ?? 0) as Plain)
    const batch = batchOf(
      table.schema.columns,
      this.#pool.map((key) => table.schema.columns.map(({ id }) => keyValueOf(this.#keyIds, key, id) ?? null)),
    )
    const found = await kv.lookup(table, batch, { stale: false, bytesMax: 1 << 24 })
    const wanted = new Map([...this.#models].map(([at, model]) => [at, model.rows(columns)]))
    const rows = [...wanted.values()].flatMap((own) => [...own.values()])
    const textOf = (row: ReadonlyMap<number, Plain>): string => shown(columns.map(({ id }) => row.get(id) ?? null))
    const byKey = new Map(rows.map((row) => [shown(this.#inPoolOrder(row)), textOf(row)]))
    expect(found.rows.map((row) => row && shown(row))).toEqual(this.#pool.map((key) => byKey.get(shown(key))))
    const inOrder = (own: Iterable<ReadonlyMap<number, Plain>>): string[] =>
      [...own].sort((a, b) => compareKeys(keyOfRow(a), keyOfRow(b))).map(textOf)
    for (const [name, own] of wanted) {
      const at = await this.#bucketOf(name)
      if (at === undefined) expect(own.size).toBe(0)
      else {
        expect(await scanned(kv, table, at, number(this.#g, 1, 4))).toEqual(inOrder(own.values()))
        expect(await kv.count(table, at)).toBe(BigInt(own.size))
      }
    }
    const keys = (table.primaryKey ?? []).filter((name) => !table.partitionBy.includes(name))
    if (table.buckets.key?.length !== 1 || keys.length < 2 || table.buckets.key[0] !== keys[0]) return
    const asked = table.schema.columns.filter(({ name }) => name === keys[0] || table.partitionBy.includes(name))
    const prefixOf = (key: readonly Plain[]): Plain[] => asked.map(({ id }) => keyValueOf(this.#keyIds, key, id) as Plain)
    const prefixes = [...new Map(this.#pool.map(prefixOf).map((prefix) => [shown(prefix), prefix])).values()]
    const options = { stale: false, bytesMax: 1 << 24, rowsMax: 100 }
    const prefixed = await kv.lookupPrefix(table, batchOf(asked, prefixes), options)
    const isOf = (row: ReadonlyMap<number, Plain>): string => shown(asked.map(({ id }) => row.get(id) ?? null))
    const expected = prefixes.map((prefix) => inOrder(rows.filter((row) => isOf(row) === shown(prefix))))
    expect(prefixed.rows.map((own) => own.map((row) => shown(row)))).toEqual(expected)
  }

  #inPoolOrder(row: ReadonlyMap<number, Plain>): Plain[] {
    return this.#keyIds.map((id) => row.get(id) as Plain)
  }

  /** Record for record, and folded up to each end of a commit. */
  async #readChangelogs(): Promise<void> {
    const { columns, table } = this
    const valuesOf = (values: ReadonlyMap<number, Plain>): string => shown(columns.map(({ id }) => values.get(id) ?? null))
    const reader = testKv(this.#world)
    for (const [name, model] of this.#models) {
      const at = await this.#bucketOf(name)
      const records = at === undefined ? [] : await changesIn(reader.log, table, at.bucket, at.partition)
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
        const then = this.#ends.get(name)?.get(BigInt(i + 1))
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
