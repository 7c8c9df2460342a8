/**
 * A reader of the whole table by cursor, of some of its rows where it has a filter. It may take a part of a page, and goes on from its
 * cursor in any process. What it sees goes into the history; when all is calm it must have met every row that it asked for, once.
 */
import { decodeCursor, encodeCursor, nameCrcOf } from '../../../core/format/cursor.ts'
import { decodeBuffers } from '../../../core/log/read/conform.ts'
import type { Page } from '../../../core/log/read/page.ts'
import { offsetAt } from '../../../core/log/read/rows.ts'
import { parseFilter } from '../../../core/model/filter-text.ts'
import type { Selection } from '../../../core/model/selection.ts'
import type { Table } from '../../../core/model/table.ts'
import type { BucketLog } from '../reader.ts'
import { textId, textOf, valuesIn } from '../rows.ts'
import { databaseName, type Stage, tableName } from '../stage.ts'
import { codeOf, tableCache } from './ingest.ts'

const whole: Selection = { buckets: [], partitions: { kind: 'all' } }

interface Wanted {
  /** With `s` for the text, whatever its name is by then. */
  readonly where: string
  readonly isWanted: (value: bigint) => boolean
}

interface Place {
  cursor: string | undefined
  /** Of the next row, by bucket. */
  readonly next: Map<number, bigint>
  /** Where its cursor is, by bucket: rows before it have been met, or were not asked for. */
  reached: ReadonlyMap<number, bigint>
  /** By bucket, from where it began. */
  readonly begin: Map<number, bigint>
  readonly seen: Map<number, Map<bigint, bigint>>
}

interface Turn {
  readonly table: Table
  readonly page: Page
  readonly taken: number
  readonly cursor: string
  readonly reached: ReadonlyMap<number, bigint>
  readonly endsBefore: ReadonlyMap<number, bigint>
}

export class TableReader {
  readonly #stage: Stage
  readonly #wanted: Wanted | undefined
  readonly #places = new Map<string, Place>()

  constructor(stage: Stage) {
    this.#stage = stage
    this.#wanted = drawWanted(stage)
  }

  async follow(until: () => boolean): Promise<void> {
    const { cluster, random, swarm } = this.#stage
    for (let pauseMsMax = 10; !until(); pauseMsMax = Math.min(600_000, 1.1 * pauseMsMax)) {
      await this.turn()
      await cluster.sleep(random.magnitude(5, Math.max(pauseMsMax, 4 * swarm.thinkMs)))
    }
  }

  /** Until there is nothing more; there are no faults. */
  async finish(): Promise<void> {
    for (let turns = 0; turns < turnsMax; turns++) if (await this.turn()) return
    this.#stage.history.break('G12', 'progress', `a reader of the table is not at its end after ${turnsMax} pages`)
  }

