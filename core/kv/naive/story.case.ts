/** What came to a table and what was answered, against the naive map. */
import { expect } from 'vitest'
import { alterTable, getTable } from '../../catalog/tables.ts'
import { type Plain, rowsOf as plainRowsOf, valueOfType } from '../../format/arrow/batch.case.ts'
import { isSluiceError } from '../../kernel/errors.ts'
import type { BucketRows } from '../../log/types.ts'
import { changes } from '../../model/changelog.ts'
import { unpartitioned } from '../../model/partition.ts'
import type { Column, Table } from '../../model/table.ts'
import { changesIn, foldNow, keyedTable, type TestKv, testKv, testWorld } from '../world.case.ts'
import type { NaiveOperation, Told } from './bucket.case.ts'
import { drawChange } from './change.case.ts'
import { expectChangelogs } from './changelog.case.ts'
import { expectLooks, LongScan } from './look.case.ts'
import { drawRequest, type Sent } from './request.case.ts'
import { partitionsOfStory, State } from './state.case.ts'
import { chance, type Draw, drawTable, number, oneOf } from './table.case.ts'

const steps = [
  ...['write', 'write', 'write', 'write', 'race', 'race', 'again', 'fold', 'fold', 'restart', 'look', 'page', 'alter', 'alter'],
] as const

/** A part of a request at its bucket. */
interface SentPart {
  readonly at: string
  readonly sent: Sent
  readonly rows: BucketRows
  /** In whose columns it may have been merged, the oldest first: the writer's, or those of a writer whose group it came into. */
  readonly tables: readonly Table[]
}

export class Story {
  readonly #g: Draw
  readonly #state: State
  readonly #processes: TestKv[]
  readonly #numbers = new Set<string>()
  readonly #last = new Map<string, Sent>()
  #scan: LongScan | undefined
  #added = 0
  #sequence = 0

  private constructor(g: Draw, state: State) {
    this.#g = g
    this.#state = state
    this.#processes = [testKv(state.world), testKv(state.world)]
  }

