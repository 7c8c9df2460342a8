/**
 * The story of a table with partitions: rows make them, others drop them, rows make them again, readers follow the whole table by
 * cursor, and in some runs workers bring the rows into a lake. Judged: an offset of a name means one row for ever, whatever was dropped between; a reader meets every row of the partitions
 * that there are, from their first, once, in order; what was acked into a partition that is there is in it.
 */
import { createDatabase } from '../../core/catalog/databases.ts'
import { listPartitions } from '../../core/catalog/partitions.ts'
import { createTable, getTable } from '../../core/catalog/tables.ts'
import { decodeCursor, encodeCursor, nameCrcOf } from '../../core/format/cursor.ts'
import { present } from '../../core/kernel/assert.ts'
import { utf8 } from '../../core/kernel/bytes.ts'
import { dropPartition } from '../../core/log/drop.ts'
import { producerOf } from '../../core/log/producer.ts'
import { decodeBuffers } from '../../core/log/read/conform.ts'
import type { Page } from '../../core/log/read/page.ts'
import { offsetAt } from '../../core/log/read/rows.ts'
import { routeRows } from '../../core/log/route.ts'
import { defaultOptions, type TableOptions } from '../../core/model/options.ts'
import type { BucketRef, Partition } from '../../core/model/partition.ts'
import type { Selection } from '../../core/model/selection.ts'
import type { Table, TableSpec } from '../../core/model/table.ts'
import { alterSome } from './actors/alterer.ts'
import { commitForeign } from './actors/foreign.ts'
import { codeOf, tableCache } from './actors/ingest.ts'
import { startWorkers, sweepOnce, trigger } from './actors/jobs.ts'
import { catalogName } from './catalog.ts'
import { PartitionLake } from './checks/partition-lake.ts'
import type { SeededFates } from './fates.ts'
import { alterPeriods, periodOptions, settlePeriods, someHour, watchPeriods } from './periods.ts'
import { batchOf, textOf, valuesIn } from './rows.ts'
import { databaseName, type Stage, tableName } from './stage.ts'

const names = ['p=a', 'p=b', 'p=c', 'p=d'] as const
const whole: Selection = { buckets: [], partitions: { kind: 'all' } }
const turnsMax = 20_000
const faultyMsMax = 6 * 3_600_000
const requestTimeoutMs = 30_000

interface Acked {
  readonly name: string
  readonly bucket: number
  readonly base: bigint
  readonly values: readonly bigint[]
}

interface Shared {
  readonly stage: Stage
  readonly acked: Acked[]
  /** `<name>#<bucket>` → offset → value: over all partitions of a name. */
  readonly values: Map<string, Map<bigint, bigint>>
  /** What an actor has asked to drop. */
  readonly byHand: Set<string>
  readonly pickName: () => string
}

export async function tellPartitions(stage: Stage, fates: SeededFates): Promise<void> {
  const { swarm, cluster, random } = stage
  const isTimed = swarm.scenario === 'periods'
  const shared: Shared = {
    stage,
    acked: [],
    values: new Map(),
    byHand: new Set(),
    pickName: isTimed ? () => someHour(stage) : () => random.pick(names),
  }
  const { lakeFreshnessMs } = swarm
  const lakeOptions = swarm.lake
    ? {
        lakeFormat: 'iceberg' as const,
        lakeFreshnessMs,
        ...(swarm.formatVersion === 3 && { lakeFormatVersion: 3 as const }),
        ...(swarm.external && { lakeCatalog: { name: catalogName } }),
      }
    : {}
  const options = { ...(isTimed ? periodOptions(stage) : defaultOptions), ...lakeOptions }
  if (isTimed) watchPeriods(stage, options.autoPartition?.timeZone ?? 'UTC', shared.byHand)
  await cluster.invoke({
    role: 'admin',
    name: 'set up',
    timeoutMs: 60_000,
    repeatable: false,
    run: ({ world }) => setUp(world, spec(swarm.buckets, options)),
  })
  const lake = new PartitionLake(stage)
  startWorkers(stage)
  fates.rates = swarm.rates
  let isWorking = true
  const producers = Math.max(1, swarm.producers)
  const acting = Promise.all([
    ...Array.from({ length: producers }, (_, i) => produce(shared, `p${i}`)),
    dropSome(shared),
    isTimed ? alterPeriods(stage) : alterSome(stage),
  ]).then(() => {
    isWorking = false
  })
  const readers = Array.from({ length: 1 + swarm.tableReaders }, () => new PartitionReader(shared))
  const reading = Promise.all(readers.map((reader) => reader.follow(() => !isWorking)))
  const sweeping = Promise.all([sweepWhile(stage, () => isWorking), tierSome(stage), commitForeign(stage, () => isWorking)])
  await Promise.race([acting, cluster.sleep(faultyMsMax)])
  fates.stop()
  stage.calm.yes = true
  Object.assign(cluster.options, { duplicateRate: 0, idleFreezeRate: 0, idleKillRate: 0 })
  cluster.settle(random.pick([0, 0.5, 1]))
  await acting
  await reading
  await sweeping
  if (isTimed) await settlePeriods(stage)
  // the kept list of partitions grows too old in every process, on any clock
  await cluster.sleep(600_000)
  for (const reader of readers) await reader.finish()
  const there = await cluster.invoke({
    role: 'admin',
    name: 'list',
    timeoutMs: 60_000,
    repeatable: false,
    run: ({ world }) => alive(world),
  })
  if (there.is !== 'answer') return stage.history.break('harness', 'error', 'the partitions cannot be listed without faults')
  for (const reader of readers) reader.check(there.value)
  checkAcked(shared, there.value)
  if (swarm.lake) await tierAll(stage, lake, there.value)
}