  /** True: it is caught up. */
  async turn(): Promise<boolean> {
    const { cluster, random, history } = this.#stage
    const rowsMax = random.between(1, 20)
    const bytesMax = random.pick([1, 500, 1 << 20])
    const share = random.next()
    const outcome = await cluster.invoke({
      role: 'read',
      name: 'read the table',
      timeoutMs: 60_000,
      repeatable: false,
      run: async (environment): Promise<Turn> => {
        const table = await tableCache(this.#stage, environment).get(databaseName, tableName)
        const buckets = Array.from({ length: table.buckets.count }, (_, bucket) => bucket)
        const endsBefore = new Map(buckets.map((bucket) => [bucket, history.endSeen(table.tableId, bucket)] as const))
        const cursor = this.#places.get(table.tableId)?.cursor
        const page = await environment.log.readPage(table, {
          selection: whole,
          from: cursor === undefined ? { first: 'earliest' } : decodeCursor(cursor).position,
          fields: table.schema.columns,
          ...(this.#wanted && { filter: parseFilter(whereOf(this.#wanted, table), table.schema.columns) }),
          rowsMax,
          bytesMax,
        })
        const rows = page.rows.reduce((sum, batch) => sum + batch.rows, 0)
        const taken = share < 0.7 ? rows : Math.ceil(rows * share)
        const nameCrc = nameCrcOf(databaseName, tableName)
        const position = page.after(taken)
        return {
          table,
          page,
          taken,
          cursor: encodeCursor({ tableId: table.tableId, nameCrc, selection: whole, position }),
          reached: new Map(position.offsets.map(({ bucket, offset }) => [bucket, offset] as const)),
          endsBefore,
        }
      },
    })
    if (outcome.is === 'lost') return false
    if (outcome.is === 'error') {
      const code = codeOf(outcome.error)
      if (code === 'unexpected') history.break('harness', 'error', `read the table: ${String(outcome.error)}`)
      if (code === 'offset-out-of-range') this.#beginAgain(String(outcome.error))
      // a drop that came late has taken the table for good
      return code === 'not-found' && this.#stage.calm.yes
    }
    return this.#see(outcome.value)
  }

  /** Its rows have left the log before it came to them; where there is a lake, they are there. */
  #beginAgain(why: string): void {
    const { retain, lake } = this.#stage.swarm
    if (!retain || lake) this.#stage.history.break('G5', 'cursor', `a reader of the table is refused: ${why}`)
    this.#places.clear()
  }

  #see({ table, page, taken, cursor, reached, endsBefore }: Turn): boolean {
    const { history } = this.#stage
    const { tableId } = table
    const place = this.#places.get(tableId) ?? newPlace()
    this.#places.set(tableId, place)
    place.cursor = cursor
    place.reached = reached
    for (const { bucket, start, end } of page.walk.buckets) {
      const where = `a page of ${tableId}#${bucket}`
      if (!place.begin.has(bucket)) place.begin.set(bucket, start)
      const before = endsBefore.get(bucket) ?? 0n
      if (end < before) history.break('G5', 'monotonic', `${where}: the end went back from ${before} to ${end}`)
      history.seeEnd(tableId, bucket, end)
      const expected = place.next.get(bucket)
      if (expected !== undefined && this.#wanted === undefined && expected !== start)
        history.break('G5', 'cursor', `${where} starts at ${start}, the reader was at ${expected}`)
      place.next.set(bucket, start)
    }
    let left = taken
    for (const batch of page.rows) {
      const values = valuesIn(decodeBuffers(table.schema.columns, batch.rows, batch.columns()))
      for (const [row, value] of values.entries()) {
        if (left-- <= 0) break
        this.#seeRow(tableId, place, batch.bucket, offsetAt(batch, row), value)
      }
    }
    return page.isCaughtUp
  }

  #seeRow(tableId: string, place: Place, bucket: number, offset: bigint, value: bigint): void {
    const { history } = this.#stage
    const seen = place.seen.get(bucket) ?? new Map<bigint, bigint>()
    place.seen.set(bucket, seen)
    const where = `offset ${offset} of ${tableId}#${bucket}`
    if (seen.has(offset)) history.break('G5', 'cursor', `a reader of the table meets ${where} twice`)
    const next = place.next.get(bucket) ?? 0n
    if (offset < next || (this.#wanted === undefined && offset !== next))
      history.break('G5', 'cursor', `a reader of the table meets ${where} where ${next} follows`)
    place.next.set(bucket, offset + 1n)
    seen.set(offset, value)
    history.see(tableId, bucket, offset, value)
  }

  /** Every row that it asked for, from where it began to where it is, and no other. */
  check(tableId: string, logs: readonly BucketLog[]): void {
    const { history } = this.#stage
    const place = this.#places.get(tableId)
    if (place === undefined) return
    for (const { bucket, start, values } of logs) {
      const end = place.reached.get(bucket) ?? 0n
      const begin = place.begin.get(bucket) ?? start
      const seen = place.seen.get(bucket) ?? new Map<bigint, bigint>()
      for (let offset = begin > start ? begin : start; offset < end; offset++) {
        const value = values[Number(offset - start)] ?? -1n
        const isWanted = this.#wanted?.isWanted(value) ?? true
        if (seen.has(offset) === isWanted) continue
        const what = isWanted ? 'misses' : 'is given'
        return history.break(
          'G5',
          'whole',
          `a reader of the table ${this.#wanted?.where ?? ''} ${what} offset ${offset} of ${tableId}#${bucket}`,
        )
      }
    }
  }
}

const turnsMax = 20_000

const whereOf = ({ where }: Wanted, { schema }: Table): string =>
  where.replace(/^s /, `${schema.columns.find(({ id }) => id === textId)?.name ?? 's'} `)

const newPlace = (): Place => ({ cursor: undefined, next: new Map(), reached: new Map(), begin: new Map(), seen: new Map() })

function drawWanted({ random }: Stage): Wanted | undefined {
  const least = BigInt(random.below(400))
  if (random.chance(0.4)) return undefined
  return random.pick([
    { where: 's is null', isWanted: (value: bigint) => textOf(value) === undefined },
    { where: 's is not null', isWanted: (value: bigint) => textOf(value) !== undefined },
    { where: `v >= ${least}`, isWanted: (value: bigint) => value >= least },
  ])
}