  static async tell(g: Draw): Promise<void> {
    const world = testWorld()
    const drawn = drawTable(g)
    const { body, buckets } = drawn
    const table = await keyedTable(world, { ...body, buckets: { ...body.buckets, count: buckets } }, buckets)
    const state = new State(world, table, drawn)
    const keys = table.schema.columns.filter(({ id }) => state.keyIds.includes(id))
    const value = ({ name, type }: Column): Plain => (name === 'p' ? oneOf(g, partitionsOfStory) : g(valueOfType, type))
    for (let i = number(g, 1, 12); i > 0; i--) state.pool.push(keys.map(value))
    const story = new Story(g, state)
    for (let i = number(g, 1, 24); i > 0; i--) await story.#step()
    for (const process of [...story.#processes, testKv(world), testKv(world, 1)])
      await expectLooks(g, state, process, state.table)
    await expectLooks(g, state, testKv(world), story.#anyTable())
    await expectChangelogs(state)
  }

  async #step(): Promise<void> {
    const index = number(this.#g, 0, 1)
    const process = this.#processes[index] as TestKv
    switch (oneOf(this.#g, steps)) {
      case 'write':
        return this.#write([[process, this.#request()]])
      case 'race': {
        // Of one process, those that come at once may be one group.
        const among = chance(this.#g, 5) ? [process] : this.#processes
        const count = number(this.#g, 2, 4)
        return this.#write(Array.from({ length: count }, () => [oneOf(this.#g, among), this.#request()]))
      }
      case 'again':
        return this.#again(process)
      case 'fold':
        return foldNow(this.#state.world, process, this.#state.table)
      case 'restart':
        this.#processes[index] = testKv(this.#state.world)
        return
      case 'look':
        return expectLooks(this.#g, this.#state, process, this.#anyTable())
      case 'page':
        this.#scan ??= new LongScan(this.#state, oneOf(this.#g, [...this.#state.models.keys()]))
        if ((await this.#scan.page(process, this.#anyTable(), number(this.#g, 1, 4))) === 'none') this.#scan = undefined
        return
      case 'alter':
        return this.#alter()
    }
  }

  /** As it is, or as who has not looked for long knows it. */
  #anyTable(): Table {
    const { older, table } = this.#state
    return older.length > 0 && chance(this.#g, 4) ? oneOf(this.#g, older) : table
  }

  #request(): Sent {
    const { pool, keyIds } = this.#state
    const named = this.#anyTable()
    // Who takes a request may know newer columns than who sent it.
    const table = chance(this.#g, 5) ? named : this.#state.table
    const aggOf = (id: number): string | undefined => this.#state.aggOf(table, id)
    return drawRequest(this.#g, table, { named, pool, keyIds, aggOf, sequence: this.#sequence++ })
  }

  /** At once, each of its process. Who came first is told by the offsets; what has no effect stood before what begins where it ends. */
  async #write(sent: readonly (readonly [TestKv, Sent])[]): Promise<void> {
    const answers = await Promise.all(sent.map(([{ kv }, { table, request }]) => kv.upsert(table, request)))
    const all = answers.flatMap((appended, i) => {
      const [process, own] = sent[i] as (typeof sent)[number]
      const { producer, parts } = own.request
      if (producer !== undefined && appended.every(({ outcome }) => outcome.done)) this.#last.set(producer.id, own)
      const tables = tablesSince(
        own.table,
        sent.flatMap(([other, { table }]) => (other === process ? [table] : [])),
      )
      return appended.map(({ outcome }, part) => {
        const rows = parts[part] as BucketRows
        return { at: `${rows.partition}#${rows.bucket}`, outcome, sent: own, rows, tables }
      })
    })
    const refused = all.flatMap((each) => (each.outcome.done ? [] : [{ ...each, error: each.outcome.error }]))
    for (const { error, sent: own } of refused) {
      const codes = own.table === this.#state.table ? ['invalid-rows'] : ['invalid-rows', 'changed']
      expect(codes, error.message).toContain(error.code)
      expect(error.effect).toBe('none')
    }
    // Whole, or, where parts were committed before others lost their races, all of those.
    const isJudged = sent.length === 1 && refused.some(({ error }) => error.code === 'invalid-rows')
    if (isJudged) expect(refused.map((each) => this.#told('trial', each, each.sent.table))).toContain('refused')
    const done = all.flatMap((each) => (each.outcome.done ? [{ ...each, ...each.outcome }] : []))
    done.sort((a, b) => Number(a.base - b.base) || Number(a.end - b.end))
    for (const each of done) {
      const model = this.#state.modelAt(each.at)
      expect([each.base, each.duplicate]).toEqual([model.end, false])
      if (each.base === each.end) {
        expect(each.tables.map((table) => this.#told('trial', each, table))).toContain('nothing')
        continue
      }
      model.numbers = await this.#drawnIn(each.at, each.base, each.end)
      expect(this.#told('apply', each, await this.#mergedIn(each))).toBe('done')
      expect(model.numbers, 'a number for each row that is new').toEqual([])
      expect(model.end, 'as many changes as the map had').toBe(each.end)
    }
  }

  /** Whose columns a commit's batch says it has: who knows older ones does not read it. */
  async #mergedIn({ at, base, tables }: SentPart & { readonly base: bigint }): Promise<Table> {
    const { log } = testKv(this.#state.world)
    const bucket = await this.#state.bucketOf(at)
    for (const table of tables.slice(0, -1)) {
      const request = { partition: bucket?.partition ?? unpartitioned, bucket: bucket?.bucket ?? 0, from: base as never }
      const isRead = await log
        .fetch(table, { ...request, fields: table.schema.columns, rowsMax: 1, bytesMax: 1 << 20 })
        .then(({ rows }) => rows.length > 0)
        .catch((error: unknown) => {
          if (isSluiceError(error, 'changed')) return false
          throw error
        })
      if (isRead) return table
    }
    return tables.at(-1) as Table
  }

  /** What the rows that a commit inserted were given, which no row before was. */
  async #drawnIn(at: string, base: bigint, end: bigint): Promise<Plain[]> {
    const { table, world } = this.#state
    const index = table.schema.columns.findIndex(({ autoIncrement }) => autoIncrement === true)
    const bucket = await this.#state.bucketOf(at)
    if (index < 0 || bucket === undefined) return []
    const records = await changesIn(testKv(world).log, table, bucket.bucket, bucket.partition)
    const isWal = table.options.keyed?.changelogImage === 'wal'
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
  #told(how: 'apply' | 'trial', { at, sent: { table, targets }, rows }: SentPart, as: Table): Told {
    const { columns } = table.schema
    const operations = rows.batches.flatMap(plainRowsOf).map((row): NaiveOperation => {
      const values = as.schema.columns.map((wanted) => {
        const value = row[columns.findIndex(({ id }) => id === wanted.id)] ?? null
        return wanted.type.kind === 'bigint' && typeof value === 'number' ? BigInt(value) : value
      })
      return { isDelete: row[columns.length] === changes.delete, row: values }
    })
    return this.#state.modelAt(at)[how](this.#state.schemaOf(as), operations, targets)
  }

  /** A request that was sent before changes nothing. */
  async #again({ kv }: TestKv): Promise<void> {
    const last = [...this.#last.values()].at(-1)
    if (last === undefined) return
    for (const { outcome } of await kv.upsert(last.table, last.request)) {
      if (outcome.done) expect(outcome.duplicate || outcome.base === outcome.end).toBe(true)
      else
        expect([outcome.error.code, outcome.error.effect, last.table === this.#state.table]).toEqual(['changed', 'none', false])
    }
  }

  async #alter(): Promise<void> {
    const { world, table, older } = this.#state
    const { change, refused } = drawChange(this.#g, table, `n${this.#added++}`)
    if (refused === undefined) {
      await alterTable(world, 'd', 't', change)
      older.push(table)
    } else {
      const facts = { column: refused }
      const message = expect.stringMatching(`^the column "${refused}" .* create another table`)
      await expect(alterTable(world, 'd', 't', change)).rejects.toMatchObject({ code: 'invalid-schema', message, facts })
    }
    this.#state.table = await getTable(world, 'd', 't')
    expect(this.#state.table.schema.schemaId).toBe(table.schema.schemaId + (refused === undefined ? 1 : 0))
  }
}

/** `own`, and those of the others that are newer; the oldest first, each once. */
function tablesSince(own: Table, others: readonly Table[]): readonly Table[] {
  const byId = new Map([own, ...others].map((table) => [table.schema.schemaId, table]))
  const { schemaId } = own.schema
  return [...byId.values()]
    .filter(({ schema }) => schema.schemaId >= schemaId)
    .sort((a, b) => a.schema.schemaId - b.schema.schemaId)
}