/** Jobs that no mark asked for. */
async function tierSome(stage: Stage): Promise<void> {
  for (let i = 0; i < stage.swarm.extraTierJobs; i++) {
    await stage.cluster.sleep(stage.random.magnitude(10, Math.max(1_000, 4 * stage.swarm.thinkMs)))
    trigger(stage, 'tier')
  }
}

/** A lease, a visibility time, sweeps, a drop that held the lake. */
const tierBoundMs = 45 * 60_000

/** The partitions that are there come into the lake, with no trigger but the sweep. */
async function tierAll(stage: Stage, lake: PartitionLake, partitions: readonly Partition[]): Promise<void> {
  const until = stage.scheduler.now + stage.swarm.lakeFreshnessMs + tierBoundMs
  for (;;) {
    const behind = lake.behind(partitions)
    if (behind.length === 0) return lake.check(partitions)
    if (stage.scheduler.now > until)
      return stage.history.break(
        'G12',
        'live',
        `the lake is behind in ${behind.join(', ')} at ${tierBoundMs} ms past its freshness`,
      )
    await stage.cluster.sleep(60_000)
    await sweepOnce(stage)
  }
}

/** Finishes drops that nobody repeats. */
async function sweepWhile(stage: Stage, isWorking: () => boolean): Promise<void> {
  while (isWorking()) {
    await stage.cluster.sleep(stage.random.magnitude(10_000, stage.swarm.sweepMsMax))
    await sweepOnce(stage)
  }
}

const spec = (buckets: number, options: TableOptions): TableSpec => ({
  columns: [
    { name: 'v', type: { kind: 'bigint' }, nullable: false },
    { name: 's', type: { kind: 'string' }, nullable: true },
    { name: 'p', type: { kind: 'string' }, nullable: false },
  ],
  partitionBy: ['p'],
  buckets: { count: buckets },
  options,
})

type World = Parameters<typeof createTable>[0]

async function setUp(world: World, wanted: TableSpec): Promise<void> {
  await createDatabase(world, databaseName)
  await createTable(world, databaseName, tableName, wanted)
}

async function alive(world: World): Promise<readonly Partition[]> {
  const table = await getTable(world, databaseName, tableName)
  return (await listPartitions(world, table, { limit: 1_000 })).filter(({ state }) => state === 'alive')
}

/** Requests one after another, each repeated, unchanged, until its outcome is definite. */
async function produce(shared: Shared, producerId: string): Promise<void> {
  const { stage } = shared
  const { random, swarm, cluster } = stage
  for (let sequence = 0; sequence < 2 * swarm.requestsEach; sequence++) {
    const request = stage.nextRequest()
    const count = random.between(1, swarm.rowsMax)
    const name = shared.pickName()
    const values = Array.from({ length: count }, (_, i) => BigInt(request) * 16n + BigInt(i))
    for (let pauseMsMax = 1_000; ; pauseMsMax = Math.min(600_000, 1.3 * pauseMsMax)) {
      if (await append(shared, { producerId, sequence, name, values })) break
      await cluster.sleep(random.magnitude(10, pauseMsMax))
    }
    if (swarm.thinkMs > 0) await cluster.sleep(random.between(0, 2 * swarm.thinkMs))
    if (swarm.scenario === 'periods') await cluster.sleep(random.magnitude(1_000, 3_600_000))
  }
}

