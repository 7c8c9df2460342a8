/** Who follows a whole table by cursor while its partitions come and go: every row from each partition's first, once, in order. */
import { decodeCursor, encodeCursor, nameCrcOf } from '../../../core/format/cursor.ts'
import { decodeBuffers } from '../../../core/log/read/conform.ts'
import type { Page } from '../../../core/log/read/page.ts'
import { offsetAt } from '../../../core/log/read/rows.ts'
import type { BucketRef, Partition } from '../../../core/model/partition.ts'
import type { Selection } from '../../../core/model/selection.ts'
import type { Table } from '../../../core/model/table.ts'
import { textOf, valuesIn } from '../rows.ts'
import { databaseName, tableName } from '../stage.ts'
import { codeOf, tableCache } from './ingest.ts'
import type { Partitioned } from './partition-writers.ts'

const whole: Selection = { buckets: [], partitions: { kind: 'all' } }
const turnsMax = 20_000

const placeOf = ({ partition, bucket }: BucketRef): string => `${partition.id}#${bucket}`

export class PartitionReader {
  readonly #shared: Partitioned
  /** Of the next row, by the partition's id and the bucket. */
  readonly #next = new Map<string, bigint>()
  readonly #begin = new Map<string, bigint>()
  #cursor: string | undefined

  constructor(shared: Partitioned) {
    this.#shared = shared
  }

  async follow(until: () => boolean): Promise<void> {
    const { cluster, random, swarm } = this.#shared.stage
    for (let pauseMsMax = 10; !until(); pauseMsMax = Math.min(600_000, 1.1 * pauseMsMax)) {
      await this.turn()
      await cluster.sleep(random.magnitude(5, Math.max(pauseMsMax, 4 * swarm.thinkMs)))
    }
  }

  async finish(): Promise<void> {
    for (let turns = 0; turns < turnsMax; turns++) if (await this.turn()) return
    this.#shared.stage.history.break('G12', 'progress', `a reader of the table is not at its end after ${turnsMax} pages`)
  }

  async turn(): Promise<boolean> {
    const { stage } = this.#shared
    const rowsMax = stage.random.between(1, 20)
    const outcome = await stage.cluster.invoke({
      role: 'read',
      name: 'read the table',
      timeoutMs: 60_000,
      repeatable: false,
      run: async (environment) => {
        const table = await tableCache(stage, environment).get(databaseName, tableName)
        const cursor = this.#cursor
        const from = cursor === undefined ? ({ first: 'earliest' } as const) : decodeCursor(cursor).position
        const page = await environment.log.readPage(table, {
          selection: whole,
          from,
          fields: table.schema.columns,
          rowsMax,
          bytesMax: 1 << 20,
        })
        return { table, page }
      },
    })
    if (outcome.is !== 'answer') {
      if (outcome.is === 'error' && codeOf(outcome.error) === 'unexpected')
        stage.history.break('harness', 'error', `read the table: ${String(outcome.error)}`)
      return false
    }
    this.#see(outcome.value.table, outcome.value.page)
    return outcome.value.page.isCaughtUp
  }

  #see(table: Table, page: Page): void {
    const { history } = this.#shared.stage
    for (const at of page.walk.buckets) {
      if (at.isGone) continue
      const place = placeOf(at)
      const expected = this.#next.get(place) ?? at.logStart
      if (at.start !== expected)
        history.break(
          'G5',
          'cursor',
          `a page of ${at.partition.name} ${place} starts at ${at.start}, the reader was at ${expected}`,
        )
      if (!this.#begin.has(place)) this.#begin.set(place, at.start)
      this.#next.set(place, at.start)
    }
    for (const batch of page.rows) {
      const values = valuesIn(decodeBuffers(table.schema.columns, batch.rows, batch.columns()))
      for (const [row, value] of values.entries()) this.#seeRow(batch, offsetAt(batch, row), value)
    }
    const rows = page.rows.reduce((sum, batch) => sum + batch.rows, 0)
    const nameCrc = nameCrcOf(databaseName, tableName)
    this.#cursor = encodeCursor({ tableId: table.tableId, nameCrc, selection: whole, position: page.after(rows) })
  }

  #seeRow(at: BucketRef, offset: bigint, value: bigint): void {
    const { stage, values } = this.#shared
    const place = placeOf(at)
    const where = `offset ${offset} of ${at.partition.name}#${at.bucket}`
    if (this.#next.get(place) !== offset)
      stage.history.break('G5', 'cursor', `a reader meets ${where} where ${this.#next.get(place)} follows`)
    this.#next.set(place, offset + 1n)
    const name = `${at.partition.name}#${at.bucket}`
    const seen = values.get(name) ?? new Map<bigint, bigint>()
    values.set(name, seen)
    const before = seen.get(offset)
    if (before !== undefined && before !== value)
      stage.history.break('G5', 'agree', `${where} was ${before} (${textOf(before) ?? 'null'}) and is ${value}`)
    seen.set(offset, value)
  }

  /** It began where each partition begins. */
  check(partitions: readonly Partition[]): void {
    const { stage } = this.#shared
    for (const partition of partitions) {
      for (let bucket = 0; bucket < stage.swarm.buckets; bucket++) {
        const begin = this.#begin.get(placeOf({ partition, bucket }))
        if (begin !== partition.floor)
          stage.history.break(
            'G5',
            'whole',
            `a reader began ${partition.name}#${bucket} at ${begin}, it begins at ${partition.floor}`,
          )
      }
    }
  }
}