interface Sent {
  readonly producerId: string
  readonly sequence: number
  readonly name: string
  readonly values: readonly bigint[]
}

async function append({ stage, acked }: Shared, { producerId, sequence, name, values }: Sent): Promise<boolean> {
  const outcome = await stage.cluster.invoke({
    role: 'ingest',
    name: `append ${producerId} ${sequence} to ${name}`,
    timeoutMs: requestTimeoutMs,
    repeatable: true,
    run: async (environment) => {
      const table = await tableCache(stage, environment).get(databaseName, tableName)
      const routing = { producer: { producerId, sequence: BigInt(sequence) } }
      const batch = withPartition(table, values, name.slice(2))
      const parts = routeRows(table, [batch], { ...routing, rotate: () => 0 })
      const body = utf8(`${name} ${values.join(',')}`)
      const producer = producerOf({
        principal: 'local',
        producerId,
        epoch: 0n,
        sequence: BigInt(sequence),
        body,
        gapDetection: false,
      })
      const appended = await environment.log.append(table, { parts, producer })
      for (const { partition, bucket, outcome: done } of appended)
        if (done.done) acked.push({ name: partition, bucket, base: done.base, values })
      return appended
    },
  })
  if (outcome.is !== 'answer') {
    if (outcome.is === 'error' && codeOf(outcome.error) === 'unexpected')
      stage.history.break('harness', 'error', `append: ${String(outcome.error)}`)
    return outcome.is === 'error' && codeOf(outcome.error) === 'invalid-name'
  }
  return outcome.value.every(({ outcome: done }) => done.done || final.has(done.error.code))
}

/** A late repeat of a newer request has made this one pointless. */
const final: ReadonlySet<string> = new Set(['sequence-old', 'sequence-reused'])

function withPartition(table: Table, values: readonly bigint[], text: string) {
  const batch = batchOf(table.schema, values)
  const bytes = utf8(text)
  const offsets = Int32Array.from({ length: values.length + 1 }, (_, i) => i * bytes.length)
  const repeated = new Uint8Array(bytes.length * values.length)
  for (let i = 0; i < values.length; i++) repeated.set(bytes, i * bytes.length)
  const p = { ...plainText, length: values.length, offsets, values: repeated }
  // The others come in the order of their fields.
  const others = [...batch.columns]
  return { ...batch, columns: batch.fields.map(({ name }) => (name === 'p' ? p : present(others.shift(), 'a column'))) }
}

const plainText = { type: { kind: 'string' }, nullCount: 0, validity: undefined, children: [] } as const

async function dropSome({ stage, byHand, pickName }: Shared): Promise<void> {
  const { random, swarm, cluster } = stage
  for (let i = random.between(2, 8); i > 0; i--) {
    await cluster.sleep(random.magnitude(20, Math.max(2_000, swarm.thinkMs * swarm.requestsEach)))
    const name = pickName()
    byHand.add(name)
    const lakeRows = random.chance(0.4) ? 'stay' : 'go'
    for (;;) {
      const outcome = await cluster.invoke({
        role: 'admin',
        name: `drop ${name}`,
        timeoutMs: requestTimeoutMs,
        repeatable: true,
        run: async ({ world }) => dropPartition(world, await getTable(world, databaseName, tableName), name, lakeRows),
      })
      if (outcome.is === 'answer' && outcome.value === 'gone') break
      if (outcome.is === 'error' && codeOf(outcome.error) === 'not-found') break
      await cluster.sleep(random.between(10, 2_000))
    }
  }
}

const placeOf = ({ partition, bucket }: BucketRef): string => `${partition.id}#${bucket}`

class PartitionReader {
  readonly #shared: Shared
  /** Of the next row, by the partition's id and the bucket. */
  readonly #next = new Map<string, bigint>()
  readonly #begin = new Map<string, bigint>()
  #cursor: string | undefined

  constructor(shared: Shared) {
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

/** Offsets below a partition's first are those of one that was dropped. */
function checkAcked({ stage, acked, values }: Shared, partitions: readonly Partition[]): void {
  const floors = new Map(partitions.map(({ name, floor }) => [name, floor] as const))
  for (const { name, bucket, base, values: sent } of acked) {
    const floor = floors.get(name)
    if (floor === undefined || base < floor) continue
    const seen = values.get(`${name}#${bucket}`)
    const isThere = sent.every((value, i) => seen?.get(base + BigInt(i)) === value)
    if (!isThere)
      stage.history.break('G1', 'acked', `${sent.length} rows were acked at ${base} of ${name}#${bucket} and are not there`)
  }
}
